"""Kernel matrices under PyTorch: any engine forward, and a backward pass that keeps nothing more.

What is kept are the inputs. The backward pass walks all pairs once more, a tile at a time, so that
it needs as little memory as a call without gradients: an engine that can does so in loops of its
own (`Engine.pull`), else the reference recursion is differentiated tile by tile. Where the
backward pass is to be differentiated itself, the recursion keeps all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ..nets.meeting import Branching
from ..nets.operators import Weights
from ..nets.parameters import numbers_only, tensors, with_tensors
from ..nets.plan import Plan, has_masks, walk
from . import reference
from .driver import marginals, triangle
from .engine import Computing, KernelPair, Pulled, Wanted
from .memory import default_budget
from .order import REFERENCE
from .overflow import quiet
from .prepared import Prepared
from .select import select
from .tiles import tiles
from .twins import Twins, twins


def gram(
    plan: Plan, first: Prepared, second: Prepared | None, wanted: Wanted, computing: Computing
) -> KernelPair:
    """As `Engine.gram`, of tensors, with a graph for what wants a gradient."""
    x, y = first.inputs, None if second is None else second.inputs
    found = list({id(tensor): tensor for tensor in tensors(plan.net)}.values())
    job = _Job(plan, wanted, computing, y is None, found)
    leaves = [x, *([] if y is None else [y]), *found]
    values = iter(_function().apply(job, *leaves))
    return KernelPair(*(next(values) if each else None for each in wanted))


class _Job:
    """One call: what is not a tensor of it, and how its tensors are put together."""

    def __init__(
        self,
        plan: Plan,
        wanted: Wanted,
        computing: Computing,
        symmetric: bool,
        parameters: Sequence[Any],
    ) -> None:
        self.plan, self.wanted, self.computing = plan, wanted, computing
        self.symmetric, self.parameters = symmetric, parameters

    def split(self, leaves: Sequence[Any]) -> tuple[Any, Any | None, Sequence[Any]]:
        """The inputs, the second inputs, and the parameters among the tensors of the call."""
        if self.symmetric:
            return leaves[0], None, leaves[1:]
        return leaves[0], leaves[1], leaves[2:]

    def plan_with(self, parameters: Sequence[Any]) -> Plan:
        """The plan with other tensors in the places of the network's own."""
        if not parameters:
            return self.plan
        places = {id(old): new for old, new in zip(self.parameters, parameters, strict=True)}
        return self.plan.of(with_tensors(self.plan.net, lambda tensor: places[id(tensor)]))

    def forward(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        x, y, _ = self.split([leaf.detach() for leaf in leaves])
        plan = self.plan.of(numbers_only(self.plan.net)) if self.parameters else self.plan
        first, second = Prepared(x), None if y is None else Prepared(y)
        arrays = [x] if y is None else [x, y]
        engine = select(plan, *arrays, engine=self.computing.engine).engine
        pair = engine.gram(plan, first, second, self.wanted, self.computing)
        return tuple(k for k in pair if k is not None)

    def graph(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """The same by the reference engine, which keeps all of it."""
        x, y, parameters = self.split(leaves)
        first, second = Prepared(x), None if y is None else Prepared(y)
        plan = self.plan_with(parameters)
        pair = REFERENCE.gram(plan, first, second, self.wanted, self.computing)
        return tuple(k for k in pair if k is not None)

    def backward(
        self, leaves: Sequence[Any], needs: Sequence[bool], cotangents: Sequence[Any]
    ) -> list[Any]:
        """The gradients in the tensors of the call that need one; None for others."""
        import torch

        given = iter(cotangents)
        pair = KernelPair(*(next(given) if each else None for each in self.wanted))
        leaves = [
            leaf.detach().requires_grad_(need) for leaf, need in zip(leaves, needs, strict=True)
        ]
        x, y, parameters = self.split(leaves)
        total = _Total(leaves, parameters)
        plan = self.plan_with(parameters)
        numbers = plan.of(numbers_only(plan.net)) if parameters else plan
        first, second = Prepared(x.detach()), None if y is None else Prepared(y.detach())
        arrays = [given.inputs for given in (first, second) if given is not None]
        engine = select(numbers, *arrays, engine=self.computing.engine).engine
        wants = any(needs[len(leaves) - len(parameters) :])
        pulled = None
        if not (wants and _elsewhere(plan, parameters)):
            found = twins(first, second)
            rest = _without(pair, found, y is None)
            pulled = engine.pull(numbers, first, second, rest, self.computing, wants)
        if pulled is None:
            _pull_tiles(total, plan, x, y, pair, self.computing)
            return total.found
        total.add([x], [torch.from_numpy(pulled.x)])
        if y is not None and pulled.y is not None:
            total.add([y], [torch.from_numpy(pulled.y)])
        if wants:
            _pull_weights(total, plan, pulled)
        for each in found:
            _pull_twins(total, plan, x, x if y is None else y, pair, each, y is None)
        _pull_marginals(total, plan, x, pulled.marginals_x)
        if y is not None and pulled.marginals_y is not None:
            _pull_marginals(total, plan, y, pulled.marginals_y)
        return total.found


def _elsewhere(plan: Plan, parameters: Sequence[Any]) -> bool:
    """A parameter that wants a gradient is in another place than weights or biases."""
    operators = [step.operator for step in walk(plan.steps)]
    usual = [each for each in operators if isinstance(each, Weights) and each.usual]
    weights = {id(value) for each in usual for value in (each.weight_std, each.bias_std)}
    others = {
        id(tensor)
        for operator in operators
        if operator not in usual and not isinstance(operator, Branching)
        for value in vars(operator).values()
        for tensor in tensors(value)
    }
    wanted = {id(p) for p in parameters if p.requires_grad}
    return bool(wanted - weights or wanted & others)


class _Total:
    """Gradients in some tensors, as far as they were added up."""

    def __init__(self, leaves: Sequence[Any], parameters: Sequence[Any]) -> None:
        self.leaves, self.parameters = leaves, parameters
        self.found: list[Any] = [None] * len(leaves)

    def add(self, leaves: Sequence[Any], gradients: Sequence[Any]) -> None:
        places = {id(leaf): k for k, leaf in enumerate(self.leaves)}
        for leaf, gradient in zip(leaves, gradients, strict=True):
            if gradient is None or not leaf.requires_grad:
                continue
            k = places[id(leaf)]
            gradient = gradient.reshape(leaf.shape)
            self.found[k] = gradient if self.found[k] is None else self.found[k] + gradient

    def add_rows(self, leaf: Any, rows: Any, gradient: Any) -> None:
        """The gradient in some inputs of a set."""
        import torch

        if gradient is None or not leaf.requires_grad:
            return
        k = next(k for k, each in enumerate(self.leaves) if each is leaf)
        if self.found[k] is None:
            self.found[k] = torch.zeros_like(leaf)
        self.found[k][rows] += gradient

    def through(self, values: Sequence[Any], cotangents: Sequence[Any], others: Any = ()) -> Any:
        """Adds what goes through some values into the parameters; gives what goes into `others`."""
        import torch

        own = [leaf for leaf in self.parameters if leaf.requires_grad]
        used = [(v, g) for v, g in zip(values, cotangents, strict=True) if v.requires_grad]
        wanted = [*others, *own]
        if not used or not wanted:
            return [None] * len(others)
        found = torch.autograd.grad(
            [v for v, _ in used], wanted, [g for _, g in used], allow_unused=True
        )
        self.add(own, found[len(others) :])
        return found[: len(others)]


def _pull_tiles(
    total: _Total, plan: Plan, x: Any, y: Any | None, pair: KernelPair, computing: Computing
) -> None:
    """Through all pairs, by the reference recursion under PyTorch, a tile at a time."""
    import torch

    z = x if y is None else y
    budget = default_budget(x) if computing.max_memory is None else computing.max_memory
    size, kinds = x.element_size(), sum(k is not None for k in pair)
    grid = tiles(plan, len(x), len(z), size, budget, y is None, True, kinds, kept=False)
    with torch.no_grad(), quiet():
        left = [q.requires_grad_() for q in marginals(plan, x.detach(), grid.side)]
        right = (
            left
            if y is None
            else [q.requires_grad_() for q in marginals(plan, z.detach(), grid.side)]
        )
    back_left = [torch.zeros_like(q) for q in left]
    back_right = back_left if y is None else [torch.zeros_like(q) for q in right]
    for rows, cols in grid:
        with torch.enable_grad(), quiet():
            one, two = (part.detach().requires_grad_() for part in (x[rows], z[cols]))
            q1, q2 = (
                [q[part].detach().requires_grad_() for q in side]
                for side, part in ((left, rows), (right, cols))
            )
            values = reference.block(plan, one, two, q1, q2, pair.ntk is not None)
        used = [
            (value, triangle(cotangent, rows, cols, grid))
            for value, cotangent in zip(values, pair, strict=True)
            if value is not None and cotangent is not None
        ]
        places = [one, two, *q1, *q2]
        found = total.through([v for v, _ in used], [g for _, g in used], places)
        total.add_rows(x, rows, found[0])
        total.add_rows(z, cols, found[1])
        for back, part, gradients in (
            (back_left, rows, found[2 : 2 + len(q1)]),
            (back_right, cols, found[2 + len(q1) :]),
        ):
            for sums, gradient in zip(back, gradients, strict=True):
                if gradient is not None:
                    sums[part] += gradient
    _pull_marginals(total, plan, x, back_left)
    if y is not None:
        _pull_marginals(total, plan, y, back_right)


def _without(pair: tuple[Any, Any], found: Sequence[Twins], symmetric: bool) -> KernelPair:
    """Cotangents without those of equal inputs, but for the diagonal of a symmetric matrix."""
    if not found:
        return KernelPair(*pair)
    copies = [None if k is None else k.clone() for k in pair]
    for k in (k for k in copies if k is not None):
        for rows, columns in found:
            kept = k[rows, rows].clone() if symmetric else None
            k[rows[:, None], columns[None, :]] = 0
            if kept is not None:
                k[rows, rows] = kept
    return KernelPair(*copies)


def _pull_twins(
    total: _Total, plan: Plan, x: Any, z: Any, pair: Any, equal: Twins, symmetric: bool
) -> None:
    """Through pairs of inputs that are equal: there the recursion takes c as 1, not as it comes."""
    import torch

    one, two = (side[part[:1]].detach() for side, part in zip((x, z), equal, strict=True))
    for place, cotangent in enumerate(pair):
        if cotangent is None:
            continue
        given = cotangent[equal.rows[:, None], equal.columns[None, :]]
        if symmetric:
            given = given - torch.diag(torch.diagonal(given))
        with torch.enable_grad(), quiet():
            left, right = one.clone().requires_grad_(), two.clone().requires_grad_()
            q1, q2 = (reference.marginals(plan, side) for side in (left, right))
            value = reference.block(plan, left, right, q1, q2, place == 1)[place]
        if value is None:
            continue
        # The parameters take all pairs of the group, the inputs each its own.
        own = [p for p in total.parameters if p.requires_grad]
        ones = torch.ones_like(value)
        found = torch.autograd.grad(value, [left, right, *own], ones, allow_unused=True)
        total.add(own, [None if g is None else given.sum() * g for g in found[2:]])
        shape = (-1, *(1,) * (x.ndim - 1))
        for side, part, gradient, axis in (
            (x, equal.rows, found[0], 1),
            (z, equal.columns, found[1], 0),
        ):
            if gradient is not None:
                total.add_rows(side, part, given.sum(dim=axis).reshape(shape) * gradient)


def _pull_weights(total: _Total, plan: Plan, pulled: Pulled) -> None:
    """From gradients in w²/fan and b² of each step with weights to those in w and b."""
    import torch

    steps = [s.operator for s in walk(plan.steps) if isinstance(s.operator, Weights)]
    values, cotangents = [], []
    with torch.enable_grad():
        for weights, found in zip(steps, pulled.weights, strict=True):
            scale = weights.weight_std * weights.weight_std * (1.0 / weights.fan)
            for value, cotangent in zip(
                (scale, weights.bias_std * weights.bias_std), found, strict=True
            ):
                if getattr(value, "requires_grad", False):
                    values.append(value)
                    cotangents.append(torch.as_tensor(cotangent, dtype=value.dtype))
    total.through(values, cotangents)


def _pull_marginals(total: _Total, plan: Plan, x: Any, cotangents: Sequence[Any]) -> None:
    """Through what is read of each input alone, some inputs at a time."""
    import torch

    if not cotangents or not any(leaf.requires_grad for leaf in total.leaves):
        return
    cotangents = [torch.as_tensor(c) for c in cotangents]
    budget = default_budget(x)
    grid = tiles(plan, len(x), 1, x.element_size(), budget, False, True, kept=False)
    step = max(1, grid.side * grid.side)
    for i in range(0, len(x), step):
        rows = slice(i, min(i + step, len(x)))
        with torch.enable_grad(), quiet():
            some = x[rows].detach().requires_grad_()
            found = reference.marginals(plan, some)
        (gradient,) = total.through(found, [c[rows] for c in cotangents], [some])
        total.add_rows(x, rows, gradient)


@lru_cache(maxsize=1)
def _function() -> Any:
    """The function whose backward pass this is; PyTorch is loaded when it is first used."""
    import torch

    class Gram(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, job: _Job, *leaves: Any) -> tuple[Any, ...]:
            ctx.job = job
            ctx.save_for_backward(*leaves)
            return job.forward(leaves)

        @staticmethod
        def backward(ctx: Any, *cotangents: Any) -> tuple[Any, ...]:
            leaves, needs = ctx.saved_tensors, ctx.needs_input_grad[1:]
            kept = torch.is_grad_enabled()
            # Under masks of their own, inputs with themselves are no pairs like others.
            if not kept and not has_masks(ctx.job.plan):
                return None, *ctx.job.backward(leaves, needs, cotangents)
            with torch.enable_grad():
                # Views, as a tensor of the call may be a function of another one.
                leaves = [leaf.view_as(leaf) if kept else leaf.detach() for leaf in leaves]
                leaves = [
                    leaf.requires_grad_() if need and not kept else leaf
                    for leaf, need in zip(leaves, needs, strict=True)
                ]
                values = ctx.job.graph(leaves)
            wanted = [leaf for leaf, need in zip(leaves, needs, strict=True) if need]
            found = iter(
                torch.autograd.grad(
                    values, wanted, cotangents, create_graph=kept, allow_unused=True
                )
            )
            return None, *(next(found) if need else None for need in needs)

    return Gram
