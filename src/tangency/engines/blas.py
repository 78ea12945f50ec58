"""How many threads BLAS takes: one limit for the process, whichever of its threads asks.

How BLAS cuts a product among its threads decides the last bits, so that results would depend on
where they are computed. The limit belongs to the process: calls of several threads share one.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

# Distributions rename the functions of OpenBLAS, as NumPy and SciPy do.
_PREFIXES, _SUFFIXES = ("", "scipy_"), ("", "64_", "_64")
# Rows of a product that one thread takes.
_STRIP = 256


@dataclass(frozen=True)
class Library:
    """A BLAS that is loaded, its number of threads, and whether each thread has one of its own."""

    path: str
    get: Callable[[], int]
    set: Callable[[int], Any]
    per_thread: bool = False


@dataclass
class _State:
    """The calls that limit BLAS now, which may overlap in time and come from any thread."""

    lock: Any = field(default_factory=threading.Lock)
    wanted: dict[object, tuple[int, int]] = field(default_factory=dict)  # threads, and who asked
    found: dict[str, int] = field(default_factory=dict)  # before the first of them, by library
    libraries: tuple[Library, ...] = ()
    modules: int = 0


_state = _State()


@contextmanager
def blas_limit(threads: int) -> Iterator[None]:
    """BLAS on at most so many threads until the block ends; the lowest limit in force holds.

    A lower limit from elsewhere, as OPENBLAS_NUM_THREADS, stays. Calls may nest and overlap, in
    one thread or several: the last to end gives back what the first has found. Pools of threads
    that are started inside want `limit_this_thread` as `initializer`.
    """
    call, own = object(), []
    try:  # around all of it: Ctrl-C may come anywhere
        with _state.lock:
            if not _state.wanted:
                _state.found = {}
            _state.wanted[call] = (threads, threading.get_ident())
            libraries = _apply()
        own = [(library, library.get()) for library in libraries if library.per_thread]
        limit_this_thread()
        yield
    finally:
        for library, count in own:
            library.set(count)
        with _state.lock:
            if _state.wanted.pop(call, None) is not None:
                _apply()


def one_blas_thread() -> AbstractContextManager[None]:
    """BLAS on one thread, until the last of all calls that overlap is over; for `with`.

    >>> with one_blas_thread():
    ...     sorted({library.get() for library in libraries()})
    [1]
    """
    return blas_limit(1)


def limit_this_thread() -> None:
    """Take the limit in force over to a new thread, where a library has one for each."""
    limit = _limit()
    if limit is not None:
        for library in _state.libraries:
            if library.per_thread:
                library.set(min(limit, library.get()))


def thread_pool(jobs: int) -> ThreadPoolExecutor:
    """Threads that keep to the limit in force."""
    return ThreadPoolExecutor(jobs, initializer=limit_this_thread)


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`a @ b`, (n, k) or (n,) in the dtype of `b`: the same bits on any number of threads.

    Strips of rows go to as many threads as BLAS may take, and each is multiplied on one of them.

    >>> product(np.eye(2, dtype=np.float32), np.array([1.0, 2.0]))
    array([1., 2.])
    """
    out = np.empty((len(a), *b.shape[1:]), b.dtype)

    def strip(rows: slice) -> None:
        np.matmul(a[rows].astype(b.dtype, copy=False), b, out=out[rows])

    by_strips(len(a), strip)
    return out


def by_strips(n: int, work: Callable[[slice], None]) -> None:
    """Call `work` with strips of n rows, on as many threads as BLAS may take and one in each.

    What it computes has the same bits on any number of threads.
    """
    each(work, [slice(start, start + _STRIP) for start in range(0, n, _STRIP)])


def each(work: Callable[[slice], None], strips: Sequence[slice]) -> None:
    """Call `work` with each of these, on as many threads as BLAS may take and one in each."""
    jobs = min(len(strips), max((library.get() for library in libraries()), default=1))
    with one_blas_thread():
        if jobs <= 1:
            for rows in strips:
                work(rows)
            return
        with thread_pool(jobs) as pool:
            list(pool.map(work, strips))


def libraries() -> tuple[Library, ...]:
    """Every BLAS that is loaded.

    Looking for them takes milliseconds, and they come with modules: it is done again only if
    there are other modules than at the last look.
    """
    if _state.modules != len(sys.modules):
        _state.modules = len(sys.modules)
        found = ThreadpoolController().select(user_api="blas").lib_controllers
        _state.libraries = tuple(map(_library, found))
    return _state.libraries


def _apply() -> tuple[Library, ...]:
    """Set every library to the limit in force; without one, to what was found."""
    limit = _limit()
    shared = [library for library in libraries() if not library.per_thread]
    for library in shared:
        if limit is not None:
            before = _state.found.setdefault(library.path, library.get())
            library.set(min(limit, before))
        elif library.path in _state.found:
            library.set(_state.found[library.path])
    return _state.libraries


def _limit() -> int | None:
    return min((threads for threads, _ in list(_state.wanted.values())), default=None)


def _library(controller: Any) -> Library:
    """A library by its own functions: `threadpoolctl` sets OpenBLAS from one thread alone."""
    path, put = controller.filepath, controller.set_num_threads

    def get() -> int:
        return controller.num_threads

    per_thread = getattr(controller, "threading_layer", None) == "openmp"
    if controller.internal_api != "openblas" or per_thread:
        return Library(path, get, put, per_thread and controller.internal_api == "openblas")
    loaded = ctypes.CDLL(path)
    for prefix in _PREFIXES:
        for suffix in _SUFFIXES:
            names = [f"{prefix}openblas_{verb}_num_threads{suffix}" for verb in ("get", "set")]
            if all(hasattr(loaded, name) for name in names):
                return Library(path, *(getattr(loaded, name) for name in names))
    return Library(path, get, put)


def _after_fork() -> None:
    """Calls in other threads of the parent will not end in the child."""
    _state.lock = threading.Lock()
    if not _state.wanted:
        return
    here = threading.get_ident()
    _state.wanted = {call: (n, who) for call, (n, who) in _state.wanted.items() if who == here}
    _apply()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
