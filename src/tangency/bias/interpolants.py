"""Norms of interpolants against the number of samples: the result, its table and its figure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..results import Result, Table
from .degrees import Vector

# Of the targets' square: less than this may be left out before a norm is called a lower bound.
EXACT = 1e-8


@dataclass(frozen=True, eq=False)
class KernelInterpolation:
    """One kernel's minimum-norm interpolants.

    norms: (sizes, draws) of √(Σ yᵀ K⁻¹ y), summed over outputs; ∞ where equal inputs have
    different targets. missed: (sizes, draws) the share of Σ y² in directions of K that are
    rounding, which no function reaches in floating point; where it is not 0 the norm is a lower
    bound. shuffled: norms for targets in random order, None if not asked for. scale: √(mean
    K(x, x)) over the root mean square of y: times it, norms do not depend on the scale of K or y.
    growth: the fitted g in norm ~ n^g over the larger half of the sizes, NaN for fewer than two.
    """

    kernel: str
    norms: np.ndarray
    missed: np.ndarray
    shuffled: np.ndarray | None
    scale: float
    growth: float

    @property
    def mean(self) -> Vector:
        """(sizes,) scale-free norms, mean over draws."""
        return self.norms.mean(axis=1) * self.scale

    @property
    def spread(self) -> Vector:
        """(sizes,) their standard deviation over draws; 0 for one draw, NaN beside an ∞."""
        return _spread(self.norms * self.scale)


@dataclass(frozen=True, eq=False)
class InterpolationNorms(Result):
    """Norms of interpolants against the number of samples, for one or more kernels."""

    sizes: np.ndarray
    draws: int
    kernels: dict[str, KernelInterpolation]

    def __getitem__(self, kernel: str) -> KernelInterpolation:
        return self.kernels[kernel]

    @property
    def title(self) -> str:
        return "RKHS norm of the interpolant against the number of samples"

    @property
    def reading(self) -> str:
        return (
            "A curve that flattens says that the labels look like one function of the kernel's "
            "space; one that grows says that each new sample costs more norm."
        )

    @property
    def summary(self) -> str:
        """Norm and growth of each kernel in one sentence."""
        parts = []
        for name, item in self.kernels.items():
            text = f"{name} {item.mean[-1]:.3g} at n = {int(self.sizes[-1])}"
            if math.isfinite(item.growth):
                text += f", growing as n^{item.growth:.2f}"
            if item.shuffled is not None:
                text += f" ({item.shuffled[-1].mean() * item.scale:.3g} for shuffled labels)"
            if (item.missed > EXACT).any():
                text += " (a lower bound: K is singular to working precision)"
            parts.append(text)
        return f"Scale-free norm of the interpolant: {'; '.join(parts)}."

    def table(self) -> Table:
        """One row for each size: mean and standard deviation of each kernel."""
        columns = ["samples"]
        for name, item in self.kernels.items():
            columns += [f"{name}: norm", f"{name}: spread"]
            columns += [f"{name}: shuffled"] if item.shuffled is not None else []
        rows = []
        for i, size in enumerate(self.sizes):
            row: list[Any] = [int(size)]
            for item in self.kernels.values():
                row += [float(item.mean[i]), float(item.spread[i])]
                if item.shuffled is not None:
                    row.append(float(item.shuffled[i].mean() * item.scale))
            rows.append(row)
        return Table(columns, rows)


def _spread(values: np.ndarray) -> Vector:
    if values.shape[1] < 2:
        return np.zeros(len(values))
    infinite = np.any(~np.isfinite(values), axis=1)
    safe = np.where(infinite[:, None], 0.0, values)
    return np.where(infinite, np.nan, np.std(safe, axis=1, ddof=1))
