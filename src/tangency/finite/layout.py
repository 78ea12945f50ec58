"""How the per-layer method goes about a module: found out from one pass over two inputs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .kinds import Elementwise, Kind, Sizes
from .matching import Call, Tracked
from .recording import Recorder
from .request import Kept
from .subject import Subject

#: Of one input, the activations (empty for a shift) and the gradient.
Shapes = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Step:
    """What becomes of one call.

    Attributes:
        kind, weight, bias: the operation, and the names of its parameters where this step is
            the one that treats them.
        scales: the factors on weight and bias.
        form: of the weight's gradient: "gram" for pairs (a, g) contracted as Gram matrices of the
            positions, "factors" for pairs multiplied out in slices, "dense" for what is kept
            multiplied out; None without a weight.
        merged: the bias comes along in the weight's Gram matrix.
        sizes: positions, fan-in, fan-out.
        input_shape, output_shape: of one input, as they are stored.
        signature: of the call.
    """

    kind: Kind
    weight: str | None
    bias: str | None
    scales: tuple[float, float]
    form: str | None
    merged: bool
    sizes: Sizes
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    signature: tuple[Any, ...]

    @property
    def products(self) -> int:
        """Multiply-adds of one input's forward pass."""
        t, k, c = self.sizes
        return t * k * c

    @property
    def kept(self) -> bool:
        return self.form in ("gram", "factors")


@dataclass(frozen=True, eq=False)
class Layout:
    """All steps, and the parameters that no step treats.

    Attributes:
        activation_bytes: kept for the backward pass of one input, and the largest of them.
        tracked: for parameters that steps treat, the layout in which they do.
        seen: what it was made from.
        checked: the gradients of two inputs have been found right.
    """

    steps: tuple[Step, ...]
    rest: tuple[str, ...]
    dense: dict[str, int]
    directions: int
    activation_bytes: tuple[int, int]
    tracked: dict[str, Tracked] = field(default_factory=dict)
    seen: Seen | None = None
    checked: bool = False

    @property
    def numbers(self) -> int:
        """How many numbers are stored for one input."""
        q = self.directions
        kept = [math.prod(s.input_shape) + q * math.prod(s.output_shape) for s in self.kept]
        return sum(kept) + q * sum(self.dense.values())

    @property
    def kept(self) -> list[Step]:
        return [step for step in self.steps if step.kept]

    @property
    def products(self) -> int:
        return sum(step.products for step in self.steps)


@dataclass
class Seen:
    """Calls as they were found, with the shapes of one input's a and g; None without gradient."""

    calls: list[Call]
    shapes: list[Shapes | None]
    elsewhere: set[str]
    activation_bytes: tuple[int, int] = (0, 0)
    used: Counter[str] = field(default_factory=Counter)


def look_at(subject: Subject, x: Tensor) -> Seen:
    """One forward and backward pass over x, for the shapes alone."""
    n = len(x)
    shapes: dict[int, Shapes] = {}
    broken: set[int] = set()

    def receive(index: int, call: Call, g: Tensor, a: Tensor | None) -> None:
        try:
            stored, g = call.kind.stored(a, g, n)
            for found in (g,) if stored is None else (g, stored):
                if len(found) != n or found.numel() == 0:
                    raise ValueError("the first axis does not count the inputs")
        except (RuntimeError, ValueError):
            broken.add(index)
            return
        shapes[index] = (() if stored is None else tuple(stored.shape[1:]), tuple(g.shape[1:]))

    recorder = Recorder(subject.params, receive)
    sizes = _run(subject, x, recorder)
    elsewhere = set(recorder.elsewhere)
    for index, call in enumerate(recorder.calls):
        if index in broken:
            elsewhere |= {t.name for t in (call.weight, call.bias) if t}
    shapes_ = [shapes.get(i) for i in range(len(recorder.calls))]
    return Seen(recorder.calls, shapes_, elsewhere, sizes)


def _run(subject: Subject, x: Tensor, recorder: Recorder) -> tuple[int, int]:
    """Bytes that autograd keeps for one input, and the largest tensor among them."""

    def action(module: torch.nn.Module) -> tuple[int, int]:
        kept = Kept(module)
        with kept.hooks, recorder:
            out = subject.evaluated(module, x)
        if out.requires_grad:
            torch.autograd.grad(out, recorder.anchor, torch.ones_like(out), allow_unused=True)
        return kept.each(len(x))

    return subject.within({}, action)


def layout_of(
    subject: Subject, seen: Seen, pairs: tuple[int, int], directions: int, full: bool
) -> Layout:
    """Chooses the form of each gradient for a kernel of so many rows and columns.

    A Gram matrix of positions where it takes fewer multiply-adds than the product of gradients;
    otherwise pairs (a, g) or the gradients themselves, whichever are fewer numbers.
    """
    rest = _rest(subject, seen)
    uses: Counter[str] = Counter()
    for call in seen.calls:
        uses.update(t.name for t in (call.weight, call.bias) if t)
    steps, dense = [], {}
    for call, shapes in zip(seen.calls, seen.shapes, strict=True):
        step = _step(call, shapes, uses, rest, pairs, directions, full)
        steps.append(step)
        if step.form == "dense" and step.weight:
            dense[step.weight] = subject.params[step.weight].numel()
        if step.bias and not step.merged:
            dense[step.bias] = subject.params[step.bias].numel()
    for name in rest:
        dense[name] = subject.params[name].numel()
    used = [t for call in seen.calls for t in (call.weight, call.bias) if t]
    tracked = {t.name: t for t in used if t.name not in rest}
    return Layout(tuple(steps), rest, dense, directions, seen.activation_bytes, tracked)


def _rest(subject: Subject, seen: Seen) -> tuple[str, ...]:
    """Parameters used in a way that is not understood, or not seen at all."""
    layouts: dict[str, set[Any]] = {}
    for call in seen.calls:
        for role, t in (("weight", call.weight), ("bias", call.bias)):
            if t:
                layouts.setdefault(t.name, set()).add((type(call.kind), role, t.layout))
    mixed = {name for name, found in layouts.items() if len(found) > 1}
    return tuple(
        name
        for name in subject.params
        if name not in layouts or name in mixed or name in seen.elsewhere
    )


def _step(
    call: Call,
    shapes: Shapes | None,
    uses: Counter[str],
    rest: Sequence[str],
    pairs: tuple[int, int],
    directions: int,
    full: bool,
) -> Step:
    treated = (t if t and t.name not in rest else None for t in (call.weight, call.bias))
    # Where no gradient arrives there is nothing to store; it is checked that none is missed.
    weight, bias = treated if shapes else (None, None)
    a, g = shapes or ((), ())
    sizes = _sizes(call.kind, a, g)
    form = None
    if weight:
        shared = uses[weight.name] > 1 or not call.kind.factored
        form = "dense" if shared else _form(call.kind, a, g, sizes, pairs, directions, full)
    merged = bool(bias and form == "gram" and sizes.positions == 1 and uses[bias.name] == 1)
    return Step(
        call.kind,
        weight.name if weight else None,
        bias.name if bias else None,
        (weight.scale if weight else 1.0, bias.scale if bias else 1.0),
        form,
        merged,
        sizes,
        a if weight else (),
        g,
        call.signature,
    )


def _sizes(kind: Kind, a: tuple[int, ...], g: tuple[int, ...]) -> Sizes:
    if isinstance(kind, Elementwise) or not g:
        return Sizes(math.prod(g), 1, 1)
    if hasattr(kind, "shape"):
        shape: tuple[int, ...] = kind.shape  # type: ignore[attr-defined]
        space = a[1:] if a and not kind.factored else g[1:]
        return Sizes(math.prod(space), math.prod(shape[1:]), shape[0])
    return Sizes(g[0], a[-1] if a else 1, g[-1])


def _form(
    kind: Kind,
    a: tuple[int, ...],
    g: tuple[int, ...],
    sizes: Sizes,
    pairs: tuple[int, int],
    directions: int,
    full: bool,
) -> str:
    (t, k, c), (n, m), q = sizes, pairs, directions
    each = q * q if full else q
    gram = n * m * t * t * (k + c * each)
    product = (n + m) * q * t * k * c + n * m * k * c * each
    # Positions and pairs of outputs at once would be an array of six axes.
    if kind.sliceable and gram < product and (t == 1 or not full):
        return "gram"
    numbers = math.prod(a) + q * math.prod(g)
    return "factors" if kind.sliceable and numbers < q * k * c else "dense"
