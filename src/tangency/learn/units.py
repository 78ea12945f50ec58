"""Targets in units of their own, so that no decision of a fit depends on those they came in."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .fitted import DualFit

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Units:
    """Columns of targets (n, k) as `targets` times `scales` (k,), which are powers of two.

    Powers of two change no digit, and squares of the scaled columns stay within the range of
    floating point. `weights` (k,) make the mean square of a column the same for all; they are 1
    for a single one.
    """

    targets: Matrix
    scales: Matrix
    weights: Matrix

    def loss(self, residuals: Matrix) -> float:
        """Return the mean square of scaled residuals (n, k), each column in units of its targets.

        >>> units = in_units(np.array([[1.0, 1e6], [3.0, 9e6], [-4.0, -1e7]]))
        >>> one, other = np.array([0.1, 0.0]), np.array([0.0, 0.1])  # a tenth of one column
        >>> bool(np.isclose(units.loss(units.targets * one), units.loss(units.targets * other)))
        True
        """
        return float(np.mean(np.square(residuals) * self.weights))

    def restored(self, fit: DualFit) -> DualFit:
        """Return the fit of the scaled targets in the units that the targets came in."""
        largest = float(self.scales.max())
        with np.errstate(over="ignore"):  # a dual that overflows is refused later, in words
            return dataclasses.replace(
                fit,
                dual=fit.dual * self.scales,
                norms=fit.norms * self.scales,
                residuals=None if fit.residuals is None else fit.residuals * self.scales,
                losses=None if fit.losses is None else fit.losses * largest * largest,
            )


def in_units(targets: Matrix) -> Units:
    """Return targets (n, k) scaled to a largest absolute value between ½ and 1, column by column.

    Columns of zeros are left as they are.
    """
    largest = np.abs(targets).max(axis=0)
    exponents = np.minimum(np.frexp(largest)[1], 1023)
    scales = np.ldexp(1.0, np.where(largest > 0, exponents, exponents.min()))
    scaled = targets / scales
    squares = np.mean(np.square(scaled), axis=0)
    mean = float(np.mean(squares * np.square(scales / scales.max())))
    weights = np.divide(mean, squares, out=np.zeros_like(squares), where=squares > 0)
    return Units(scaled, scales, weights)


def as_they_are(targets: Matrix) -> Units:
    """Return targets (n, k) that have the same unit, as labels of classes do."""
    ones = np.ones(targets.shape[1])
    return Units(targets, ones, ones)
