"""Affine deformations τ(u) = A u + b: translations, rotations, scalings, shears."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...checks import array, number, shown, whole
from ...errors import InputError
from .base import Deformation, pixel_grid
from .checks import finite_tuple, spatial_axes, spatial_shape


@dataclass(frozen=True)
class AffineDeformation(Deformation):
    """What affine deformations share; `matrix_and_shift` gives A (dims, dims) and b (dims,)."""

    def matrix_and_shift(self) -> tuple[np.ndarray, np.ndarray]:
        """A, without unit, and b in pixels, of τ(u) = A u + b."""
        raise NotImplementedError

    @property
    def dims(self) -> int:
        return len(self.matrix_and_shift()[1])

    @property
    def exact(self) -> bool:
        return True

    def _tau(self, u: np.ndarray) -> np.ndarray:
        matrix, shift = self.matrix_and_shift()
        return u @ matrix.T + shift

    def _gradient(self, u: np.ndarray) -> np.ndarray:
        return np.tile(self.matrix_and_shift()[0], (len(u), 1, 1))

    def sup_norm(self, shape: Sequence[int] | int, refine: int = 1) -> float:
        # |A u + b| is convex in u: over a rectangle it is largest at a corner.
        sizes = np.asarray(spatial_shape(shape, self.dims))
        corners = pixel_grid((2,) * self.dims) * (sizes - 1)
        return float(np.max(np.linalg.norm(self._tau(corners), axis=-1)))

    def gradient_norm(self, shape: Sequence[int] | int, refine: int = 1) -> float:
        spatial_shape(shape, self.dims)
        return float(np.linalg.norm(self.matrix_and_shift()[0], 2))

    def _times(self, factor: float) -> Deformation:
        matrix, shift = self.matrix_and_shift()
        return affine(factor * matrix, factor * shift)


@dataclass(frozen=True)
class Affine(AffineDeformation):
    """τ(u) = A u + b.

    Args:
        matrix: A, `dims` rows of `dims` numbers.
        shift: b in pixels, one number per axis.
    """

    matrix: tuple[tuple[float, ...], ...]
    shift: tuple[float, ...]

    def __post_init__(self) -> None:
        shift = finite_tuple(self.shift, "shift")
        rows = array(self.matrix, "matrix")
        if rows.shape != (len(shift), len(shift)) or not np.all(np.isfinite(rows)):
            raise InputError(
                f"matrix must be {len(shift)} rows of {len(shift)} finite numbers, one for each "
                f"axis of shift; got {shown(self.matrix)}"
            )
        object.__setattr__(self, "shift", shift)
        object.__setattr__(self, "matrix", tuple(map(tuple, rows.tolist())))

    def matrix_and_shift(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array(self.matrix), np.array(self.shift)


def affine(matrix: np.ndarray, shift: np.ndarray) -> Affine:
    """An `Affine` from arrays."""
    return Affine(tuple(map(tuple, matrix.tolist())), tuple(shift.tolist()))


@dataclass(frozen=True)
class Translation(AffineDeformation):
    """Moves the image by `shift` pixels, one number per axis: τ(u) = shift, ∇τ = 0.

    >>> from tangency.bias.deformations import Translation
    >>> Translation((3, 4)).sup_norm((8, 8))
    5.0
    """

    shift: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "shift", finite_tuple(self.shift, "shift"))

    def matrix_and_shift(self) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((len(self.shift),) * 2), np.array(self.shift)

    def _times(self, factor: float) -> Deformation:
        return Translation(tuple(factor * value for value in self.shift))


@dataclass(frozen=True)
class Rotation(AffineDeformation):
    """Turns an image by `angle` radians about its centre, counter-clockwise as it is shown.

    ‖∇τ‖_∞ = 2|sin(angle/2)|.

    >>> from tangency.bias.deformations import Rotation
    >>> round(Rotation(0.1).gradient_norm((8, 8)), 6)
    0.099958
    """

    angle: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "angle", number(self.angle, "angle"))

    def matrix_and_shift(self) -> tuple[np.ndarray, np.ndarray]:
        # 1 − cos and sin through the half angle: no digit is lost for small angles.
        lost = 2 * math.sin(self.angle / 2) ** 2
        sine = math.sin(self.angle)
        return np.array([[lost, -sine], [sine, lost]]), np.zeros(2)


@dataclass(frozen=True)
class Scaling(AffineDeformation):
    """Magnifies a signal or image about its centre, `factor` > 0: τ(u) = (1 − 1/factor)·u.

    >>> from tangency.bias.deformations import Scaling
    >>> Scaling(2.0).gradient_norm((8, 8))
    0.5
    """

    factor: float
    axes: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", number(self.factor, "factor", above=0))
        spatial_axes(self.axes)

    def matrix_and_shift(self) -> tuple[np.ndarray, np.ndarray]:
        return (self.factor - 1) / self.factor * np.eye(self.axes), np.zeros(self.axes)


@dataclass(frozen=True)
class Shear(AffineDeformation):
    """Slants an image: position c from the centre along one axis moves by amount·c along `axis`.

    axis 1 moves rows sideways (the default), axis 0 moves columns up and down. ‖∇τ‖_∞ = |amount|.

    >>> from tangency.bias.deformations import Shear
    >>> Shear(0.2).displacement([[1.0, 5.0]])
    array([[0. , 0.2]])
    """

    amount: float
    axis: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "amount", number(self.amount, "amount"))
        if whole(self.axis, "axis", 0) > 1:
            raise InputError(f"axis must be 0 or 1, got {self.axis}")

    def matrix_and_shift(self) -> tuple[np.ndarray, np.ndarray]:
        matrix = np.zeros((2, 2))
        matrix[self.axis, 1 - self.axis] = self.amount
        return matrix, np.zeros(2)

    def _times(self, factor: float) -> Deformation:
        return Shear(factor * self.amount, self.axis)
