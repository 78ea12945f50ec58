"""Error against radius: the result of `approximation_curve`, its table and its figure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import checks
from .ball import Ball
from .degrees import Vector
from .norms import RkhsNorm
from .tables import Table
from .targets import ZonalTarget

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
class ApproximationCurve:
    """min over ‖g‖_H ≤ δ of ‖f - g‖_{L²} against δ, for one f and one or more kernels."""

    target: ZonalTarget
    dim: int
    degree: int
    curves: dict[str, BallCurve]

    def __getitem__(self, kernel: str) -> BallCurve:
        return self.curves[kernel]

    @property
    def title(self) -> str:
        """What the figure shows."""
        return f"Approximation of {self.target.name} on the sphere in dimension {self.dim}"

    @property
    def reading(self) -> str:
        """How to read the figure."""
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
        rows = []
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

    def plot(self, axes: Axes | None = None) -> Figure:
        """Error against δ√K(x, x), logarithmic, with the fitted range drawn thick."""
        from ..report.style import GREY, new_figure, plain_axes, put_note, put_title

        axes = checks.axes(axes)
        figure = new_figure(7.2, 5.0) if axes is None else axes.figure
        if axes is None:
            axes = figure.subplots()
            put_title(figure, self.title)  # pyright: ignore[reportArgumentType]
            put_note(
                figure,  # pyright: ignore[reportArgumentType]
                "Thick: the range of the fit. Dotted: a bound for every f with |f|, |∇f| ≤ η.",
            )
        for position, curve in enumerate(self.curves.values()):
            _draw(axes, curve, position)
        plain_axes(axes, "radius δ·√K(x, x): the largest value in the ball", "error in L²")
        axes.set_xscale("log")
        axes.set_yscale("log")
        floors = [curve.floor for curve in self.curves.values() if curve.floor > 0]
        if floors:
            text = "floor: degrees with eigenvalue zero"
            axes.axhline(max(floors), color=GREY, linewidth=0.9, linestyle="-.", label=text)
        axes.legend(frameon=False, loc="best" if floors else "lower left")
        return figure  # pyright: ignore[reportReturnType]


def _draw(axes: Axes, curve: BallCurve, position: int) -> None:
    from ..report.style import legend_name, line_style

    style = {**line_style(curve.kernel, position), "marker": ""}
    x = curve.radii * math.sqrt(curve.diagonal)
    label = legend_name(curve.kernel)
    if curve.fit is not None:
        label += f", slope −{curve.fit.rate:.2f}" + (" above the floor" if curve.floor > 0 else "")
    elif curve.norm.status in ("finite", "converged"):
        label += ", reached exactly"
    axes.plot(x, curve.errors, label=label, linewidth=1.6, **style)
    if curve.fit is not None:
        inside = (curve.radii >= curve.fit.start) & (curve.radii <= curve.fit.stop)
        axes.plot(x[inside], curve.errors[inside], linewidth=4.5, alpha=0.35, **style)
    if np.isfinite(curve.bound).any():
        drawn = {**style, "linestyle": ":"}
        worst = curve.lipschitz_rate
        text = "bound for Lipschitz f" + (f", slope −{worst:.2f}" if worst else "")
        axes.plot(x, curve.bound, label=text, linewidth=1.2, **drawn)
