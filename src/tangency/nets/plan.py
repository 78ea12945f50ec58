"""A network worked out for one input shape: what each operator does to Σ, and how much it needs.

Interpreters walk this plan. A covariance between two signals on a grid is needed in full, Σ[u,u']
for all pairs of positions, only below an operator that mixes positions of one signal (pooling);
elsewhere its diagonal Σ[u,u] is enough, or nothing at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..errors import NetworkError
from .activations import ActivationLayer
from .attached import Attached, check_attached
from .base import Layer, lowered
from .geometry import Box, Points
from .meeting import Branching
from .operators import Attend, Drop, Need, Normalize, Operator, Pointwise, Shifts, Weights
from .signal import Signal, input_signal
from .structure import Sequential

__all__ = [
    "Need",
    "Plan",
    "Step",
    "activations",
    "evaluations",
    "has_masks",
    "joined",
    "plan",
    "walk",
]


@dataclass(frozen=True, eq=False)
class Step:
    """One operator on one grid.

    Attributes:
        operator: the operator.
        layer: the layer that it is a part of, which messages name and nothing else asks.
        part: its place among the operators of that layer.
        space_in, space_out: the grid before and after.
        need_in, need_out: what must be known of Σ before and after.
        branches: the steps of the branches of a `Branching`; those of an identity are ().
    """

    operator: Operator
    layer: Layer
    part: int
    space_in: tuple[int, ...]
    space_out: tuple[int, ...]
    need_in: Need
    need_out: Need
    branches: tuple[tuple[Step, ...], ...] = ()

    @property
    def marginal_entries(self) -> int:
        """How many numbers of each input alone the operator reads."""
        size = math.prod(self.space_in) * self.reads_marginals
        return size * size if isinstance(self.operator, Attend) else size

    @property
    def reads_marginals(self) -> bool:
        """The operator divides by, or depends on, what each input has alone."""
        return isinstance(self.operator, Pointwise | Normalize | Attend)


@dataclass(frozen=True, eq=False)
class Plan:
    """All steps of a network for inputs of shape (*space, channels).

    attached: what arrays hold in channels beside those of the values; None for nothing.
    """

    net: Sequential
    input_shape: tuple[int, ...]
    steps: tuple[Step, ...]
    need_in: Need
    space_out: tuple[int, ...]
    attached: Attached | None = None

    @property
    def space(self) -> tuple[int, ...]:
        return self.input_shape[:-1]

    def of(self, net: Sequential, need: Need = Need.DIAGONAL) -> Plan:
        """That of another network, or for another need, for the same inputs."""
        return plan(net, self.input_shape, need, self.attached)


@lru_cache(maxsize=64)
def plan(
    net: Sequential,
    input_shape: tuple[int, ...],
    need: Need = Need.DIAGONAL,
    attached: Attached | None = None,
) -> Plan:
    """The plan of `net`, for a result of which `need` must be known.

    Raises:
        NetworkError: layers that do not fit the input shape, or what is attached to inputs.
    """
    signal = input_signal(input_shape)
    net.infer(signal)
    steps, need_in, out = _steps(net, signal, need)
    for step in walk(steps):
        check_attached(step, attached)
    return Plan(net, tuple(input_shape), steps, need_in, out.space, attached)


def _steps(net: Sequential, signal: Signal, need: Need) -> tuple[tuple[Step, ...], Need, Signal]:
    """The steps of a chain, what it needs of its input, and what leaves it."""
    parts: list[tuple[Layer, int, Operator, Signal, Signal]] = []
    for layer in net.layers:
        for part, operator in enumerate(lowered(layer, signal.space)):
            before, signal = signal, operator.after(signal)
            parts.append((layer, part, operator, before, signal))
    steps = []
    for layer, part, operator, before, after in reversed(parts):
        branches: tuple[tuple[Step, ...], ...] = ()
        need_in = operator.need(need)
        if isinstance(operator, Branching):
            found = [_steps(branch, before, need) for branch in operator.branches]
            branches, need_in = tuple(f[0] for f in found), max(f[1] for f in found)
        steps.append(
            Step(operator, layer, part, before.space, after.space, need_in, need, branches)
        )
        need = need_in
    return tuple(reversed(steps)), need, signal


def walk(steps: Sequence[Step]) -> Iterator[Step]:
    """All steps, those of branches included (in their order, before the sum itself)."""
    for step in steps:
        for branch in step.branches:
            yield from walk(branch)
        yield step


def has_masks(plan_: Plan) -> bool:
    """Whether inputs meet themselves under random masks, and equal ones do not (`Drop`)."""
    return any(isinstance(step.operator, Drop) for step in walk(plan_.steps))


def activations(steps: Sequence[Step]) -> list[ActivationLayer]:
    """The activations of a network, in order of evaluation."""
    return [s.operator.activation for s in walk(steps) if isinstance(s.operator, Pointwise)]


def joined(steps: Sequence[Step]) -> Iterator[tuple[Step, Box | Points | None]]:
    """The steps without `Shifts`, each of which comes with the weights that follow it.

    Raises:
        NetworkError: patches that no weights follow.
    """
    patch: Step | None = None
    for step in steps:
        if patch is not None and not isinstance(step.operator, Weights):
            break
        if isinstance(step.operator, Shifts):
            patch = step
            continue
        yield step, patch.operator.geometry if patch is not None else None  # type: ignore[attr-defined]
        patch = None
    if patch is not None:
        raise NetworkError(f"{type(patch.layer).__name__} makes patches that no weights follow")


def evaluations(plan_: Plan) -> int:
    """How often the duals of activations are evaluated for one pair of inputs.

    Once at each position, or at each pair of positions where pooling follows.

    >>> from tangency.nets import parse
    >>> evaluations(plan(parse("conv3 relu gap dense"), (8, 8, 1)))
    4096
    """
    counts = (
        math.prod(step.space_in) ** (2 if step.need_in is Need.FULL else 1)
        for step in walk(plan_.steps)
        if isinstance(step.operator, Pointwise)
    )
    return sum(counts)
