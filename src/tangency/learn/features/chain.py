"""The layers of a network as projected maps of local features, and how they are fitted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError
from ...nets.meeting import Branching, Concatenate, Sum
from ...nets.operators import (
    Attend,
    Average,
    Embed,
    Need,
    Normalize,
    Operator,
    Pointwise,
    Positions,
    Scale,
    Shifts,
    Stack,
    Weights,
)
from ...nets.plan import Plan, Step, activations, walk
from ..lowrank import Method
from .attended import attended, embedded
from .local import Local, joined, linear
from .projection import Projection, Rows, rows_of

Array = NDArray[Any]

# Local features among which landmarks are chosen, for each landmark, and for many of them.
_CANDIDATES, _MANY = 10, (3, 10_000)
_KNOWN = (
    *(
        Attend,
        Average,
        Concatenate,
        Embed,
        Normalize,
        Pointwise,
        Positions,
        Scale,
        Shifts,
        Stack,
        Sum,
        Weights,
    ),
)


@dataclass(frozen=True, eq=False)
class Block:
    """The features of some inputs on their way through the network.

    marginals: q (n, *space) of each step that reads them, in order of evaluation, where they are
    known exactly; None takes the squared norms of the features for them, of one step or of all.
    """

    local: Local
    marginals: Sequence[Array | None] | None

    def at(self, place: int | None) -> Array | None:
        """The variances that the step of this place in the order reads."""
        return None if self.marginals is None or place is None else self.marginals[place]


@dataclass(frozen=True, eq=False)
class Linear:
    """An operator without an activation; `place` is that of its marginals."""

    operator: Operator
    place: int | None

    def __call__(self, block: Block) -> Block:
        match self.operator:
            case Attend() as attend:
                return replace(block, local=attended(attend, block.local, block.at(self.place)))
            case Embed() as embed:
                return replace(block, local=embedded(embed, block.local))
        return replace(block, local=linear(self.operator, block.local, block.at(self.place)))


@dataclass(frozen=True, eq=False)
class Projected:
    """An activation behind its projection."""

    projection: Projection
    place: int

    def __call__(self, block: Block) -> Block:
        return replace(block, local=self.projection(block.local, block.at(self.place)))


@dataclass(frozen=True, eq=False)
class Branches:
    """Branches that meet in an operator, each a chain of its own."""

    operator: Branching
    chains: tuple[Chain, ...]

    def __call__(self, block: Block) -> Block:
        ends = [chain(block).local for chain in self.chains]
        return replace(block, local=joined(self.operator, ends))


Stage = Linear | Projected | Branches


@dataclass(frozen=True, eq=False)
class Chain:
    """One stage after the other."""

    stages: tuple[Stage, ...]

    def __call__(self, block: Block) -> Block:
        for stage in self.stages:
            block = stage(block)
        return block


@dataclass
class Fit:
    """What the choice of landmarks depends on, and the numbers of them that were `found`.

    widths: landmarks at each activation, in order of evaluation. readers: the steps that read
    marginals, in the same order.
    """

    method: Method
    rng: np.random.Generator
    widths: Sequence[int]
    readers: dict[int, int]
    found: list[int] = field(default_factory=list)

    def whole(self, steps: Sequence[Step], blocks: list[Block]) -> Chain:
        """The map of a network, whose activations find their landmarks in these inputs."""
        return self.chain(steps, blocks, _last_activation(steps))[0]

    def chain(
        self, steps: Sequence[Step], blocks: list[Block], last: Step | None = None
    ) -> tuple[Chain, list[Block]]:
        """The map of these steps, and what it makes of the blocks.

        Blocks stay as they are behind the last activation so far: what leads on from there is run
        twice, to look for landmarks and to go on, so that patches are never kept. Behind the step
        `last`, nobody asks for them.
        """
        stages: list[Stage] = []
        pending: list[Stage] = []
        for step in steps:
            place = self.readers.get(id(step))
            match step.operator:
                case Pointwise(activation):
                    assert place is not None
                    before = Chain(tuple(pending))
                    width = self.widths[len(self.found)]
                    rows = self._candidates(before, blocks, place, width)
                    projection = Projection.fitted(activation, rows, width, self.method, self.rng)
                    self.found.append(len(projection.landmarks.q))
                    stage = Projected(projection, place)
                    blocks = [] if step is last else [stage(before(block)) for block in blocks]
                    stages, pending = [*stages, *pending, stage], []
                case Branching() as meeting:
                    blocks = [Chain(tuple(pending))(block) for block in blocks]
                    found = [self.chain(branch, blocks) for branch in step.branches]
                    chains = tuple(chain for chain, _ in found)
                    stages = [*stages, *pending, Branches(meeting, chains)]
                    pending = []
                    blocks = [
                        replace(parts[0], local=joined(meeting, [part.local for part in parts]))
                        for parts in zip(*(after for _, after in found), strict=True)
                    ]
                case operator:
                    pending.append(Linear(operator, place))
        blocks = [Chain(tuple(pending))(block) for block in blocks]
        return Chain((*stages, *pending)), blocks

    def _candidates(self, before: Chain, blocks: list[Block], place: int, width: int) -> Rows:
        """Local features at random positions, as many from each block as it has of all."""
        count = [len(block.local.sigma) for block in blocks]
        wanted = min(_CANDIDATES * width, max(_MANY[0] * width, _MANY[1]))
        found = []
        for block, inputs in zip(blocks, count, strict=True):
            after = before(block)
            rows = rows_of(after.local, after.at(place))
            total = len(rows.q)
            some = min(total, math.ceil(wanted * inputs / sum(count)))
            found.append(rows[np.sort(self.rng.choice(total, some, replace=False))])
        theta = None
        if found[0].theta is not None:
            theta = np.concatenate([rows.theta for rows in found if rows.theta is not None])
        sigma = np.concatenate([rows.sigma for rows in found])
        return Rows(sigma, theta, found[0].shared, np.concatenate([rows.q for rows in found]))


def readers(steps: Sequence[Step]) -> dict[int, int]:
    """The place in the order of evaluation of each step that reads marginals, by its id."""
    return {id(s): place for place, s in enumerate(s for s in walk(steps) if s.reads_marginals)}


def covered(plan_: Plan) -> bool:
    """Whether all operators of a network act on features of finitely many numbers."""
    return not any(map(_unknown, walk(plan_.steps)))


def check_covered(plan_: Plan) -> None:
    """Raise `NetworkError` for an operator that acts on no features of finitely many numbers."""
    for step in walk(plan_.steps):
        if reason := _unknown(step):
            raise NetworkError(
                f"LayerwiseFeatures knows no feature map of {step.layer!r} ({reason}); "
                "NystromFeatures approximates any kernel"
            )


def _unknown(step: Step) -> str | None:
    """Why there are no features behind a step; None where there are."""
    match step.operator:
        case Weights(shared=False) if step.need_out is Need.FULL:
            return "other weights at each position, and later layers mix positions"
        case operator if not isinstance(operator, _KNOWN):
            return type(operator).__name__
    return None


def numbers(steps: Sequence[Step], channels: int, widths: Sequence[int], tangent: bool) -> int:
    """The most numbers that the features of one input take at any step."""
    found = _sizes(steps, (channels, 0), iter(widths), tangent)
    return max((math.prod(step.space_out) * sum(sizes) for step, sizes in found), default=1)


def held(steps: Sequence[Step], channels: int, widths: Sequence[int], tangent: bool) -> int:
    """The most numbers of one input that `Fit.chain` holds behind an activation."""
    last = _last_activation(steps)
    found = _sizes(steps, (channels, 0), iter(widths), tangent)
    kept = (
        math.prod(step.space_out) * sum(sizes)
        for step, sizes in found
        if isinstance(step.operator, Pointwise) and step is not last
    )
    return max(kept, default=1)


def features_out(steps: Sequence[Step], channels: int, widths: Sequence[int], tangent: bool) -> int:
    """How many features the chain gives for the kernel: those of Θ, or of Σ."""
    found = list(_sizes(steps, (channels, 0), iter(widths), tangent))
    return found[-1][1][tangent] if found else channels


def _sizes(
    steps: Sequence[Step], sizes: tuple[int, int], widths: Iterator[int], tangent: bool
) -> Iterator[tuple[Step, tuple[int, int]]]:
    """Features of Σ and Θ behind each step, those of branches before their sum."""
    for step in steps:
        sigma, theta = sizes
        match step.operator:
            case Shifts(geometry):
                sizes = sigma * geometry.count, theta * geometry.count
            case Stack(maps):
                sizes = sigma * len(maps), theta * len(maps)
            case Positions():
                count = math.prod(step.space_in)
                sizes = sigma * count, theta * count
            case Embed(trainable=trained):
                count = math.prod(step.space_in)
                sizes = sigma + count, theta + count * (tangent and trained)
            case Weights() as weights:
                before, sigma = sigma, sigma + int(weights.bias_std > 0)
                own = sigma if weights.usual else before + 1
                sizes = sigma, theta + (own if tangent and weights.trainable else 0)
            case Pointwise():
                width = next(widths)
                sizes = width, width if theta else 0
            case Branching():
                ends = []
                for branch in step.branches:
                    inside = list(_sizes(branch, sizes, widths, tangent))
                    yield from inside
                    ends.append(inside[-1][1] if inside else sizes)
                sizes = sum(end[0] for end in ends), sum(end[1] for end in ends)
        yield step, sizes


def _last_activation(steps: Sequence[Step]) -> Step | None:
    """The last step with activations in it, if it is one itself and no sum of branches."""
    found = [step for step in steps if activations([step])]
    return found[-1] if found and isinstance(found[-1].operator, Pointwise) else None
