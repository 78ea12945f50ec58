"""Vector-Jacobian products of the fused engine: one way back through all pairs."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ....nets import parse
from ....nets.operators import Weights
from ....nets.plan import Plan, walk
from ....nets.plan import plan as make_plan
from ...blas import blas_limit
from ...engine import KernelPair, Pulled
from ...prepared import Prepared
from ...threads import each, run, threads
from .. import warm
from ..blocks import snap
from ..engine import marginals_behind, passed, rows_of
from ..head import THREAD, Head, head_of
from ..lowering import lower, lower_vector
from ..program import Code, Program
from ..series import probe
from ..simd import width_of
from ..tables import CODE, PAR, Tables
from ..tail import COLUMNS, Tail
from ..variances import on_grid, starts
from ..vectors import norms
from ..work import room, room_bytes
from .blocks import image_back, vector_back
from .room import back_bytes, room_back
from .tape import Tape, refusal, tape_of

# What gradients of a band of first images may take, one set for each group of second ones.
_BAND = 64 * 2**20
# As `head._HOT`, with planes that are kept.
_HOT = 5 * 2**18
# Rows of a tile of vectors.
_ROWS = 128


class _Set(NamedTuple):
    """Gradients in one set of inputs (n, numbers), and in its marginals (n, marginals)."""

    inputs: Any
    marginals: Any


class _Pairs(NamedTuple):
    """Two sets of images, (u, v) of their marginals, and gradients in the kernels of all pairs."""

    x: Any
    y: Any
    aux: tuple[Any, Any]
    gs: Any
    gt: Any
    symmetric: bool


@lru_cache(maxsize=64)
def no_way_back(plan: Plan, parameters: bool) -> str | None:
    """Why there is no way back through a plan that the engine covers; None where there is one."""
    if probe(plan) is not plan:
        return "it has an activation by quadrature"
    if plan.space:
        head = lower(plan, True)
        ways = [head, lower_vector(head.rest, True, head.tangent)]
    else:
        ways = [lower_vector(plan.steps, True, False)]
    for program in ways:
        if reason := refusal(program):
            return reason
    if plan.space:
        made = head_of(plan, True, np.dtype(np.float64))
        tape = tape_of(made.program, parameters)
        need = room_bytes(made.sizes, 1, 8) + back_bytes(made.sizes, tape.count, 1, 8)
        if need > THREAD:
            return "its way back takes too much room"
    if parameters:
        of_weights = [s.operator for s in walk(plan.steps) if isinstance(s.operator, Weights)]
        if sum(len(_convolutions(program)) for program in ways) != len(of_weights):
            return "its weights are not those of its operations"
        if any(float(each.weight_std) == 0 for each in of_weights):
            return "it has weights of 0"
    return None


@blas_limit(1)
def pull(
    plan: Plan,
    first: Prepared,
    second: Prepared | None,
    cotangents: KernelPair,
    parameters: bool,
    n_jobs: int | None,
) -> Pulled:
    """See `Engine.pull`; `no_way_back` must be None."""
    _get_ready(first.inputs.dtype, bool(plan.space))
    one = rows_of(first)
    two = one if second is None else rows_of(second)
    symmetric, jobs = second is None, threads(n_jobs)
    want_ntk = cotangents.ntk is not None
    gs, gt = (_folded(k, (len(one), len(two)), one.inputs.dtype, symmetric) for k in cotangents)
    way = _of_grids if plan.space else _of_vectors
    left, right, weights = way(plan, one, two, symmetric, want_ntk, gs, gt, parameters, jobs)
    if symmetric:
        left = _Set(left.inputs + right.inputs, left.marginals + right.marginals)
    x, y = first.inputs, None if second is None else second.inputs
    return Pulled(
        left.inputs.reshape(x.shape),
        None if y is None else right.inputs.reshape(y.shape),
        _by_step(plan, left.marginals),
        None if y is None else _by_step(plan, right.marginals),
        weights,
    )


def _get_ready(dtype: Any, grid: bool) -> None:
    """Compiles the loops before the first call for a dtype, and not in its threads."""

    def tiny() -> None:
        text, shape = ("conv1 relu gap dense", (2, 2, 1)) if grid else ("dense relu dense", (2,))
        steps, x = make_plan(parse(text), shape), np.eye(2, dtype=dtype).reshape(2, -1)
        some = Prepared(np.resize(x, (2, *shape)))
        pull(steps, some, None, KernelPair(None, np.ones((2, 2), dtype)), False, 1)

    warm.once(np.dtype(dtype).name, f"gradients of {'images' if grid else 'vectors'}", tiny)


def _folded(k: Any, shape: tuple[int, int], dtype: Any, symmetric: bool) -> np.ndarray:
    """Gradients of all pairs; of a symmetric matrix those of the pairs with j ≥ i, twice."""
    if k is None:
        return np.zeros(shape, dtype=dtype)
    if symmetric:
        return np.triu(k) + np.triu(k.T, 1)
    return np.array(k, dtype=dtype, order="C")


def _of_vectors(
    plan: Plan,
    one: Prepared,
    two: Prepared,
    symmetric: bool,
    want_ntk: bool,
    gs: np.ndarray,
    gt: np.ndarray,
    parameters: bool,
    jobs: int,
) -> tuple[_Set, _Set, list[tuple[float, float]]]:
    x, y = one.inputs, two.inputs
    tail = Tail(plan.steps, want_ntk, False, x.dtype)
    norms_x, norms_y = norms(one), norms(two)
    slack = x.dtype.type((4 + 0.25 * x.shape[1] ** 0.5) * np.finfo(x.dtype).eps)

    def products(rows: slice, cols: slice) -> tuple[np.ndarray, np.ndarray]:
        s = x[rows] @ y[cols].T
        snap(s, (norms_x.squares[rows], norms_x.roots[rows]),
             (norms_y.squares[cols], norms_y.roots[cols]), slack)  # fmt: skip
        return s, np.zeros_like(s)

    aux = passed(plan, tail, one)[2], passed(plan, tail, two)[2]
    left, right, weights = _tail_back(tail, products, gs, gt, aux, symmetric, parameters, jobs)
    blocks = [slice(i, i + _ROWS) for i in range(0, max(gs.shape), _ROWS)]
    of_x = each(lambda rows: gs[rows] @ y, [b for b in blocks if b.start < len(x)], jobs)
    in_x = np.concatenate(list(of_x))
    of_y = each(lambda cols: gs[:, cols].T @ x, [b for b in blocks if b.start < len(y)], jobs)
    return _Set(in_x, left), _Set(np.concatenate(list(of_y)), right), weights


def _tail_back(
    tail: Tail,
    values: Callable[[slice, slice], tuple[np.ndarray, np.ndarray]],
    gs: np.ndarray,
    gt: np.ndarray,
    aux: tuple[np.ndarray, np.ndarray],
    symmetric: bool,
    parameters: bool,
    jobs: int,
) -> tuple[np.ndarray, np.ndarray, list[tuple[float, float]]]:
    """Back through layers on vectors, gs and gt in place; gradients in marginals and weights.

    values: Σ and Θ before these layers, of some rows and columns.
    """
    sizes, tape = tail.sizes, tape_of(tail.program, parameters)
    table = tail.table._replace(marks=tape.marks)
    n, m, count = *gs.shape, sizes.marginals
    items = [(i, 0, 1) for i in range(0, n, _ROWS)]
    left = np.zeros((n, count), dtype=gs.dtype)
    right = np.zeros((len(items), m, count), dtype=gs.dtype)
    weights = np.zeros((len(items), len(table.par)))

    def make_room() -> Any:
        lanes, dtype = COLUMNS, gs.dtype
        return room(sizes, lanes, dtype, tape.count), room_back(sizes, len(table.par), lanes, dtype)

    def block(made: Any, i: int, begin: int, end: int) -> None:
        work, back = made
        rows, cols = slice(i, min(i + _ROWS, n)), slice(i if symmetric else 0, m)
        s, t = values(rows, cols)
        part_s, part_t = gs[rows, cols], gt[rows, cols]
        back.weights[:] = 0
        vector_back(
            table, work, back, s, t, part_s, part_t, aux[0][rows], aux[1][cols],
            (0, len(s)), (0, s.shape[1]), COLUMNS, count, left[rows], right[i // _ROWS, cols],
            parameters,
        )  # fmt: skip
        weights[i // _ROWS] = back.weights

    run(items, block, make_room, jobs=jobs, total=len(items))
    found = _weights_of(table, weights.sum(axis=0)) if parameters else []
    return left, right.sum(axis=0), found


def _of_grids(
    plan: Plan,
    one: Prepared,
    two: Prepared,
    symmetric: bool,
    want_ntk: bool,
    gs: np.ndarray,
    gt: np.ndarray,
    parameters: bool,
    jobs: int,
) -> tuple[_Set, _Set, list[tuple[float, float]]]:
    dtype = one.inputs.dtype
    head = head_of(plan, want_ntk, dtype)
    tail = Tail(head.program.rest, want_ntk, head.program.tangent, dtype)
    behind: list[tuple[float, float]] = []
    left = right = np.zeros((0, 0), dtype=dtype)
    if not tail.empty:
        s, t = np.zeros_like(gs), np.zeros_like(gs)
        if parameters or tail.reads_marginals:
            _head_values(head, one, two, s, t, symmetric, want_ntk, jobs)
        aux = marginals_behind(plan, tail, one, jobs), marginals_behind(plan, tail, two, jobs)
        left, right, behind = _tail_back(
            tail, lambda r, c: (s[r, c], t[r, c]), gs, gt, aux, symmetric, parameters, jobs
        )
    way = _HeadBack(head, tape_of(head.program, parameters), parameters, jobs)
    x, y, weights = way.pull(one, two, gs, gt, symmetric)
    if tail.reads_marginals:
        x = x._replace(marginals=np.concatenate([x.marginals, left], axis=1))
        y = y._replace(marginals=np.concatenate([y.marginals, right], axis=1))
    return x, y, weights + behind


def _head_values(
    head: Head, one: Prepared, two: Prepared, s: Any, t: Any, symmetric: bool, ntk: bool, jobs: int
) -> None:
    head.gram(one, two, (s, t if ntk else s), symmetric, jobs, False)
    if symmetric:
        for out, values in zip((s, t), head.diagonal(one.inputs, jobs), strict=True):
            np.fill_diagonal(out, values)


class _HeadBack:
    """The way back through the part of a network on a grid."""

    def __init__(self, head: Head, tape: Tape, parameters: bool, jobs: int) -> None:
        self.head, self.tape, self.parameters, self.jobs = head, tape, parameters, jobs
        self.sizes, self.dtype = head.sizes, head.dtype
        self.table = head.table._replace(marks=tape.marks)
        self.numbers = head.positions * head.channels
        self.width = self.numbers + self.sizes.marginals

    def lanes(self, images: int) -> int:
        """As `Head.lanes`, for more planes."""
        size, one = self.dtype.itemsize, width_of(self.dtype)
        sizes, lanes = self.sizes, 512 // size
        hot = 2 * (2 * sizes.slots + self.tape.count) * sizes.plane + 6 * sizes.marginals
        hot = (hot + 4 * sizes.channels * sizes.plane) * size
        while lanes > one:
            computed = -(-images // lanes) * lanes
            if lanes * hot <= _HOT and 7 * computed <= 8 * images:
                break
            lanes //= 2
        while lanes > 1 and (self._bytes(lanes) > THREAD or 4 * images <= min(lanes, one)):
            lanes //= 2
        return lanes

    def _bytes(self, lanes: int) -> int:
        size = self.dtype.itemsize
        there = room_bytes(self.sizes, lanes, size)
        return there + back_bytes(self.sizes, self.tape.count, lanes, size)

    def pull(
        self, one: Prepared, two: Prepared, gs: np.ndarray, gt: np.ndarray, symmetric: bool
    ) -> tuple[_Set, _Set, list[tuple[float, float]]]:
        n, m = gs.shape
        lanes = self.lanes(m)
        aux = self.head.marginals(one.inputs, self.jobs)
        aux_y = aux if symmetric else self.head.marginals(two.inputs, self.jobs)
        groups = range(0, m, lanes)
        per_row = len(groups) * self.width * self.dtype.itemsize
        band = max(8, min(128, _BAND // per_row))
        out_x = np.zeros((n, self.width), dtype=self.dtype)
        out_y = np.zeros((m, self.width), dtype=self.dtype)
        weights = np.zeros(len(self.table.par))
        for i in range(0, n, band):
            rows, begin = (i, min(i + band, n)), i // lanes if symmetric else 0
            parts = np.zeros((len(groups) - begin, rows[1] - i, self.width), dtype=self.dtype)
            found = np.zeros((len(parts), len(weights)))
            given = _Pairs(one.inputs, two.inputs, (aux, aux_y), gs, gt, symmetric)
            self._band(given, rows, list(groups)[begin:], lanes, parts, out_y, found)
            out_x[slice(*rows)] = parts.sum(axis=0)
            weights += found.sum(axis=0)
        if symmetric:
            given = _Pairs(one.inputs, one.inputs, (aux, aux), gs, gt, True)
            weights += self._alone(given, lanes, out_y)
        left, right = (_Set(o[:, : self.numbers], o[:, self.numbers :]) for o in (out_x, out_y))
        return left, right, _weights_of(self.table, weights) if self.parameters else []

    def _band(
        self,
        given: _Pairs,
        rows: tuple[int, int],
        groups: list[int],
        lanes: int,
        out_x: np.ndarray,
        out_y: np.ndarray,
        weights: np.ndarray,
        alone: bool = False,
    ) -> None:
        """Some rows with groups of columns; each group has rows of out_x, and weights, of its own.

        alone: images with themselves, gradients in row 0.
        """
        shape = (len(self.head.program.stages), self.head.positions, self.head.channels,
                 self.sizes.marginals)  # fmt: skip
        upper = given.symmetric and not alone

        def block(made: Any, k: int, first: int, last: int) -> None:
            work, back = made
            back.weights[:] = 0
            j0 = groups[k]
            image_back(
                self.table, work, back, given.x, given.y, *given.aux, rows, j0,
                min(lanes, len(given.y) - j0), shape, lanes, self.sizes.plane, given.gs, given.gt,
                out_x[k], out_y, upper, alone, self.parameters,
            )  # fmt: skip
            weights[k] = back.weights

        def make_room() -> Any:
            back = room_back(self.sizes, weights.shape[1], lanes, self.dtype)
            return room(self.sizes, lanes, self.dtype, self.tape.count), back

        # Whole items, as how they are cut would change sums.
        run([(k, 0, 1) for k in range(len(groups))], block, make_room, jobs=self.jobs,
            total=len(groups))  # fmt: skip

    def _alone(self, given: _Pairs, lanes: int, out: np.ndarray) -> np.ndarray:
        """Images with themselves."""
        own = [np.ascontiguousarray(np.diagonal(g))[None] for g in (given.gs, given.gt)]
        groups = list(range(0, len(given.x), lanes))
        found = np.zeros((len(groups), len(self.table.par)))
        none = np.zeros((len(groups), 1, 1), dtype=self.dtype)
        alone = given._replace(gs=own[0], gt=own[1])
        self._band(alone, (0, 1), groups, lanes, none, out, found, True)
        return found.sum(axis=0)


def _convolutions(program: Program) -> list[Any]:
    operations = [op for stage in program.stages for op in stage.operations]
    return [op for op in operations if op.code in (Code.CONV, Code.POINTS)]


def _weights_of(table: Tables, sums: np.ndarray) -> list[tuple[float, float]]:
    """Gradients in w²/fan and b², from ⟨g, K̃⟩ and Σ gs of each operation with weights."""
    found = []
    for row in table.ops:
        if row[CODE] in (Code.CONV, Code.POINTS):
            scale, shift = (float(p) for p in table.par[row[PAR] : row[PAR] + 2])
            product, total = sums[row[PAR] : row[PAR] + 2]
            found.append(((product - shift * total) / scale, total))
    return found


def _by_step(plan: Plan, marginals: np.ndarray) -> list[Any]:
    """Gradients in marginals as arrays of the steps that read them."""
    readers = [step for step in walk(plan.steps) if step.reads_marginals]
    order = iter(range(len(readers)))
    grids = (False,) * len(readers)
    if plan.space:
        program, grids = lower(plan, True), on_grid(plan)
        behind = max(1, sum(h * w for h, w in program.marginals))
        order = iter([*starts(program), *range(behind, behind + len(readers))])
    found = []
    for step, grid in zip(readers, grids, strict=True):
        at = next(order)
        size = int(np.prod(step.space_in)) if grid else 1
        part = marginals[:, at : at + size]
        found.append(part.reshape(-1, *step.space_in) if grid else part[:, 0])
    return found
