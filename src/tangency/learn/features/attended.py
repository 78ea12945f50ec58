"""Features of positions that attend to each other, and of where they are."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from array_api_compat import array_namespace, device

from ...engines.attention import weighting
from ...nets.operators import Attend, Embed
from .local import Local

Array = Any


def attended(attend: Attend, local: Local, weights: Array | None) -> Local:
    """G_x s and G_x t, linear maps of the grid that each input makes.

    weights: G_x (n, positions, positions), where it is known; None takes that of the features.
    """
    done = local.done()
    xp, space = array_namespace(done.sigma), done.sigma.shape[1:-1]
    n, size = len(done.sigma), math.prod(space)
    if weights is None:
        s = done.sigma.reshape(n, size, -1)
        covariance = xp.matmul(s, xp.matrix_transpose(s))
        for operator in attend.before:
            if isinstance(operator, Embed):
                own = float(operator.weight_std) ** 2 * operator.covariance
                covariance = covariance + _like(own, s)
            else:
                covariance = covariance * float(operator.factor) ** 2
        weights = weighting(attend.mechanism, covariance * float(attend.scale))
    return done.each(lambda x: xp.matmul(weights, x.reshape(n, size, -1)).reshape(x.shape))


def embedded(embed: Embed, local: Local) -> Local:
    """Beside the features those of the positions: a root of R, times w."""
    # Where all of Θ's features are Σ's as well, what is added to these is added to both.
    together = embed.trainable and local.shared == 1
    done = (local if together else local.alone()).done()
    # The one root that is symmetric: the same in any library, and a tensor if R was made one.
    linalg = array_namespace(embed.covariance).linalg
    values, vectors = linalg.eigh(embed.covariance)
    root = float(embed.weight_std) * (vectors * values.clip(0) ** 0.5) @ vectors.T

    def beside(x: Array) -> Array:
        xp = array_namespace(x)
        own = _like(root, x).reshape(1, *x.shape[1:-1], -1)
        return xp.concat([x, xp.broadcast_to(own, (len(x), *own.shape[1:]))], axis=-1)

    theta = done.theta
    if theta is not None and embed.trainable and not together:
        theta = beside(theta)
    return replace(done, sigma=beside(done.sigma), theta=theta)


def _like(array: Array, x: Array) -> Array:
    return array_namespace(x).asarray(array, dtype=x.dtype, device=device(x))
