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
from .engine import Computing, KernelPair, Wanted
from .order import REFERENCE
from .prepared import Prepared
from .pulling import Total, pull_marginals, pull_tiles, pull_twins, pull_weights, without
from .select import select
from .twins import twins


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
        total = Total(leaves, parameters)
        plan = self.plan_with(parameters)
        numbers = plan.of(numbers_only(plan.net)) if parameters else plan
        first, second = Prepared(x.detach()), None if y is None else Prepared(y.detach())
        arrays = [given.inputs for given in (first, second) if given is not None]
        engine = select(numbers, *arrays, engine=self.computing.engine).engine
        wants = any(needs[len(leaves) - len(parameters) :])
        pulled = None
        if not (wants and _elsewhere(plan, parameters)):
            found = twins(first, second)
            rest = without(pair, found, y is None)
            pulled = engine.pull(numbers, first, second, rest, self.computing, wants)
        if pulled is None:
            pull_tiles(total, plan, x, y, pair, self.computing)
            return total.found
        total.add([x], [torch.from_numpy(pulled.x)])
        if y is not None and pulled.y is not None:
            total.add([y], [torch.from_numpy(pulled.y)])
        if wants:
            pull_weights(total, plan, pulled)
        for each in found:
            pull_twins(total, plan, x, x if y is None else y, pair, each, y is None)
        pull_marginals(total, plan, x, pulled.marginals_x)
        if y is not None and pulled.marginals_y is not None:
            pull_marginals(total, plan, y, pulled.marginals_y)
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
            # A kernel may depend on none of them: the NTK of a frozen network is zero.
            used = [(v, g) for v, g in zip(values, cotangents, strict=True) if v.requires_grad]
            if not used:
                return None, *(
                    torch.zeros_like(x) if need else None
                    for x, need in zip(leaves, needs, strict=True)
                )
            ends, given = zip(*used, strict=True)
            found = iter(
                torch.autograd.grad(ends, wanted, given, create_graph=kept, allow_unused=True)
            )
            return None, *(next(found) if need else None for need in needs)

    return Gram
