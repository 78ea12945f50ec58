"""The fused engine: kernels of NumPy inputs, planes for grids and tiles for vectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ...nets import Activation
from ...nets.activations import ActivationLayer
from ...nets.geometry import GridMatrix
from ...nets.plan import Plan, Step, walk
from . import blocks
from .activations import KNOWN
from .planes import room, room_bytes
from .program import (
    Code,
    Program,
    Uncovered,
    lower,
    lower_vector,
    marginal_program,
)
from .run import run, threads
from .tables import Tables, tables

# Buffers of all threads and marginals of a band of inputs, in bytes.
_ROOM, _BAND = 64 * 2**20, 64 * 2**20
WORKING_BYTES = _ROOM + 2 * _BAND
"""What the engine needs beside its inputs and its result, at most."""
# Columns of a row that go through layers on vectors together, and the tiles of products.
_COLUMNS, _TILE = 512, 512


def uncovered(plan: Plan) -> str | None:
    """Why this engine cannot compute a network; None where it can."""
    for step in walk(plan.steps):
        layer = step.layer
        if isinstance(layer, Activation):
            return f"{layer} is computed by quadrature"
        if isinstance(layer, ActivationLayer) and not isinstance(layer, KNOWN):
            return f"{layer} has no compiled dual"
        if isinstance(step.geometry, GridMatrix):
            return f"{type(layer).__name__} has a filter that is not separable"
    if not plan.space:
        return None
    try:
        program = lower(plan, True)
    except Uncovered as reason:
        return str(reason)
    need = room_bytes(tables(program, plan.input_shape[-1], np.float64)[1], 1, 8)
    if need > _ROOM:
        return f"pooling stores covariances of {need / 2**20:.0f} MiB for each pair"
    return None


@dataclass(frozen=True)
class Tail:
    """Layers on vectors, compiled for one dtype."""

    steps: tuple[Step, ...]
    want_ntk: bool
    tangent: bool
    dtype: Any

    @cached_property
    def program(self) -> Program:
        return lower_vector(self.steps, self.want_ntk, self.tangent)

    @cached_property
    def _tables(self) -> tuple[Tables, Any]:
        return tables(self.program, 1, self.dtype)

    @property
    def empty(self) -> bool:
        return not self.program.stages[0].operations

    @property
    def reads_marginals(self) -> bool:
        return bool(self.program.marginals)

    @property
    def _kinds(self) -> np.ndarray:
        return _kinds(self.program)

    def diagonal(self, s: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Takes K(x, x) (n,) through the layers in place; returns (u, v) of all marginals."""
        table, sizes = self._tables
        count = len(self.program.marginals)
        q = np.zeros((max(count, 1), len(s)), dtype=self.dtype)
        work = room(sizes, _COLUMNS, self.dtype)
        blocks.vector_self_block(table, work, s, t, q, _COLUMNS, sizes.marginals)
        return _auxiliary(np.ascontiguousarray(q.T), self._kinds, table)

    def tile(
        self, work: Any, s: np.ndarray, t: np.ndarray, aux: tuple[Any, Any], rows: Any, cols: Any
    ) -> None:
        """Takes a tile of Σ and Θ through the layers in place."""
        table, sizes = self._tables
        blocks.vector_block(table, work, s, t, *aux, rows, cols, _COLUMNS, sizes.marginals)

    def room(self) -> Any:
        return room(self._tables[1], _COLUMNS, self.dtype)


def _kinds(program: Program) -> np.ndarray:
    """The kind of elementwise map at every marginal, position by position."""
    kinds: list[int] = []
    by_index = {
        op.marginal: op.kind
        for stage in program.stages
        for op in stage.operations
        if op.code is Code.ELEMENTWISE
    }
    for index, (h, w) in enumerate(program.marginals):
        kinds += [by_index.get(index, 0)] * (h * w)
    return np.asarray(kinds or [0], dtype=np.int64)


def _auxiliary(q: np.ndarray, kinds: np.ndarray, table: Tables) -> np.ndarray:
    aux = np.empty((q.shape[0], 2 * q.shape[1]), dtype=q.dtype)
    blocks.prepare_block(q, aux, kinds, 0, q.shape[0], table.tiny[0])
    return aux


class Head:
    """The part of a network on a grid, up to the readout, compiled for one dtype."""

    def __init__(self, plan: Plan, want_ntk: bool, dtype: Any, jobs: int) -> None:
        self.program = lower(plan, want_ntk)
        self.dtype, self.jobs = np.dtype(dtype), jobs
        self.positions = int(np.prod(plan.space))
        self.channels = plan.input_shape[-1]
        self.table, self.sizes = tables(self.program, self.channels, dtype)
        # Marginals need Σ alone, and planes only as far as the last activation.
        self.full_self = tables(lower(plan, want_ntk), self.channels, dtype)
        short = marginal_program(lower(plan, False))
        self.short_self = None if short is None else tables(short, self.channels, dtype, True)
        self.short_stages = 0 if short is None else len(short.stages)
        self.kinds = _kinds(self.program)
        self.lanes = self._lanes()

    def _lanes(self) -> int:
        lanes = 32 if self.dtype.itemsize == 4 else 16
        while lanes > 1 and room_bytes(self.sizes, lanes, self.dtype.itemsize) > _ROOM // self.jobs:
            lanes //= 2
        return lanes

    def room(self) -> Any:
        return room(self.sizes, self.lanes, self.dtype)

    def _shape(self, stages: int) -> tuple[int, int, int, int]:
        return stages, self.positions, self.channels, self.sizes.marginals

    def marginals(self, x: np.ndarray) -> np.ndarray:
        """(u, v) of every marginal, (n, 2·marginals)."""
        q = np.zeros((len(x), self.sizes.marginals), dtype=self.dtype)
        if self.short_self is not None:
            none = np.zeros(1, dtype=self.dtype)
            self._self(x, self.short_self, self.short_stages, q, none, none, False)
        return _auxiliary(q, self.kinds, self.table)

    def diagonal(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """K(x, x): (nngp, ntk), each (n,)."""
        q = np.zeros((len(x), self.sizes.marginals), dtype=self.dtype)
        s, t = np.zeros(len(x), dtype=self.dtype), np.zeros(len(x), dtype=self.dtype)
        self._self(x, self.full_self, len(self.program.stages), q, s, t, True)
        return s, t

    def _self(
        self,
        x: np.ndarray,
        compiled: tuple[Tables, Any],
        stages: int,
        q: np.ndarray,
        s: np.ndarray,
        t: np.ndarray,
        planes_too: bool,
    ) -> None:
        table, _ = compiled
        lanes, plane = self.lanes, self.sizes.plane

        def block(work: Any, key: None, first: int, last: int) -> None:
            for group in range(first, last):
                i0 = group * lanes
                count = min(lanes, len(x) - i0)
                shape = self._shape(stages)
                blocks.self_block(
                    table, work, x, i0, count, shape, lanes, plane, q, s, t, planes_too
                )

        groups = -(-len(x) // lanes)
        run([(None, 0, groups)], block, self.room, jobs=self.jobs, total=groups)

    def pairs(
        self,
        x: np.ndarray,
        y: np.ndarray,
        aux: tuple[np.ndarray, np.ndarray],
        out: tuple[np.ndarray, np.ndarray],
        upper: bool,
        progress: bool,
    ) -> None:
        """Writes K(x_i, y_j); with `upper` only pairs with j ≥ i."""
        lanes, shape = self.lanes, self._shape(len(self.program.stages))

        def block(work: Any, j0: int, first: int, last: int) -> None:
            blocks.pair_block(
                self.table,
                work,
                x,
                y,
                *aux,
                first,
                last,
                j0,
                min(lanes, len(y) - j0),
                shape,
                lanes,
                self.sizes.plane,
                *out,
                upper,
            )

        def rows(j0: int) -> int:
            return min(len(x), j0 + lanes) if upper else len(x)

        items = [(j0, 0, rows(j0)) for j0 in range(0, len(y), lanes)]
        run(
            items,
            block,
            self.room,
            jobs=self.jobs,
            total=sum(last for _, _, last in items) * lanes,
            progress=progress,
            weight=lambda _, first, last: (last - first) * lanes,
        )


def gram(
    plan: Plan,
    x: np.ndarray,
    y: np.ndarray | None,
    *,
    want_ntk: bool = True,
    n_jobs: int | None = None,
    progress: bool = False,
) -> tuple[np.ndarray, np.ndarray | None]:
    """K(x_i, y_j) for all pairs: (nngp, ntk); `y=None` is a symmetric call."""
    jobs = threads(n_jobs)
    symmetric = y is None
    z = x if y is None else y
    s = np.zeros((len(x), len(z)), dtype=x.dtype)
    t = np.zeros_like(s) if want_ntk else s[:0]
    if plan.space:
        tail = _grids(plan, x, z, (s, t), symmetric, jobs, want_ntk, progress)
    else:
        tail = Tail(plan.steps, want_ntk, False, x.dtype)
    if plan.space:
        start_x = _head_diagonal(plan, x, want_ntk, jobs) if tail.reads_marginals else None
        start_y = start_x if symmetric or start_x is None else _head_diagonal(plan, z, want_ntk, jobs)
    else:
        start_x, start_y = _squares(x), None if symmetric else _squares(z)
        start_y = start_x if symmetric else start_y
    _tiles(plan, tail, x, z, (s, t), (start_x, start_y), symmetric, jobs)
    if symmetric:
        blocks.mirror(s)
        if want_ntk:
            blocks.mirror(t)
    return s, t if want_ntk else None


def _squares(x: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", x, x)


def _head_diagonal(plan: Plan, x: np.ndarray, want_ntk: bool, jobs: int) -> np.ndarray:
    return Head(plan, False, x.dtype, jobs).diagonal(_flat(x))[0]


def _flat(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x).reshape(len(x), -1)


def _grids(
    plan: Plan,
    x: np.ndarray,
    y: np.ndarray,
    out: tuple[np.ndarray, np.ndarray],
    symmetric: bool,
    jobs: int,
    want_ntk: bool,
    progress: bool,
) -> Tail:
    """The part of the network on a grid, for bands of inputs whose marginals fit in memory."""
    head = Head(plan, want_ntk, x.dtype, jobs)
    flat_x = _flat(x)
    flat_y = flat_x if symmetric else _flat(y)
    each = 3 * head.sizes.marginals * head.dtype.itemsize
    # A whole number of groups, so that the grid of groups does not depend on the band.
    band = max(1, _BAND // each // head.lanes) * head.lanes
    for j in range(0, len(flat_y), band):
        cols = slice(j, j + band)
        aux_y = head.marginals(flat_y[cols])
        for i in range(0, min(len(flat_x), j + band) if symmetric else len(flat_x), band):
            rows = slice(i, i + band)
            same = symmetric and i == j
            aux_x = aux_y if same else head.marginals(flat_x[rows])
            part = (out[0][rows, cols], out[1][rows, cols] if want_ntk else out[1])
            head.pairs(flat_x[rows], flat_y[cols], (aux_x, aux_y), part, same, progress)
    return Tail(head.program.rest, want_ntk, head.program.tangent, x.dtype)


def _tiles(
    plan: Plan,
    tail: Tail,
    x: np.ndarray,
    y: np.ndarray,
    out: tuple[np.ndarray, np.ndarray],
    start: tuple[np.ndarray | None, np.ndarray | None],
    symmetric: bool,
    jobs: int,
) -> None:
    """Products of vectors (where there is no grid) and the layers on vectors, tile by tile."""
    s, t = out
    t = t if len(t) else s
    aux = []
    for q in start:
        if q is None:
            aux.append(np.zeros((max(len(x), len(y)), 2), dtype=x.dtype))
        else:
            aux.append(tail.diagonal(q.copy(), np.zeros_like(q)))
    roots = None if plan.space else [np.sqrt(q) for q in start if q is not None]

    def block(work: Any, row: int, first: int, last: int) -> None:
        for k in range(first, last):
            rows = (row, min(row + _TILE, len(x)))
            cols = (k * _TILE, min((k + 1) * _TILE, len(y)))
            if roots is not None:
                tile = x[rows[0] : rows[1]] @ y[cols[0] : cols[1]].T
                blocks.snap(tile, roots[0], roots[1], rows[0], cols[0], x.shape[1])
                s[rows[0] : rows[1], cols[0] : cols[1]] = tile
            if not tail.empty:
                tail.tile(work, s, t, (aux[0], aux[1]), rows, cols)

    count = -(-len(y) // _TILE)
    items = [
        (i, i // _TILE if symmetric else 0, count) for i in range(0, len(x), _TILE)
    ]
    # One thread for each tile: products of one shape then give the same bits on any machine load.
    with threadpool_limits(1, "blas"):
        run(items, block, tail.room, jobs=jobs, total=sum(b - a for _, a, b in items))


def diagonal(
    plan: Plan, x: np.ndarray, *, want_ntk: bool = True, n_jobs: int | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """K(x_i, x_i) for each input: (nngp, ntk)."""
    jobs = threads(n_jobs)
    if plan.space:
        head = Head(plan, want_ntk, x.dtype, jobs)
        s, t = head.diagonal(_flat(x))
        tail = Tail(head.program.rest, want_ntk, head.program.tangent, x.dtype)
    else:
        s, t = _squares(x), np.zeros(len(x), dtype=x.dtype)
        tail = Tail(plan.steps, want_ntk, False, x.dtype)
    tail.diagonal(s, t)
    return s, t if want_ntk else None
