"""Talks to peer_worker.py: neural-tangents in another interpreter, one process a case."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from cases import Case, as_lists

WORKER = Path(__file__).parent / "peer_worker.py"
LARGEST = 256
# A larger block is tried only if it should need no more than this share of the memory.
MEMORY = 0.6
# What stands at masked positions.
MASKED = 1e3
# Seconds for which a block is timed, at least.
SHORTEST = 0.3


class PeerError(RuntimeError):
    """What went wrong in the other interpreter."""


class Tuned(NamedTuple):
    """How the peer is at its best: the block, how often it is run, and all that was tried."""

    block: int
    repeats: int
    pairs: int
    tried: dict[int, float | str]


class Peer:
    """The peer as a context manager; requests go as lines of JSON, arrays through files.

    climbs: what it runs are gradients, not kernels.
    """

    def __init__(self, python: Path, worker: Path = WORKER, climbs: bool = False) -> None:
        self.climbs = climbs
        self.folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [str(python), str(worker)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.versions = self.ask("hello")

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        self.folder.cleanup()

    def ask(self, do: str, **options: Any) -> dict[str, Any]:
        """One request and its answer.

        Raises:
            PeerError: the worker failed, or died (out of memory, or no such packages).
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **options}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        if not line:
            raise PeerError(
                f"the worker ended with code {self.process.wait()}; to see why, run "
                f"{' '.join(self.process.args)}"  # type: ignore[arg-type]
            )
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer

    def load(self, case: Case, x: np.ndarray, y: np.ndarray | None) -> None:
        """Builds the kernel function of a case for these inputs."""
        paths = {}
        for name, array in (("x", x), ("y", y)):
            paths[name] = None if array is None else str(Path(self.folder.name) / f"{name}.npy")
            if array is not None:
                if case.shortest is not None:
                    array = np.where(case.mask(len(array))[..., None], MASKED, array)
                np.save(paths[name], array.astype(np.float32))
        masked = None if case.shortest is None else MASKED
        self.ask("load", net=as_lists(case.peer_network), masked=masked, **paths)

    def values(self, n: int) -> np.ndarray:
        """(nngp, ntk) of the first n inputs, (2, n, n)."""
        to = Path(self.folder.name) / "values.npy"
        self.ask("values", n=n, to=str(to))
        return np.load(to)

    def slopes(self, n: int) -> np.ndarray:
        """The gradient in the first n inputs of the sum of all values of both kernels."""
        to = Path(self.folder.name) / "slopes.npy"
        self.ask("slopes", n=n, to=str(to))
        return np.load(to)

    def run(self, block: int, repeats: int = 1) -> dict[str, Any]:
        return self.ask("climb" if self.climbs else "run", block=block, repeats=repeats)

    def tuned(self, case: Case, longest: float, wanted: float) -> Tuned:
        """The block with the most pairs a second, repeated until a run takes `wanted` seconds.

        Blocks of 1², 2², 4², … pairs are tried as long as one run should take less than
        `longest` seconds, memory suffices, and speed has not fallen to half of the best. A
        symmetric case is given whole, and to nt.batch in parts of a half, a quarter, an eighth.
        """
        tried: dict[int, float | str] = {}
        if case.size is None:
            self._try_blocks(tried, longest)
        else:
            for part in (1, 2, 4, 8):
                self._try(tried, case.size // part, case.size**2)
        rates = {block: rate for block, rate in tried.items() if not isinstance(rate, str)}
        if not rates:
            raise PeerError(f"no block worked: {tried}")
        best = max(rates, key=rates.__getitem__)
        pairs = best * best if case.size is None else case.size**2
        repeats = max(1, round(wanted * rates[best] / pairs))
        return Tuned(best, repeats, pairs * repeats, tried)

    def _try_blocks(self, tried: dict[int, float | str], longest: float) -> None:
        block, best = 1, 0.0
        while block <= LARGEST:
            taken = self._try(tried, block, block * block)
            if taken is None:
                return
            rate = block * block / taken["seconds"]
            best = max(best, rate)
            too_large = 4 * taken["peak_bytes"] > MEMORY * psutil.virtual_memory().total
            if 4 * taken["seconds"] > longest or too_large or rate < best / 2:
                return
            block *= 2

    def _try(self, tried: dict[int, float | str], block: int, pairs: int) -> dict[str, Any] | None:
        """The better of two runs, after one that compiles; notes pairs a second, or the error."""
        try:
            self.run(block)
            repeats = max(1, round(SHORTEST / self.run(block)["seconds"]))
            runs = [self.run(block, repeats) for _ in range(2)]
        except PeerError as error:
            tried[block] = str(error)[:200]
            if self.process.poll() is not None:
                raise
            return None
        taken = min(runs, key=lambda run: run["seconds"])
        taken["seconds"] /= repeats
        tried[block] = pairs / taken["seconds"]
        return taken
