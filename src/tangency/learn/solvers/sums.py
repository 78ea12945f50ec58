"""Sums over samples from which linear regression on their features follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsyrk  # pyright: ignore[reportAttributeAccessIssue]

from ...matrix.checked import require_finite

Matrix = NDArray[np.float64]


@dataclass(eq=False)
class Sums:
    """FᵀF (r, r) in its upper triangle, Fᵀ targets (r, k) and Fᵀ1 (r,), added up by blocks."""

    gram: Matrix
    moments: Matrix
    sums: Matrix

    @classmethod
    def empty(cls, r: int, k: int) -> Sums:
        return cls(np.zeros((r, r), order="F"), np.zeros((r, k)), np.zeros(r))

    def add(self, block: Matrix, targets: Matrix, ones: Matrix) -> None:
        """Take in some rows (b, r) with their targets (b, k), and what 1 is there (b,)."""
        self.gram = dsyrk(1.0, block.T, beta=1.0, c=self.gram, overwrite_c=1)
        self.moments += block.T @ targets
        self.sums += ones @ block

    def take(self, other: Sums) -> None:
        """Take in the samples of other sums."""
        self.gram += other.gram
        self.moments += other.moments
        self.sums += other.sums

    def whole(self) -> Matrix:
        """FᵀF, both triangles."""
        return np.triu(self.gram) + np.triu(self.gram, 1).T


def added(one: Sums, other: Sums) -> Sums:
    """The sums over the samples of both."""
    return Sums(one.gram + other.gram, one.moments + other.moments, one.sums + other.sums)


def finite_trace(gram: Matrix) -> float:
    """The trace of FᵀF. Raises `InputError` where that, or an entry, is none."""
    trace = np.trace(gram)  # may overflow where no entry does
    for values in (gram, trace):
        require_finite(values, "products of features overflowed", "scale the inputs down")
    return float(trace)
