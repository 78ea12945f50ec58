"""Self-attention as people write it, found in a graph of calls by what it computes.

Queries, keys and values are split, reshaped and multiplied in a hundred ways. What lies between the
layers that give them and the sum over positions is therefore not read, but run on random numbers:
its derivatives tell which channels are queries, keys and values, and its values whether the weights
of the sum are a softmax (or another function) of scaled products, and of which scale.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import fx, nn
from torch.nn import functional as F

from ...errors import NetworkError
from .probe import CONVS, Attention, Probe

if TYPE_CHECKING:
    from .trace import Call
    from .tracer import Tracer

PRODUCTS_OF_SIGNALS = (
    *(torch.matmul, torch.bmm, torch.einsum, operator.matmul, F.scaled_dot_product_attention),
    *("matmul", "bmm", "__matmul__", "__rmatmul__"),
)


def find_attention(calls: dict[fx.Node, Call], tracer: Tracer) -> None:
    """Makes one call of each self-attention among these, of the kind "attention".

    Raises:
        NetworkError: products of two signals that are none, by their place.
    """
    order = list(calls)
    needed = ancestors(order[-1])
    done: set[fx.Node] = set()
    for n in order:
        live = [m for m in n.all_input_nodes if calls[m].live]
        product = n.target in PRODUCTS_OF_SIGNALS and (len(live) > 1 or calls[n].inputs[1:])
        if not product or n in done or n not in needed:
            continue
        for end in _behind(n, order, calls):
            region, sources = _region(end, calls)
            if region and sources and _closed(end, region, sources):
                found = Probe(tracer, calls, region, sources).attention()
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


def ancestors(last: fx.Node) -> set[fx.Node]:
    """A node, and all that it depends on."""
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
    if type(module) in CONVS:
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
