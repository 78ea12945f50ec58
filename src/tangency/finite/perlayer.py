"""The per-layer method: gradients in the form in which layers have them, never a whole Jacobian."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor

from .contraction import contract
from .jacobians import one_by_one
from .layout import Layout, Seen, layout_of, look_at
from .request import Blocks, Done, Request, cut
from .store import Store, fill
from .subject import Subject

# The gradients of a parameter found in two ways agree this well, or the plain way is taken.
_AGREEMENT = {torch.float32: 1e-3, torch.float64: 1e-8}
# Bytes of the parameters that are compared in one go, at least, and into how many goes at most.
_GROUP, _GROUPS = 1 << 22, 8


def prepared(request: Request) -> Layout:
    """What to do with each layer, from passes over two of the inputs.

    Every parameter's gradient is compared with autograd's own: a layer that does not keep inputs
    along the first axis, say, is left to the plain way.
    """
    x = request.x[:2] if request.symmetric else torch.cat([request.x[:1], request.columns[:1]])
    seen = look_at(request.subject, x)
    layout = _layout(request, seen)
    doubtful = _doubtful(request.subject, layout, x, request.count)
    if not doubtful:
        return layout
    return _layout(request, dataclasses.replace(seen, elsewhere=seen.elsewhere | doubtful))


def blocks_of(request: Request, layout: Layout) -> Blocks:
    """How the kernel is cut so that it fits in the budget."""
    itemsize = request.subject.itemsize
    kept, largest = layout.activation_bytes
    rest = sum(layout.dense[name] for name in layout.rest)
    # Autograd's own temporaries: gradients at the input and output of the largest layer, copies.
    working = kept + 4 * largest + 2 * request.count * rest * itemsize
    return cut(request, layout.numbers * itemsize, working, "layers")


def by_layers(request: Request, layout: Layout, done: Done) -> Tensor:
    """The kernel; `done` is told how many inputs have been through a backward pass."""
    plan = blocks_of(request, layout)
    whole = request.zeros()
    n, m = request.pairs

    def gradients(x: Tensor) -> Store:
        return fill(request.subject, layout, x, request.directions, plan.at_once, done)

    left = right = None
    held = None
    for rows, columns, new in plan.pairs(n, m, request.symmetric):
        if new:
            left = None
            left = gradients(request.x[rows])
        if request.symmetric and rows == columns:
            right, held = left, None
        elif held != columns:
            right = None
            right, held = gradients(request.columns[columns]), columns
        assert left is not None
        assert right is not None
        block = request.part(whole, rows, columns)
        contract(layout, left, right, block, request.outputs, plan.scratch)
    return request.finished(whole)


def _layout(request: Request, seen: Seen) -> Layout:
    full = request.outputs == "full"
    return layout_of(request.subject, seen, request.pairs, request.count, full)


def _doubtful(subject: Subject, layout: Layout, x: Tensor, outputs: int) -> set[str]:
    """Parameters whose gradients are not those of autograd, for one random output direction."""
    like = next(iter(subject.params.values()))
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn((1, outputs), generator=generator, dtype=like.dtype).to(like.device)
    wanted: dict[str, Tensor] = {}
    found: dict[str, Tensor] = {}
    for names in _groups(subject, [name for name in subject.params if name not in layout.rest]):
        # Only the products outlive the line: the gradients themselves are large.
        wanted |= _products(one_by_one(subject, x, direction, names))
        store = fill(
            subject, _all_dense(subject, layout, names), x, direction, len(x), lambda n: None
        )
        found |= _products(store.dense)
        del store
    total = max((float(p.abs().max()) for p in wanted.values()), default=0.0)
    tolerance = _AGREEMENT[subject.dtype]
    return {
        name
        for name, p in wanted.items()
        if float((p - found[name]).abs().max()) > tolerance * (float(p.abs().max()) + 1e-3 * total)
    }


def _groups(subject: Subject, names: list[str]) -> Iterator[list[str]]:
    """Parameters in few groups of few bytes."""
    most = max(_GROUP, subject.count * subject.itemsize // _GROUPS)
    group: list[str] = []
    for name in names:
        size = sum(subject.params[one].numel() for one in (*group, name))
        if group and size * subject.itemsize > most:
            yield group
            group = []
        group.append(name)
    if group:
        yield group


def _products(gradients: dict[str, Tensor]) -> dict[str, Tensor]:
    """⟨g, g'⟩ for all pairs of inputs, which no reordering of a parameter changes."""
    return {name: g[:, 0] @ g[:, 0].T for name, g in gradients.items()}


def _all_dense(subject: Subject, layout: Layout, names: list[str]) -> Layout:
    """The same steps with the gradients of these parameters in full, and of no others."""
    steps = tuple(
        dataclasses.replace(
            step,
            weight=step.weight if step.weight in names else None,
            bias=step.bias if step.bias in names else None,
            form="dense" if step.weight in names else None,
            merged=False,
        )
        for step in layout.steps
    )
    dense = {name: subject.params[name].numel() for name in names}
    return Layout(steps, (), dense, 1, layout.activation_bytes)
