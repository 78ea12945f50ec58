"""Eigenvalues of a kernel matrix on data, beside those of the sphere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, overload

import numpy as np
import scipy.linalg as sla

from ..checks import array, real_array
from ..errors import InputError
from ..kernels.base import Kernel
from ..kernels.coerce import as_kernel, kernel_name, named_kernels
from ..kernels.inputs import signals
from ..norms import norm
from ..results import Result, Table
from .checks import rounding
from .harmonics import multiplicity
from .mercer import MercerSpectrum
from .spectrum import spectrum
from .zonal import ZonalKernel, as_zonal

_MOST_DEGREES = 400

_FEW = 8
"""Points per eigenvalue: with fewer, sampling moves eigenvalues more than degrees differ."""


class Cluster(NamedTuple):
    """The eigenvalues on data that theory gives to one degree: their mean, range and limit."""

    degree: int
    count: int
    mean: float
    low: float
    high: float
    theory: float


@dataclass(frozen=True, eq=False)
class EmpiricalSpectrum(Result):
    """Eigenvalues of K/n on n points, and what they tend to on uniform points of a sphere.

    Attributes:
        name: how figures call the kernel.
        eigenvalues: of K/n, (n,), largest first; those below 0 by rounding are 0.
        theory: μ_k, each N(p, k) times, largest first, at most n; None for data that are not on
            a sphere or kernels that are no function of the cosine.
        degrees: the degree k of each of these.
        mercer: the spectrum behind `theory`.
    """

    name: str
    eigenvalues: np.ndarray
    theory: np.ndarray | None
    degrees: np.ndarray | None
    mercer: MercerSpectrum | None

    def clusters(self) -> list[Cluster]:
        """The eigenvalues by degree, for the degrees whose whole cluster is among the first n/8.

        Further down, n points cannot tell the degrees apart.
        """
        if self.theory is None or self.degrees is None or self.mercer is None:
            return []
        found, start, n = [], 0, len(self.eigenvalues)
        while start < len(self.degrees):
            k = int(self.degrees[start])
            count = self.mercer.multiplicities[k]
            if start + count > n // _FEW:
                break
            part = self.eigenvalues[start : start + count]
            ends = float(part.min()), float(part.max())
            found.append(Cluster(k, count, float(part.mean()), *ends, float(self.theory[start])))
            start += count
        return found

    @property
    def title(self) -> str:
        return f"Eigenvalues of the kernel matrix on {len(self.eigenvalues):,} points"

    @property
    def reading(self) -> str:
        if self.theory is None:
            return (
                "Each point is an eigenvalue of the kernel matrix over n, largest first: the "
                "faster they fall, the fewer directions of the data the kernel learns easily."
            )
        return (
            "Points are eigenvalues on the data, steps those of theory: on uniform points of the "
            "sphere they come in clusters, one for each degree, as many as it has harmonics."
        )

    @property
    def summary(self) -> str:
        """The measured key numbers in one sentence."""
        n = len(self.eigenvalues)
        groups = [c for c in self.clusters() if c.theory > 0]
        if not groups:
            total = float(self.eigenvalues.sum())
            share = 100 * float(self.eigenvalues[:10].sum()) / total if total > 0 else 0.0
            start = f"{self.name}: the ten largest of {n:,} eigenvalues"
            return f"{start} hold {share:.3g} % of the trace."
        worst = max(abs(c.mean / c.theory - 1) for c in groups)
        return (
            f"{self.name}: on {n:,} points the mean eigenvalue of each of the first {len(groups)} "
            f"clusters is within {100 * worst:.2g} % of theory."
        )

    def table(self) -> Table:
        """The clusters, or the first eigenvalues where there is no theory."""
        if self.theory is None:
            rows = [(i + 1, float(v)) for i, v in enumerate(self.eigenvalues[:30])]
            return Table(("rank", "eigenvalue"), rows)
        columns = ("degree", "multiplicity", "mean eigenvalue", "smallest", "largest", "theory")
        return Table(columns, [tuple(c) for c in self.clusters()])


@dataclass(frozen=True, eq=False)
class EmpiricalComparison(Result):
    """Eigenvalues on data of several kernels, by name."""

    spectra: Mapping[str, EmpiricalSpectrum]

    def __getitem__(self, name: str) -> EmpiricalSpectrum:
        return self.spectra[name]

    @property
    def _first(self) -> EmpiricalSpectrum:
        return next(iter(self.spectra.values()))

    @property
    def title(self) -> str:
        return self._first.title

    @property
    def reading(self) -> str:
        return self._first.reading

    @property
    def summary(self) -> str:
        """The measured key numbers, a sentence a kernel."""
        return " ".join(one.summary for one in self.spectra.values())

    def table(self) -> Table:
        """The tables of all kernels, one below the other."""
        tables = {name: one.table() for name, one in self.spectra.items()}
        # Kernels without theory have another table; side by side only what all have.
        columns = next(iter(tables.values())).columns
        rows = [
            (name, *row) for name, t in tables.items() if t.columns == columns for row in t.rows
        ]
        return Table(("kernel", *columns), rows)


@overload
def empirical_spectrum(kernel: Mapping[str, Any], X: Any) -> EmpiricalComparison: ...


@overload
def empirical_spectrum(kernel: Any, X: Any) -> EmpiricalSpectrum: ...


def empirical_spectrum(kernel: Any, X: Any) -> EmpiricalSpectrum | EmpiricalComparison:
    """Eigenvalues of K/n on data; beside those of the sphere where the data lie on one.

    Args:
        kernel: any kernel of this library, a network for its NTK, a function h(u) of the cosine
            (for rows of norm 1), or a mapping name -> such kernel, which gives an
            `EmpiricalComparison`.
        X: n inputs, (n, p), or (n, *space, channels) for kernels on grids.

    For n uniform points the eigenvalues of K/n tend to μ_k, N(p, k) times each, as n grows.
    Takes O(n³) operations.

    Raises:
        InputError: bad data, or rows not of norm 1 for a function of the cosine.

    Source: Koltchinskii & Giné 2000.

    >>> import numpy as np
    >>> import tangency as tg
    >>> x = np.random.default_rng(0).standard_normal((400, 3))
    >>> x /= np.linalg.norm(x, axis=1, keepdims=True)
    >>> found = empirical_spectrum(tg.NTK("dense relu dense"), x)
    >>> [(c.degree, c.count, round(c.mean, 2), round(c.theory, 2)) for c in found.clusters()[:3]]
    [(0, 1, 0.52, 0.5), (1, 3, 0.33, 0.33), (2, 5, 0.08, 0.08)]
    """
    if isinstance(kernel, Mapping):
        named = named_kernels(kernel, _with_matrix)
        every = {name: empirical_spectrum(one, X) for name, one in named.items()}
        return EmpiricalComparison({k: replace(v, name=k) for k, v in every.items()})
    kernel = _with_matrix(kernel)
    if isinstance(kernel, Kernel):
        matrix, name = array(kernel(X), "the kernel matrix"), kernel_name(kernel)
        zonal = _zonal_or_none(kernel, X)
    else:
        zonal = kernel
        matrix, name = _zonal_matrix(zonal, X), zonal.name
    values = sla.eigvalsh(matrix / len(matrix))[::-1]
    values = np.maximum(values, 0.0)
    if zonal is None:
        return EmpiricalSpectrum(name, values, None, None, None)
    dim = int(np.shape(X)[1])
    mercer = spectrum(zonal, dim, _degree_for(dim, len(values)))
    order, repeated, degrees = np.argsort(-mercer.eigenvalues, kind="stable"), [], []
    for k in order:
        count = min(mercer.multiplicities[k], len(values) - len(repeated))
        repeated += [mercer.eigenvalues[k]] * count
        degrees += [int(k)] * count
    return EmpiricalSpectrum(zonal.name, values, np.array(repeated), np.array(degrees), mercer)


def _with_matrix(kernel: Any) -> Kernel | ZonalKernel:
    """A kernel that is called on data; functions of the cosine as `ZonalKernel`."""
    found = as_kernel(kernel, functions="a function h(u) of the cosine")
    return found if isinstance(found, Kernel) else as_zonal(found)


def _degree_for(dim: int, n: int) -> int:
    """Enough degrees for n eigenvalues even if every other degree is zero."""
    total, k = 0, 0
    while total < 2 * n and k < _MOST_DEGREES:
        total += multiplicity(dim, k)
        k += 1
    return max(k, 3)


def _zonal_or_none(kernel: Kernel, X: Any) -> ZonalKernel | None:
    """The kernel as a function of the cosine, if it is one and the data lie on a sphere."""
    given = real_array(X, "X")
    if given.ndim != 2 or given.shape[1] < 2:
        return None
    norms = norm(given.astype(np.float64), 1)[:, 0]
    radius = float(norms.mean())
    if not 0 < radius < np.inf or float(np.max(np.abs(norms - radius))) > rounding(given) * radius:
        return None
    try:
        return as_zonal(kernel, radius)
    except InputError:
        return None


def _zonal_matrix(zonal: ZonalKernel, X: Any) -> np.ndarray:
    given = real_array(X, "X")
    x = array(signals(given, None), "X")
    norms = np.linalg.norm(x, axis=-1) if x.ndim == 2 else np.zeros(1)
    if np.max(np.abs(norms - zonal.radius)) > rounding(given) * zonal.radius:
        raise InputError(
            f"a function of the cosine takes rows of norm {zonal.radius:g}, (n, p); got shape "
            f"{x.shape} with norms from {norms.min():.4g} to {norms.max():.4g}"
        )
    x = x / norms[:, None]
    cosines = np.clip(x @ x.T, -1, 1)
    np.fill_diagonal(cosines, 1.0)
    return zonal(cosines)
