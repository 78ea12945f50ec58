"""What quadrature keeps of one function σ: its pieces at every scale, its breaks, its tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ...errors import NetworkError
from .pieces import STEEP, Pieces, cut
from .polar import Table, ratio_edges

FORWARD = np.array([[0, 0], [1, 1]])
"""Pairs of functions, by their place in `Scale.functions`: k and k̇."""
BACKWARD = np.array([[2, 0], [0, 2], [3, 1], [1, 3], [4, 4]])
"""What their derivatives in q, q' and s are made of."""

# How far a standard normal is followed, as far as the function's growth asks for it.
REACHES = (9.0, 14.0, 20.0, 28.0, 38.0)
# What may be left out beyond, against the whole.
_LEFT_OUT = 1e-17
# Scales 2^m: variances from 1e-40 to 1e20.
_SCALES = range(-70, 40)


@dataclass(frozen=True, eq=False)
class Scale:
    """The functions σ, σ′, uσ′, uσ″, σ″ on [−2^m, 2^m].

    Attributes:
        edges: (M + 1,). functions: (5, M, ORDER). deltas: (places, weights) of the δ-functions in
        each of the five.
    """

    edges: np.ndarray
    functions: np.ndarray
    deltas: tuple[np.ndarray, ...]
    pieces: Pieces


@dataclass(eq=False)
class Family:
    """One function, and all that was computed for it so far."""

    function: Callable[[np.ndarray], np.ndarray]
    name: str
    scales: dict[tuple[int, float], Scale] = field(default_factory=dict)
    reached: dict[int, tuple[Scale, float]] = field(default_factory=dict)

    def scale(self, m: int, size: float = math.inf) -> Scale:
        """The pieces on [−2^m, 2^m]; they are good to rounding for what σ is where it counts.

        size: what that is, where it is far below the largest value on the way.

        Raises:
            NetworkError: the function is not finite or too rough there.
        """
        key = m, size
        if key not in self.scales:
            pieces = cut(self.function, 2.0**m, self.name, size)
            slope = pieces.derivative
            bend = slope.derivative
            many = (pieces, slope, slope.times_u, bend.times_u, bend)
            self.scales[key] = Scale(
                pieces.edges,
                np.stack([p.coefficients for p in many]),
                tuple(p.deltas for p in many),
                pieces,
            )
        return self.scales[key]

    def reaching(self, octave: int) -> tuple[Scale, float]:
        """Pieces as far as σ(√q g) needs them for √q up to 2^octave, and how far that is in g.

        Raises:
            NetworkError: a function that grows too fast for this variance.
        """
        if octave not in self.reached:
            self.reached[octave] = self._reaching(2.0**octave)
        return self.reached[octave]

    def _reaching(self, root: float) -> tuple[Scale, float]:
        # What grows reaches farthest at the largest variance of an octave, what is there only for
        # some u ≠ 0 at the smallest.
        needed, sizes = zip(self._needed(root), self._needed(0.5 * root), strict=True)
        for reach in REACHES:
            if reach < max(needed):
                continue
            m = exponent(root * reach)
            largest = np.max(np.abs(self.function(np.array([-(2.0**m), 2.0**m]))))
            size = min(sizes)
            scale = self.scale(m, size if size < STEEP * largest else math.inf)
            if self._negligible(scale, root, reach) and self._negligible(scale, 0.5 * root, reach):
                return scale, reach
        raise NetworkError(
            f"the activation {self.name!r} grows too fast for inputs of variance {root**2:.3g}: "
            "its second moment cannot be computed in float64; scale the inputs down"
        )

    def _needed(self, root: float) -> tuple[float, float]:
        """How far σ(√q g) itself, at a grid of g, counts in E[σ²], and √ of what counts most.

        (0, ∞) where nobody knows.
        """
        g = np.linspace(-REACHES[-1], REACHES[-1], 305)
        try:
            values = self.function(root * g)
        except NetworkError:
            return 0.0, math.inf
        parts = np.exp(-0.25 * g * g) * np.abs(np.where(np.isfinite(values), values, 0.0))
        most = np.max(parts)
        if not most > 0:
            return 0.0, math.inf
        return float(np.max(np.abs(g[parts > _LEFT_OUT**0.5 * most]))), float(most)

    def _negligible(self, scale: Scale, root: float, reach: float) -> bool:
        """What lies beyond `reach` does not count in E[σ²] and E[σ′²]."""
        g = np.array([0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 0.9 * reach, reach])
        g = np.concatenate([-g[::-1], g])
        weights = np.exp(-0.5 * g * g)
        for which in (0, 1):
            parts = weights * np.square(evaluate(scale, which, g * root))
            if max(parts[0], parts[-1]) > _LEFT_OUT * np.max(parts):
                return False
        return True

    @cached_property
    def breaks(self) -> np.ndarray:
        """Where σ jumps or has a kink, for |u| up to 10⁶."""
        found = [np.zeros(0)]
        for m in range(-8, 21, 4):
            try:
                deltas = self.scale(m).deltas
            except NetworkError:
                break
            found += [deltas[1][:, 0], deltas[4][:, 0]]
        return np.unique(np.concatenate(found).round(12))

    @cached_property
    def tables(self) -> dict[str, Table]:
        """Integrals along rays, for the kernels and for their derivatives."""
        ratios = ratio_edges(self.breaks)
        return {"forward": Table(ratios, FORWARD), "backward": Table(ratios, BACKWARD)}


def exponent(size: float) -> int:
    """The least m with 2^m ≥ size."""
    if not 2.0 ** _SCALES[0] < size < 2.0 ** _SCALES[-1]:
        return _SCALES[0] if size < 1 else _SCALES[-1]
    return math.ceil(math.log2(size))


def evaluate(scale: Scale, which: int, u: np.ndarray) -> np.ndarray:
    """One of the functions of a scale at some points."""
    i = np.clip(np.searchsorted(scale.edges, u, side="right") - 1, 0, len(scale.edges) - 2)
    low, high = scale.edges[i], scale.edges[i + 1]
    t = np.clip((2 * u - low - high) / (high - low), -1, 1)
    coefficients = scale.functions[which, i]
    return np.sum(
        coefficients * np.cos(np.arange(coefficients.shape[1]) * np.arccos(t)[:, None]), 1
    )
