"""R(α, β) = ∫ r e^{−r²/2} g(αr)h(βr) dr over whole lines through 0, from a table made on demand.

The integrand of every pair of Gaussians, whatever their variances and correlation, is R along a
curve of (α, β). R is smooth in log|α| and log|β/α| for each sign of β/α, but where two breaks of g
and h meet: at |β/α| = t'/t, which is an edge between cells where t and t' differ, or 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .jit import jit
from .rays import through

NODES = 14
"""Chebyshev nodes of a cell along each side."""
OCTAVES, LOWEST = 72, -48
"""Cells along log₂|α|, and where they begin."""
UNKNOWN, DIRECT = -1, -2
"""No cell yet; no cell that would be good enough: R is integrated anew for each point."""
# How often a cell may be halved.
_DEPTH = 5

_POINTS = np.cos(math.pi * (np.arange(NODES) + 0.5) / NODES)
_TO_COEFFICIENTS = 2 / NODES * np.cos(np.arange(NODES)[:, None] * np.arccos(_POINTS)[None, :])
_TO_COEFFICIENTS[0] /= 2
# Where a cell is tested, and how well it must do there, against √(R(α, α)R(β, β)).
_TESTS = np.array([[-0.93, 0.31], [-0.45, -0.87], [0.11, 0.96], [0.62, -0.24], [0.97, 0.71]])
_GOOD = 1e-12
# A cell over which that falls by more than this would be good in its large part only.
_RANGE = 1e6

_Reaching = Callable[[int], tuple[Any, float]]


@dataclass(eq=False)
class Table:
    """Cells of R for some pairs of functions.

    Attributes:
        ratios: edges of the cells along log₂|β/α|, ascending.
        index: (2, OCTAVES, len(ratios) − 1), by sign of β/α: the number of a cell, or a word on it.
        halves: (room, 3) for a cell that would be too large, whose number is −3 less the place
            here: the axis that is halved, and the numbers of both halves.
        cells: (room, pairs, NODES, NODES) coefficients.
    """

    ratios: np.ndarray
    pairs: np.ndarray
    index: np.ndarray = field(init=False)
    halves: np.ndarray = field(init=False)
    cells: np.ndarray = field(init=False)
    used: int = 0
    halved: int = 0

    def __post_init__(self) -> None:
        self.index = np.full((2, OCTAVES, len(self.ratios) - 1), UNKNOWN, dtype=np.int32)
        self.halves = np.full((16, 3), DIRECT, dtype=np.int32)
        self.cells = np.zeros((64, len(self.pairs), NODES, NODES))

    def fill(self, sign: int, octave: int, ratio: int, reaching: _Reaching) -> None:
        """Makes one cell; `reaching(octave)` gives pieces for |α| to 2^octave and their reach."""
        low, high = self.ratios[ratio], self.ratios[ratio + 1]
        top = LOWEST + octave + 1
        first, reach1 = reaching(top)
        second, reach2 = reaching(math.ceil(top + high))
        used = int(np.max(self.pairs)) + 1
        rays = _Rays(
            (first.edges, first.functions[:used]),
            (second.edges, second.functions[:used]),
            max(reach1, reach2),
            1 if sign else -1,
            self.pairs,
        )
        self.index[sign, octave, ratio] = self._cell(rays, (top - 1.0, top), (low, high), 0)

    def _cell(
        self, rays: _Rays, octaves: tuple[float, float], ratios: tuple[float, float], depth: int
    ) -> int:
        """The number of a cell, made here, or a word on it."""
        values = rays.on_grid(octaves, ratios)
        cell = _TO_COEFFICIENTS @ values @ _TO_COEFFICIENTS.T
        least, most = rays.sizes(octaves, ratios)
        true = rays.at(octaves, ratios, *_TESTS.T)
        found = np.array([[_value(c, *t) for t in _TESTS] for c in cell])
        good = np.all(np.abs(found - true) <= _GOOD * most[:, None])
        if good and np.all(most <= _RANGE * least):
            if self.used == len(self.cells):
                self.cells = np.concatenate([self.cells, np.zeros_like(self.cells)])
            self.cells[self.used] = cell
            self.used += 1
            return self.used - 1
        if depth == _DEPTH:
            return DIRECT
        if self.halved == len(self.halves):
            self.halves = np.concatenate([self.halves, np.full_like(self.halves, DIRECT)])
        place = self.halved
        self.halved += 1
        # The axis along which the series ends with more.
        size = np.where(most > 0, most, 1.0)[:, None, None]
        ends = [np.max(np.abs(c) / size) for c in (cell[:, -3:], cell[:, :, -3:])]
        axis = int(ends[1] > ends[0])
        self.halves[place, 0] = axis
        spans = [octaves, ratios]
        low, high = spans[axis]
        for side, part in enumerate(((low, 0.5 * (low + high)), (0.5 * (low + high), high))):
            spans[axis] = part
            number = self._cell(rays, spans[0], spans[1], depth + 1)
            self.halves[place, 1 + side] = number
        return -3 - place


class _Rays(NamedTuple):
    """R for two sides' pieces, in the coordinates x, y ∈ [−1, 1] of a cell."""

    first: tuple[np.ndarray, np.ndarray]
    second: tuple[np.ndarray, np.ndarray]
    reach: float
    sign: int
    pairs: np.ndarray

    def at(self, octaves: Any, ratios: Any, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """R at some points, (pairs, points)."""
        alpha = np.exp2(octaves[0] + 0.5 * (octaves[1] - octaves[0]) * (x + 1))
        beta = self.sign * alpha * np.exp2(ratios[0] + 0.5 * (ratios[1] - ratios[0]) * (y + 1))
        return integrals(*self.first, *self.second, alpha, beta, self.reach, self.pairs)

    def on_grid(self, octaves: Any, ratios: Any) -> np.ndarray:
        """R at the nodes, (pairs, NODES, NODES)."""
        x, y = (a.ravel() for a in np.meshgrid(_POINTS, _POINTS, indexing="ij"))
        return self.at(octaves, ratios, x, y).reshape(len(self.pairs), NODES, NODES)

    def sizes(self, octaves: Any, ratios: Any) -> np.ndarray:
        """√(R(α, α)R(β, β)) of every pair, where both are least in a cell and where largest."""
        alpha = np.exp2(octaves)
        beta = alpha * np.exp2(ratios)
        same = np.stack([np.arange(len(self.first[1]))] * 2, axis=1)
        first = integrals(*self.first, *self.first, alpha, alpha, self.reach, same)
        second = integrals(*self.second, *self.second, beta, beta, self.reach, same)
        return np.sqrt(first[self.pairs[:, 0]] * second[self.pairs[:, 1]]).T


def _value(cell: np.ndarray, x: float, y: float) -> float:
    j = np.arange(NODES)
    return float(np.cos(j * math.acos(x)) @ cell @ np.cos(j * math.acos(y)))


def ratio_edges(breaks: np.ndarray) -> np.ndarray:
    """Edges along log₂|β/α| ≤ 0: whole numbers, and where breaks t, t' ≠ 0 meet."""
    edges = np.arange(-48.0, 1.0)
    sizes = np.unique(np.abs(breaks[breaks != 0]))
    if len(sizes) > 1:
        meetings = np.log2(sizes[:, None] / sizes[None, :]).ravel()
        near = np.min(np.abs(meetings[:, None] - edges[None, :]), axis=1) < 1e-9
        edges = np.unique(
            np.concatenate([edges, meetings[~near & (meetings < 0) & (meetings > -48)]])
        )
    return edges


@jit
def integrals(edges1, first, edges2, second, alpha, beta, reach, pairs):
    """R at many points, (pairs, points)."""
    out, found = np.empty((len(pairs), len(alpha))), np.empty(len(pairs))
    for i in range(len(alpha)):
        found[:] = 0.0
        through(edges1, edges2, first, second, alpha[i], beta[i], reach, True, pairs, found)
        out[:, i] = found
    return out


@jit
def cell_of(index, halves, ratios, alpha, beta):
    """The cell of a point with |β| ≤ |α|, or a word on it.

    Returns:
        Its number, the place of its number in `index` (three), and x, y ∈ [−1, 1] within it.
    """
    if alpha == 0 or beta == 0:
        return DIRECT, 0, 0, 0, 0.0, 0.0
    a, d = math.log2(abs(alpha)) - LOWEST, math.log2(abs(beta / alpha))
    if not (0 <= a < OCTAVES and ratios[0] <= d <= 0):
        return DIRECT, 0, 0, 0, 0.0, 0.0
    low, high = 0, len(ratios) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if ratios[middle] <= d:
            low = middle
        else:
            high = middle
    sign, octave = (1 if (alpha > 0) == (beta > 0) else 0), int(a)
    x = 2 * (a - octave) - 1
    y = 2 * (d - ratios[low]) / (ratios[low + 1] - ratios[low]) - 1
    number = index[sign, octave, low]
    while number <= -3:
        place = -3 - number
        if halves[place, 0] == 0:
            upper = x >= 0
            x = 2 * x + (-1.0 if upper else 1.0)
        else:
            upper = y >= 0
            y = 2 * y + (-1.0 if upper else 1.0)
        number = halves[place, 2 if upper else 1]
    return number, sign, octave, low, x, y


@jit
def interpolate(cell, x, y, first, second, out):
    """R by the Chebyshev series of a cell; `first` and `second` are scratch."""
    first[0], first[1], second[0], second[1] = 1.0, x, 1.0, y
    for j in range(2, NODES):
        first[j] = 2 * x * first[j - 1] - first[j - 2]
        second[j] = 2 * y * second[j - 1] - second[j - 2]
    for n in range(len(cell)):
        total = 0.0
        for i in range(NODES):
            part = 0.0
            for j in range(NODES):
                part += cell[n, i, j] * second[j]
            total += first[i] * part
        out[n] += total
