"""How many derivatives put a function into the RKHS: the sufficient and the exact condition."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import array, shown
from ..errors import InputError
from ..kernels.coerce import named_kernels
from ..results import Result, Table
from .degrees import Vector
from .mercer import MercerSpectrum
from .norms import RkhsNorm, norm_from
from .sphere import decay_exponent, mercer_spectrum, on_sphere
from .targets import check_sizes, power


@dataclass(frozen=True, eq=False)
class KernelCondition:
    """Which of the functions |u|^a lie in the space of one kernel.

    norms: one `RkhsNorm` for each a. fitted: (m,) exponents t of the terms k^-t. derivatives: β/2,
    the number of bounded derivatives that suffices. threshold: (β - 1)/2, above which |u|^a is in
    the space; crossing: the a at which the fitted t passes 1, NaN if it does not; both None or NaN
    where μ_k follows no known power. constants: the least and the largest
    1/√(μ_k (k(k+p-2))^(β/2)) over the degrees k ≥ 1 with μ_k > 0, by which ‖f‖_H and the norm
    of β/2 derivatives in L² bound each other. diagonal: K(x, x).
    """

    kernel: str
    norms: tuple[RkhsNorm, ...]
    fitted: Vector
    derivatives: float | None
    threshold: float | None
    crossing: float
    constants: tuple[float, float] | None
    diagonal: float


@dataclass(frozen=True, eq=False)
class SmoothnessCondition(Result):
    """RKHS norms of |u|^a, which has ⌊a⌋ bounded derivatives, for a range of a."""

    dim: int
    degree: int
    exponents: Vector
    kernels: dict[str, KernelCondition]

    def __getitem__(self, kernel: str) -> KernelCondition:
        return self.kernels[kernel]

    @property
    def title(self) -> str:
        return f"Which powers |u|^a lie in the RKHS, sphere in dimension {self.dim}"

    @property
    def reading(self) -> str:
        return (
            "A power lies in the space of a kernel from the vertical dotted line on: where the "
            "decay passes 1 (first panel), its norm becomes finite (second panel)."
        )

    @property
    def summary(self) -> str:
        """Thresholds, measured and by theory, in one sentence."""
        parts = []
        for name, item in self.kernels.items():
            if math.isnan(item.crossing):
                inside = sum(math.isfinite(norm.value) for norm in item.norms)
                parts.append(f"{name}: {inside} of {len(item.norms)} powers shown are inside")
                continue
            text = f"{name}: finite norm for a > {item.crossing:.2f} fitted"
            if item.threshold is not None and item.derivatives is not None:
                text += (
                    f", a > {item.threshold:g} by theory (sufficient: {item.derivatives:g} "
                    "bounded derivatives)"
                )
            parts.append(text)
        return f"Functions |u|^a in dimension {self.dim}; {'; '.join(parts)}."

    def table(self) -> Table:
        """About 20 values of a: bounded derivatives, and for each kernel the condition and norm."""
        columns = ["exponent a", "bounded derivatives"]
        for name in self.kernels:
            columns += [f"{name}: enough by the condition", f"{name}: decay t", f"{name}: norm"]
        rows = []
        step = math.ceil(len(self.exponents) / 20)
        for i in range(0, len(self.exponents), step):
            a = self.exponents[i]
            row: list[Any] = [float(a), math.floor(a)]
            for item in self.kernels.values():
                known = item.derivatives is not None
                enough = "?" if not known else "yes" if row[1] >= item.derivatives else "no"
                row += [enough, float(item.fitted[i]), item.norms[i].value]
            rows.append(row)
        return Table(columns, rows)


def smoothness_condition(
    kernels: Any, dim: int, exponents: Any = None, degree: int = 1000
) -> SmoothnessCondition:
    """RKHS norms of |u|^a around the smoothness at which they become finite.

    Args:
        kernels: NTK or NNGP of a dense network, a function h(u), a `MercerSpectrum`, a mapping of
            names to these, or a network, which stands for both its kernels.
        dim: p ≥ 2.
        exponents: (m,) values of a > -1/2; even ones, for which |u|^a is a polynomial, are left
            out; default: steps of 1/8 past the thresholds of ReLU kernels.
        degree: the largest degree computed.

    The paper's condition: for μ_k ~ k^-β, an even f with β/2 bounded derivatives is in the space:
    p/2 for the NTK of a ReLU network, p/2 + 1 for its last-layer kernel. |u|^a needs less:
    ‖f_k‖² ~ k^(-2a-2), so Σ ‖f_k‖²/μ_k is finite exactly for a > (β - 1)/2. Its kink lies on
    a circle, which saves half a derivative. Without biases, functions that are not even have
    components of degrees whose eigenvalue is zero (`rkhs_norm` names them).

    Raises:
        InputError: sizes or exponents that make no sense.

    Source: Bietti & Mairal 2019, sufficient condition; Bach 2017 for the last layer.

    >>> from tangency import NNGP, NTK
    >>> net = "dense relu dense"
    >>> check = smoothness_condition({"NTK": NTK(net), "last-layer": NNGP(net)}, dim=4)
    >>> [(check[k].threshold, round(check[k].crossing, 2)) for k in ("NTK", "last-layer")]
    [(1.5, 1.5), (2.5, 2.5)]
    """
    dim, degree = check_sizes(dim, degree)
    wanted = _exponents(exponents, dim)
    found = {}
    for name, kernel in named_kernels(kernels, on_sphere).items():
        mercer = mercer_spectrum(kernel, dim, degree)
        found[name] = _condition(name, mercer, wanted)
    return SmoothnessCondition(dim, degree, wanted, found)


def _condition(name: str, mercer: MercerSpectrum, exponents: Vector) -> KernelCondition:
    dim, degree = int(mercer.dim), len(mercer.log_eigenvalues) - 1
    targets = [power(float(a)) for a in exponents]
    norms = tuple(
        norm_from(t.norms(dim, degree), mercer, t.name, name, t.smoothness) for t in targets
    )
    fitted = np.array([norm.series.exponent for norm in norms])
    decay = decay_exponent(mercer)
    known = decay is not None and math.isfinite(decay)
    return KernelCondition(
        kernel=name,
        norms=norms,
        fitted=fitted,
        derivatives=decay / 2 if decay is not None and known else None,
        threshold=(decay - 1) / 2 if decay is not None and known else None,
        crossing=_crossing(exponents, fitted),
        constants=_constants(mercer, decay) if decay is not None and known else None,
        diagonal=mercer.at_one,
    )


def _crossing(exponents: Vector, fitted: Vector) -> float:
    """Where t passes 1, by linear interpolation."""
    above = fitted > 1
    turns = np.nonzero(~above[:-1] & above[1:])[0]
    if len(turns) != 1:
        return math.nan
    i = int(turns[0])
    share = (1 - fitted[i]) / (fitted[i + 1] - fitted[i])
    return float(exponents[i] + share * (exponents[i + 1] - exponents[i]))


def _constants(mercer: MercerSpectrum, decay: float) -> tuple[float, float] | None:
    k = np.arange(1, len(mercer.log_eigenvalues))
    logs = mercer.log_eigenvalues[1:]
    known = mercer.positive[1:]
    if not known.any():
        return None
    ratios = -0.5 * (logs[known] + decay / 2 * np.log(k * (k + mercer.dim - 2.0))[known])
    return math.exp(float(ratios.min())), math.exp(float(ratios.max()))


def _exponents(exponents: Any, dim: int) -> Vector:
    if exponents is None:
        values = np.arange(0.25, (dim + 1) / 2 + 2.01, 0.125)
    else:
        values = np.atleast_1d(array(exponents, "exponents"))
        if values.ndim != 1 or not (np.isfinite(values) & (values > -0.5)).all():
            raise InputError(
                "exponents must be finite numbers greater than -1/2, shape (m,); got "
                f"{shown(exponents)}"
            )
    kept = np.unique(values[values % 2 != 0])
    if len(kept) == 0:
        raise InputError(
            f"no exponents are left of {shown(exponents)}: |u|^a is a polynomial, in every space, "
            "for an even a; pass some that are not even"
        )
    return kept
