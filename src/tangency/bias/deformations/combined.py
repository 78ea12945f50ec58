"""Sums, compositions and multiples of deformations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...checks import items, number, shown
from ...errors import InputError
from .affine import AffineDeformation, affine
from .base import Deformation


@dataclass(frozen=True)
class Sum(Deformation):
    """τ = Σ_i τ_i: the displacements are added. Norms are suprema over the pixels."""

    parts: tuple[Deformation, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(items(self.parts, "parts")))
        if not self.parts:
            raise InputError("parts must be one or more deformations, got none")
        _same_dims(*self.parts)

    @property
    def dims(self) -> int:
        return self.parts[0].dims

    def _tau(self, u: np.ndarray) -> np.ndarray:
        return np.sum([part._tau(u.copy()) for part in self.parts], axis=0)

    def _gradient(self, u: np.ndarray) -> np.ndarray:
        return np.sum([part._gradient(u.copy()) for part in self.parts], axis=0)

    def _times(self, factor: float) -> Deformation:
        return Sum(tuple(part._times(factor) for part in self.parts))


@dataclass(frozen=True)
class Composition(Deformation):
    """The field of L_after L_first: τ(u) = after(u) + first(u − after(u)).

    Norms are suprema over the pixels.
    """

    after: Deformation
    first: Deformation

    def __post_init__(self) -> None:
        _same_dims(self.after, self.first)

    @property
    def dims(self) -> int:
        return self.after.dims

    def _tau(self, u: np.ndarray) -> np.ndarray:
        step = self.after._tau(u.copy())
        return step + self.first._tau(u - step)

    def _gradient(self, u: np.ndarray) -> np.ndarray:
        outer = self.after._gradient(u.copy())
        inner = self.first._gradient(u - self.after._tau(u.copy()))
        return outer + inner @ (np.eye(self.dims) - outer)


@dataclass(frozen=True)
class Multiple(Deformation):
    """factor · τ, for a τ that has no multiple of its own kind."""

    factor: float
    part: Deformation

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", number(self.factor, "the factor of a deformation"))
        _same_dims(self.part)

    @property
    def dims(self) -> int:
        return self.part.dims

    def _tau(self, u: np.ndarray) -> np.ndarray:
        return self.factor * self.part._tau(u)

    def _gradient(self, u: np.ndarray) -> np.ndarray:
        return self.factor * self.part._gradient(u)

    def _times(self, factor: float) -> Deformation:
        return Multiple(factor * self.factor, self.part)


def add(a: Deformation, b: Deformation) -> Deformation:
    """τ_a + τ_b: affine where both are, else a flat `Sum`."""
    _same_dims(a, b)
    if isinstance(a, AffineDeformation) and isinstance(b, AffineDeformation):
        (first, start), (second, more) = a.matrix_and_shift(), b.matrix_and_shift()
        return affine(first + second, start + more)
    parts = [part for x in (a, b) for part in (x.parts if isinstance(x, Sum) else (x,))]
    return Sum(tuple(parts))


def compose(after: Deformation, first: Deformation) -> Deformation:
    """The field of L_after L_first: affine where both are, else a `Composition`."""
    _same_dims(after, first)
    if isinstance(after, AffineDeformation) and isinstance(first, AffineDeformation):
        (a, shift), (b, start) = after.matrix_and_shift(), first.matrix_and_shift()
        return affine(a + b - b @ a, shift + start - b @ shift)
    return Composition(after, first)


def _same_dims(*parts: Deformation) -> None:
    for part in parts:
        if not isinstance(part, Deformation):
            raise InputError(f"expected a deformation such as Rotation(0.1), got {shown(part)}")
    dims = {part.dims for part in parts}
    if len(dims) > 1:
        raise InputError(
            "deformations of signals (1 axis) and of images (2 axes) cannot be combined; got "
            + ", ".join(map(shown, parts))
        )
