"""Call every public function with absurd arguments, and list the errors that nobody worded.

    python tests/absurd/attack.py --calls 5000 --seed 1 [--groups nets kernels] [--report FILE]
    python tests/absurd/attack.py --only "tg.NTK(None)"

A call passes when it returns, or raises one of `ALLOWED` with a message that fits on a few lines.
Each gets `SECONDS` of processor time, in a child process that may take `MEMORY` bytes beside what
it has, so that a crash, an endless loop or a huge array is a finding too.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.util
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from absurd.calls import GROUPS, calls
from absurd.values import values

SECONDS = 60.0
"""Not less: some calls compile a loop first."""
MEMORY = 3 << 30
LONGEST = 600
"""Characters of a message: a few lines, a path or two among them, and no array in full."""

# Of these the first argument says what is called, and is not for replacement.
_HELPERS = (
    "operator.getitem",
    "operator.add",
    "operator.mul",
    "operator.matmul",
    "fitted",
    "transformed",
    "computed",
)


class OutOfTime(BaseException):
    """No `Exception`, so that nothing between the call and its end catches it."""


@dataclass(frozen=True)
class Outcome:
    """What became of a call. `fault` is None for one that passed, else says what is wrong."""

    source: str
    fault: str | None = None
    where: str = ""
    message: str = ""

    @property
    def function(self) -> str:
        return ast.unparse(_call(self.source).func)


def allowed() -> tuple[type[Exception], ...]:
    """The errors that the package words itself, and those of an interface that asks for its own.

    scikit-learn's of a model that is not fitted; what Python takes an index out of range, and a
    file that is not there, for.
    """
    from sklearn.exceptions import NotFittedError

    from tangency.errors import InputError, MemoryLimitError, NetworkError
    from tangency.finite.requirement import TorchMissingError

    ours = (InputError, NetworkError, MemoryLimitError, TorchMissingError)
    return (*ours, NotFittedError, FileNotFoundError)


def draw(number: int, seed: int, groups: Iterable[str], torch: bool | None = None) -> list[str]:
    """Calls with one or two of their arguments replaced, by the dice of `seed`.

    torch: whether tensors are among the values; None: where PyTorch is installed.
    """
    dice = random.Random(seed)
    installed = [name for name in ("torch", "pandas", "polars") if importlib.util.find_spec(name)]
    torch = "torch" in installed if torch is None else torch
    # Tables only in the long run: they would make the short one slower, and differ by machine.
    pool = values(torch, tuple(installed) if torch else ())
    lines = [line for group in groups for line in calls(group) if group != "finite" or torch]
    weights = [len(_slots(_call(line))) for line in lines]
    drawn = []
    for line in dice.choices(lines, weights, k=number):
        call = _call(line)
        slots = _slots(call)
        for slot in dice.sample(slots, min(len(slots), 1 + (dice.random() < 0.2))):
            value = ast.parse(dice.choice(pool), mode="eval").body
            if isinstance(slot, ast.keyword):
                slot.value = value
            else:
                call.args[slot] = value
        drawn.append(ast.unparse(call))
    return drawn


def _call(source: str) -> ast.Call:
    node = ast.parse(source, mode="eval").body
    assert isinstance(node, ast.Call), source
    return node


def _slots(call: ast.Call) -> list[Any]:
    """What can be replaced: keywords, and the places of other arguments."""
    first = int(ast.unparse(call.func) in _HELPERS)
    return [*range(first, len(call.args)), *call.keywords]


def attempt(source: str, names: Any) -> Outcome:
    """Make the arguments, then the call, and judge what comes of it."""
    call = _call(source)

    def make(node: ast.expr) -> Any:
        return eval(compile(ast.Expression(node), "<absurd>", "eval"), names)

    try:
        function = make(call.func)
        args = [make(a) for a in call.args]
        kwargs = {str(k.arg): make(k.value) for k in call.keywords}
    except Exception as error:
        return _failed(source, f"cannot be set up, {type(error).__name__}", error)
    try:
        with _limited():
            repr(function(*args, **kwargs))
    except OutOfTime as error:
        return _failed(source, f"no end in {SECONDS:g} s", error)
    except allowed() as error:
        if len(str(error)) > LONGEST:
            return _failed(source, f"{type(error).__name__} of {len(str(error))} characters", error)
    except Exception as error:
        if not _not_ours(error, source):
            return _failed(source, type(error).__name__, error)
    return Outcome(source)


def _not_ours(error: Exception, source: str) -> bool:
    """What others raise in their own affairs.

    The caller's function or object; Python, about a signature or an operator; a method that is
    inherited from scikit-learn, SciPy or PyTorch as it is; the file system, with the path.
    """
    frames = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    if Path(frames[-1]).name in ("<absurd>", "world.py"):
        return True
    if isinstance(error, OSError) and error.filename is not None:
        return True
    if isinstance(error, RecursionError) and not any("/src/tangency/" in f for f in frames):
        return True  # to print a tuple is to print what the caller put into it
    if source.startswith("operator."):
        index = "getitem" in source and isinstance(error, IndexError)
        return index or not any("/src/tangency/" in name for name in frames)
    if len(frames) == 1:
        return isinstance(error, TypeError)
    return not any("/tangency/" in name for name in frames) and "/site-packages/" in frames[-1]


def _failed(source: str, fault: str, error: BaseException) -> Outcome:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "/src/tangency/" in f.filename] or frames
    file = ours[-1].filename.rpartition("/src/tangency/")[2]
    return Outcome(source, fault, f"{file}:{ours[-1].lineno} {ours[-1].name}", _text(error)[:300])


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(no text)"


def attack(sources: list[str]) -> list[Outcome]:
    """What becomes of the calls, each tried in a fresh folder by a child process.

    A child that dies is a finding at the call it was at; another goes on with the next.
    """
    found: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder, "journal")
        while len(found) < len(sources):
            Path(folder, "sources.json").write_text(json.dumps(sources[len(found) :]))
            journal.write_text("")
            command = [sys.executable, __file__, "--child", folder]
            ended = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
            found += [Outcome(**json.loads(line)) for line in journal.read_text().splitlines()]
            if ended.returncode and len(found) < len(sources):
                words = ended.stderr.decode(errors="replace")[-300:]
                dead = f"the process ended with {ended.returncode}"
                found.append(Outcome(sources[len(found)], dead, message=words))
    return found


def _child(folder: Path) -> None:
    """Try the calls in `folder`/sources.json and note each outcome in `folder`/journal."""
    from absurd.world import make_files, names

    sources = json.loads((folder / "sources.json").read_text())
    if any("torch" in s or "finite" in s for s in sources):
        import torch  # noqa: F401  (its address space is not the calls')
    files, here = folder / "files", folder / "here"
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir()
    make_files(files)
    state = _state(files)
    signal.signal(signal.SIGALRM, _ring)
    signal.signal(signal.SIGPROF, _ring)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, resource.RLIM_INFINITY))
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(1000)
    with open(folder / "journal", "a") as journal:
        for source in sources:
            with _fresh(here), contextlib.redirect_stderr(io.StringIO()):
                outcome = attempt(source, names(files))
            print(json.dumps(asdict(outcome)), file=journal, flush=True)
            if _state(files) != state:  # a call has written there, as it was told to
                shutil.rmtree(files)
                files.mkdir()
                make_files(files)
                state = _state(files)


def _state(folder: Path) -> dict[str, int]:
    """When each file there was written."""
    found = {}
    for entry in os.scandir(folder):  # some thousand times a run: `rglob` takes twice as long
        found[entry.path] = entry.stat(follow_symlinks=False).st_mtime_ns
        if entry.is_dir(follow_symlinks=False):
            found |= _state(Path(entry.path))
    return found


def _ring(*_: Any) -> None:
    raise OutOfTime


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Of the processor's time, so that a loaded machine changes nothing; and of a long wait."""
    # A loop in compiled code is not interrupted: the process ends, which is a finding as well.
    spent = int(time.process_time() + 3 * SECONDS)
    resource.setrlimit(resource.RLIMIT_CPU, (spent, resource.RLIM_INFINITY))
    # Again after a second, should something have swallowed the first.
    signal.setitimer(signal.ITIMER_PROF, SECONDS, 1.0)
    signal.setitimer(signal.ITIMER_REAL, 30 * SECONDS, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


@contextlib.contextmanager
def _fresh(folder: Path) -> Iterator[None]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def report(outcomes: list[Outcome]) -> str:
    """Faults by function and cause, most frequent first, with a call that shows each."""
    faults = [o for o in outcomes if o.fault is not None]
    kinds = Counter((o.function, o.fault, o.where) for o in faults)
    lines = [f"{len(faults)} of {len(outcomes)} calls failed, in {len(kinds)} ways"]
    for kind, count in sorted(kinds.items(), key=lambda item: (item[0][2], -item[1])):
        shown = min(
            (o for o in faults if (o.function, o.fault, o.where) == kind),
            key=lambda o: len(o.source),
        )
        lines.append(f"- {count}× `{shown.source}`\n  {kind[1]} at {kind[2]}: {shown.message!r}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--only", help="the source of one call, as a report shows it")
    parser.add_argument("--check", action="store_true", help="the calls as they stand, unharmed")
    parser.add_argument("--report", type=Path)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        _child(chosen.child)
        return 0
    if chosen.only:
        sources = [chosen.only]
    elif chosen.check:
        sources = [line for group in chosen.groups for line in calls(group)]
    else:
        sources = draw(chosen.calls, chosen.seed, chosen.groups)
    outcomes = attack(sources)
    text = report(outcomes)
    if chosen.report:
        chosen.report.write_text(text + "\n")
    print(text)
    return int(any(o.fault for o in outcomes))


if __name__ == "__main__":
    sys.exit(main())
