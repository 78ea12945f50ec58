"""Processes for tests: with the signals that they need, and gone at the end whatever happens."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TextIO

import psutil


@contextmanager
def default_interrupt() -> Iterator[None]:
    """Children that start now obey Ctrl-C, though a shell may have begun the tests without.

    `nohup`, `&` in a script and some services start programs with SIGINT ignored, and children
    inherit that. For the main thread only.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def started(command: list[Any], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process with its output in pipes, for `with`; at the end it is gone, and all that it began.

    It leads a group of its own, as a command does in a terminal: `os.killpg(process.pid, SIGINT)`
    is Ctrl-C there.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with default_interrupt():
        process = subprocess.Popen(
            [str(part) for part in command], **{**pipes, "start_new_session": True, **options}
        )
    try:
        yield process
    finally:
        end(process)


# Takes one call after the other and answers with the number of the process that does it, and with
# how that one ended. What the call prints goes to a pipe with a name.
_NURSERY = """
import json, os, sys, traceback
exec(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    name, arguments, output = json.loads(line)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.dup2(os.open(output, os.O_WRONLY), 1)
            eval(name)(*arguments)
            sys.stdout.flush()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Forked:
    """A process that does one call, begun by another that is no part of the tests."""

    def __init__(self, pid: int, stdout: TextIO, answers: TextIO) -> None:
        self.pid, self.stdout, self._answers = pid, stdout, answers
        self.returncode: int | None = None

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = int(self._answers.readline())
        return self.returncode


@contextmanager
def nursery(prepared: str) -> Iterator[Callable[..., AbstractContextManager[Forked]]]:
    """Processes that have imported, and loaded, what takes seconds: forks of one that has done so.

    For `with`: gives a function that takes the name of a function which the Python text `prepared`
    defines or imports, and its arguments, and calls it in a new process. One lives at a time.
    """

    @contextmanager
    def forked(name: str, *arguments: Any) -> Iterator[Forked]:
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder, "output")
            os.mkfifo(output)
            call = [name, [a if isinstance(a, int) else str(a) for a in arguments], str(output)]
            print(json.dumps(call), file=process.stdin, flush=True)
            child_pid = int(process.stdout.readline())
            with output.open() as stdout:
                child = Forked(child_pid, stdout, process.stdout)
                try:
                    yield child
                finally:
                    if child.returncode is None:
                        with contextlib.suppress(ProcessLookupError):
                            child.kill()
                        child.wait()

    command = [sys.executable, "-c", _NURSERY, prepared]
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    with started(command, stdin=subprocess.PIPE, stderr=None, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield forked


def end(process: subprocess.Popen[str]) -> None:
    """Kill a process with its group, wait for it and close its pipes."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def commands() -> dict[psutil.Process, str]:
    """The processes below this one with their command lines, without those that are ending."""
    found = {}
    for child in psutil.Process().children(recursive=True):
        # Between two looks at it a process may be gone, or wait as a zombie to be.
        with contextlib.suppress(psutil.NoSuchProcess):
            found[child] = " ".join(child.cmdline())
    return found


def worker_processes() -> list[psutil.Process]:
    """Processes below this one that were spawned to compute, as the workers of a cluster are."""
    return [child for child, command in commands().items() if "spawn_main" in command]
