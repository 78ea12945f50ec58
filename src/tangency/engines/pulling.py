"""Ways back from gradients in kernel matrices, by the reference recursion under PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..nets.operators import Weights
from ..nets.plan import Plan, walk
from . import reference
from .driver import marginals, triangle
from .engine import Computing, KernelPair, Pulled
from .memory import default_budget
from .overflow import quiet
from .tiles import tiles
from .twins import Twins


class Total:
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


def pull_tiles(
    total: Total, plan: Plan, x: Any, y: Any | None, pair: KernelPair, computing: Computing
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
    pull_marginals(total, plan, x, back_left)
    if y is not None:
        pull_marginals(total, plan, y, back_right)


def without(pair: tuple[Any, Any], found: Sequence[Twins], symmetric: bool) -> KernelPair:
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


def pull_twins(
    total: Total, plan: Plan, x: Any, z: Any, pair: Any, equal: Twins, symmetric: bool
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


def pull_weights(total: Total, plan: Plan, pulled: Pulled) -> None:
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


def pull_marginals(total: Total, plan: Plan, x: Any, cotangents: Sequence[Any]) -> None:
    """Through what is read of each input alone, some inputs at a time."""
    import torch

    if not cotangents or not any(leaf.requires_grad for leaf in [x, *total.parameters]):
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
