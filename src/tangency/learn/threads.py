"""How many threads the linear algebra of the solvers takes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Concatenate, ParamSpec, TypeVar

import joblib

from ..engines.blas import blas_limit
from .grams import TrainGram

_Options = ParamSpec("_Options")
_Fit = TypeVar("_Fit")

# A factorisation is thousands of small products, each ending with all threads waiting for the last
# one. BLAS waits by spinning: on cores that other programs use as well, the spinning takes the
# time that the last one needs. For 500 to 2,000 samples, two threads on two busy cores took 4 to 18
# times as long as one; on idle cores they saved at most 0.4 s, 0.8 s instead of 1.2 s.
SMALL = 2000


@contextmanager
def blas_threads(n: int) -> Iterator[None]:
    """Limit BLAS to one thread for n < `SMALL` samples, else to the processors there are.

    Processors are counted under the limits of affinity and control groups, of which BLAS sees the
    first at most. A lower limit that is in force already, as by `threadpool_limits` or
    OPENBLAS_NUM_THREADS, stays. So the bits of a small fit depend on nothing but its data, and
    those of a large one on the number of threads too, as LAPACK cuts its work by it.
    """
    with blas_limit(1 if n < SMALL else joblib.cpu_count()):
        yield


@contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """Limit PyTorch to one thread for n < `SMALL` samples, for the same reason; see `SMALL`.

    60 samples took 0.17 s for a kernel with its gradient by two threads on two busy cores, and
    0.005 s by one.
    """
    import torch

    before = torch.get_num_threads()
    if n < SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def with_blas_threads(
    solver: Callable[Concatenate[TrainGram, _Options], _Fit],
) -> Callable[Concatenate[TrainGram, _Options], _Fit]:
    """Run a solver under `blas_threads` for the size of its kernel matrix."""

    @functools.wraps(solver)
    def limited(gram: TrainGram, *args: _Options.args, **options: _Options.kwargs) -> _Fit:
        with blas_threads(gram.size):
            return solver(gram, *args, **options)

    return limited
