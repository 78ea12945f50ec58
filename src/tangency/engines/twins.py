"""Equal inputs: of two of them the kernel is that of one with itself, to the last bit.

The recursion rounds Σ of a pair apart from the variances of its two inputs, as the sums are taken
in another order. Behind an activation that is steep, or has a kink, that shows: k̇ of a ReLU at
c = 1 − ε is off by √(2ε)/π. So what is known is written over what was computed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from array_api_compat import is_torch_array

from .prepared import Prepared


class Twins(NamedTuple):
    """Inputs that are equal to each other, rows of the first set and of the second."""

    rows: np.ndarray
    columns: np.ndarray


def twins(first: Prepared, second: Prepared | None) -> list[Twins]:
    """All equal inputs of two sets; of one set, those that occur more than once.

    Only inputs of one norm and of one projection are compared, which take a pass over the data
    each, the second only where norms agree.
    """
    one = as_rows(first)
    if second is None:
        squares = row_squares(first)
        chosen = _repeated(squares)
        if len(chosen):
            chosen = chosen[_repeated(_projections(one[chosen]))]
        groups = _by_value(one, chosen)
        return [Twins(found, found) for found in groups.values() if len(found) > 1]
    two = as_rows(second)
    left, right = _shared(row_squares(first), row_squares(second))
    if len(left):
        near, far = _shared(_projections(one[left]), _projections(two[right]))
        left, right = left[near], right[far]
    rows, columns = _by_value(one, left), _by_value(two, right)
    return [Twins(found, columns[key]) for key, found in rows.items() if key in columns]


def row_squares(given: Prepared) -> np.ndarray:
    """‖x‖² of each input, computed once; equal inputs have equal ones to the last bit."""

    def make() -> np.ndarray:
        x = as_rows(given)
        return np.einsum("ij,ij->i", x, x)

    return given.derive("squares", make)


def write(out: Any, found: list[Twins], diagonal: Any, symmetric: bool) -> None:
    """Writes K(x, x) where it belongs in a kernel matrix, in place; gradients stay as they are.

    Args:
        diagonal: K(x_i, x_i) of the rows of `out`; without twins only symmetric calls need it.
        symmetric: the rows and columns are one set, whose diagonal is written too.
    """
    if is_torch_array(out):
        # The memory alone: what is put right is rounding, and K has no slope in that.
        out, diagonal = out.data, None if diagonal is None else diagonal.detach()
    for rows, columns in found:
        out[rows[:, None], columns[None, :]] = diagonal[rows][:, None]
    if symmetric:
        places = np.arange(len(out))
        out[places, places] = diagonal


def as_rows(given: Prepared) -> np.ndarray:
    """Inputs as rows of NumPy's, contiguous, as the order of sums depends on strides."""
    x = given.inputs
    x = x.detach().cpu().numpy() if is_torch_array(x) else x
    return np.ascontiguousarray(x).reshape(len(x), -1)


def _projections(x: np.ndarray) -> np.ndarray:
    """A number for each row, by the same operations in the same order."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.einsum("ij,j->i", x, np.cos(np.arange(x.shape[1])).astype(x.dtype))


def _repeated(values: np.ndarray) -> np.ndarray:
    """Where the values are that occur more than once."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.flatnonzero(counts[inverse] > 1)


def _shared(one: np.ndarray, two: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the values are that occur in both."""
    return np.flatnonzero(np.isin(one, two)), np.flatnonzero(np.isin(two, one))


def _by_value(x: np.ndarray, chosen: np.ndarray) -> dict[bytes, np.ndarray]:
    """Rows of `x`, of those that were chosen, that belong to one value."""
    groups: dict[bytes, list[int]] = {}
    for i in chosen.tolist():
        # Adding 0 makes one of the two zeros.
        groups.setdefault((x[i] + 0).tobytes(), []).append(i)
    return {key: np.asarray(places) for key, places in groups.items()}
