"""What a part of a graph computes, told by its values and derivatives on random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

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
    apart: values are other numbers than queries and keys.
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
    apart: bool
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
        inputs = torch.cat([self._laid(each) for each in self.given], -1).detach()[0]
        rng = torch.Generator().manual_seed(1)
        seen: list[_Seen] = []
        silent = 0
        for probe in range(_PROBES):
            u, c = (int(torch.randint(size, (), generator=rng)) for size in out.shape[1:])
            c = (0, out.shape[2] - 1)[probe] if probe < 2 else c
            slopes = self._slopes(out[0, u, c])
            if slopes is None:
                return None
            there = slopes.any(0)
            if int(there.sum()) != 1 and not bool(_but(slopes, u).any()):
                silent += 1  # all products with other positions were below the kink of a ReLU
                continue
            found = _seen(slopes, inputs, u, float(out[0, u, c].detach()))
            if found is None:
                return None
            seen.append(found)
        return self._agreed(out, seen, silent)

    def _agreed(self, out: torch.Tensor, seen: list[_Seen], silent: int) -> Attention | None:
        """What all probes have in common."""
        weighting = _common([each.weighting for each in seen])
        owners = [(place, s) for place, given in enumerate(self.given)
                  for s in range(self._laid(given).shape[-1])]  # fmt: skip
        parts = [[owners[s] for each in seen for s in each.channels[part]] for part in range(3)]
        kinds = {(len(each.keys), each.queries == each.keys) for each in seen}
        alone = all(len({place for place, _ in part}) == 1 for part in parts)
        if weighting is None or len(seen) < _LEAST or len(kinds) != 1 or not alone:
            return None
        if silent and weighting[0] != "relu":
            return None
        q, k, v = (self.calls[self.sources[part[0][0]]] for part in parts)
        channels = [{(id(call.target), s) for _, s in part}
                    for call, part in zip((q, k, v), parts, strict=True)]  # fmt: skip
        width, shared = kinds.pop()
        found = Attention(
            *(q, k, v, *weighting, width),
            shared=shared or channels[0] == channels[1],
            grouped=len(channels[1]) < len(channels[0]),
            apart=not channels[2] & (channels[0] | channels[1]),
            channels=out.shape[2],
        )
        return found if found.grouped or self._everywhere(found, out) else None

    def _everywhere(self, found: Attention, out: torch.Tensor) -> bool:
        """Whether each channel of the result sums up one of the values, with weights of sum 1."""
        if found.mechanism != "softmax":
            return True
        by = 1 + torch.rand(out.shape[2], generator=torch.Generator().manual_seed(2)).to(out)
        slopes = self._slopes(out[0, -1] @ by)
        if slopes is None:
            return False
        sums = slopes.sum(0)[slopes.bool().all(0)].sort().values
        place = torch.searchsorted(sums, by).clamp(1, max(1, len(sums) - 1))
        if len(sums) < 2:
            return False
        nearest = torch.minimum((sums[place] - by).abs(), (sums[place - 1] - by).abs())
        return bool((nearest < _NEAR).all())

    def _slopes(self, of: torch.Tensor) -> torch.Tensor | None:
        """Derivatives of a number by what is given, (positions, channels); None of two inputs."""
        grads = torch.autograd.grad(of, self.given, retain_graph=True, materialize_grads=True)
        slopes = torch.cat([self._laid(each) for each in grads], -1)
        return None if bool(slopes[1:].any()) else slopes[0]

    def _laid(self, x: torch.Tensor) -> torch.Tensor:
        """(inputs, positions, channels)."""
        x = x.movedim(1, -1) if self.first else x
        return x.flatten(1, -2)


def _without(shape: Sequence[int], place: int) -> list[int]:
    found = list(shape)
    found.pop(place)
    return found


def _but(x: torch.Tensor, u: int) -> torch.Tensor:
    """The rows but for one."""
    return torch.cat([x[:u], x[u + 1 :]])


class _Seen(NamedTuple):
    """What one number of the result tells: channels, and what `_weighting` finds."""

    queries: list[int]
    keys: list[int]
    values: list[int]
    weighting: dict[str, float]

    @property
    def channels(self) -> tuple[list[int], ...]:
        return self.queries, self.keys, self.values


def _seen(slopes: torch.Tensor, x: torch.Tensor, u: int, out: float) -> _Seen | None:
    """What the number `out` tells, at the position u.

    slopes: its derivatives by x, both (positions, channels). Those by the value are the weights of
    the sum, which is linear in it; it depends on the query at its own position u alone.
    """
    there = slopes != 0
    elsewhere = _but(there, u).any(0)
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
    return _Seen(queries, keys, [value], found) if found else None


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


def _common(found: Sequence[dict[str, float]]) -> tuple[str, float] | None:
    """The ζ, and its scale, that all have in common; where products are positive, several fit."""
    for mechanism in found[0] if found else ():
        scales = [each.get(mechanism, 0.0) for each in found]
        if 0 < max(scales) <= (1 + _NEAR) * min(scales):
            return mechanism, scales[0]
    return None
