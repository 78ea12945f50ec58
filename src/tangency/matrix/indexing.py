"""NumPy's index expressions for a matrix that is not in memory, as rows and columns to fetch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..checks import plain_array, shown


class Outer(NamedTuple):
    """All rows with all columns; an axis that an integer chose is left out of the result."""

    rows: np.ndarray
    columns: np.ndarray
    squeeze: tuple[int, ...]


class Pointwise(NamedTuple):
    """Single elements, in arrays of the result's shape."""

    rows: np.ndarray
    columns: np.ndarray


def resolve(key: Any, shape: tuple[int, int]) -> Outer | Pointwise:
    """What `key` asks for of a matrix of this shape.

    Raises:
        IndexError: what NumPy raises it for.
        InputError: a sparse or quantized tensor, one without data, or a list that is no array.

    >>> resolve((slice(1, 3), -1), (4, 5))
    Outer(rows=array([1, 2]), columns=array([4]), squeeze=(1,))
    >>> resolve(([0, 1], [2, 3]), (4, 5))
    Pointwise(rows=array([0, 1]), columns=array([2, 3]))
    """
    parts = [_plain(part) for part in key] if isinstance(key, tuple) else [_plain(key)]
    try:
        return _resolve(tuple(parts) if isinstance(key, tuple) else parts[0], shape)
    except OverflowError:
        raise IndexError(
            f"an index is out of bounds for a matrix of shape {shape}: {shown(key)}"
        ) from None


def _resolve(key: Any, shape: tuple[int, int]) -> Outer | Pointwise:
    found = _outer(key, shape)
    if found is not None:
        return found
    # NumPy itself says which elements are meant, from tables of row and column numbers that take
    # no memory themselves.
    n, m = shape
    rows = np.broadcast_to(np.arange(n)[:, None], shape)[key]
    columns = np.broadcast_to(np.arange(m), shape)[key]
    return Pointwise(np.asarray(rows), np.asarray(columns))


def _plain(part: Any) -> Any:
    read = hasattr(part, "resolve_neg") or (isinstance(part, list | tuple) and len(part))
    return plain_array(part, "an index") if read else part


def _outer(key: Any, shape: tuple[int, int]) -> Outer | None:
    """The key as a choice of rows and one of columns, if it is that."""
    parts = key if isinstance(key, tuple) else (key,)
    if any(part is Ellipsis for part in parts):
        k = next(k for k, part in enumerate(parts) if part is Ellipsis)
        full = (slice(None),) * (3 - len(parts))
        parts = (*parts[:k], *full, *parts[k + 1 :])
    if len(parts) > 2 or any(part is None or part is Ellipsis for part in parts):
        return None
    parts = (*parts, *(slice(None),) * (2 - len(parts)))
    if _is_mesh(parts, shape):
        rows, columns = (np.asarray(part).reshape(-1) for part in parts)
        return Outer(_positions(rows, shape[0]), _positions(columns, shape[1]), ())
    # A tuple within the key is an array to NumPy, but would be a key of its own below.
    parts = tuple(list(part) if isinstance(part, tuple) else part for part in parts)
    arrays = [part for part in parts if not isinstance(part, slice | int | np.integer)]
    if any(isinstance(part, bool | np.bool_) for part in parts):
        return None
    if len(arrays) == 2 or (arrays and not any(isinstance(part, slice) for part in parts)):
        return None
    if any(np.ndim(array) != 1 for array in arrays):
        return None
    chosen = [_positions(part, size) for part, size in zip(parts, shape, strict=True)]
    squeeze = tuple(k for k, part in enumerate(parts) if isinstance(part, int | np.integer))
    return Outer(chosen[0], chosen[1], squeeze)


def _is_mesh(parts: tuple[Any, ...], shape: tuple[int, int]) -> bool:
    """Whether these are the two arrays that `np.ix_` makes."""
    if not all(isinstance(part, np.ndarray) and part.dtype.kind in "iu" for part in parts):
        return False
    a, b = (part.shape for part in parts)
    return len(a) == len(b) == 2 and a[1] == 1 and b[0] == 1


def _positions(part: Any, size: int) -> np.ndarray:
    """The positions along one axis, from 0 to size − 1."""
    chosen = np.arange(size)[part]
    return np.atleast_1d(chosen)
