"""Features of Σ and Θ at every position, and what the linear operators do to them.

Σ[u, u'] = ⟨s[u], s'[u']⟩ and Θ[u, u'] = ⟨t[u], t'[u']⟩. Behind trainable weights t̃ is t with s̃
beside it, Θ̃ = w²Θ + Σ̃. That part is not written down but counted, `shared`, so that products
with s̃ are computed once for both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from array_api_compat import array_namespace

from ...nets.geometry import Box
from ...nets.meeting import Branching, Concatenate
from ...nets.operators import Average, Normalize, Operator, Positions, Scale, Shifts, Stack, Weights
from ...nets.special import safe_sqrt
from .convolved import put_off
from .positions import mapped, patches
from .products import squares, times

Array = Any


@dataclass(frozen=True, eq=False)
class Roots:
    """What features have still to be multiplied by, from the right: (d, d') for s and for t."""

    sigma: Array
    theta: Array | None


@dataclass(frozen=True, eq=False)
class Local:
    """The features of some inputs.

    sigma: s (n, *space, d). theta: the part of t (n, *space, e) that is not s; None where Θ is not
    wanted. shared: t is `theta` and, beside it, `shared`·s. roots: a multiplication that is
    put off, as maps of the grid come cheaper before it. patch: patches that are put off, as their
    products are had without them.
    """

    sigma: Array
    theta: Array | None
    shared: float = 0.0
    roots: Roots | None = None
    patch: Box | None = None

    def done(self) -> Local:
        """The same with nothing put off."""
        if (geometry := self.patch) is not None:
            return replace(self, patch=None).each(lambda x: patches(x, geometry))
        if self.roots is None:
            return self
        theta = self.theta
        if theta is not None and self.roots.theta is not None:
            theta = times(theta, self.roots.theta)
        return Local(times(self.sigma, self.roots.sigma), theta, self.shared)

    def alone(self) -> Local:
        """The same with all of t in `theta`."""
        if self.theta is None or self.shared == 0:
            return replace(self, shared=0.0)
        done = self.done()
        assert done.theta is not None
        return Local(done.sigma, _concat([done.theta, self.shared * done.sigma]))

    def each(self, change: Callable[[Array], Array]) -> Local:
        """Both sets of features changed in the same way."""
        theta = None if self.theta is None else change(self.theta)
        return replace(self, sigma=change(self.sigma), theta=theta)


def joined(operator: Branching, branches: list[Local]) -> Local:
    """The features where branches meet: those of all side by side."""
    if isinstance(operator, Concatenate):
        branches = [branch.done() for branch in branches]
        if operator.parts is not None:
            roots = map(math.sqrt, operator.parts)
            scaled = [(b, root) for b, root in zip(branches, roots, strict=True)]
            branches = [b.each(lambda x, root=root: root * x) for b, root in scaled]
        else:
            return _one_after_the_other([branch.alone() for branch in branches], operator.axis)
    if len({branch.shared for branch in branches}) > 1:
        branches = [branch.alone() for branch in branches]
    branches = [branch.done() for branch in branches]
    theta = None
    if branches[0].theta is not None:
        theta = _concat([b.theta for b in branches])
    return Local(_concat([b.sigma for b in branches]), theta, branches[0].shared)


def _one_after_the_other(branches: list[Local], axis: int) -> Local:
    """Along an axis of space, with features that the other branches do not have."""

    def placed(parts: list[Array]) -> Array:
        xp = array_namespace(parts[0])
        rows = []
        for place, part in enumerate(parts):
            sizes = [other.shape[-1] for other in parts]
            row = [xp.zeros((*part.shape[:-1], size), dtype=part.dtype) for size in sizes]
            row[place] = part
            rows.append(_concat(row))
        return xp.concat(rows, axis=axis + 1)

    theta = None
    if branches[0].theta is not None:
        theta = placed([b.theta for b in branches])
    return Local(placed([b.sigma for b in branches]), theta)


def linear(operator: Operator, local: Local, variances: Array | None) -> Local:
    """What an operator without an activation makes of the features.

    variances: q (n, *space) for `Normalize`; None takes those of the features.
    """
    if local.patch is not None and not isinstance(operator, Weights):
        local = local.done()
    match operator:
        case Shifts(geometry):
            done = local.done()
            if put_off(done.sigma, geometry):
                return replace(done, patch=geometry)
            return done.each(lambda x: patches(x, geometry))
        case Stack(maps):
            return (
                local.each(lambda x: mapped(x, maps))
                if len(maps) == 1
                else local.done().each(lambda x: mapped(x, maps))
            )
        case Average():
            return local.each(_mean)
        case Positions():
            return local.done().each(_side_by_side)
        case Scale(factor):
            return local.each(lambda x: x * float(factor))
        case Normalize(space):
            done = local.done()
            q = squares(done.sigma) if variances is None else variances
            if space:
                axes = tuple(range(1, q.ndim))
                q = array_namespace(q).mean(q, axis=axes, keepdims=True)
            xp, root = array_namespace(q), safe_sqrt(q)
            # Where nothing is left of Σ nothing is left of Θ either.
            length = xp.where(root > 0, root, xp.inf * xp.ones_like(root))[..., None]
            return done.each(lambda x: x / length)
        case Weights() as weights:
            return _weighted(weights, local)
    raise AssertionError("check_covered() lets no other pass")


def _mean(x: Array) -> Array:
    return array_namespace(x).mean(x, axis=tuple(range(1, x.ndim - 1)))


def _side_by_side(x: Array) -> Array:
    flat = x.reshape(len(x), -1)
    return flat / math.sqrt(max(flat.shape[1] // max(x.shape[-1], 1), 1))


def _concat(parts: list[Any]) -> Array:
    return array_namespace(parts[0]).concat(parts, axis=-1)


def _weighted(weights: Weights, local: Local) -> Local:
    factor, bias = weights.weight_std / math.sqrt(weights.fan), weights.bias_std
    if not weights.usual and weights.trainable and local.theta is not None:
        return _at_own_rates(weights, local)
    if local.shared and (bias or weights.trainable):
        local = local.alone()  # two layers with weights in a row
    if factor != 1:
        local = local.each(lambda x: x * float(factor))
    if bias:
        local = local.done()
        s = local.sigma
        column = array_namespace(s).full_like(s[..., :1], bias)
        local = replace(local, sigma=_concat([s, column]))
    trained = weights.trainable and local.theta is not None
    return replace(local, shared=1.0) if trained else local


def _at_own_rates(weights: Weights, local: Local) -> Local:
    """Θ̃ = w²Θ/fan + r·Σ + r_b, for learning rates r and r_b."""
    done = local.alone().done()
    own, constant = (math.sqrt(float(rate)) for rate in weights.rates)
    frozen = _weighted(replace(weights, trainable=False), done)
    assert frozen.theta is not None
    column = array_namespace(done.sigma).full_like(done.sigma[..., :1], constant)
    return replace(frozen.done(), theta=_concat([frozen.done().theta, own * done.sigma, column]))
