"""Families of deformations: a seed gives one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..checks import array, cut, number, shown, whole, within_memory
from ..errors import InputError
from .deformations import Deformation, RandomField

Family = Callable[[int], Deformation]


def elastic(shape: Sequence[int]) -> Family:
    """Random fields with a correlation length of a quarter of the image, at least 2 pixels.

    shape: spatial, of one or two axes.

    >>> from tangency.bias.families import elastic
    >>> elastic((28, 28))(0)
    RandomField(correlation=7.0, amplitude=1.0, seed=0, axes=2, waves=128)
    """
    correlation = max(max(shape) / 4, 2.0)
    return partial(_random_field, correlation, len(shape))


def _random_field(correlation: float, axes: int, seed: int) -> Deformation:
    return RandomField(correlation, seed=seed, axes=axes)


@within_memory()
def drawn(family: Family, draws: int, rng: np.random.Generator) -> list[Deformation]:
    """`draws` members of a family.

    Raises:
        InputError: not a function, or not one that gives deformations.
    """
    if not callable(family):
        raise InputError(
            "expected a deformation such as Rotation(0.1), or a function from a seed to one; got "
            f"{shown(family)}"
        )
    seeds = rng.integers(2**31, size=whole(draws, "draws", 1))
    found = [_member(family, int(seed)) for seed in seeds]
    for tau in found:
        if not isinstance(tau, Deformation):
            raise InputError(
                f"the function must give a deformation for each seed, got {shown(tau)}"
            )
    return found


def _member(family: Family, seed: int) -> Any:
    try:
        return family(seed)
    except Exception as error:
        raise InputError(
            f"the function from a seed to a deformation fails for {seed} with "
            f"{type(error).__name__}: {cut(str(error))}"
        ) from error


@within_memory()
def increasing(sizes: Any, name: str) -> np.ndarray:
    """Finite sizes above 0, each greater than the one before, as an array."""
    given = np.ravel(array(sizes, name)).tolist()
    values = [number(size, f"each of {name}") for size in given]
    if not values or min(values) <= 0 or sorted(set(values)) != values:
        raise InputError(f"{name} must increase and be greater than 0, got {shown(values)}")
    return np.array(values)
