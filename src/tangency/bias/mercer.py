"""The Mercer decomposition of kernels on the sphere: what `spectrum` gives, alone and compared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .. import checks
from ..results import Result, Table
from .decay import DecayFit, fit_decay
from .degrees import log_multiplicities
from .harmonics import multiplicities


@dataclass(frozen=True, eq=False)
class MercerSpectrum(Result):
    """κ(⟨x, y⟩) = Σ_k μ_k Σ_j Y_kj(x)Y_kj(y) on S^{p−1}, uniform probability measure.

    Attributes:
        name: how figures call the kernel.
        dim: the dimension p.
        eigenvalues: μ_k for k = 0..degree; those below the smallest float64 number underflow, and
        log_eigenvalues: their natural logarithms, do not. −inf for zeros.
        errors: a bound or estimate of the relative error of each μ_k: 0 for exact zeros, 0.1
            and more where a value is not `resolved` from rounding, and says little or nothing.
        zeros: which μ_k are exactly zero by the structure of the network.
        at_one: κ(1) = Σ_k N(p, k)μ_k.
        law: the exponent of decay in theory, or "exponential", "faster than any power" or
            "finite"; None where unknown.
        method: how the eigenvalues were computed.
    """

    name: str
    dim: int
    eigenvalues: np.ndarray
    log_eigenvalues: np.ndarray
    errors: np.ndarray
    zeros: np.ndarray
    at_one: float
    law: float | str | None
    method: str

    @property
    def degree(self) -> int:
        """The highest degree."""
        return len(self.eigenvalues) - 1

    @cached_property
    def multiplicities(self) -> tuple[int, ...]:
        """N(p, k), exact integers of any size."""
        return multiplicities(self.dim, self.degree)

    @property
    def resolved(self) -> np.ndarray:
        """Which μ_k are known, or known to be zero."""
        return self.errors < 0.1

    @cached_property
    def explained(self) -> np.ndarray:
        """The share of variance N(p, k)μ_k/κ(1) of each degree."""
        if self.at_one <= 0:
            return np.zeros(self.degree + 1)
        counts = log_multiplicities(self.dim, self.degree)
        return np.exp(self.log_eigenvalues + counts - math.log(self.at_one))

    @property
    def cumulative(self) -> np.ndarray:
        """The share of variance in degrees up to k."""
        return np.cumsum(self.explained)

    @property
    def positive(self) -> np.ndarray:
        """Which μ_k are known to be positive."""
        return self.resolved & ~self.zeros & np.isfinite(self.log_eigenvalues)

    def fit(self, low: int | None = None, high: int | None = None) -> DecayFit:
        """The slopes of log μ_k on log(k + (p − 2)/2), even and odd degrees apart.

        Args:
            low, high: the degrees to fit; default: the upper half of those known to be positive,
                where the slope is nearest to its limit.

        Raises:
            InputError: degrees that the spectrum does not have.
        """
        known = np.flatnonzero(self.positive)
        last = int(known[-1]) if len(known) else 0
        high = last if high is None else checks.whole(high, "high")
        low = max(1, high // 2) if low is None else checks.whole(low, "low")
        if high < 2:
            return DecayFit(low, high, None, None)
        return fit_decay(self.log_eigenvalues, self.positive, self.dim, low, high)

    @property
    def title(self) -> str:
        return f"Eigenvalues of {self._called} on the sphere in {self.dim} dimensions"

    @property
    def reading(self) -> str:
        return (
            "Each point is the eigenvalue that all harmonics of one degree (frequency) share: the "
            "faster the curve falls, the more the kernel prefers smooth functions."
        )

    @property
    def summary(self) -> str:
        """The measured key numbers in one sentence."""
        share = 100 * float(self.explained[:3].sum())
        parts = [f"degrees 0 to 2 hold {share:.3g} % of the variance"]
        fitted = self.fit()
        if isinstance(self.law, float) and fitted.steepest is not None:
            parts.append(
                f"the fitted slope is {_signed(fitted.steepest)} over degrees {fitted.low} to "
                f"{fitted.high} ({_signed(self.law)} in theory)"
            )
        elif isinstance(self.law, str):
            words = {"finite": "the rank is finite", "exponential": "the decay is exponential"}
            parts.append(words.get(self.law, f"the decay is {self.law}"))
        if self.zeros_in_words:
            parts.append(f"exactly zero are {self.zeros_in_words}")
        text = "; ".join(parts)
        return f"{self.name}, dimension {self.dim}: {text}."

    def table(self, whole: bool = False) -> Table:
        """The eigenvalues: some thirty rows, or all of them if `whole`."""
        whole = checks.flag(whole, "whole")
        columns = (
            "degree",
            "multiplicity",
            "eigenvalue",
            "share of variance",
            "cumulative share",
            "relative error",
        )
        cumulative = self.cumulative
        rows = [
            (
                int(k),
                _count(self.multiplicities[k]),
                _size(self.eigenvalues[k], self.log_eigenvalues[k]),
                float(self.explained[k]),
                float(cumulative[k]),
                float(self.errors[k]),
            )
            for k in (range(self.degree + 1) if whole else chosen_degrees(self.degree))
        ]
        return Table(columns, rows)

    @property
    def _called(self) -> str:
        return {"NTK": "the NTK", "last-layer": "the last-layer kernel"}.get(self.name, self.name)

    @property
    def zeros_in_words(self) -> str:
        """Which degrees are exactly zero, as in "odd degrees from 3 on"; empty where none are."""
        if self.degree < 4:
            return ""
        starts = {}
        for first, word in ((0, "even"), (1, "odd")):
            zero = self.zeros[first::2]
            if zero[-1]:
                alive = np.flatnonzero(~zero)
                starts[word] = first + 2 * (int(alive[-1]) + 1 if len(alive) else 0)
        if len(starts) == 2:
            last = max(starts.values()) - 2
            return f"all degrees from {last + 1} on" if last >= 0 else "all degrees"
        for word, start in starts.items():
            return f"{word} degrees" if start < 2 else f"{word} degrees from {start} on"
        return ""


@dataclass(frozen=True, eq=False)
class SpectrumComparison(Result):
    """Spectra side by side, by name."""

    spectra: Mapping[str, MercerSpectrum]

    def __getitem__(self, name: str) -> MercerSpectrum:
        return self.spectra[name]

    @property
    def dim(self) -> int:
        """The dimension p."""
        return next(iter(self.spectra.values())).dim

    @property
    def title(self) -> str:
        return f"Eigenvalues by degree on the sphere in {self.dim} dimensions"

    @property
    def reading(self) -> str:
        return (
            "Each point is the eigenvalue that all harmonics of one degree (frequency) share: the "
            "kernel whose curve falls more slowly learns high frequencies more easily."
        )

    @property
    def summary(self) -> str:
        """The measured key numbers in one sentence."""
        return " ".join(spectrum.summary for spectrum in self.spectra.values())

    def table(self) -> Table:
        """The eigenvalues and shares of variance of all kernels, some thirty rows."""
        every = list(self.spectra.items())
        columns = ["degree", "multiplicity"]
        for name, _ in every:
            columns += [f"{name}: eigenvalue", f"{name}: share of variance"]
        rows = []
        first = every[0][1]
        for k in chosen_degrees(first.degree):
            row: list[Any] = [int(k), _count(first.multiplicities[k])]
            for _, s in every:
                row += [_size(s.eigenvalues[k], s.log_eigenvalues[k]), float(s.explained[k])]
            rows.append(row)
        return Table(columns, rows)


def chosen_degrees(degree: int) -> list[int]:
    """All degrees up to 20, or the first ten and then some, even and odd, evenly in log k."""
    if degree <= 20:
        return list(range(degree + 1))
    steps = np.round(np.geomspace(10, degree, 11)).astype(int)
    return sorted({*range(10), *(int(k) - 1 for k in steps), *(int(k) for k in steps)})


def _count(n: int) -> Any:
    """A multiplicity for a table: whole while it is short."""
    if n < 10**9:
        return n
    return _size(0.0, math.log(n))


def _size(value: float, log: float) -> Any:
    """A number for a table, from its logarithm where float64 cannot hold it."""
    if value > 1e-290 or not math.isfinite(log):
        return float(value)
    exponent = log / math.log(10)
    whole = math.floor(exponent)
    return f"{10 ** (exponent - whole):.4g}e{whole:+03d}"


def _signed(x: float) -> str:
    return f"{x:.2f}".replace("-", "−").removesuffix(".00")
