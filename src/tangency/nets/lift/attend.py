"""Self-attention as people write it, found in a graph of calls by what it computes.

Queries, keys and values are split, reshaped and multiplied in a hundred ways. What lies between the
layers that give them and the sum over positions is therefore not read, but run on random numbers:
its derivatives tell which channels are queries, keys and values, and its values whether the weights
of the sum are a softmax (or another function) of scaled products, and of which scale.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from ...errors import NetworkError

if TYPE_CHECKING:
    from .trace import Call
    from .tracer import Tracer

PRODUCTS_OF_SIGNALS = (
    *(torch.matmul, torch.bmm, torch.einsum, operator.matmul, F.scaled_dot_product_attention),
    *("matmul", "bmm", "__matmul__", "__rmatmul__"),
)
_CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
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


def find_attention(calls: dict[fx.Node, Call], tracer: Tracer) -> None:
    """Makes one call of each self-attention among these, of the kind "attention".

    Raises:
        NetworkError: products of two signals that are none, by their place.
    """
    order = list(calls)
    needed = _ancestors(order[-1])
    done: set[fx.Node] = set()
    for n in order:
        live = [m for m in n.all_input_nodes if calls[m].live]
        product = n.target in PRODUCTS_OF_SIGNALS and (len(live) > 1 or calls[n].inputs[1:])
        if not product or n in done or n not in needed:
            continue
        for end in _behind(n, order, calls):
            region, sources = _region(end, calls)
            if region and sources and _closed(end, region, sources):
                found = _Probe(tracer, calls, region, sources).attention()
                if found is not None:
                    _replace(calls, end, sources, found)
                    done |= set(region)
                    break
        else:
            places = list(n.meta.get("nn_module_stack", {}).values())
            place = (places and places[-1][0]) or n.name
            raise NetworkError(
                f"{place}: a product of two signals that cannot be read as self-attention, "
                "softmax(q·kᵀ·scale)·v with queries, keys and values from Linear layers of one "
                "signal. Masks, biases of pairs of positions, rotations or norms of queries and "
                "keys have no layer here; leave them out"
            )


def _ancestors(last: fx.Node) -> set[fx.Node]:
    found, pending = set(), [last]
    while pending:
        n = pending.pop()
        if n not in found:
            found.add(n)
            pending += n.all_input_nodes
    return found


def _behind(start: fx.Node, order: list[fx.Node], calls: dict[fx.Node, Call]) -> Iterator[fx.Node]:
    """The nodes that depend on one, itself first, up to layers with weights."""
    reached = {start}
    yield start
    for n in order[order.index(start) + 1 :]:
        if any(m in reached for m in n.all_input_nodes) and not _is_source(n, calls):
            reached.add(n)
            if n.op != "output":
                yield n


def _is_source(n: fx.Node, calls: dict[fx.Node, Call]) -> bool:
    """Whether it is a layer that may give queries, keys or values."""
    module = calls[n].target
    if type(module) in _CONVS:
        return {*module.kernel_size, *module.stride, module.groups} == {1} and not any(
            module.padding if isinstance(module.padding, tuple) else ()
        )
    return type(module) is nn.Linear


def _region(end: fx.Node, calls: dict[fx.Node, Call]) -> tuple[list[fx.Node], list[fx.Node]]:
    """What lies between some layers and a node, in order, and these layers; empty if others do."""
    region, sources, pending = {end}, [], [end]
    while pending:
        for n in pending.pop().all_input_nodes:
            if not calls[n].live or n in region or n in sources:
                continue
            if _is_source(n, calls):
                sources.append(n)
            elif n.op == "placeholder":
                return [], []
            else:
                region.add(n)
                pending.append(n)
    order = {n: place for place, n in enumerate(calls)}
    return sorted(region, key=order.__getitem__), sorted(sources, key=order.__getitem__)


def _closed(end: fx.Node, region: list[fx.Node], sources: list[fx.Node]) -> bool:
    """Whether nothing else reads what is inside."""
    inside = set(region)
    return all(set(n.users) <= inside for n in (*sources, *region) if n is not end)


def _replace(
    calls: dict[fx.Node, Call], end: fx.Node, sources: list[fx.Node], found: Attention
) -> None:
    names = {calls[n].name.rpartition(".")[0] for n in sources}
    call, name = calls[end], names.pop() if len(names) == 1 else ""
    call.kind, call.name, call.target = "attention", name or calls[sources[0]].name, found
    signals = [calls[n].inputs[0] for n in sources]
    if any(signal is not signals[0] for signal in signals):
        raise NetworkError(
            f"{call.name}: queries and keys come from two signals, and each position attends to "
            "another signal than its own, which no layer here does"
        )
    call.args, call.options = (signals[0],), {}


class _Probe:
    """A part of a graph, run on random numbers in the place of what some layers give."""

    def __init__(
        self,
        tracer: Tracer,
        calls: dict[fx.Node, Call],
        region: list[fx.Node],
        sources: list[fx.Node],
    ) -> None:
        self.calls, self.sources = calls, sources
        self.first = type(calls[sources[0]].target) in _CONVS  # channels come first
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
