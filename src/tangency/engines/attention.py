"""What the reference engine does where positions attend to each other, and to where they are."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from ..nets.operators import Attend, Embed
from .layout import Covariances


def attention(operator: Attend, state: Covariances) -> Any:
    """G = ζ(scale·Σ_xx) of each input paired with itself, (n, positions, positions)."""
    for before in operator.before:
        if isinstance(before, Embed):
            state = embedded(state, before, False)
        else:
            square = before.factor * before.factor
            state = replace(state, nngp=square * state.nngp)
    size = math.prod(state.space)
    logits = operator.scale * state.xp.reshape(state.nngp, (state.nngp.shape[0], size, size))
    if state.sides is None:
        return weighting(operator.mechanism, logits)
    # Nothing attends to masked positions; what these attend to is masked behind the layer.
    kept = state.sides[1].kept.reshape(-1, 1, size)
    there = state.xp.asarray(kept > 0, device=device(logits))
    if operator.mechanism == "softmax":
        return weighting("softmax", state.xp.where(there, logits, -state.xp.inf))
    weights = weighting(operator.mechanism, logits)
    return state.xp.where(there, weights, state.xp.zeros_like(weights))


def weighting(mechanism: str, logits: Any) -> Any:
    """ζ of logits (..., positions, positions)."""
    xp = array_namespace(logits)
    match mechanism:
        case "relu":
            return xp.where(logits > 0, logits, xp.zeros_like(logits))
        case "abs":
            return xp.abs(logits)
        case "softmax":
            # Less the largest, so that nothing overflows.
            powers = xp.exp(logits - xp.max(logits, axis=-1, keepdims=True))
            return powers / xp.sum(powers, axis=-1)[..., None]
    return logits


def attended(state: Covariances, left: Any, right: Any) -> Covariances:
    """G_x Σ G_x'ᵀ and G_x Θ G_x'ᵀ, with the weights of the first and of the second inputs."""
    xp, size = state.xp, math.prod(state.space)
    if state.outer:
        left, right = left[:, None, ...], right[None, ...]
    right = xp.matrix_transpose(right)

    def through(array: Any) -> Any:
        square = xp.reshape(array, (*array.shape[: 2 if state.outer else 1], size, size))
        return xp.reshape(left @ square @ right, array.shape)

    return state.map(through)


def embedded(state: Covariances, embed: Embed, trained: bool) -> Covariances:
    """Σ + w²R, and Θ + w²R where the vectors are trained."""
    r, space = embed.covariance, state.space
    r = np.reshape(r, (*space, *space)) if state.full else np.reshape(np.diagonal(r), space)
    xp = state.xp
    own = xp.asarray(np.ascontiguousarray(r), dtype=state.nngp.dtype, device=device(state.nngp))
    own = embed.weight_std * embed.weight_std * own
    ntk = state.ntk
    if trained:
        ntk = own + (xp.zeros_like(state.nngp) if ntk is None else ntk)
    return replace(state, nngp=state.nngp + own, ntk=ntk)
