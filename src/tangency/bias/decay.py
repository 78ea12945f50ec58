"""How fast eigenvalues fall: what theory says for a network, and what a fit finds.

A kernel that is analytic in t but for terms (1 − t)^ν at t = 1 (ν no integer) has eigenvalues
μ_k ~ C·k^{−(p − 1 + 2ν)}. ReLU gives ν = 3/2 to Σ and ν = 1/2 to k̇, hence to Θ, and these are
kept through layers: slopes −(p + 2) and −p at every depth. Source: Bietti & Mairal 2019,
proposition 5; Bietti & Bach 2021, "Deep equals shallow for ReLU networks in kernel regimes".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..nets import facts
from ..nets.activations import ActivationLayer

_UNKNOWN, _FAST = -1.0, facts.SMOOTH


@dataclass(frozen=True)
class Edge:
    """The least ν of the terms (1 − t)^ν at t = 1: inf where analytic.

    1e9 stands for infinitely smooth but not analytic, −1 for unknown.
    """

    order: float = math.inf

    def __add__(self, other: Any) -> Edge:
        return Edge(min(self.order, other.order)) if isinstance(other, Edge) else self

    def __mul__(self, other: Any) -> Edge:
        if not isinstance(other, Edge) and float(other) == 0:
            return Edge()
        return self + other

    __radd__, __rmul__ = __add__, __mul__

    def law(self, dim: int) -> float | str | None:
        """The exponent of k, or the kind of decay in a word; None where unknown."""
        if self.order == _UNKNOWN:
            return None
        if self.order == _FAST:
            return "faster than any power"
        return "exponential" if math.isinf(self.order) else -(dim - 1 + 2 * self.order)


def edge_dual(layer: ActivationLayer, s: Edge, q: float) -> tuple[Edge, Edge]:
    """The edges of k(s) and k̇(s), unknown for an activation whose class does not state its own."""
    order = facts.edge(layer)
    # A series that is analytic and not known may also be finite.
    if order is None or (math.isinf(order) and facts.powers(layer) is None):
        return s + Edge(_UNKNOWN), s + Edge(_UNKNOWN)
    return s + Edge(order), s + Edge(order if order == facts.SMOOTH else order - 1)


@dataclass(frozen=True)
class DecayFit:
    """Slopes of log μ_k on log(k + (p − 2)/2) over degrees low..high; None without two degrees.

    The shift by (p − 2)/2 is the natural variable of degree (the eigenvalues of the Laplacian are
    (k + (p−2)/2)² − ((p−2)/2)²); it brings the slope at finite k closer to its limit.
    """

    low: int
    high: int
    even: float | None
    odd: float | None

    @property
    def steepest(self) -> float | None:
        """The slope of the parity that decays faster."""
        found = [x for x in (self.even, self.odd) if x is not None]
        return min(found) if found else None


def fit_decay(logs: np.ndarray, good: np.ndarray, dim: int, low: int, high: int) -> DecayFit:
    """Slopes by least squares, over the degrees of low..high that are `good`."""
    if not 1 <= low < high < len(logs):
        raise InputError(
            f"degrees to fit must satisfy 1 <= low < high <= {len(logs) - 1}, got {low} and {high}"
        )
    k = np.arange(len(logs))
    slopes: list[float | None] = []
    for parity in (0, 1):
        chosen = (k >= low) & (k <= high) & (k % 2 == parity) & good
        if np.count_nonzero(chosen) < 2:
            slopes.append(None)
            continue
        x = np.log(k[chosen] + (dim - 2) / 2)
        slopes.append(float(np.polyfit(x - x.mean(), logs[chosen], 1)[0]))
    return DecayFit(low, high, *slopes)
