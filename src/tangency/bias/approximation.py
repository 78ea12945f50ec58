"""Approximation of functions on the sphere by balls of an RKHS: error against radius."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..checks import array, shown
from ..errors import InputError
from ..kernels.coerce import named_kernels
from .ball import Ball, tail_energy
from .curves import RESOLVED, ApproximationCurve, BallCurve, RateFit
from .degrees import Vector
from .lipschitz_functions import lipschitz_bound
from .mercer import MercerSpectrum
from .norms import RkhsNorm, norm_from
from .sphere import decay_exponent, mercer_spectrum, on_sphere
from .targets import ZonalTarget, as_target, check_sizes

_POINTS = 240


def approximation_curve(
    target: Any, kernels: Any, dim: int, radii: Any = None, degree: int = 1000
) -> ApproximationCurve:
    """How close the balls ‖g‖_H ≤ δ of a kernel come to f in L²(S^{p-1}), exactly.

    Args:
        target: a zonal target (see `tangency.bias.targets`), one of the names |u|, relu, cone,
            bump, or a function of u = ⟨x, e⟩.
        kernels: NTK or NNGP of a dense network, a function h(u), a `MercerSpectrum`, a mapping of
            names to these, or a network, which stands for both its kernels.
        dim: p ≥ 2.
        radii: (r,) values of δ > 0; default: all that the computed degrees can resolve.
        degree: the largest degree; 10,000 is quick for two-layer ReLU networks and targets in
            closed form.

    The minimiser has the components g_k = f_k μ_k/(μ_k + λ). A rate is fitted where the degrees
    left out change the error by less than 0.5%. By theory, for ‖f_k‖² ~ k^(-2s-1) and
    μ_k ~ k^-β with s < β/2, the error falls as δ^(-s/(β/2 - s)). Lipschitz functions have
    s ≥ 1, so the worst rate is δ^(-1/(β/2 - 1)): -1/(p/2 - 1) for the NTK, -1/(p/2) for the
    last-layer kernel of a ReLU network.

    Raises:
        InputError: a target, sizes or radii that make no sense.

    Source: Bietti & Mairal 2019, approximation of Lipschitz functions (in the
    supremum norm; the L² error is smaller).

    >>> from tangency import NNGP, NTK
    >>> net = "dense relu dense"
    >>> kernels = {"NTK": NTK(net), "last-layer": NNGP(net)}
    >>> curve = approximation_curve("|u|", kernels, dim=5)
    >>> [round(curve[name].fit.rate, 1) for name in kernels], curve["NTK"].lipschitz_rate
    ([1.5, 0.8], 0.666...)
    """
    dim, degree = check_sizes(dim, degree)
    function, wanted = as_target(target), _radii(radii)
    norms = function.norms(dim, degree)
    tail = tail_energy(norms, function.smoothness, dim)
    curves: dict[str, Any] = {}
    for name, kernel in named_kernels(kernels, on_sphere).items():
        mercer = mercer_spectrum(kernel, dim, degree)
        norm = norm_from(norms, mercer, function.name, name, function.smoothness)
        ball = Ball.of(norms, mercer, tail)
        curves[name] = _curve(name, ball, wanted, norm, mercer, function)
    return ApproximationCurve(function, dim, degree, curves)


def _curve(
    name: str,
    ball: Ball,
    radii: Vector | None,
    norm: RkhsNorm,
    mercer: MercerSpectrum,
    target: ZonalTarget,
) -> BallCurve:
    path_radii, path_lower = ball.path(_POINTS)
    # Past this the error is within √2 of what was left out, or of nothing at all.
    seen = (path_lower**2 >= ball.tail) & (path_lower > 1e-6 * math.sqrt(_energy(ball)))
    if radii is None:
        radii, lower = path_radii[seen], path_lower[seen]
        errors = np.sqrt(lower**2 + ball.tail)
    else:
        lower, errors = np.array([ball.error(float(r)) for r in radii]).T
    bound = np.full(len(radii), np.nan)
    if target.lipschitz is not None and norm.missing == ():
        bound = lipschitz_bound(known_eigenvalues(mercer), mercer.dim, radii, target.lipschitz)
    decay = decay_exponent(mercer)
    worst = None
    if decay is not None and 2 < decay < math.inf:
        worst = 1 / (decay / 2 - 1)
    return BallCurve(
        kernel=name,
        radii=radii,
        errors=errors,
        lower=lower,
        bound=bound,
        fit=None if _ends(norm, target, decay) else _fit(path_radii, path_lower, ball),
        rate=_rate(target.smoothness, decay),
        lipschitz_rate=worst,
        floor=ball.floor,
        diagonal=mercer.at_one,
        norm=norm,
        ball=ball,
    )


def known_eigenvalues(mercer: MercerSpectrum) -> Vector:
    """The logarithms of μ_k, -inf for zeros, up to the first that is only rounding."""
    unknown = ~(mercer.zeros | mercer.positive)
    count = int(np.argmax(unknown)) if unknown.any() else len(unknown)
    return np.where(mercer.zeros, -np.inf, mercer.log_eigenvalues)[:count]


def _rate(smoothness: float | None, decay: float | None) -> float | None:
    """s/(β/2 - s), ∞ from s = β/2 on."""
    if smoothness is None or decay is None or math.isinf(decay):
        return None
    return smoothness / (decay / 2 - smoothness) if smoothness < decay / 2 else math.inf


def _ends(norm: RkhsNorm, target: ZonalTarget, decay: float | None) -> bool:
    """The error is no power of δ: it is zero at a finite radius, or falls faster than any."""
    return norm.series.status in ("finite", "converged") or math.isinf(
        _rate(target.smoothness, decay) or 0.0
    )


def _fit(radii: Vector, lower: Vector, ball: Ball) -> RateFit | None:
    """The rate on the last decade of resolved radii, with errors under a twentieth of ‖f‖."""
    above = np.sqrt(np.maximum(lower**2 - ball.floor**2, 0.0))
    start = math.sqrt(max(_energy(ball) - ball.floor**2, 0.0))
    good = (ball.tail <= RESOLVED * above**2) & (above < start / 20) & (above > 1e-7 * start)
    if not good.any():
        return None
    stop = float(radii[good].max())
    good &= radii >= stop / 10
    x, y = np.log(radii[good]), np.log(above[good])
    if len(x) < 5 or np.ptp(x) < math.log(2):
        return None
    slope = float(np.polyfit(x, y, 1)[0])
    return RateFit(-slope, float(radii[good].min()), stop)


def _energy(ball: Ball) -> float:
    return float(np.sum(np.exp(2 * ball.log_norms)))


def _radii(radii: Any) -> Vector | None:
    if radii is None:
        return None
    values = np.atleast_1d(array(radii, "radii"))
    if values.ndim != 1 or values.size == 0 or not (np.isfinite(values) & (values > 0)).all():
        raise InputError(
            f"radii must be finite numbers greater than 0, shape (r,); got {shown(radii)}"
        )
    return np.sort(values)
