"""The operators on blocks of pairs: the recursion of Σ and Θ, one compiled loop after another."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...nets.meeting import Branching
from ...nets.operators import (
    Aggregate,
    Attend,
    Average,
    Drop,
    Embed,
    Need,
    Normalize,
    Pointwise,
    Positions,
    Scale,
    Shifts,
    Stack,
    Weights,
)
from ...nets.plan import Plan, Step, walk
from ..fused.scalars import SERIES
from . import linear, loops
from .each import Dual, Known, attention, dual_of, mean_over_space, pad_maps
from .meeting import met
from .state import Block, Pairs, padded


class Route:
    """The steps of a plan, each with its place in its network, which its other plans share."""

    def __init__(self, plan: Plan, dtype: Any) -> None:
        self.plan, self.dtype = plan, np.dtype(dtype)
        self.steps: Sequence[Step] = plan.steps
        self.places = {id(step): place for place, step in enumerate(walk(plan.steps))}
        self.tiny = np.finfo(self.dtype).smallest_normal
        self.duals: dict[int, Dual] = {}
        for step in walk(plan.steps):
            if isinstance(step.operator, Pointwise | Normalize):
                self.duals[self.place(step)] = dual_of(step.operator, self.dtype)
        self.at_zero = {place: self._at_zero(dual) for place, dual in self.duals.items()}

    def place(self, step: Step) -> int:
        return self.places[id(step)]

    def keeps_zeros(self, step: Step) -> bool:
        """Σ and Θ that are zero, where a position is masked, stay so."""
        match step.operator:
            case Weights() as weights:
                return float(weights.bias_std) == 0 and float(weights.rates[1]) == 0
            case Pointwise():
                return self.at_zero[self.place(step)] == 0
        return isinstance(step.operator, Branching | Drop | Normalize | Scale)

    def _at_zero(self, dual: Dual) -> float:
        """k(0; 0, 0)."""
        n = padded(1, self.dtype)
        values = np.empty((1, 2 * dual.parts), dtype=self.dtype)
        loops.prepare(dual.kind, np.zeros(1, dtype=self.dtype), values, dual.parameters, self.tiny)
        rows = np.ascontiguousarray(np.broadcast_to(values.T[None], (1, 2 * dual.parts, n)))
        s, own = np.zeros(n, dtype=self.dtype), np.empty(rows.size, dtype=self.dtype)
        loops.pointwise(dual.kind, s, s, False, values, rows, own, 1, (0, 0), dual.parameters)
        return float(s[0])


class Walk:
    """Blocks of some pairs on their way through a network.

    Of inputs taken alone, `first` is `second`, and what operators read of each input is put there.
    """

    def __init__(self, route: Route, first: Known, second: Known, pairs: Pairs) -> None:
        self.route, self.first, self.second, self.pairs = route, first, second, pairs

    def through(self, steps: Sequence[Step], block: Block) -> Block:
        """The block behind the steps; `block` is changed."""
        for step in steps:
            if step.need_in is Need.NOTHING:
                continue
            if block.full and step.need_in is not Need.FULL:
                linear.reduced(block)
            block = self._apply(step, block)
            if not self.route.keeps_zeros(step):
                self.mask(block, self.route.place(step))
        return block

    def start(self, need: Need) -> Block:
        """Σ of the inputs themselves."""
        pairs, space = self.pairs, self.route.plan.space
        size, full = math.prod(space), need is Need.FULL
        block = Block(np.empty(0), None, space, full, pairs)
        block.s = pairs.take((pairs.inputs * size, pairs.columns(space, full)))
        x, y = self.first["x"], self.second["columns" if full else "positions"]
        channels, columns = x.shape[-1], block.s.shape[1]
        flat, rows = block.s.ravel(), x.reshape(-1)
        if full and pairs.alone:
            for i in range(pairs.inputs):
                loops.product(
                    flat, i * size * columns, columns, rows, i * size * channels, channels,
                    y.reshape(-1), i * channels * columns, columns, size, channels, columns,
                )  # fmt: skip
        elif full:
            at = (0, columns, rows, 0, channels)
            loops.product(flat, *at, y.reshape(-1), 0, columns, len(block.s), channels, columns)
        elif pairs.alone:
            block.s[:, 0] = np.einsum("iuc,iuc->iu", x, x).ravel()
        else:
            for u in range(size):
                at = (u * columns, size * columns, rows, u * channels, size * channels)
                b = (y.reshape(-1), u * channels * columns, columns)
                loops.product(flat, *at, *b, pairs.inputs, channels, columns)
        self.mask(block, -1)
        return block

    def mask(self, block: Block, place: int) -> None:
        """Zeros where one of the two positions is masked."""
        key = ("kept", place)
        if key not in self.first or not block.space:
            return
        left, right = self.first[key], self.second[key]
        if left.all() and right.all():
            return
        rows = self._rows(key, right[..., None], block)
        for array in block.arrays:
            loops.masked(array.ravel(), left.ravel(), rows[:, 0], block.size, self._steps(block))

    def _steps(self, block: Block) -> tuple[int, int]:
        """From what one row reads of the second inputs to that of the next, see `loops`."""
        return (block.size if not block.full else 1) * self.pairs.alone, int(not block.full)

    def _apply(self, step: Step, block: Block) -> Block:
        match step.operator:
            case Branching():
                return self._branches(step, block)
            case Pointwise() | Normalize() as operator:
                self._pointwise(step, operator, block)
            case Weights() as weights:
                self._weights(weights, step, block)
            case Scale(positions=True) if ("count", self.route.place(step)) in self.first:
                self._by_inputs(block, step, lambda a, b: a * b)
            case Scale(factor):
                for array in block.arrays:
                    array *= float(factor) ** 2
            case Shifts(geometry):
                linear.shifted(block, geometry)
            case Stack(maps):
                linear.mapped(block, maps, step.space_out)
            case Attend() as operator:
                self._attend(step, operator, block)
            case Aggregate():
                place = self.route.place(step)
                linear.attended(block, self.first["left", place], self.second["right", place])
            case Embed() as embed:
                self._embed(embed, block)
            case Average() | Positions() as operator:
                self._pool(step, operator, block)
            case Drop(keep):
                if self.pairs.alone:
                    _dropped(block, keep)
            case _:
                raise AssertionError("uncovered() lets no other pass")
        return block

    def _weights(self, weights: Weights, step: Step, block: Block) -> None:
        """Σ̃ = w²Σ/fan + b² and Θ̃ = w²Θ/fan + Σ̃."""
        scale = float(weights.weight_std) ** 2 / weights.fan
        constant = float(weights.bias_std) ** 2
        trained = weights.trainable and self.pairs.tangent
        own = None
        if trained and not weights.usual:
            factor, more = map(float, weights.rates)
            own = self.pairs.copied(block.s)
            own *= factor
            own += more
        if scale != 1:
            for array in block.arrays:
                array *= scale
        if constant:
            block.s += constant
        if trained:
            gained = block.s if own is None else own
            if block.t is None:
                block.t = self.pairs.copied(gained)
            else:
                block.t += gained
        self.pairs.give(own)
        if not weights.shared and not block.full and block.space and step.need_out is Need.FULL:
            linear.spread(block)

    def _pointwise(self, step: Step, operator: Pointwise | Normalize, block: Block) -> None:
        route, place = self.route, self.route.place(step)
        dual = route.duals[place]
        if self.pairs.alone:
            q = block.diagonal()
            if isinstance(operator, Normalize) and operator.space:
                q = mean_over_space(q, self.first.get(("kept", place)))
            if dual.kind == SERIES:
                self.first["most", place] = q.max(axis=1)
            values = np.empty((q.size, 2 * dual.parts), dtype=q.dtype)
            loops.prepare(dual.kind, q.ravel(), values, dual.parameters, route.tiny)
            self.first["read", place] = values.reshape(*q.shape, -1)
        if step.need_out is Need.NOTHING:
            return
        first = self.first["read", place].reshape(-1, 2 * dual.parts)
        second = self._rows(place, self.second["read", place], block)
        own = np.empty(second.shape[1] * second.shape[2], dtype=block.s.dtype)
        flat = block.s.ravel()
        tangent = flat if block.t is None else block.t.ravel()
        loops.pointwise(
            dual.kind, flat, tangent, block.t is not None, first, second, own,
            block.size, self._steps(block), dual.parameters,
        )  # fmt: skip

    def _rows(self, key: Any, values: np.ndarray, block: Block) -> np.ndarray:
        """Numbers (n, positions, k) of the second inputs as rows (k, columns) of blocks.

        There is one for all rows of a block, or one for each position, or input, of the first.
        """
        alone, columns = self.pairs.alone, block.s.shape[1]
        if not alone and ("rows", key) in self.second:
            return self.second["rows", key]
        n, size, numbers = values.shape
        if alone and block.full:
            kinds = values.transpose(0, 2, 1)
        elif alone:
            kinds = values.reshape(n * size, numbers, 1)
        elif not block.full:
            kinds = values.transpose(1, 2, 0)
        else:
            kinds = np.zeros((1, numbers, n, block.wide), dtype=values.dtype)
            kinds[0, :, :, :size] = values.transpose(2, 0, 1)
            kinds = kinds.reshape(1, numbers, -1)
        rows = np.zeros((len(kinds), numbers, columns), dtype=values.dtype)
        rows[:, :, : kinds.shape[2]] = kinds
        if not alone:
            self.second["rows", key] = rows
        return rows

    def _attend(self, step: Step, operator: Attend, block: Block) -> None:
        place = self.route.place(step)
        if self.pairs.alone:
            kept = self.first.get(("kept", place))
            weights = attention(operator, block.grid(block.s)[:, :, 0], kept)
            self.first["left", place] = weights
            self.first["right", place] = pad_maps(weights.transpose(0, 2, 1), block.wide)
        if step.need_out is not Need.NOTHING:
            linear.attended(block, self.first["left", place], self.second["right", place])

    def _embed(self, embed: Embed, block: Block) -> None:
        square = float(embed.weight_std) ** 2
        r = square * (embed.covariance if block.full else np.diagonal(embed.covariance))
        r = r.astype(block.s.dtype)
        own = r[None, :, None, :] if block.full else r[None, :, None]
        block.grid(block.s)[...] += own
        if embed.trainable and self.pairs.tangent:
            if block.t is None:
                block.t = self.pairs.take(block.s.shape)
                block.t.fill(0)
            block.grid(block.t)[...] += own

    def _pool(self, step: Step, operator: Average | Positions, block: Block) -> None:
        size = block.size
        if not block.space:
            return
        linear.summed(block)
        if ("count", self.route.place(step)) in self.first:
            mean = isinstance(operator, Average)
            self._by_inputs(block, step, lambda a, b: 1 / (a * b if mean else np.sqrt(a * b)))
            return
        norm = 1.0 / (size * size if isinstance(operator, Average) else size)
        for array in block.arrays:
            array *= norm

    def _by_inputs(self, block: Block, step: Step, make: Callable[[Any, Any], Any]) -> None:
        """Multiplies by a number for each pair, of how many positions both have."""
        key = ("count", self.route.place(step))
        left, right = self.first[key], self.second[key]
        factor = make(left, right)[:, None] if self.pairs.alone else make(left[:, None], right)
        for array in block.arrays:
            grid = block.grid(array)
            shape = (factor.shape[0], 1, factor.shape[1], *(1,) * (grid.ndim - 3))
            grid *= factor.reshape(shape).astype(array.dtype)

    def _branches(self, step: Step, block: Block) -> Block:
        ends = []
        for place, branch in enumerate(step.branches):
            last = place + 1 == len(step.branches)
            ends.append(self.through(branch, block if last else block.copy()))
        if step.need_out is Need.NOTHING:
            return ends[-1]
        for end in ends:
            if end.full and step.need_out is not Need.FULL:
                linear.reduced(end)
        return met(step, ends)


def _dropped(block: Block, keep: float) -> None:
    """Σ/keep and Θ/keep of an input with itself, at one position."""
    for array in block.arrays:
        grid = block.grid(array)[:, :, 0]
        if block.full:
            places = np.arange(block.size)
            grid[:, places, places] /= keep
        else:
            grid /= keep
