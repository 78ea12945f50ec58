"""Work on threads: compiled blocks with progress and interruption; a function of many pieces."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import wait
from typing import Any, TypeVar

import numba

from .. import checks
from .blas import one_blas_thread, thread_pool
from .progress import progress_bar

_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")

# A call into compiled code cannot be interrupted, so that it should not last much longer.
_SECONDS = 0.1


def threads(n_jobs: int | None) -> int:
    """How many threads to use: `n_jobs`, or as many as the machine and its limits allow.

    The limits are the processors that this process may use, NUMBA_NUM_THREADS, and
    OMP_NUM_THREADS. Negative numbers count from their end, as in joblib: −1 is all of them.

    Raises:
        InputError: zero, or no whole number.
    """
    if hasattr(os, "sched_getaffinity"):
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    available = min(available, numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
    omp = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if omp.isdigit() and int(omp) > 0:
        available = min(available, int(omp))
    n_jobs = checks.jobs(n_jobs)
    if n_jobs is None:
        return available
    return n_jobs if n_jobs > 0 else max(1, available + 1 + n_jobs)


def run(
    items: Iterable[tuple[Any, int, int]],
    block: Callable[[Any, Any, int, int], None],
    make_room: Callable[[], Any],
    *,
    jobs: int,
    total: int,
    progress: bool = False,
    weight: Callable[[Any, int, int], int] | None = None,
) -> None:
    """Calls `block(room, key, first, last)` until every item (key, first, last) is covered.

    Each item is a range of rows; it is cut into pieces of about a tenth of a second, so that
    Ctrl-C and the progress bar are served in time, and into smaller ones towards the end, so that
    threads end at about one time. Pieces write to places of their own, and how they are cut
    changes no result.
    """
    queue = _Queue(items, jobs)
    if jobs > 1 and queue.left > 1:
        _run_threads(queue, block, make_room, jobs, total, progress, weight)
        return
    room = make_room()
    with progress_bar(total, progress) as bar:
        while (piece := queue.next()) is not None:
            _timed(queue, block, room, piece)
            bar.update(weight(*piece) if weight else piece[2] - piece[1])


def each(
    function: Callable[[_Piece], _Result], pieces: Iterable[_Piece], jobs: int | None = None
) -> Iterator[_Result]:
    """Yield `function(piece)` of all pieces in their order; BLAS has one thread meanwhile.

    Matrices with few columns are multiplied faster so: BLAS would split each product, and wait for
    the slowest thread after each.

    >>> list(each(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    pieces, jobs = list(pieces), jobs or threads(None)
    if min(len(pieces), jobs) <= 1:
        with one_blas_thread():
            yield from map(function, pieces)
        return
    with one_blas_thread(), thread_pool(jobs) as pool:
        waiting = [pool.submit(function, piece) for piece in pieces]
        try:
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()


def _run_threads(
    queue: _Queue,
    block: Callable[[Any, Any, int, int], None],
    make_room: Callable[[], Any],
    jobs: int,
    total: int,
    progress: bool,
    weight: Callable[[Any, int, int], int] | None,
) -> None:
    stop = threading.Event()
    lock = threading.Lock()
    pool = thread_pool(jobs)
    with progress_bar(total, progress) as bar, pool:

        def work() -> None:
            room = None
            while not stop.is_set() and (piece := queue.next()) is not None:
                room = make_room() if room is None else room
                _timed(queue, block, room, piece)
                with lock:
                    bar.update(weight(*piece) if weight else piece[2] - piece[1])

        futures = [pool.submit(work) for _ in range(jobs)]
        try:
            pending = set(futures)
            while pending:
                done, pending = wait(pending, timeout=0.2)
                for future in done:
                    future.result()
        finally:
            stop.set()


def _timed(
    queue: _Queue, block: Callable[..., None], room: Any, piece: tuple[Any, int, int]
) -> None:
    start = time.perf_counter()
    block(room, *piece)
    queue.learn(piece[2] - piece[1], time.perf_counter() - start)


class _Queue:
    """Ranges of rows, handed out in pieces that take about a tenth of a second each.

    With several threads a piece is also at most half of what is left for each.
    """

    def __init__(self, items: Iterable[tuple[Any, int, int]], jobs: int = 1) -> None:
        items = list(items)
        self._items = iter(items)
        self.left = sum(max(0, last - first) for _, first, last in items)
        self._share = 1 if jobs == 1 else 2 * jobs
        self._lock = threading.Lock()
        self._current: tuple[Any, int, int] | None = None
        self._rows = 1

    def next(self) -> tuple[Any, int, int] | None:
        with self._lock:
            while self._current is None:
                try:
                    key, first, last = next(self._items)
                except StopIteration:
                    return None
                if first < last:
                    self._current = (key, first, last)
            key, first, last = self._current
            middle = min(last, first + max(1, min(self._rows, self.left // self._share)))
            self.left -= middle - first
            self._current = (key, middle, last) if middle < last else None
            return key, first, middle

    def learn(self, rows: int, seconds: float) -> None:
        with self._lock:
            wanted = int(rows * _SECONDS / max(seconds, 1e-6))
            self._rows = max(1, min(wanted, 4 * rows))
