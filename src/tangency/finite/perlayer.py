"""The per-layer method: gradients in the form in which layers have them, never a whole Jacobian."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from .alone import random_like
from .contraction import contract
from .gradients import failed
from .layout import Layout, Seen, layout_of, look_at
from .request import Blocks, Done, Request, cut
from .store import Store, WrongGradientsError, fill
from .subject import ModuleError


def prepared(request: Request) -> Layout:
    """What to do with each layer, from passes over two of the inputs.

    Every parameter's gradient is compared with autograd's own: a layer that does not keep inputs
    along the first axis, say, is left to the plain way.

    Raises:
        ModuleError: the module cannot be followed layer by layer.
    """
    subject, x = request.subject, request.probe
    try:
        seen = look_at(subject, x)
    except MemoryError:
        raise
    except Exception as error:
        raise _unfollowed(failed("differentiate", x, error)) from error
    direction = random_like(subject, (1, request.count))
    while True:
        layout = _layout(request, seen)
        try:
            one = dataclasses.replace(layout, directions=1)
            fill(subject, one, x, direction, len(x), lambda n: None)
        except WrongGradientsError as error:
            seen = _without(request, seen, layout, error)
        else:
            return dataclasses.replace(layout, seen=seen, checked=True)


def blocks_of(request: Request, layout: Layout) -> Blocks:
    """How the kernel is cut so that it fits in the budget."""
    itemsize = request.subject.itemsize
    kept, largest = layout.activation_bytes
    rest = sum(layout.dense[name] for name in layout.rest)
    # Autograd's own temporaries: gradients at the input and output of the largest layer, copies.
    working = kept + 4 * largest + 2 * request.count * rest * itemsize
    return cut(request, layout.numbers * itemsize, working, "layers")


def by_layers(request: Request, layout: Layout, done: Done) -> Tensor:
    """The kernel; `done` is told how many inputs have been through a backward pass.

    A parameter whose gradients turn out wrong for some inputs is left to the plain way from then
    on, and all is computed again.

    Raises:
        ModuleError: the module cannot be followed layer by layer on these inputs.
        MemoryLimitError: the plain way, where it is needed, does not fit.
    """
    while True:
        try:
            return _by_layers(request, layout, done)
        except WrongGradientsError as error:
            assert layout.seen is not None
            seen = _without(request, layout.seen, layout, error)
            layout = dataclasses.replace(_layout(request, seen), seen=seen)


def _by_layers(request: Request, layout: Layout, done: Done) -> Tensor:
    plan = blocks_of(request, layout)

    def gradients(x: Tensor) -> Store:
        return fill(request.subject, layout, x, request.directions, plan.at_once, done)

    def add(block: Tensor, left: Store, right: Store) -> None:
        contract(layout, left, right, block, request.outputs, plan.scratch)

    return request.assembled(plan, gradients, add)


def _layout(request: Request, seen: Seen) -> Layout:
    full = request.outputs == "full"
    return layout_of(request.subject, seen, request.pairs, request.count, full)


def _without(request: Request, seen: Seen, layout: Layout, error: WrongGradientsError) -> Seen:
    """What was seen, without what was wrong."""
    new = error.names - set(layout.rest)
    if new:
        return dataclasses.replace(seen, elsewhere=seen.elsewhere | new)
    if error.names and request.subject.ways.mapped:
        request.subject.ways.mapped = False
        return seen
    raise _unfollowed(error) from error


def _unfollowed(error: Exception) -> ModuleError:
    return ModuleError(f"{error}; use method='auto', 'jacobian' or 'ntvp'")
