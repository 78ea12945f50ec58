"""Gradients of some inputs in their compact forms, filled by backward passes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .alone import check_mapped, differing, pull, random_like
from .gradients import failed
from .jacobians import jacobian
from .layout import Layout
from .matching import Call
from .recording import Recorder
from .request import blocks
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

    def total(self, rows: slice, v: Tensor) -> dict[str, Tensor]:
        """Σᵢₖ vᵢₖ gᵢₖ over some rows i and all directions k, for each parameter; v is (rows, k)."""
        found = {
            name: torch.einsum("nk,nkp->p", v, values[rows]) for name, values in self.dense.items()
        }
        for index, (a, g) in self.kept.items():
            step = self.layout.steps[index]
            mixed = torch.einsum("nk,nk...->n...", v, g[rows])
            if step.weight:
                found[step.weight] = step.kind.summed(a[rows], mixed).mul_(step.scales[0])
            if step.bias and step.merged:
                found[step.bias] = step.kind.bias_gradient(mixed).sum(dim=0).mul_(step.scales[1])
        return found


class WrongGradientsError(Exception):
    """Gradients that are not those of autograd: of these parameters, or all where none is named."""

    def __init__(self, names: set[str], reason: str) -> None:
        super().__init__(reason)
        self.names = names


def fill(
    subject: Subject,
    layout: Layout,
    x: Tensor,
    directions: Tensor,
    block: int,
    done: Callable[[int], object],
) -> Store:
    """The gradients of all of x, `block` inputs at a time.

    Each block is checked, unless its layout has been and none of its operations can mix inputs.

    Raises:
        WrongGradientsError: some are not what plain autograd gives for the inputs alone.
    """
    store = Store(subject, layout, len(x))
    for rows in blocks(len(x), block):
        try:
            apart = _fill_rows(subject, store, x[rows], rows, directions)
        except (MemoryError, torch.OutOfMemoryError, WrongGradientsError):
            raise
        except Exception as error:
            reason = str(failed("differentiate", x, error))
            raise WrongGradientsError(set(), reason) from error
        if layout.rest:
            found = jacobian(subject, x[rows], directions, layout.rest)
            for name, gradient in found.items():
                store.dense[name][rows] += gradient
        if layout.rest or not (apart and layout.checked):
            _check(subject, store, x[rows], rows, directions)
        done(rows.stop - rows.start)
    return store


def _fill_rows(subject: Subject, store: Store, x: Tensor, rows: slice, directions: Tensor) -> bool:
    """Whether it is certain, from the operations alone, that no two inputs have met."""
    k = 0
    broken: set[str] = set()

    def receive(index: int, call: Call, g: Tensor, a: Tensor | None) -> None:
        try:
            store.put(rows, k, index, call, a, g)
        except (RuntimeError, ValueError, IndexError):
            # Rows that are not those of the inputs.
            broken.update(t.name for t in (call.weight, call.bias) if t)

    recorder = Recorder(subject.params, receive)

    def action(module: torch.nn.Module) -> bool:
        nonlocal k
        copy = x.clone()
        recorder.rows.start(copy, (*module.parameters(), *module.buffers()))
        with recorder:
            out = module(copy)
        apart = recorder.rows.holds(out) and not recorder.rows.mixed
        out = subject.in_rows(out, x)
        _check_path(store.layout, recorder)
        if not out.requires_grad:
            return apart
        for k in range(len(directions)):
            v = directions[k].expand_as(out)
            last = k + 1 == len(directions)
            torch.autograd.grad(out, recorder.anchor, v, retain_graph=not last, allow_unused=True)
        return apart

    apart = subject.within({}, action)
    if broken:
        raise WrongGradientsError(broken, "rows of a layer are not those of the inputs")
    return apart


def _check(subject: Subject, store: Store, x: Tensor, rows: slice, directions: Tensor) -> None:
    """Σ vᵢₖgᵢₖ against one pass of plain autograd over the inputs, each by itself.

    Equal for random v only if every gᵢₖ is right, whatever the module does with its batch.
    """
    v = random_like(subject, (len(x), len(directions)))
    missing = {name: torch.zeros_like(p) for name, p in subject.params.items()}
    found = {**missing, **store.total(rows, v)}
    while True:
        mapped = subject.ways.mapped
        _, wanted = pull(subject, x, v @ directions)
        for name, tracked in store.layout.tracked.items():
            wanted[name] = tracked.arranged(wanted[name])
        wrong = differing({name: wanted[name].flatten() for name in found}, found)
        if not wrong:
            return
        if mapped == check_mapped(subject, x, directions.shape[1]):
            raise WrongGradientsError(wrong, "gradients are not those of the inputs alone")


def _check_path(layout: Layout, recorder: Recorder) -> None:
    """Refuses a module that does other things for other inputs."""
    if [call.signature for call in recorder.calls] != [s.signature for s in layout.steps]:
        raise WrongGradientsError(
            set(), "the module calls other layers for some inputs than for others"
        )
