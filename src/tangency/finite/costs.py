"""What each method would cost, and which one is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..checks import choice
from ..engines.tiles import size_text
from ..errors import MemoryLimitError
from ..results import Table
from .layout import Layout, Step
from .perlayer import blocks_of, prepared
from .plain import jacobian_blocks, product_copies, product_rows
from .request import Request, activation_bytes
from .subject import ModuleError

if TYPE_CHECKING:
    from .request import Blocks

METHODS = ("auto", "jacobian", "ntvp", "layers")


@dataclass(frozen=True)
class Estimate:
    """One method's price.

    Attributes:
        method: its name.
        operations: multiply-adds, all passes through the module included.
        memory: bytes, the result included; the module and the inputs are not.
        obstacle: why it cannot be taken; None if it can.
    """

    method: str
    operations: float
    memory: float
    obstacle: str | None = None


@dataclass(frozen=True, eq=False)
class MethodChoice:
    """The method for an empirical kernel and the costs of all; made by `explain_ntk`.

    Attributes:
        method, reason: what is taken, and why.
        estimates: every method's price.
        layers: for each parameter, in words, how the per-layer method treats it.
        layout: the per-layer method's plan.
        activations: bytes kept for one input of a backward pass, and the largest tensor.
    """

    method: str
    reason: str
    estimates: tuple[Estimate, ...]
    layers: tuple[tuple[str, str, int], ...]
    layout: Layout
    activations: tuple[int, int]

    @property
    def title(self) -> str:
        return "How the empirical kernel is computed"

    @property
    def reading(self) -> str:
        return (
            "Multiply-adds are counted from the shapes of the layers; the method with the fewest "
            "among those that fit in memory is taken."
        )

    @property
    def summary(self) -> str:
        return f"{self.method}: {self.reason}."

    def table(self) -> Table:
        """Method by method: multiply-adds, memory, and what speaks against it."""
        rows = [
            (e.method, float(e.operations), size_text(e.memory), e.obstacle or "")
            for e in self.estimates
        ]
        return Table(("method", "multiply-adds", "memory", "obstacle"), rows)

    def layer_table(self) -> Table:
        """Parameter by parameter: how the per-layer method treats it, numbers for one input."""
        return Table(("parameter", "form of its gradient", "numbers"), self.layers)

    def __str__(self) -> str:
        return f"{self.summary}\n\n{self.table()}\n\n{self.layer_table()}"


def choose(request: Request, method: str) -> MethodChoice:
    """The method that is asked for, or for "auto" the one with the fewest operations.

    Raises:
        InputError: an unknown method.
        MemoryLimitError: none fits, or not the one that was asked for.
    """
    method = choice(method, "method", METHODS)
    layout, obstacle = _layout(request, method)
    activations = activation_bytes(request.subject, request.x[:1])
    found = [_by_layers(request, layout, obstacle)]
    found += [_plain(request, layout, activations, name) for name in ("jacobian", "ntvp")]
    possible = [e for e in found if e.obstacle is None]
    if method != "auto":
        chosen, reason = method, "it was asked for"
    elif possible:
        best = min(possible, key=lambda e: e.operations)
        chosen, reason = best.method, _reason(best, possible, found)
    else:
        # Its error says how much is needed.
        chosen, reason = "ntvp", "no method fits in memory"
    words = tuple(_words(request, layout))
    return MethodChoice(chosen, reason, tuple(found), words, layout, activations)


def _layout(request: Request, method: str) -> tuple[Layout, str | None]:
    """The per-layer method's plan, and why it is impossible if it is."""
    try:
        return prepared(request), None
    except ModuleError as error:
        if method == "layers":
            raise
        nothing = Layout((), tuple(request.subject.params), {}, request.count, (0, 0))
        return nothing, str(error).split("; use method", 1)[0]


def _reason(best: Estimate, possible: list[Estimate], found: list[Estimate]) -> str:
    others = [e for e in possible if e is not best]
    if not others:
        return "the only method that fits in memory"
    second = min(others, key=lambda e: e.operations)
    times = second.operations / max(best.operations, 1)
    more = "" if len(possible) == len(found) else " of those that fit in memory"
    return f"the fewest multiply-adds{more}, {times:,.3g} times fewer than {second.method!r}"


def _by_layers(request: Request, layout: Layout, obstacle: str | None) -> Estimate:
    itemsize = request.subject.itemsize
    if obstacle is not None:
        return Estimate("layers", float("nan"), float("nan"), obstacle)
    try:
        plan = blocks_of(request, layout)
    except MemoryLimitError as error:
        return Estimate("layers", float("nan"), float("nan"), str(error).split(";", 1)[0])
    passes, held = _passes(request, plan)
    q = request.count
    rest = 3 * (1 + q) if layout.rest else 0
    through = passes * layout.products * (1 + q + rest)
    pairs = _pair_count(request)
    total = float(through)
    for step in layout.steps:
        total += _step_operations(request, step, pairs, passes)
    total += pairs * request.each * sum(layout.dense.values())
    kept, largest = layout.activation_bytes
    memory = request.result_bytes + held * layout.numbers * itemsize
    memory += plan.at_once * (kept + 4 * largest) + _scratch(layout, plan, held) * itemsize
    return Estimate("layers", total, memory)


def _step_operations(request: Request, step: Step, pairs: float, passes: int) -> float:
    """Beside the passes and the products of dense gradients."""
    t, k, c = step.sizes
    if step.form == "gram":
        return pairs * t * t * (k + c * request.each)
    if step.form is None:
        return 0.0
    out = float(passes * request.count * t * k * c)
    return out + (pairs * k * c * request.each if step.form == "factors" else 0)


def _scratch(layout: Layout, plan: Blocks, held: int) -> int:
    """Numbers for the products on the way, at most."""
    sizes = [held * s.sizes.fan_in * s.sizes.fan_out for s in layout.steps if s.form == "factors"]
    sizes += [
        3 * (held * s.sizes.positions) ** 2 + held * s.sizes.positions * s.sizes.fan_in
        for s in layout.steps
        if s.form == "gram"
    ]
    return min(plan.scratch, max(sizes, default=0) * layout.directions)


def _plain(request: Request, layout: Layout, activations: tuple[int, int], method: str) -> Estimate:
    subject, q = request.subject, request.count
    kept, largest = activations
    forward = layout.products + subject.count
    n, m = request.pairs
    try:
        if method == "jacobian":
            plan = jacobian_blocks(request, activations)
            passes, held = _passes(request, plan)
            operations = passes * forward * (1 + 2 * q)
            operations += _pair_count(request) * subject.count * request.each
            stored = q * subject.count * subject.itemsize
            memory = held * stored + plan.at_once * (q * (kept + 4 * largest) + 2 * stored)
        else:
            rows = product_rows(request, activations)
            half = (n + 1) / 2 if request.symmetric else n
            operations = m * q * forward * (3 + 3 * half)
            copies = product_copies(request)
            memory = copies * subject.count * subject.itemsize + rows * (kept + 4 * largest)
    except MemoryLimitError as error:
        return Estimate(method, float("nan"), float("nan"), str(error).split(";", 1)[0])
    return Estimate(method, float(operations), float(memory + request.result_bytes))


def _passes(request: Request, plan: Blocks) -> tuple[int, int]:
    """Inputs in backward passes, and the most whose gradients are held at a time."""
    n, m = request.pairs
    held = min(plan.held, n) + (0 if request.symmetric and plan.held >= n else min(plan.held, m))
    return plan.passes(n, m, request.symmetric), held


def _pair_count(request: Request) -> float:
    n, m = request.pairs
    # Tiles of a symmetric kernel reach a little below the diagonal.
    return n * m * 0.56 if request.symmetric and n > 64 else float(n * m)


_FORM_WORDS = {
    "gram": "Gram matrices of activations and of gradients",
    "factors": "activations and gradients, multiplied out in slices",
    "dense": "in full",
}


def _words(request: Request, layout: Layout) -> list[tuple[str, str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for step in layout.steps:
        if step.weight and step.form:
            numbers = layout.dense.get(step.weight, 0)
            if step.kept:
                t, k, c = step.sizes
                numbers = t * (k + request.count * c)
            else:
                numbers *= request.count
            found[step.weight] = (_FORM_WORDS[step.form], numbers)
        if step.bias:
            word = "with its weight" if step.merged else _FORM_WORDS["dense"]
            found[step.bias] = (word, request.count * layout.dense.get(step.bias, 0))
    for name in layout.rest:
        found[name] = ("in full, by autograd alone", request.count * layout.dense.get(name, 0))
    nothing = ("no gradient arrives", 0)
    return [(name, *found.get(name, nothing)) for name in request.subject.params]
