"""How far rounding alone moves a kernel: what no way of computing it can be held to."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np

from tangency.engines import driver, reference
from tangency.nets.operators import Pointwise

DRAWS = 4
"""Of signs: those of a single one may happen to cancel."""


def relative(a, b, p, q):
    """The largest difference relative to √(p q); where that is zero both must be zero too."""
    scale = np.sqrt(p.astype(float))[:, None] * np.sqrt(q.astype(float))[None, :]
    assert np.all(a[scale == 0] == 0)
    return np.max(np.abs(a.astype(float) - b) / np.where(scale > 0, scale, 1))


def conditioning(steps, x, y):
    """How far the reference moves if inputs and covariances are off as rounding leaves them.

    Before each step every entry of Σ and Θ, marginals among them, is off by a unit in the last
    place of the dtype of `x`; before an activation, by two. All is computed in float64.
    """
    eps = np.finfo(x.dtype).eps
    x, y = x.astype(float), None if y is None else y.astype(float)
    first = driver.diagonal(steps, x)
    second = first if y is None else driver.diagonal(steps, y)
    whole = _Rounding(eps, None)
    found = whole.gram(steps, x, y)
    moved = [_Rounding(eps, whole, seed).gram(steps, x, y) for seed in range(DRAWS)]
    return max(max(map(relative, found, other, first, second)) for other in moved)


class _Rounding:
    """The reference engine with entries off at random, and correlations as another run saw them."""

    def __init__(self, eps, exact, seed=0):
        self.eps, self.exact = eps, exact
        self.signs = np.random.default_rng(seed)
        self.seen = []

    def gram(self, steps, x, y):
        with patch.object(reference, "_apply", self.apply):
            return driver.gram(steps, self.off(x, 1), None if y is None else self.off(y, 1))

    def off(self, a, units):
        if a is None or self.exact is None:
            return a
        return a * (1 + units * self.eps * self.signs.choice([-1, 1], a.shape))

    def apply(self, step, state, source, want_ntk, apply=reference._apply):
        units = 2 if isinstance(step.operator, Pointwise) else 1
        near = replace(state, nngp=self.off(state.nngp, units), ntk=self.off(state.ntk, units))
        if isinstance(step.operator, Pointwise) and isinstance(source, reference._Given):
            source = _Once(source.next(state))
            near = replace(near, nngp=self.ends(near.nngp, *source.both))
        return apply(step, near, source, want_ntk)

    def ends(self, s, q1, q2):
        """Correlations that count as ±1 in both runs do so as in the exact one."""
        scale = np.sqrt(q1) * np.sqrt(q2)
        c = np.divide(s, scale, out=np.zeros_like(s), where=scale > 0)
        self.seen.append(c)
        if self.exact is None:
            return s
        before = self.exact.seen[len(self.seen) - 1]
        kept = np.minimum(np.abs(c), np.abs(before)) >= 1 - 16 * self.eps
        return np.where(kept, before * scale, s)


class _Once:
    """Marginals that were taken already."""

    def __init__(self, both):
        self.both = both

    def next(self, state):
        return self.both
