"""A function cut into pieces on which it is a polynomial to rounding, found by bisection.

Kinks and jumps come to lie on edges between pieces, to the last bit where they lie on a dyadic
number, so that integrals over each piece converge as for smooth functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial import chebyshev

from ...errors import NetworkError

ORDER = 16
"""Chebyshev coefficients of a piece."""
MOST = 2048
"""Pieces that a function may need."""

# A piece is good when it is so to a few units in the last place of what σ reaches up to there.
_TOLERANCE = 8e-15
# Against its largest value, what need not be known to all digits.
_TINY = 1e-12
STEEP = 1e-11
"""Where what counts is this much below the largest value, `_TINY` of that is too much of it."""
# Against what counts, what need not be known to all digits.
_UNSEEN = 0.1
# Relative width below which a piece is a kink or a jump that bisection closes in on.
_BREAK = 2.0**-24
# Where bisection ends: neighbouring numbers.
_LEAST = 2.0**-51
# Points between the nodes at which a polynomial is tested, closer and closer to the ends.
_TESTS = np.array([-0.71, -0.36, 0.053, 0.41, 0.77])
_TESTS = np.concatenate(
    [_TESTS, 1 - 0.03 * 4.0 ** -np.arange(10), 0.03 * 4.0 ** -np.arange(10) - 1]
)
# Below this part of what it reaches nearby, the value at 0 is rounding.
_ROUNDED = 1e-14
# What a jump must exceed, in σ and in σ′, to be one.
_JUMP = 1e-9


def _nodes() -> tuple[np.ndarray, np.ndarray]:
    """Chebyshev points of the first kind, and the matrix from values there to coefficients."""
    angles = math.pi * (np.arange(ORDER) + 0.5) / ORDER
    matrix = 2 / ORDER * np.cos(np.arange(ORDER)[:, None] * angles[None, :])
    matrix[0] /= 2
    return np.cos(angles), matrix


_POINTS, _TO_COEFFICIENTS = _nodes()
_AT_TESTS = chebyshev.chebvander(_TESTS, ORDER - 1)


@dataclass(frozen=True, eq=False)
class Pieces:
    """Polynomials between edges, and the jumps at edges: δ-functions of the derivative.

    Attributes:
        edges: (M + 1,) ascending, edges[0] = −edges[−1].
        coefficients: (M, ORDER) in the Chebyshev polynomials of each piece.
        deltas: (D, 2) places and weights of δ-functions in the function itself.
    """

    edges: np.ndarray
    coefficients: np.ndarray
    deltas: np.ndarray

    @cached_property
    def derivative(self) -> Pieces:
        """The derivative, with a δ-function for every jump."""
        slopes = np.zeros_like(self.coefficients)
        halves = 0.5 * np.diff(self.edges)
        slopes[:, :-1] = chebyshev.chebder(self.coefficients, axis=1) / halves[:, None]
        return Pieces(self.edges, slopes, self._jumps())

    @cached_property
    def times_u(self) -> Pieces:
        """u times the function; what a product adds beyond the order is below rounding."""
        middles = 0.5 * (self.edges[1:] + self.edges[:-1])
        halves = 0.5 * np.diff(self.edges)
        a, product = self.coefficients, np.zeros_like(self.coefficients)
        # t·T_j = (T_{j+1} + T_{|j−1|})/2
        product[:, 1:] += 0.5 * a[:, :-1]
        product[:, 1] += 0.5 * a[:, 0]
        product[:, :-1] += 0.5 * a[:, 1:]
        deltas = np.stack([self.deltas[:, 0], self.deltas[:, 0] * self.deltas[:, 1]], axis=1)
        return Pieces(self.edges, halves[:, None] * product + middles[:, None] * a, deltas)

    @property
    def at_zero(self) -> float:
        """The function at 0, the mean of its two limits where they differ."""
        i = int(np.searchsorted(self.edges, 0.0))
        ends = self._ends()
        value = 0.5 * float(ends[0][i] + ends[1][i - 1])
        # What is rounding beside the values near 0 must not make a zero variance another one.
        size = float(np.abs(self.coefficients[i - 1 : i + 1]).max())
        return value if abs(value) > _ROUNDED * size else 0.0

    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The limits of each piece at its left and its right end."""
        signs = (-1.0) ** np.arange(ORDER)
        return self.coefficients @ signs, np.sum(self.coefficients, axis=1)

    def _jumps(self) -> np.ndarray:
        left, right = self._ends()
        steps = left[1:] - right[:-1]
        sizes = np.abs(self.coefficients).sum(axis=1)
        order = np.argsort(np.abs(self.edges[1:] + self.edges[:-1]), kind="stable")
        sizes[order] = np.maximum.accumulate(sizes[order])
        there = np.abs(steps) > _JUMP * np.maximum(sizes[1:], sizes[:-1])
        return np.stack([self.edges[1:-1][there], steps[there]], axis=1)


def cut(
    function: Callable[[np.ndarray], np.ndarray], reach: float, name: str, size: float = math.inf
) -> Pieces:
    """The pieces of a function on [−reach, reach].

    size: of what counts in the end, where that is far below the largest value.

    Raises:
        NetworkError: a function that is not finite there, or needs more than `MOST` pieces.
    """
    builder = _Builder(function, reach, name, size)
    start = np.array([-reach, 0.0, reach])
    edges, coefficients = builder.bisect(start)
    breaks = _breaks(edges, reach)
    if len(breaks):
        edges, coefficients = builder.bisect(np.unique(np.concatenate([start, breaks])))
    edges, coefficients = builder.joined(edges, coefficients)
    return Pieces(edges, coefficients, np.zeros((0, 2)))


class _Builder:
    """A function on [−reach, reach] with samples of it, denser and denser towards 0."""

    def __init__(
        self,
        function: Callable[[np.ndarray], np.ndarray],
        reach: float,
        name: str,
        size: float,
    ) -> None:
        self.function, self.reach, self.name = function, reach, name
        side = reach * np.exp2(np.linspace(-30, 0, 641))
        self.samples = np.concatenate([-side[::-1], [0.0], side])
        self.sampled = function(self.samples)
        if not np.all(np.isfinite(self.sampled)):
            bad = self.samples[~np.isfinite(self.sampled)]
            raise NetworkError(
                f"the activation {name!r} is not finite at u = {bad[np.argmin(np.abs(bad))]:.3g}, "
                "which these inputs reach; scale the inputs down, or use another function"
            )
        sizes = np.abs(self.sampled)
        self.least = min(_TINY * np.max(sizes), _UNSEEN * size)
        self.sizes = (
            np.append(0.0, side),
            np.maximum.accumulate(np.maximum(sizes[len(side) :: -1], sizes[len(side) :])),
        )

    def envelope(self, u: np.ndarray) -> np.ndarray:
        """The largest |σ(v)| over |v| ≤ u: what the rounding of σ(u) is measured by."""
        return np.interp(np.abs(u), *self.sizes)

    def bisect(self, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Edges and coefficients from a first cut, halving pieces that are no polynomials yet."""
        low, high = start[:-1], start[1:]
        lows: list[np.ndarray] = []
        found: list[np.ndarray] = []
        count = 0
        while len(low):
            good, coefficients = self._fit(low, high)
            lows.append(low[good])
            found.append(coefficients[good])
            count += int(np.count_nonzero(good))
            low, high = low[~good], high[~good]
            if count + 2 * len(low) > MOST:
                raise NetworkError(f"the activation {self.name!r} {self._roughness(start)}")
            middle = 0.5 * (low + high)
            low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
        order = np.argsort(np.concatenate(lows))
        edges = np.append(np.concatenate(lows)[order], start[-1])
        return edges, np.concatenate(found)[order]

    def _roughness(self, start: np.ndarray) -> str:
        """What there is to say of a function that needs too many pieces."""
        u = np.linspace(start[-1], start[0], 9) / math.pi  # downwards, which sorting shows
        values = self.function(u)
        alone = np.concatenate([self.function(u[i : i + 1]) for i in range(len(u))])
        if not np.allclose(values, alone, rtol=1e-6, atol=self.least):
            return (
                "gives other values for numbers alone than for the same ones in an array; it must "
                "work elementwise, and always alike"
            )
        if np.array_equal(values, values.astype(np.float32)):
            return (
                "gives values of single precision, whose rounding takes too many pieces; it must "
                "compute in the dtype of its argument, float64"
            )
        return (
            f"is too rough on [{start[0]:.3g}, {start[-1]:.3g}], which these inputs reach: it "
            f"needs more than {MOST} pieces; scale the inputs down, or use a smoother function"
        )

    def joined(self, edges: np.ndarray, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Neighbours on one side of 0 made one piece where one polynomial does for both."""
        changed = True
        while changed:
            changed = False
            for first in (0, 1):
                left = np.arange(first, len(edges) - 2, 2)
                left = left[edges[left + 1] != 0]
                if not len(left):
                    continue
                good, fitted = self._fit(edges[left], edges[left + 2])
                left = left[good]
                coefficients[left] = fitted[good]
                coefficients = np.delete(coefficients, left + 1, axis=0)
                edges = np.delete(edges, left + 1)
                changed |= bool(len(left))
        return edges, coefficients

    def _fit(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which pieces are polynomials to rounding, and their coefficients."""
        middle, half = 0.5 * (low + high), 0.5 * (high - low)
        u = middle[:, None] + half[:, None] * np.concatenate([_POINTS, _TESTS])[None, :]
        values = self.function(u.ravel()).reshape(u.shape)
        coefficients = values[:, :ORDER] @ _TO_COEFFICIENTS.T
        # Rounding alone, which a derivative would magnify.
        largest = np.max(np.abs(coefficients), axis=1, keepdims=True)
        coefficients[np.abs(coefficients) <= 4e-16 * largest] = 0.0
        error = np.max(np.abs(coefficients @ _AT_TESTS.T - values[:, ORDER:]), axis=1)
        error = np.maximum(error, np.max(np.abs(coefficients[:, -2:]), axis=1))
        nearest, farthest = np.sort(np.abs([low, high]), axis=0)
        # What σ makes of the rounding of u counts as its own.
        shaken = np.abs(coefficients[:, 1:]).sum(axis=1) * farthest / half
        # A polynomial of this degree that fits is not of very different sizes within its piece.
        size = np.maximum(self.envelope(nearest), np.max(np.abs(values), axis=1))
        size = np.maximum(size, self.least)
        limit = _TOLERANCE * np.maximum(size, 0.1 * shaken)
        good = error <= limit
        good[good] &= self._agree(low[good], high[good], coefficients[good], limit[good])
        good |= half <= _LEAST * np.maximum(np.abs(middle), _BREAK * self.reach)
        return good, coefficients

    def _agree(
        self, low: np.ndarray, high: np.ndarray, coefficients: np.ndarray, limit: np.ndarray
    ) -> np.ndarray:
        """Whether pieces pass through the samples inside them, which a narrow feature would not."""
        fits = np.ones(len(low), dtype=bool)
        for i in range(len(low)):
            inside = slice(*np.searchsorted(self.samples, [low[i], high[i]], side="right"))
            t = (2 * self.samples[inside] - low[i] - high[i]) / (high[i] - low[i])
            t, true = t[np.abs(t) < 1], self.sampled[inside][np.abs(t) < 1]
            gap = np.abs(chebyshev.chebval(t, coefficients[i]) - true)
            fits[i] = not len(t) or np.max(gap) <= 2 * limit[i]
        return fits


def _breaks(edges: np.ndarray, reach: float) -> np.ndarray:
    """Where bisection closed in on a kink or a jump: the middle of the narrowest piece there."""
    widths, middles = np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    narrow = np.flatnonzero(widths <= _BREAK * np.maximum(np.abs(middles), _BREAK * reach))
    runs = np.split(narrow, np.flatnonzero(np.diff(narrow) > 1) + 1)
    return np.array([middles[run[np.argmin(widths[run])]] for run in runs if len(run)])
