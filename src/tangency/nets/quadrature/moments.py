"""E[σ(f)σ(f')] and its derivatives for arrays of covariances and variances.

Three ways, chosen for each entry by itself, so that no result depends on what is computed beside
it: a line integral where c = ±1; the Hermite series where its remainder is known to be negligible
(steep functions, kinks and jumps need ever more terms as c → ±1); else an integral over the plane.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ...errors import NetworkError
from . import hermite
from .family import BACKWARD, FORWARD, Family, Scale
from .hermite import LEVELS, expand, level_for, means, pair_sums, shifted, sums
from .jit import jit
from .plane import line, plane
from .rays import beside

# The error, as estimated, beyond which there is no result.
_REFUSED = 1e-7
# What a derivative may be, against σ over √q, before it counts as zero.
_ROUNDING = 1e-5
# Bytes of Hermite coefficients at a time.
_ROOM = 2**27


class Slopes(NamedTuple):
    """Derivatives of k and k̇ at a fixed covariance: ∂k/∂q, ∂k/∂q', ∂k̇/∂s, ∂k̇/∂q, ∂k̇/∂q'."""

    k_q1: np.ndarray
    k_q2: np.ndarray
    dot_s: np.ndarray
    dot_q1: np.ndarray
    dot_q2: np.ndarray


def duals(family: Family, s: Any, q1: Any, q2: Any, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """(k, k̇) of σ as it stands, in float64.

    Args:
        s, q1, q2: covariances and variances, float64 arrays that broadcast.
        eps: the rounding that s and the variances have: correlations within 4·eps of ±1 are ±1.

    Raises:
        NetworkError: a function that these variances are too much for, see `Family`.
    """
    found = _computed(family, s, q1, q2, eps, False)
    return found[0], found[1]


def slopes(family: Family, s: Any, q1: Any, q2: Any, eps: float) -> Slopes:
    """Derivatives of k and k̇; where c = ±1, those of a kink, which are infinite, count as 0.

    Raises:
        NetworkError: as `duals`, and for a function that jumps, which has none.
    """
    if np.any(family.scale(4).deltas[1]):
        raise NetworkError(
            f"the activation {family.name!r} jumps: its kernel has no gradient; detach the inputs, "
            "or use a continuous function"
        )
    k_dot = duals(family, s, q1, q2, eps)[1]
    parts = _computed(family, s, q1, q2, eps, True)
    q1, q2 = (np.where(q > 0, q, np.inf) for q in (q1, q2))
    # With f = √q·g: at a fixed correlation ∂k/∂q = E[fσ′(f)σ(f')]/2q, and ∂c/∂q = −c/2q.
    k_q1, k_q2 = ((parts[n] - s * k_dot) / (2 * q) for n, q in ((0, q1), (1, q2)))
    dot_q1, dot_q2 = ((parts[n] - s * parts[4]) / (2 * q) for n, q in ((2, q1), (3, q2)))
    return Slopes(k_q1, k_q2, parts[4], dot_q1, dot_q2)


def _computed(family: Family, s: Any, q1: Any, q2: Any, eps: float, backward: bool) -> np.ndarray:
    """The moments of all pairs of functions, (pairs, *shape)."""
    shape = np.broadcast_shapes(s.shape, q1.shape, q2.shape)
    pairs = BACKWARD if backward else FORWARD
    if not math.prod(shape):
        return np.zeros((len(pairs), *shape))
    values, places = np.unique(np.concatenate([q1.ravel(), q2.ravel()]), return_inverse=True)
    degree = hermite.LONG
    if values.size * (degree + 1) * 8 > _ROOM and math.prod(shape) > 1:
        axis = int(np.argmax(shape))
        parts = []
        for side in (0, 1):
            x, y, z = (_half(a, len(shape), shape[axis], axis, side) for a in (s, q1, q2))
            parts.append(_computed(family, x, y, z, eps, backward))
        return np.concatenate(parts, axis=axis + 1)
    i1 = np.broadcast_to(places[: q1.size].reshape(q1.shape), shape).ravel()
    i2 = np.broadcast_to(places[q1.size :].reshape(q2.shape), shape).ravel()
    work = _Work(family, values, pairs, backward, eps)
    return work.run(np.broadcast_to(s, shape).ravel(), i1, i2).reshape(len(pairs), *shape)


def _half(a: np.ndarray, dims: int, size: int, axis: int, side: int) -> np.ndarray:
    """One half of an array along an axis of the broadcast shape."""
    a = a.reshape((1,) * (dims - a.ndim) + a.shape)
    if a.shape[axis] == 1:
        return a
    middle = size // 2
    cut = slice(None, middle) if side == 0 else slice(middle, None)
    return a[(slice(None),) * axis + (cut,)]


class _Work:
    """One call: what is known of each variance that occurs, and the loops over entries."""

    def __init__(
        self, family: Family, q: np.ndarray, pairs: np.ndarray, backward: bool, eps: float
    ) -> None:
        self.family, self.pairs, self.backward, self.eps = family, pairs, backward, eps
        self.roots = np.sqrt(np.where(q >= np.finfo(float).smallest_normal, q, 0.0))
        octaves = np.frexp(self.roots)[1]
        self.reach, self.scale_of = np.zeros(len(q)), np.zeros(len(q), dtype=np.int64)
        self.scales: list[Scale] = []
        known: dict[int, int] = {}
        for octave in np.unique(octaves):
            scale, reach = family.reaching(int(octave))
            place = known.setdefault(id(scale), len(self.scales))
            if place == len(self.scales):
                self.scales.append(scale)
            self.reach[octaves == octave], self.scale_of[octaves == octave] = reach, place
        self.jumps = any(len(scale.deltas[1]) for scale in self.scales)

    def run(self, s: np.ndarray, i1: np.ndarray, i2: np.ndarray) -> np.ndarray:
        """The moments of each entry, (pairs, entries)."""
        out = np.zeros((len(self.pairs), len(s)))
        c = np.empty(len(s))
        _correlations(s, self.roots, i1, i2, 1 - 4 * self.eps, c)
        left = np.arange(len(s))
        for degree in (hermite.SHORT, hermite.LONG):
            used = np.unique(np.concatenate([i1[left], i2[left]]))
            at = np.full(len(self.roots), -1)
            at[used] = np.arange(len(used))
            moments, tails, coefficients = self._expanded(used, degree)
            good = np.zeros(len(left), dtype=np.bool_)
            _by_series(
                c, i1, i2, at, left, self.roots, moments, tails, coefficients, degree,
                self._sizes(used, moments), self.jumps, self.pairs, self.backward, good, out,
            )  # fmt: skip
            left = left[~good]
            if not len(left):
                return out
        self._by_integrals(c, i1, i2, at, self._sizes(used, moments), left, out)
        return out

    def _expanded(self, used: np.ndarray, degree: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Second moments, remainders and Hermite coefficients of some of the variances."""
        moments, tails = np.zeros((len(used), 5)), np.zeros((len(used), 2, len(hermite.LEVELS)))
        coefficients = np.zeros((len(used), degree + 1))
        for place, scale in enumerate(self.scales):
            rows = np.flatnonzero((self.scale_of[used] == place) & (self.roots[used] > 0))
            _expand_all(
                scale.edges, scale.functions, self.roots[used], self.reach[used], degree, rows,
                moments, tails, coefficients,
            )  # fmt: skip
        zero = self.roots[used] == 0
        if np.any(zero):
            pieces = self.family.scale(0).pieces
            # A constant: only σ(0), σ'(0) and σ''(0) matter, in the place of a₀, a₁/√q and √2·a₂/q.
            at_zero = [p.at_zero for p in (pieces, pieces.derivative, pieces.derivative.derivative)]
            coefficients[zero, :3] = at_zero
        return moments, tails, coefficients

    def _sizes(self, used: np.ndarray, moments: np.ndarray) -> np.ndarray:
        """What each function of √q·g is measured by: root mean squares, with δ-functions."""
        sizes, roots = np.sqrt(moments), self.roots[used]
        for place, scale in enumerate(self.scales):
            rows = np.flatnonzero((self.scale_of[used] == place) & (roots > 0))
            for which, deltas in enumerate(scale.deltas):
                for t, weight in deltas:
                    density = np.exp(-0.5 * np.square(t / roots[rows])) / roots[rows]
                    sizes[rows, which] += np.abs(weight) * density
        # A derivative that is zero is so to rounding only.
        safe = np.where(roots > 0, roots, 1.0)
        floor = _ROUNDING * sizes[:, 0] / safe
        for which, least in ((1, floor), (2, floor * safe), (3, floor), (4, floor / safe)):
            sizes[:, which] = np.maximum(sizes[:, which], least)
        return sizes

    def _by_integrals(
        self,
        c: np.ndarray,
        i1: np.ndarray,
        i2: np.ndarray,
        at: np.ndarray,
        sizes: np.ndarray,
        left: np.ndarray,
        out: np.ndarray,
    ) -> None:
        """Entries without a series, those of each two scales together."""
        table = self.family.tables["backward" if self.backward else "forward"]
        # Of the functions of a scale, k and k̇ take the first two.
        used = int(np.max(self.pairs)) + 1
        groups = self.scale_of[i1[left]] * len(self.scales) + self.scale_of[i2[left]]
        for group in np.unique(groups):
            entries = left[groups == group]
            one, two = (self.scales[k] for k in divmod(int(group), len(self.scales)))
            deltas = _deltas(one), _deltas(two)
            inner = min(np.min(np.abs(x.edges[x.edges != 0])) for x in (one, two))
            while len(entries):
                error = np.zeros(len(entries))
                wanted = np.zeros(table.index.shape, dtype=np.bool_)
                sides = [
                    (x.edges, x.functions[:used], d)
                    for x, d in zip((one, two), deltas, strict=True)
                ]
                kept = (table.index, table.halves, table.ratios, table.cells, wanted)
                _integrate(
                    *sides, c, i1, i2, at, self.roots, self.reach, sizes, entries, self.pairs,
                    self.backward, self.family.breaks, inner, kept, error, out,
                )  # fmt: skip
                worst = np.max(error)
                if worst > _REFUSED:
                    q = np.square(self.roots[[i1[entries[np.argmax(error)]]]])[0]
                    raise NetworkError(
                        f"the activation {self.family.name!r} is too rough for quadrature at "
                        f"variance {q:.3g}: an error of {worst:.1e} is left; scale the inputs "
                        "down, or use a smoother function"
                    )
                entries = entries[error < 0]
                self._fill(np.argwhere(wanted))

    def _fill(self, cells: np.ndarray) -> None:
        table = self.family.tables["backward" if self.backward else "forward"]
        for sign, octave, ratio in cells.tolist():
            table.fill(sign, octave, ratio, self.family.reaching)


def _deltas(scale: Scale) -> np.ndarray:
    """(function, place, weight) of all δ-functions of a scale."""
    rows = [(float(f), t, weight) for f, found in enumerate(scale.deltas) for t, weight in found]
    return np.array(rows).reshape(-1, 3)


@jit
def _correlations(s, roots, i1, i2, edge, c):
    """s/√(q q'), exactly ±1 where rounding cannot tell; 0 where a variance is 0."""
    for n in range(len(s)):
        norm = roots[i1[n]] * roots[i2[n]]
        value = s[n] / norm if norm > 0 else 0.0
        c[n] = (1.0 if value > 0 else -1.0) if abs(value) >= edge else value


@jit
def _expand_all(edges, functions, roots, reach, degree, rows, moments, tails, coefficients):
    for i in rows:
        expand(edges, functions, roots[i], reach[i], degree, moments[i], tails[i], coefficients[i])


@jit
def _by_series(c, i1, i2, at, left, roots, moments, tails, coefficients, degree, sizes, jumps,
                pairs, backward, good, out):  # fmt: skip
    """Entries whose series is good enough, and those where a variance is 0."""
    rows = np.empty((2, 5, degree + 1))
    for n in range(len(left)):
        e = left[n]
        a, b = at[i1[e]], at[i2[e]]
        root1, root2 = roots[i1[e]], roots[i2[e]]
        if root1 == 0 or root2 == 0:
            good[n] = True
            means(coefficients[a], root1, rows[0])
            means(coefficients[b], root2, rows[1])
            pair_sums(rows[0], rows[1], pairs, 0.0, 1, out[:, e])
            continue
        if abs(c[e]) == 1 and (i1[e] != i2[e] or c[e] < 0 or backward or jumps):
            continue
        if abs(c[e]) == 1:
            good[n] = True
            out[0, e], out[1, e] = moments[a, 0], moments[a, 1]
            continue
        level = level_for(
            c[e], tails[a], tails[b], math.sqrt(moments[a, 0] * moments[b, 0]),
            sizes[a, 1] * sizes[b, 1], root1 * root2, jumps, 2 if backward else 0,
        )  # fmt: skip
        if level < 0:
            continue
        good[n] = True
        last = LEVELS[level]
        if not backward:
            out[0, e], out[1, e] = sums(coefficients[a], coefficients[b], c[e], last, root1, root2)
            continue
        terms = shifted(coefficients[a], last, root1, rows[0])
        shifted(coefficients[b], last, root2, rows[1])
        pair_sums(rows[0], rows[1], pairs, c[e], terms, out[:, e])


@jit
def _integrate(side1, side2, c, i1, i2, at, roots, reach, sizes, entries, pairs, backward,
               breaks, inner, table, error, out):  # fmt: skip
    """Entries by integrals over the line or the plane, with δ-functions apart."""
    edges1, functions1, _ = side1
    edges2, functions2, _ = side2
    total, scales = np.empty(len(pairs)), np.empty(len(pairs))
    for n in range(len(entries)):
        e = entries[n]
        root1, root2 = roots[i1[e]], roots[i2[e]]
        far = max(reach[i1[e]], reach[i2[e]])
        for p in range(len(pairs)):
            scales[p] = sizes[at[i1[e]], pairs[p, 0]] * sizes[at[i2[e]], pairs[p, 1]]
        if abs(c[e]) == 1:
            line(edges1, edges2, functions1, functions2, root1, root2, c[e], far, pairs, total)
            error[n] = 0.0
        else:
            angle = math.atan2(math.sqrt((1 - c[e]) * (1 + c[e])), c[e])
            error[n] = plane(
                (edges1, functions1, root1), (edges2, functions2, root2), angle, far, pairs,
                breaks, inner, scales, table, total,
            )  # fmt: skip
        if error[n] >= 0:
            for p in range(len(pairs)):
                total[p] += _with_deltas(side1, side2, root1, root2, c[e], far, pairs[p, 0],
                                         pairs[p, 1], backward)  # fmt: skip
            out[:, e] = total


@jit
def _with_deltas(side1, side2, root1, root2, c, reach, g, h, backward):
    """What δ-functions in g and h add to E[g(f)h(f')]."""
    edges1, functions1, deltas1 = side1
    edges2, functions2, deltas2 = side2
    rest = math.sqrt((1 - c) * (1 + c))
    total = 0.0
    for i in range(len(deltas1)):
        if deltas1[i, 0] != g:
            continue
        x = deltas1[i, 1] / root1
        density = deltas1[i, 2] * math.exp(-0.5 * x * x) / (math.sqrt(2 * math.pi) * root1)
        total += density * beside(edges2, functions2, h, root2 * c * x, root2 * rest, reach)
        for j in range(len(deltas2)):
            if deltas2[j, 0] != h:
                continue
            gap = deltas2[j, 1] / root2 - c * x
            weight = deltas2[j, 2] / (math.sqrt(2 * math.pi) * root2)
            if rest > 0:
                total += density * weight / rest * math.exp(-0.5 * (gap / rest) ** 2)
            elif abs(gap) <= 1e-12 * abs(x) and not backward:
                total += density * weight * np.inf
    for j in range(len(deltas2)):
        if deltas2[j, 0] != h:
            continue
        y = deltas2[j, 1] / root2
        density = deltas2[j, 2] * math.exp(-0.5 * y * y) / (math.sqrt(2 * math.pi) * root2)
        total += density * beside(edges1, functions1, g, root1 * c * y, root1 * rest, reach)
    return total
