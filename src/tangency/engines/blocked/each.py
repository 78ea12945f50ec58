"""What is known of each input alone before pairs are, and how operators make it.

A `Known` holds arrays whose first axis is that of the inputs, by what they are and the place of the
step that reads them: ("read", place) what a compiled dual keeps of each position, ("left", place)
and ("right", place) an input's own map of the grid, ("kept", place) which positions are not masked
behind a step, ("count", place) how many were not before it; and the values themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...nets.operators import Attend, Embed, Pointwise
from ..fused.activations import kind_and_parameters
from ..fused.expanded import series_blocks
from ..fused.scalars import NORMALIZE, SERIES

Known = dict[Any, np.ndarray]


@dataclass(frozen=True)
class Dual:
    """A compiled dual: its kind, its parameters, and how many pairs of numbers it reads."""

    kind: int
    parameters: np.ndarray
    parts: int


def dual_of(operator: Any, dtype: Any) -> Dual:
    """That of an activation, or of a normalisation."""
    kind, parameters = NORMALIZE, ()
    if isinstance(operator, Pointwise):
        kind, parameters = kind_and_parameters(operator.activation)
    parts = series_blocks(parameters, 0) if kind == SERIES else 1
    # Loops read four parameters, which few duals have.
    return Dual(kind, np.asarray([*parameters, 0, 0, 0, 0], dtype=dtype), parts)


def mean_over_space(q: np.ndarray, kept: np.ndarray | None) -> np.ndarray:
    """The mean over unmasked positions of variances (n, positions), the same at all of them."""
    if kept is None:
        mean = q.mean(axis=1, keepdims=True)
    else:
        mean = q.sum(axis=1, keepdims=True) / kept.sum(axis=1, keepdims=True)
    return np.ascontiguousarray(np.broadcast_to(mean, q.shape)).astype(q.dtype)


def attention(operator: Attend, s: np.ndarray, kept: np.ndarray | None) -> np.ndarray:
    """G = ζ(a·Σ_xx), (n, positions, positions), where nothing attends to masked positions."""
    logits = s.astype(s.dtype)
    for before in operator.before:
        if isinstance(before, Embed):
            logits += (float(before.weight_std) ** 2 * before.covariance).astype(s.dtype)
        else:
            logits *= float(before.factor) ** 2
    logits *= float(operator.scale)
    masked = None if kept is None or kept.all() else kept[:, None, :] == 0
    if operator.mechanism == "softmax":
        if masked is not None:
            logits[np.broadcast_to(masked, logits.shape)] = -np.inf
        powers = np.exp(logits - logits.max(axis=2, keepdims=True))
        return powers / powers.sum(axis=2, keepdims=True)
    if operator.mechanism == "relu":
        np.maximum(logits, 0, out=logits)
    elif operator.mechanism == "abs":
        np.abs(logits, out=logits)
    if masked is not None:
        logits[np.broadcast_to(masked, logits.shape)] = 0
    return logits


def pad_maps(maps: np.ndarray, columns: int) -> np.ndarray:
    """Maps (n, before, after) with zeros behind, (n, before, columns)."""
    out = np.zeros((*maps.shape[:2], columns), dtype=maps.dtype)
    out[:, :, : maps.shape[2]] = maps
    return out
