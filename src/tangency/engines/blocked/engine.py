"""Kernels of inputs on grids by blocks of pairs: marginals, bands of inputs, threads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ...nets.operators import Aggregate, Average, Need, Positions, Scale
from ...nets.plan import Plan, has_masks, walk
from ..engine import Wanted
from ..overflow import check_values, quiet
from ..prepared import Prepared
from ..sides import follow_steps, positions, split
from ..threads import run, threads
from ..twins import twins, write
from . import warm
from .each import Known, pad_maps
from .sizes import cropped, parts
from .state import Pairs, buffers, padded
from .walk import Route, Walk

# Bytes of Σ in a block: with Θ, a result and what lies between it stays in the second cache.
BLOCK = 2**18
# Columns of a block, unless one input has more: what a row takes beside its work is little then.
_COLUMNS = 256
# Bytes of what is known of a band of inputs.
_BAND = 2**27


@dataclass(frozen=True)
class Shape:
    """How many inputs a block and a band have on each side."""

    rows: int
    columns: int
    band: int
    positions: int


@lru_cache(maxsize=64)
def shape_of(plan: Plan, dtype: Any) -> Shape:
    """That of a plan."""
    steps = list(walk(plan.steps))
    full = plan.need_in is Need.FULL or any(s.need_out is Need.FULL for s in steps)
    size = max(math.prod(space) for s in steps for space in (s.space_in, s.space_out))
    one = padded(size, dtype) if full else 1
    columns = max(1, _COLUMNS // one)
    rows = max(1, BLOCK // (size * columns * one * dtype.itemsize))
    known = math.prod(plan.input_shape) + sum(3 * s.marginal_entries for s in steps)
    if plan.attached is not None:
        known += 2 * math.prod(plan.space) * (plan.attached.nodes + len(steps))
    band = max(columns, _BAND // (known * dtype.itemsize) // columns * columns)
    return Shape(rows, columns, band, size * one)


def gram(
    plan: Plan,
    first: Prepared,
    second: Prepared | None,
    wanted: Wanted,
    n_jobs: int | None,
    progress: bool,
) -> tuple[np.ndarray | None, ...]:
    """K(x_i, y_j) for all pairs: (nngp, ntk), None for what is not wanted; no second: symmetric."""
    other = first if second is None else second
    x, y = first.inputs, other.inputs
    warm.get_ready(x.dtype)
    jobs = threads(n_jobs)
    out = tuple(np.zeros((len(x), len(y)), dtype=x.dtype) if each else None for each in wanted)
    for part in parts(plan, x, y, second is None):
        if not part.rows.size or not part.columns.size:
            continue
        whole = part.plan is plan and len(part.rows) == len(x) and len(part.columns) == len(y)
        one, two = first, None if part.symmetric else other
        if not whole:
            one = Prepared(cropped(x, part.rows, part.plan, plan))
            two = None if two is None else Prepared(cropped(y, part.columns, part.plan, plan))
        if part.turned:
            assert two is not None
            one, two = two, one
        found = _pairs(part.plan, one, two, wanted, jobs, progress)
        if whole and not part.turned:
            out = found
            break
        for k, values in zip(out, found, strict=True):
            if k is None or values is None:
                continue
            values = values.T if part.turned else values
            k[np.ix_(part.rows, part.columns)] = values
            if second is None and not part.symmetric:
                k[np.ix_(part.columns, part.rows)] = values.T
    _write_equal(plan, first, second, out, jobs)
    for k in out:
        check_values(k)
    return out


def _pairs(
    plan: Plan,
    first: Prepared,
    second: Prepared | None,
    wanted: Wanted,
    jobs: int,
    progress: bool,
) -> tuple[np.ndarray | None, ...]:
    """`gram` of inputs on one grid, but for what equal inputs have."""
    symmetric = second is None
    other = first if second is None else second
    n, m = len(first), len(other)
    dtype = first.inputs.dtype
    shape = shape_of(plan, dtype)
    out = tuple(np.zeros((n, m), dtype=dtype) if each else None for each in wanted)
    for j in range(0, m, shape.band):
        right = known(plan, other, j, shape, jobs)
        for i in range(0, min(n, j + shape.band) if symmetric else n, shape.band):
            same = symmetric and i == j
            left = right if same else known(plan, first, i, shape, jobs)
            _band(plan, (left, right), out, (i, j), same, wanted, shape, jobs, progress)
    if symmetric:
        for k in out:
            if k is not None:
                _mirror(k)
    return out


def _mirror(k: np.ndarray, side: int = 256) -> None:
    """Copies what is above the diagonal below it, by tiles."""
    for i in range(0, len(k), side):
        rows = slice(i, i + side)
        for j in range(i, len(k), side):
            k[j : j + side, rows] = k[rows, j : j + side].T if j > i else _upper(k[rows, rows])


def _upper(tile: np.ndarray) -> np.ndarray:
    return np.triu(tile) + np.triu(tile, k=1).T


def _write_equal(plan: Plan, first: Prepared, second: Prepared | None, out: Any, jobs: int) -> None:
    """Writes K(x, x) on the diagonal, and wherever equal inputs meet."""
    # Under masks of their own, equal inputs are two inputs.
    found = [] if has_masks(plan) else twins(first, second)
    if second is not None and not found:
        return
    rows = np.arange(len(first))
    some = first
    if second is not None:
        rows = np.concatenate([t.rows for t in found])
        some = Prepared(first.inputs[rows])
    alone = diagonal(plan, some, out[1] is not None, jobs)
    for k, values in zip(out, alone, strict=True):
        if k is not None and values is not None:
            all_of = np.zeros(len(first), dtype=k.dtype)
            all_of[rows] = values
            write(k, found, all_of, second is None)


def _band(
    plan: Plan,
    sides: tuple[Known, Known],
    out: Any,
    at: tuple[int, int],
    upper: bool,
    wanted: Wanted,
    shape: Shape,
    jobs: int,
    progress: bool,
) -> None:
    """Writes the kernels of two bands; `upper`: on and above the diagonal."""
    left, right = sides
    route = Route(plan, left["x"].dtype)
    n, m = len(left["x"]), len(right["x"])

    def block(free: Any, column: int, first: int, last: int) -> None:
        columns = slice(column, min(column + shape.columns, m))
        across = _second(_cut(right, columns), plan, left["x"].dtype)
        for group in range(first, last):
            rows = slice(group * shape.rows, min((group + 1) * shape.rows, n))
            pairs = Pairs(
                rows.stop - rows.start, columns.stop - columns.start, False, wanted.ntk,
                left["x"].dtype, free,
            )  # fmt: skip
            here = Walk(route, _cut(left, rows), across, pairs)
            with quiet():
                end = here.through(route.steps, here.start(plan.need_in))
            for k, array in zip(out, (end.s, end.t), strict=True):
                if k is not None and array is not None:
                    tile = k[at[0] + rows.start : at[0] + rows.stop]
                    tile[:, at[1] + column : at[1] + columns.stop] = array[:, : pairs.seconds]
            pairs.give(end.s, end.t)

    def items() -> Iterator[tuple[int, int, int]]:
        for column in range(0, m, shape.columns):
            stop = min(n, column + shape.columns) if upper else n
            yield column, 0, -(-stop // shape.rows)

    def weight(column: int, first: int, last: int) -> int:
        return (min(last * shape.rows, n) - first * shape.rows) * min(shape.columns, m - column)

    listed = list(items())
    total = sum(weight(*item) for item in listed)
    run(listed, block, buffers, jobs=jobs, total=total, progress=progress, weight=weight)


def _cut(found: Known, rows: slice) -> Known:
    return {key: values[rows] for key, values in found.items()}


def _second(found: Known, plan: Plan, dtype: Any) -> Known:
    """Values of second inputs, which are the columns of blocks: (channels, inputs·positions)."""
    x = found["x"]
    n, size, channels = x.shape
    if plan.need_in is Need.FULL:
        wide = padded(size, dtype)
        columns = np.zeros((channels, padded(n * wide, dtype)), dtype=dtype)
        columns[:, : n * wide].reshape(channels, n, wide)[:, :, :size] = x.transpose(2, 0, 1)
        found["columns"] = columns
    else:
        rows = np.zeros((size, channels, padded(n, dtype)), dtype=dtype)
        rows[:, :, :n] = x.transpose(1, 2, 0)
        found["positions"] = rows
    return found


def known(plan: Plan, given: Prepared, start: int, shape: Shape, jobs: int) -> Known:
    """What is known of a band of inputs; it is kept where one band holds all inputs."""

    def make() -> Known:
        rows = slice(start, start + shape.band)
        return alone(plan.of(plan.net, Need.NOTHING), given.inputs[rows], plan, False, jobs)[0]

    return make() if len(given) > shape.band else given.derive(("blocks", plan), make)


def diagonal(
    plan: Plan, given: Prepared, want_ntk: bool, jobs: int | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """K(x_i, x_i) for each input: (nngp, ntk)."""

    def make() -> tuple[np.ndarray, np.ndarray | None]:
        x = given.inputs
        warm.get_ready(x.dtype)
        shape, parts = shape_of(plan, x.dtype), []
        for i in range(0, len(x), shape.band):
            parts.append(alone(plan, x[i : i + shape.band], plan, want_ntk, threads(jobs))[1])
        s, t = (np.concatenate(each) for each in zip(*parts, strict=True))
        for values in (s, t):
            check_values(values)
        return s, t if want_ntk else None

    return given.derive(("blocks diagonal", plan, want_ntk), make)


def alone(
    plan: Plan, x: np.ndarray, whole: Plan, want_ntk: bool, jobs: int, check: bool = True
) -> tuple[Known, tuple[np.ndarray, np.ndarray]]:
    """Each input with itself: what operators read of it, and Σ and Θ at the end (0 if unknown).

    plan: of `whole` or of what its marginals need. check: for what no float holds.
    """
    shape, dtype = shape_of(whole, x.dtype), x.dtype
    route = Route(plan, dtype)
    step = max(1, BLOCK // (shape.positions * dtype.itemsize))
    pieces: dict[int, Known] = {}
    ends = np.zeros((2, len(x)), dtype=dtype)

    def block(free: Any, key: None, first: int, last: int) -> None:
        for group in range(first, last):
            rows = slice(group * step, min((group + 1) * step, len(x)))
            found = beside(route, x[rows])
            pieces[group] = found
            if plan.need_in is Need.NOTHING:
                continue
            own = _alone_columns(found, plan, dtype)
            pairs = Pairs(rows.stop - rows.start, 1, True, want_ntk, dtype, free)
            here = Walk(route, own, own, pairs)
            with quiet():
                end = here.through(route.steps, here.start(plan.need_in))
            if not end.space and plan is whole:
                ends[0, rows] = end.s[:, 0]
                if end.t is not None:
                    ends[1, rows] = end.t[:, 0]
            pairs.give(end.s, end.t)
            pieces[group] = {k: v for k, v in own.items() if k not in ("columns", "positions")}

    groups = -(-len(x) // step)
    run([(None, 0, groups)], block, buffers, jobs=jobs, total=groups)
    listed = [pieces[group] for group in range(groups)]
    found = {key: np.concatenate([p[key] for p in listed]) for key in listed[0]}
    for key, values in found.items():
        if check and key[0] in ("read", "left"):
            check_values(values)
    return found, (ends[0], ends[1])


def _alone_columns(found: Known, plan: Plan, dtype: Any) -> Known:
    x = found["x"]
    if plan.need_in is Need.FULL:
        columns = padded(padded(x.shape[1], dtype), dtype)
        return {**found, "columns": pad_maps(x.transpose(0, 2, 1), columns)}
    return {**found, "positions": x}


def beside(route: Route, x: np.ndarray) -> Known:
    """Values of inputs, and what they have beside these at each step."""
    values, side = split(x, route.plan.attached)
    n = len(values)
    flat = np.ascontiguousarray(values.reshape(n, -1, values.shape[-1]))
    found: Known = {"x": flat}
    if side is None:
        return found
    found["kept", -1] = _rows(side.kept, x.dtype)
    for step, before, after in follow_steps(route.steps, side):
        place = route.place(step)
        if after.kept.ndim > 1:
            found["kept", place] = _rows(after.kept, x.dtype)
        if isinstance(step.operator, Average | Positions | Scale):
            found["count", place] = positions(before)
        if side.edges is not None and isinstance(step.operator, Aggregate):
            edges = np.ascontiguousarray(side.edges)
            found["left", place] = np.ascontiguousarray(edges.transpose(0, 2, 1))
            found["right", place] = pad_maps(edges, padded(edges.shape[1], x.dtype))
    return found


def _rows(kept: np.ndarray, dtype: Any) -> np.ndarray:
    return np.ascontiguousarray(kept.reshape(len(kept), -1)).astype(dtype)


def working_bytes(plan: Plan, dtype: Any) -> int:
    """What the engine needs beside its inputs and its result, at most."""
    shape = shape_of(plan, dtype)
    block = shape.rows * shape.columns * shape.positions * dtype.itemsize
    return 2 * _BAND + 16 * threads(None) * block
