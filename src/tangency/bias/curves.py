"""Error against radius: the result of `approximation_curve`, its table and its figure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..results import Result, Table
from .ball import Ball
from .degrees import Vector
from .norms import RkhsNorm
from .targets import ZonalTarget

# An error is resolved where the degrees beyond the last one change it by less than 0.5%.
RESOLVED = 0.01


@dataclass(frozen=True)
class RateFit:
    """error ≈ C δ^-rate, least squares in logarithms over radii from `start` to `stop`."""

    rate: float
    start: float
    stop: float


@dataclass(frozen=True, eq=False)
class BallCurve:
    """The error of one kernel's balls.

    radii: (r,) δ, rising. errors: (r,) min ‖f - g‖_{L²} over ‖g‖_H ≤ δ if nothing beyond the
    largest degree is reached; lower: (r,) the same if all of that is reached for nothing: the truth
    lies between. bound: (r,) what holds for every f with |f|, |∇f| ≤ η, NaN where it is not
    known. fit: the fitted rate, None where no power law was resolved. rate: the exponent by
    theory for this f (∞: faster than any power, or zero error at a finite radius), None where it
    is not known. lipschitz_rate: 1/(β/2 - 1) for μ_k ~ k^-β, the paper's for Lipschitz functions.
    floor: the error that stays at any radius. diagonal: K(x, x). norm: ‖f‖_H.
    """

    kernel: str
    radii: Vector
    errors: Vector
    lower: Vector
    bound: Vector
    fit: RateFit | None
    rate: float | None
    lipschitz_rate: float | None
    floor: float
    diagonal: float
    norm: RkhsNorm
    ball: Ball

    @property
    def resolved(self) -> np.ndarray:
        """(r,) where the degrees beyond the last one change the error by less than 0.5%."""
        return self.ball.tail <= RESOLVED * self.lower**2

    def describe(self) -> str:
        """Fitted and known rates in a few words."""
        if self.norm.status in ("finite", "converged"):
            text = f"{self.kernel}: exact from δ = {self.norm.value:.4g} on"
        elif self.fit is None:
            text = f"{self.kernel}: no power law resolved"
        else:
            text = f"{self.kernel}: δ^-{self.fit.rate:.3f} fitted"
        if self.rate is not None and not math.isinf(self.rate):
            text += f", δ^-{self.rate:.3f} by theory"
        elif self.rate is not None and self.norm.status == "diverged":
            text += ", faster than any power by theory"
        if self.lipschitz_rate is not None:
            text += f", at worst δ^-{self.lipschitz_rate:.3f} for Lipschitz functions"
        return text + (f", never below {self.floor:.3g}" if self.floor > 0 else "")


@dataclass(frozen=True, eq=False)
class ApproximationCurve(Result):
    """min over ‖g‖_H ≤ δ of ‖f - g‖_{L²} against δ, for one f and one or more kernels."""

    target: ZonalTarget
    dim: int
    degree: int
    curves: dict[str, BallCurve]

    def __getitem__(self, kernel: str) -> BallCurve:
        return self.curves[kernel]

    @property
    def title(self) -> str:
        return f"Approximation of {self.target.name} on the sphere in dimension {self.dim}"

    @property
    def reading(self) -> str:
        return (
            "The lower a curve and the steeper its fall, the cheaper it is for the kernel to "
            "approximate the function; thin dotted lines hold for every Lipschitz function and "
            "are never crossed."
        )

    @property
    def summary(self) -> str:
        """The measured rates in one sentence."""
        parts = "; ".join(curve.describe() for curve in self.curves.values())
        return f"Error in L² for {self.target.name}, dimension {self.dim}: {parts}."

    def table(self) -> Table:
        """Radius, error and bound at about ten radii of each kernel, with the rates."""
        rows: list[tuple[object, ...]] = []
        for name, curve in self.curves.items():
            count = len(curve.radii)
            for i in sorted(set(np.linspace(0, count - 1, min(10, count)).round().astype(int))):
                rows.append(
                    (
                        name,
                        float(curve.radii[i]),
                        float(curve.errors[i]),
                        float(curve.errors[i] - curve.lower[i]),
                        float(curve.bound[i]),
                    )
                )
        columns = ("kernel", "radius δ", "error", "at most too high by", "Lipschitz bound")
        return Table(columns, rows)
