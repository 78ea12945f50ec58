"""Gradients of some inputs in their compact forms, filled by backward passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..errors import InputError
from .jacobians import jacobian
from .layout import Layout
from .matching import Call
from .recording import Recorder
from .subject import Subject


class Store:
    """The gradients of n inputs in some directions of the output.

    Attributes:
        dense: parameter -> (n, directions, size).
        kept: number of a step -> (a, g), (n, ...) and (n, directions, ...).
    """

    def __init__(self, subject: Subject, layout: Layout, n: int) -> None:
        first = next(iter(subject.params.values()))
        q = layout.directions
        self.layout = layout
        self.dense = {name: first.new_zeros((n, q, size)) for name, size in layout.dense.items()}
        self.kept = {
            index: (
                first.new_zeros((n, *step.input_shape)),
                first.new_zeros((n, q, *step.output_shape)),
            )
            for index, step in enumerate(layout.steps)
            if step.kept
        }

    def put(self, rows: slice, k: int, index: int, call: Call, a: Tensor | None, g: Tensor) -> None:
        """Takes in one call's gradient for one direction and some rows."""
        step = self.layout.steps[index]
        if step.weight is None and step.bias is None:
            return
        stored, g = step.kind.stored(a, g, rows.stop - rows.start)
        if step.kept and stored is not None:
            kept_a, kept_g = self.kept[index]
            if k == 0:
                kept_a[rows] = stored
            kept_g[rows, k] = g
        elif step.weight and stored is not None and call.weight:
            gradient = step.kind.gradient(stored, g)
            self.dense[step.weight][rows, k].add_(gradient, alpha=call.weight.scale)
        if step.bias and not step.merged and call.bias:
            gradient = step.kind.bias_gradient(g)
            self.dense[step.bias][rows, k].add_(gradient, alpha=call.bias.scale)


def fill(
    subject: Subject,
    layout: Layout,
    x: Tensor,
    directions: Tensor,
    block: int,
    done: Callable[[int], object],
) -> Store:
    """The gradients of all of x, `block` inputs at a time."""
    store = Store(subject, layout, len(x))
    for rows in blocks(len(x), block):
        _fill_rows(subject, store, x[rows], rows, directions)
        if layout.rest:
            found = jacobian(subject, x[rows], directions, layout.rest)
            for name, gradient in found.items():
                store.dense[name][rows] += gradient
        done(rows.stop - rows.start)
    return store


def _fill_rows(subject: Subject, store: Store, x: Tensor, rows: slice, directions: Tensor) -> None:
    k = 0

    def receive(index: int, call: Call, g: Tensor, a: Tensor | None) -> None:
        store.put(rows, k, index, call, a, g)

    recorder = Recorder(subject.params, receive)
    with torch.enable_grad(), recorder:
        out = subject.outputs({}, x)
    _check_path(store.layout, recorder)
    if not out.requires_grad:
        return
    for k in range(len(directions)):
        v = directions[k].expand_as(out)
        last = k + 1 == len(directions)
        torch.autograd.grad(out, recorder.anchor, v, retain_graph=not last, allow_unused=True)


def _check_path(layout: Layout, recorder: Recorder) -> None:
    """Refuses a module that does other things for other inputs."""
    kinds = [type(call.kind) for call in recorder.calls]
    if kinds != [type(step.kind) for step in layout.steps]:
        raise InputError(
            "the module calls other layers for some inputs than for others; use "
            "method='jacobian' or 'ntvp'"
        )


def blocks(n: int, size: int) -> Iterator[slice]:
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
