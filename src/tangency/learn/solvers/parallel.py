"""The same function on many pieces, by as many threads as there are processors, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ...engines.blas import limit_this_thread, one_blas_thread
from ...engines.threads import threads

_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")


def each(
    function: Callable[[_Piece], _Result], pieces: Iterable[_Piece], jobs: int | None = None
) -> Iterator[_Result]:
    """Yield `function(piece)` of all pieces in their order; BLAS has one thread meanwhile.

    Matrices with few columns are multiplied faster so: BLAS would split each product, and wait for
    the slowest thread after each.

    >>> list(each(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    with (
        one_blas_thread(),
        ThreadPoolExecutor(jobs or threads(None), initializer=limit_this_thread) as pool,
    ):
        waiting = [pool.submit(function, piece) for piece in pieces]
        try:
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()
