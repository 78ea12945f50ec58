"""What a part of a graph computes, told by its values and derivatives on random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn

if TYPE_CHECKING:
    from .trace import Call
    from .tracer import Tracer

CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_PROBES, _LEAST = 8, 4
_NEAR = 1e-4


@dataclass(frozen=True)
class Attention:
    """Sums over positions with weights ζ(scale·⟨q[u], k[v]⟩).

    queries, keys, values: the calls of layers that give them, which may be one.
    mechanism: ζ, as of `SelfAttention`.
    scale: by which products are multiplied.
    width: how many channels a product adds up, those of one head.
    shared: queries and keys are the same numbers.
    grouped: several heads have the same keys.
    channels: of the result.
    """

    queries: Call
    keys: Call
    values: Call
    mechanism: str
    scale: float
    width: int
    shared: bool
    grouped: bool
    channels: int


class Probe:
    """A part of a graph, run on random numbers in the place of what some layers give."""

    def __init__(
        self,
        tracer: Tracer,
        calls: dict[fx.Node, Call],
        region: list[fx.Node],
        sources: list[fx.Node],
    ) -> None:
        self.calls, self.sources = calls, sources
        self.first = type(calls[sources[0]].target) in CONVS  # channels come first
        generator = torch.Generator().manual_seed(0)
        self.given: list[torch.Tensor] = []
        self.out: torch.Tensor | None = None
        for n in sources:
            like = tracer.values[n]
            drawn = torch.randn(like.shape, generator=generator, dtype=torch.float64)
            self.given.append(drawn.to(like.device).requires_grad_())
        values = {**tracer.values, **dict(zip(sources, self.given, strict=True))}
        try:
            with torch.enable_grad():
                for n in region:
                    values[n] = tracer.given(n, values)
        except Exception:
            return  # of other types of numbers, say
        result, like = values[region[-1]], tracer.values[sources[0]]
        place = 1 if self.first else -1
        alike = isinstance(result, torch.Tensor) and result.ndim == like.ndim
        if alike and _without(result.shape, place) == _without(like.shape, place):
            self.out = result

    def attention(self) -> Attention | None:
        """What it computes; None if that is no attention, or there is one position."""
        if self.out is None or self.out.ndim < 3 or not self.out.requires_grad:
            return None
        out = self._laid(self.out)
        inputs = torch.cat([self._laid(each) for each in self.given], -1).detach()
        owners = [place for place, each in enumerate(self.given) for _ in range(self._count(each))]
        rng = torch.Generator().manual_seed(1)
        found: set[Any] = set()
        all_queries: list[frozenset[int]] = []
        all_keys: list[frozenset[int]] = []
        weightings: list[dict[str, float]] = []
        for probe in range(_PROBES):
            u = int(torch.randint(out.shape[1], (), generator=rng))
            c = (0, out.shape[2] - 1)[probe] if probe < 2 else None
            c = int(torch.randint(out.shape[2], (), generator=rng)) if c is None else c
            grads = torch.autograd.grad(
                out[0, u, c], self.given, retain_graph=True, materialize_grads=True
            )
            slopes = torch.cat([self._laid(each) for each in grads], -1)
            if bool(slopes[1:].any()):
                return None  # of other inputs
            if not bool(torch.cat([slopes[0, :u], slopes[0, u + 1 :]]).any()):
                continue  # all products with other positions were below the kink of a ReLU
            seen = _seen(slopes[0], inputs[0], u, float(out[0, u, c].detach()))
            if seen is None:
                return None
            queries, keys, value, weighting = seen
            parts = (queries, keys, [value])
            places = tuple(frozenset(owners[s] for s in part) for part in parts)
            found.add((*places, len(keys), queries == keys))
            weightings.append(weighting)
            all_queries.append(frozenset(queries))
            all_keys.append(frozenset(keys))
        agreed = _agreed(weightings)
        if len(found) != 1 or len(weightings) < _LEAST or agreed is None:
            return None
        *places, width, shared = found.pop()
        if any(len(place) != 1 for place in places):
            return None
        q, k, v = (self.calls[self.sources[next(iter(place))]] for place in places)
        grouped = len(frozenset().union(*all_keys)) < len(frozenset().union(*all_queries))
        same = shared or q.target is k.target is not v.target
        return Attention(q, k, v, *agreed, width, same, grouped, out.shape[2])

    def _laid(self, x: torch.Tensor) -> torch.Tensor:
        """(inputs, positions, channels)."""
        x = x.movedim(1, -1) if self.first else x
        return x.flatten(1, -2)

    def _count(self, x: torch.Tensor) -> int:
        return x.shape[1 if self.first else -1]


def _without(shape: Sequence[int], place: int) -> list[int]:
    found = list(shape)
    found.pop(place)
    return found


def _seen(
    slopes: torch.Tensor, x: torch.Tensor, u: int, out: float
) -> tuple[list[int], list[int], int, dict[str, float]] | None:
    """Channels of queries, keys and the value of one number `out`, and what `_weighting` finds.

    slopes: its derivatives by x, both (positions, channels). Those by the value are the weights of
    the sum, which is linear in it; it depends on the query at its own position u alone.
    """
    there = slopes != 0
    elsewhere = torch.cat([there[:u], there[u + 1 :]]).any(0)
    wide = elsewhere.nonzero().flatten().tolist()
    queries = (there[u] & ~elsewhere).nonzero().flatten().tolist()
    if len(wide) < 2:
        return None
    sums = (slopes * x).sum(0)[wide]
    value = wide[int((sums - out).abs().argmin())]
    weights = slopes[:, value]
    size = float((weights * x[:, value]).abs().sum())
    keys = [s for s in wide if s != value]
    queries = queries or keys
    if len(queries) != len(keys) or abs(float(sums[wide.index(value)]) - out) > _NEAR * size:
        return None
    products = x[:, keys] @ x[u, queries]
    found = _weighting(weights, products)
    return (queries, keys, value, found) if found else None


def _weighting(weights: torch.Tensor, products: torch.Tensor) -> dict[str, float]:
    """All ζ with the scales with which weights are ζ(scale·products)."""
    found: dict[str, float] = {}
    if bool((weights > 0).all()) and abs(float(weights.sum()) - 1) < _NEAR:
        logs, centred = weights.log(), products - products.mean()
        scale = float((logs @ centred) / (centred @ centred))
        rest = float((logs - logs.mean() - scale * centred).abs().max())
        if scale > 0 and rest < _NEAR * (1 + scale * float(centred.abs().max())):
            found["softmax"] = scale
    shapes = {"identity": products, "relu": products.relu(), "abs": products.abs()}
    for mechanism, shape in shapes.items():
        scale = float((weights @ shape) / (shape @ shape)) if bool(shape.any()) else 0.0
        rest = float((weights - scale * shape).abs().max())
        if scale > 0 and rest < _NEAR * float(weights.abs().max()):
            found[mechanism] = scale
    return found


def _agreed(found: Sequence[dict[str, float]]) -> tuple[str, float] | None:
    """The ζ, and its scale, that all have in common; where products are positive, several fit."""
    for mechanism in found[0] if found else ():
        scales = [each.get(mechanism, 0.0) for each in found]
        if 0 < max(scales) <= (1 + _NEAR) * min(scales):
            return mechanism, scales[0]
    return None
