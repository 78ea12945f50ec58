"""How near a ball of an RKHS comes to a function in L²: exactly, through the spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_expit

from .degrees import DegreeNorms, Vector
from .mercer import MercerSpectrum
from .series import fitted_exponent, power_tail
from .sphere import usable_degrees


@dataclass(frozen=True, eq=False)
class Ball:
    """min over ‖g‖_H ≤ δ of ‖f - g‖_{L²} for one f and one kernel.

    The minimiser has the components g_k = f_k μ_k/(μ_k + λ), with the Lagrange multiplier λ ≥ 0
    for which ‖g‖_H = δ, or λ = 0 where all of f that can be reached fits in. log_norms: (m,)
    logarithms of ‖f_k‖; log_eigenvalues: (m,) of μ_k, -inf for exact zeros; tail: the energy
    Σ ‖f_k‖² of the degrees beyond.
    """

    log_norms: Vector
    log_eigenvalues: Vector
    tail: float = 0.0

    @property
    def reachable(self) -> np.ndarray:
        """(m,) which degrees of f are there and have an eigenvalue above zero."""
        return np.isfinite(self.log_norms) & np.isfinite(self.log_eigenvalues)

    @property
    def floor(self) -> float:
        """The error that no radius removes: the components of eigenvalue zero."""
        null = np.isneginf(self.log_eigenvalues)
        return math.sqrt(float(np.sum(np.exp(2 * self.log_norms[null]))))

    @property
    def norm(self) -> float:
        """‖g‖_H of the reachable part of f, of the degrees given."""
        e, mu = self._reached()
        return float(np.exp(0.5 * np.logaddexp.reduce(2 * e - mu))) if len(e) else 0.0

    def at(self, log_multiplier: float) -> tuple[float, float]:
        """The radius δ and the error without the tail, for a Lagrange multiplier λ."""
        e, mu = self._reached()
        x = mu - log_multiplier
        radius = np.exp(0.5 * np.logaddexp.reduce(2 * (e + log_expit(x)) - mu)) if len(e) else 0.0
        missed = float(np.sum(np.exp(2 * (e + log_expit(-x)))))
        return float(radius), math.sqrt(missed + self.floor**2)

    def multiplier(self, radius: float) -> float:
        """log λ for which ‖g‖_H is the radius; -inf where the whole reachable part fits in."""
        if radius >= self.norm:
            return -math.inf
        _, mu = self._reached()
        low, high = float(np.min(mu)) - 1.0, float(np.max(mu)) + 1.0
        target = math.log(radius)
        # δ falls from ‖f‖_H to 0 as λ grows, so that both ends are passed in the end.
        while math.log(max(self.at(low)[0], 1e-300)) < target:
            low -= 5.0
            if low < np.min(mu) - 80:
                return -math.inf
        while math.log(max(self.at(high)[0], 1e-300)) > target:
            high += 5.0
        return float(
            brentq(lambda x: math.log(self.at(x)[0]) - target, low, high, xtol=1e-13, rtol=1e-14)  # pyright: ignore
        )

    def error(self, radius: float) -> tuple[float, float]:
        """Between which two numbers the smallest error lies.

        Below: the tail is reached for nothing; above: it is not reached at all.
        """
        if radius <= 0:
            low = math.sqrt(float(np.sum(np.exp(2 * self.log_norms))))
        else:
            log_multiplier = self.multiplier(radius)
            low = self.floor if math.isinf(log_multiplier) else self.at(log_multiplier)[1]
        return low, math.sqrt(low**2 + self.tail)

    def path(self, points: int) -> tuple[Vector, Vector]:
        """Radii and errors (points,) for multipliers from far above to far below all μ_k."""
        _, mu = self._reached()
        if len(mu) == 0:
            return np.zeros(0), np.zeros(0)
        steps = np.linspace(float(np.max(mu)) + 4.0, float(np.min(mu)) - 4.0, points)
        pairs = [self.at(float(step)) for step in steps]
        return np.array([d for d, _ in pairs]), np.array([e for _, e in pairs])

    @classmethod
    def of(cls, norms: DegreeNorms, mercer: MercerSpectrum, tail: float) -> Ball:
        """From degrees and spectrum; what comes from the first unknown eigenvalue on is tail."""
        count = usable_degrees(norms, mercer)
        logs = np.where(mercer.positive, mercer.log_eigenvalues, -np.inf)
        tail += float(np.sum(np.exp(2 * norms.logs[count:])))
        return cls(norms.logs[:count], logs[:count], tail)

    def _reached(self) -> tuple[Vector, Vector]:
        reachable = self.reachable
        return self.log_norms[reachable], self.log_eigenvalues[reachable]


def tail_energy(norms: DegreeNorms, smoothness: float | None, dim: int) -> float:
    """Σ ‖f_k‖² beyond the last degree: from ‖f‖² where that tells, else from how they fall.

    They fall as k^(-2s-1), or as the last blocks do; a narrow peak's do not yet.
    Norms under the noise of quadrature, which count as zero, add what they might hold at most.
    """
    if norms.ends and norms.noise == 0:
        return 0.0
    if (beyond := norms.beyond) is not None:
        return beyond
    logs = 2 * norms.logs
    hidden = norms.noise**2 * int(np.count_nonzero(np.isneginf(logs)))
    if smoothness is not None and math.isfinite(smoothness):
        return power_tail(logs, 2 * smoothness + 1, dim / 2 - 1) + hidden
    exponent, _ = fitted_exponent(logs)
    if math.isnan(exponent):
        # The terms have died out, or there are too few to see a decay: as much again as was seen.
        few = norms.degree < 32 and norms.last > norms.degree // 2
        return norms.energy if few else hidden
    # A decay slower than k^-1.2 would not be told from none.
    return power_tail(logs, max(exponent, 1.2), dim / 2 - 1) + hidden
