"""The norm of a function in the reproducing kernel Hilbert space of a kernel on the sphere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..checks import array
from ..errors import InputError
from ..results import Result, Table
from .degrees import DegreeNorms, Vector
from .mercer import MercerSpectrum
from .series import SeriesSum, sum_series
from .sphere import (
    decay_exponent,
    first_degrees,
    mercer_spectrum,
    on_sphere,
    present_degrees,
    usable_degrees,
)
from .targets import ZonalTarget, as_target, check_sizes

Status = Literal["finite", "converged", "diverged", "null space", "unknown"]

_SETTLED = 1e-6
_CLEAR = 1e4


@dataclass(frozen=True, eq=False)
class RkhsNorm(Result):
    """‖f‖_H on the sphere in R^dim, ‖f‖²_H = Σ_k ‖f_k‖²/μ_k, with how it was judged.

    value: the norm; ∞ where f is not in the space, NaN where the degrees computed do not tell.
    status: "finite" (a polynomial f), "converged", "diverged", "null space" (f has components of
    degrees whose eigenvalue is exactly zero) or "unknown". missing: those degrees. log_terms:
    (degree + 1,) logarithms of ‖f_k‖²/μ_k, ∞ on the missing degrees. series: the sum of the
    other terms, with fitted and known exponents. norms, mercer: what went in, cut before the first
    degree of f whose eigenvalue is not told from rounding.
    """

    value: float
    status: Status
    missing: tuple[int, ...]
    log_terms: Vector
    series: SeriesSum
    norms: DegreeNorms
    mercer: MercerSpectrum
    target: str
    kernel: str

    def __float__(self) -> float:
        return self.value

    @property
    def partial_norms(self) -> Vector:
        """(degree + 1,) the norms of the parts of f of degrees 0 to k."""
        with np.errstate(over="ignore"):
            return np.sqrt(np.cumsum(np.exp(self.log_terms)))

    @property
    def title(self) -> str:
        return f"RKHS norm of {self.target} up to each degree, in dimension {self.mercer.dim}"

    @property
    def reading(self) -> str:
        return (
            "A curve that levels off is a function inside the space, at the height of its norm; "
            "one that keeps rising is a function outside."
        )

    @property
    def summary(self) -> str:
        """The result in one sentence."""
        start = (
            f"{self.target} in the space of the {self.kernel} kernel (dimension {self.mercer.dim})"
        )
        series = self.series
        decay = _decay(series)
        if self.status == "null space":
            shown = ", ".join(map(str, self.missing[:3])) + (", …" if self.missing[3:] else "")
            return f"{start}: infinite norm, components of degree {shown} have eigenvalue zero."
        if self.status == "diverged":
            return f"{start}: infinite norm, the series diverges{decay}."
        if self.status == "unknown":
            return f"{start}: not decided by {len(self.log_terms) - 1} degrees{decay}."
        share = series.tail / series.value if series.value > 0 else 0.0
        more = f", of which {share:.1%} of the square is extrapolated" if share > 5e-4 else ""
        return f"{start}: norm {self.value:.6g}{more}{decay if self.status != 'finite' else ''}."

    def table(self) -> Table:
        """Degree, ‖f_k‖, μ_k and the norm so far, for the degrees that f has."""
        partial, values = self.partial_norms, self.norms.values
        some = [k for k in _sample(self.norms.logs) if np.isfinite(self.norms.logs[k])]
        rows = [
            (k, float(values[k]), float(self.mercer.eigenvalues[k]), float(partial[k]))
            for k in some
        ]
        return Table(("degree k", "‖f_k‖", "eigenvalue μ_k", "norm up to k"), rows)


def rkhs_norm(f: Any, kernel: Any, dim: int, degree: int = 1000) -> RkhsNorm:
    """The norm of f in the RKHS of a zonal kernel on S^{p-1}, ‖f‖² = Σ_k ‖f_k‖²_{L²}/μ_k.

    Args:
        f: a zonal target (from `tangency.bias.targets`, its name, or a function of u = ⟨x, e⟩), or
            an array (m,) of the norms ‖f_k‖ ≥ 0 of its degrees k = 0, …, m - 1 in L² of the uniform
            probability measure, all further ones zero; then f need not be zonal.
        kernel: NTK or NNGP of a dense network, the network itself for its NTK, a function h(u), or
            a `MercerSpectrum`.
        dim: p ≥ 2.
        degree: the largest degree computed; the rest is estimated, and the result says how.

    The norm is ∞ if f has a component of a degree with μ_k = 0 exactly (as odd k ≥ 3 for a
    two-layer ReLU network without bias), or if the series diverges. That is decided by the
    decay of the terms: by theory if the exponents of target and kernel are both known, otherwise by
    a fit, which answers "unknown" (and NaN) near the border. Norms ‖f_k‖ under 1e-13 of the largest
    do not count as a component of a missing degree. `float(result)` is the norm.

    Raises:
        InputError: f, dim or degree that make no sense.

    Source: Bietti & Mairal 2019, section 3.2; Cucker & Smale 2002 for the norm.

    >>> from tangency import NTK
    >>> ntk = NTK("dense relu dense")
    >>> rkhs_norm("|u|", ntk, dim=3).status, rkhs_norm("|u|", ntk, dim=2).status
    ('diverged', 'converged')
    >>> rkhs_norm([0.0, 1.0, 0.0, 0.1], ntk, dim=3).missing
    (3,)
    """
    dim, degree = check_sizes(dim, degree)
    ends = not (isinstance(f, ZonalTarget | str) or callable(f))
    if ends:
        norms, name, smoothness = _given(f), "f", None
        degree = norms.degree
    else:
        target = as_target(f)
        norms, name, smoothness = target.norms(dim, degree), target.name, target.smoothness
    kernel = on_sphere(kernel)
    mercer = mercer_spectrum(kernel, dim, degree)
    return norm_from(norms, mercer, name, kernel.name, smoothness, ends=ends)


def norm_from(
    norms: DegreeNorms,
    mercer: MercerSpectrum,
    target: str,
    kernel: str,
    smoothness: float | None,
    *,
    ends: bool = False,
) -> RkhsNorm:
    """The norm from the norms of the degrees and the eigenvalues; arguments as in `rkhs_norm`."""
    full = norms.degree + 1
    norms, mercer = _cut(norms, mercer)
    present, null = present_degrees(norms), mercer.zeros
    missing = tuple(int(k) for k in np.nonzero(present & null)[0])
    known = mercer.positive
    terms = np.full(len(norms.logs), -np.inf)
    terms[known] = 2 * norms.logs[known] - mercer.log_eigenvalues[known]
    seen = len(known) == full
    ends = seen and (ends or (norms.ends and (_breaks_off(norms) or _settled(terms))))
    series = sum_series(
        terms, _term_exponent(smoothness, mercer), ends=ends, shift=mercer.dim / 2 - 1
    )
    shown = terms.copy()
    shown[list(missing)] = np.inf
    if missing:
        value, status = math.inf, "null space"
    else:
        value, status = math.sqrt(series.value), series.status
    return RkhsNorm(
        value=value,
        status=status,
        missing=missing,
        log_terms=shown,
        series=series,
        norms=norms,
        mercer=mercer,
        target=target,
        kernel=kernel,
    )


def _cut(norms: DegreeNorms, mercer: MercerSpectrum) -> tuple[DegreeNorms, MercerSpectrum]:
    count = usable_degrees(norms, mercer)
    if count == 0:
        raise InputError(
            f"no eigenvalue of the kernel {mercer.name!r} can be told from rounding; pass a kernel "
            "of this library, or a function h(u) that is not zero"
        )
    return DegreeNorms(norms.logs[:count], norms.noise), first_degrees(mercer, count)


def _breaks_off(norms: DegreeNorms) -> bool:
    """The last norm stands far above the noise: a polynomial, not a decay that is lost in it."""
    return norms.last < 0 or norms.values[norms.last] > _CLEAR * norms.noise


def _settled(terms: Vector) -> bool:
    """The last term is negligible: what quadrature cannot see beyond it would be so too."""
    last = int(np.max(np.nonzero(np.isfinite(terms))[0], initial=-1))
    return last < 0 or bool(terms[last] < np.logaddexp.reduce(terms) + math.log(_SETTLED))


def _term_exponent(smoothness: float | None, mercer: MercerSpectrum) -> float | None:
    """t of ‖f_k‖²/μ_k ~ k^-t, t = 2s + 1 - β, where s and β are known."""
    decay = decay_exponent(mercer)
    if smoothness is None or decay is None or (math.isinf(smoothness) and math.isinf(decay)):
        return None
    return 2 * smoothness + 1 - decay


def _decay(series: SeriesSum) -> str:
    """How the terms behave, in words."""
    parts: list[str] = []
    if not math.isnan(series.exponent):
        parts.append(f"k^{0.0 - series.exponent:.2f} fitted")
    if series.theory is not None:
        power = f"k^{0.0 - series.theory:g}"
        parts.append(f"{'faster than any power' if math.isinf(series.theory) else power} by theory")
    return f" (terms behave as {', '.join(parts)})" if parts else ""


def _given(norms: Any) -> DegreeNorms:
    values = array(norms, "norms of degrees")
    if values.ndim != 1 or values.size == 0:
        raise InputError(
            f"norms of degrees must have shape (degree + 1,), got {values.shape}; sum the squared "
            "coefficients of each degree and take the root"
        )
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise InputError(
            "norms of degrees must be finite and not negative; sum the squared coefficients of "
            "each degree and take the root"
        )
    with np.errstate(divide="ignore"):
        return DegreeNorms(np.log(values))


def _sample(logs: Vector) -> list[int]:
    """Degrees 0 to 10, then roughly 1, 2, 5 of each power of ten, kept to those f has."""
    present = np.nonzero(np.isfinite(logs))[0]
    if len(present) == 0:
        return []
    wanted = [*range(11), *(m * 10**j for j in range(1, 8) for m in (2, 5, 10))]
    at = np.minimum(np.searchsorted(present, wanted), len(present) - 1)
    return sorted({int(present[i]) for i in at})
