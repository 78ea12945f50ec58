"""Kernel values that no float of their dtype can hold are refused, never returned."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array

from ..errors import InputError
from ..nets.plan import Plan, activations
from ..printable import shown


def check_values(values: Any) -> None:
    """Raises where values of a kernel, or marginals, are NaN or infinity; None passes.

    Infinite marginals can give finite values, which are wrong.

    Raises:
        InputError: with the remedy.
    """
    if values is None:
        return
    values = values.detach() if is_torch_array(values) else values
    xp = array_namespace(values)
    with quiet():
        # One pass, which needs no array of its own; what overflows in it is looked at again.
        if isinstance(values, np.ndarray) and values.flags.c_contiguous:
            flat = values.reshape(-1)
            total = flat @ flat  # BLAS takes less time than a sum
        else:
            total = xp.sum(values)
        if bool(xp.isfinite(total)):
            return
    rows = values if values.ndim > 1 else values[None]
    count = sum(int(xp.sum(xp.astype(~xp.isfinite(row), xp.int64))) for row in rows)
    if count:
        raise InputError(overflow_text(values.dtype, count))


def check_kernels(nngp: Any, ntk: Any, plan: Plan) -> None:
    """`check_values` of both kernels, which knows the NTK that no smaller input makes finite."""
    check_values(nngp)
    try:
        check_values(ntk)
    except InputError:
        for activation in activations(plan.steps):
            slope = np.asarray(activation.dual(*np.ones((3, 1)))[1], dtype=float)
            if np.isposinf(slope).any():
                raise InputError(
                    f"{shown(activation)} jumps, so that the NTK is infinite for inputs that are "
                    "equal, or multiples of each other where no bias tells them apart; take the "
                    "last-layer kernel, NNGP, or an activation without a jump"
                ) from None
        raise


def overflow_text(dtype: Any, count: int) -> str:
    """What is wrong with so many values, and what to do."""
    name = str(dtype).removeprefix("torch.")
    remedy = "scale the inputs down (X / np.abs(X).max())"
    if name == "float32":
        remedy = "pass float64 inputs, or " + remedy
    return (
        f"{count:,} values of the kernel, or on the way to it, are beyond the range of {name} "
        f"(infinity or NaN came out); {remedy}, or take smaller weights"
    )


@contextmanager
def quiet() -> Iterator[None]:
    """NumPy says nothing of what overflows: the result is looked at."""
    with np.errstate(over="ignore", invalid="ignore"):
        yield
