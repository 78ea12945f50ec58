"""How far rounding alone moves a kernel: what no way of computing it can be held to."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np

from tangency.engines import driver, reference
from tangency.nets.plan import Need


def relative(a, b, p, q):
    """The largest difference relative to √(p q); where that is zero both must be zero too."""
    scale = np.sqrt(p.astype(float))[:, None] * np.sqrt(q.astype(float))[None, :]
    assert np.all(a[scale == 0] == 0)
    return np.max(np.abs(a.astype(float) - b) / np.where(scale > 0, scale, 1))


def conditioning(steps, x, y):
    """How far the reference moves if covariances are off by 2 units in the last place."""
    signs = np.random.default_rng(0)
    eps = np.finfo(x.dtype).eps

    def perturbed(step, layer, state, source):
        q1, q2 = source.next(state)
        if step.need_out is Need.NOTHING:
            return state
        # What counts as c = ±1 goes on doing so.
        free = np.abs(state.nngp) < (1 - 16 * eps) * np.sqrt(q1) * np.sqrt(q2)
        off = np.where(free, 2 * eps * signs.choice([-1, 1], state.nngp.shape), 0)
        k, slope = layer.dual(state.nngp * (1 + off).astype(x.dtype), q1, q2)
        return replace(state, nngp=k, ntk=None if state.ntk is None else state.ntk * slope)

    found = driver.gram(steps, x, y)
    with patch.object(reference, "_pointwise", perturbed):
        moved = driver.gram(steps, x, y)
    first = driver.diagonal(steps, x)
    second = first if y is None else driver.diagonal(steps, y)
    return max(map(relative, found, moved, first, second))
