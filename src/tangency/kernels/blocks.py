"""Large results by blocks of rows, so that what is on the way to them stays small."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from array_api_compat import array_namespace, device, is_torch_array

from ..engines.overflow import check_values, quiet
from ..engines.prepared import prepared
from ..errors import MemoryLimitError
from ..nets.special import safe_sqrt
from .inputs import result_dtype

if TYPE_CHECKING:
    from .base import Kernel

# Numbers of a matrix that are divided by norms at a time.
_NUMBERS = 2**17
# Bytes for each pair on the way to distances: float64 values, three differences and their copies.
_PAIR = 112
# Bytes that a block of pairs may take.
_BLOCK = 2**29


def normalized(matrix: Any, first: Any, second: Any) -> Any:
    """K(x,y)/√(K(x,x)K(y,y)), in place if nothing is differentiated; 0 where one of these is 0.

    Where K(x,y) = K(x,x) = K(y,y), as for equal inputs, it is 1 exactly.
    """
    step = max(1, _NUMBERS // max(1, matrix.shape[1]))
    if is_torch_array(matrix) and any(a.requires_grad for a in (matrix, first, second)):
        return _normalized(matrix, first, second)
    for i in range(0, matrix.shape[0], step):
        matrix[i : i + step, :] = _normalized(matrix[i : i + step, :], first[i : i + step], second)
    return matrix


def _normalized(matrix: Any, first: Any, second: Any) -> Any:
    xp = array_namespace(matrix)
    norm = safe_sqrt(first)[:, None] * safe_sqrt(second)[None, :]
    positive = norm > 0
    norm = xp.where(first[:, None] == second[None, :], first[:, None], norm)
    safe = xp.where(positive, norm, xp.ones_like(norm))
    return xp.where(positive, matrix / safe, xp.zeros_like(matrix))


def _shape(data: Any) -> tuple[int, ...]:
    """The shape of an array; () of what has none, which the kernel refuses in its own words."""
    try:
        return tuple(getattr(data, "shape", ()))
    except (RuntimeError, TypeError):  # a nested tensor, or what only looks like an array
        return ()


def distances(kernel: Kernel, X: Any, Y: Any | None, paired: bool, rtol: float) -> Any:
    """‖Φ(x_i) − Φ(y_j)‖ in the dtype of the inputs; of all pairs, (n, m), by blocks of rows."""

    def roots(x: Any, y: Any | None) -> Any:
        root = safe_sqrt(kernel._differences(x, y, paired, rtol).squared)
        with quiet():  # what the inputs' dtype cannot hold is refused just below
            found = array_namespace(root).astype(root, result_dtype(X, Y), copy=False)
        check_values(found)
        return found

    Y = None if Y is X and not paired else Y
    x, y = prepared(X).inputs, None if Y is None else prepared(Y).inputs
    shapes = [_shape(a) for a in (x, x if Y is None else y)]
    # Nested lists are small, and what is refused is so by the kernel.
    odd = any(len(shape) < 2 or 0 in shape for shape in shapes)
    if paired or odd or any(getattr(a, "requires_grad", False) for a in (x, y)):
        return roots(X, Y)
    n, m = (shape[0] for shape in shapes)
    rows, limit = _rows_of_blocks(kernel._limit, n, m, math.prod(x.shape[1:]))
    if limit is not None:
        kernel = kernel._within(limit)
    if rows >= n:
        return roots(X, Y)
    out: Any = None
    for i in range(0, n, rows):
        block = slice(i, min(i + rows, n))
        columns = [(slice(0, m), Y)]
        if Y is None:
            # What is left of the block is there already, mirrored.
            columns = [(block, None), (slice(block.stop, n), x[block.stop :])]
        for place, other in columns:
            if place.start == place.stop:
                continue
            found = roots(x[block], other)
            if out is None:
                xp = array_namespace(found)
                out = xp.zeros((n, m), dtype=found.dtype, device=device(found))
            out[block, place] = found
            if Y is None and other is not None:
                out[place, block] = array_namespace(found).matrix_transpose(found)
    return out


def _rows_of_blocks(limit: int | None, n: int, m: int, size: int) -> tuple[int, int | None]:
    """Rows of a block, and what is left for the kernel itself of a limit.

    Beside the result, of at most 8 bytes for each pair, are the inputs (of `size` numbers) in
    float64.
    """
    if limit is None:
        return max(1, _BLOCK // (_PAIR * m)), None
    spare = limit - 8 * n * m - 8 * (n + m) * size
    if spare <= 0:
        raise MemoryLimitError(
            f"distances of {n:,} × {m:,} pairs need more than the {limit:,} bytes allowed; raise "
            "max_memory, or pass fewer inputs at a time"
        )
    rows = min(n, max(1, min(_BLOCK, spare // 8) // (_PAIR * m)))
    return rows, max(1, spare - rows * m * _PAIR)
