"""The program as flat arrays, the form in which compiled loops read it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .expanded import series_blocks
from .program import Code, Operation, Program
from .reach import diagonal_weights, needed_displacements, targets
from .scalars import SERIES


class Tables(NamedTuple):
    """A program in arrays; index names are the constants below.

    Attributes:
        ops: one row an operation. taps: positions that convolutions read. par: real parameters.
        stages: one row a stage. shifts: displacements to evaluate.
        target_of, targets, term_at, term_weight: what planes add to in a stored covariance.
        weights, row_weights: the readout's weights, by displacement and position, in float64 and
            in the precision of the work.
        marginals: of each position of a marginal its kind, where its parameters begin, and which of
            several pairs (u, v) it is.
        plane_at: where the plane of each displacement begins in a register, in positions.
        tiny: the smallest normal number.
        marks: one row an operation, what a way back needs of it; nothing on the way there.
    """

    ops: Any
    taps: Any
    par: Any
    stages: Any
    shifts: Any
    target_of: Any
    targets: Any
    term_at: Any
    term_weight: Any
    weights: Any
    row_weights: Any
    plane_at: Any
    marginals: Any
    tiny: Any
    marks: Any


# Columns of `ops`.
(CODE, SRC, DST, KIND, MARGINAL, PAR, TANGENT, TRAINABLE, TARGET_TANGENT) = range(9)
(H, W, H_OUT, W_OUT, DOWN1, DOWN2) = range(9, 15)
(START1, STRIDE1, COUNT1, TAPS1, START2, STRIDE2, COUNT2, TAPS2) = range(15, 23)
OP_COLUMNS = 23

# Columns of `stages`.
(OP_FIRST, OP_LAST, SOURCE, SINK, WRAP, TANGENT_IN, TANGENT_OUT, SLOT) = range(8)
(S_H, S_W, S_DOWN1, S_DOWN2, S_END1, S_END2, S_OUT1, S_OUT2) = range(8, 16)
(SHIFT1_FIRST, SHIFT1_LAST, SHIFT2_FIRST, SHIFT2_LAST) = range(16, 20)
(AXIS1, AXIS2, SOURCE_PLANES, SINK_PLANES, SOURCE_AT, SINK_AT) = range(20, 26)
STAGE_COLUMNS = 26

# Columns of `marks`: the tapes that hold the planes an operation reads, or makes (−1: none);
# whether it writes the former; whether no gradient was written to its source before.
KEPT_BEFORE, KEPT_BEHIND, KEEPS, FRESH = range(4)
MARK_COLUMNS = 4


class Sizes(NamedTuple):
    """How much room the loops need, in numbers per image of a group ("lane")."""

    slots: int
    plane: int
    buffer: int
    row_pairs: int
    registers: int
    marginals: int
    channels: int


class _Flat:
    """Arrays under construction."""

    def __init__(self) -> None:
        self.taps: list[int] = []
        self.par: list[float] = []
        self.shifts: list[int] = []
        self.target_of: list[int] = []
        self.targets: list[tuple[int, int, int, int]] = []
        self.term_at: list[int] = []
        self.term_weight: list[float] = []
        self.weights: list[float] = []
        self.plane_at: list[int] = []

    def put(self, place: list[Any], values: Any) -> int:
        """Appends values and returns where they begin."""
        first = len(place)
        place.extend(values)
        return first


def tables(
    program: Program, channels: int, dtype: Any, diagonal_only: bool = False
) -> tuple[Tables, Sizes]:
    """The arrays of a program for inputs of some channels, and the room it needs.

    Args:
        diagonal_only: stop at the diagonal of the last stage, as marginals need no more.
    """
    flat = _Flat()
    starts = np.cumsum([0, *(h * w for h, w in program.marginals)])
    planes, register_at, total = [], [], 0
    for h, w in program.registers:
        planes.append(flat.put(flat.plane_at, _packed(h, w)))
        register_at.append(total)
        total += h * h * w * w
    shifts = needed_displacements(program, diagonal_only)
    ops: list[list[int]] = []
    rows: list[list[int]] = []
    for stage, (first, second) in zip(program.stages, shifts, strict=True):
        row = [0] * STAGE_COLUMNS
        row[OP_FIRST] = len(ops)
        ops += [_operation(flat, op, starts) for op in stage.operations]
        row[OP_LAST] = len(ops)
        row[SOURCE], row[SINK], row[WRAP] = stage.source, stage.sink, int(bool(stage.wrap))
        row[TANGENT_IN], row[TANGENT_OUT] = int(stage.tangent_in), int(stage.tangent_out)
        row[SLOT] = stage.slot
        row[S_H : S_OUT2 + 1] = [*stage.grid, *stage.down, *stage.end, *stage.out]
        row[SHIFT1_FIRST] = flat.put(flat.shifts, first)
        row[SHIFT1_LAST] = row[SHIFT2_FIRST] = flat.put(flat.shifts, second)
        row[SHIFT2_LAST] = len(flat.shifts)
        assert stage.matrices is not None
        for column, matrix in ((AXIS1, stage.matrices[0]), (AXIS2, stage.matrices[1])):
            put = _readout if stage.sink < 0 else _axis
            row[column] = put(flat, matrix, bool(stage.wrap))
        if stage.source >= 0:
            row[SOURCE_PLANES], row[SOURCE_AT] = planes[stage.source], register_at[stage.source]
        if stage.sink >= 0:
            row[SINK_PLANES], row[SINK_AT] = planes[stage.sink], register_at[stage.sink]
        rows.append(row)

    def integers(values: Any, width: int | None = None) -> np.ndarray:
        array = np.asarray(values, dtype=np.int64)
        return array if width is None else array.reshape(-1, width)

    par = np.asarray([*flat.par, 0.0, 0.0, 0.0, 0.0], dtype=dtype)
    result = Tables(
        ops=integers(ops, OP_COLUMNS),
        taps=integers(flat.taps),
        par=par,
        stages=integers(rows, STAGE_COLUMNS),
        shifts=integers(flat.shifts),
        target_of=integers(flat.target_of),
        targets=integers(flat.targets, 4),
        # Terms are read four at a time, the last ones too.
        term_at=integers([*flat.term_at, 0, 0, 0]),
        term_weight=np.asarray([*flat.term_weight, 0.0, 0.0, 0.0], dtype=dtype),
        weights=np.asarray(flat.weights, dtype=np.float64),
        row_weights=np.asarray(flat.weights, dtype=dtype),
        plane_at=integers(flat.plane_at),
        marginals=_marginals(integers(ops, OP_COLUMNS), max(int(starts[-1]), 1), par),
        tiny=np.asarray([np.finfo(dtype).smallest_normal], dtype=dtype),
        marks=np.full((len(ops), MARK_COLUMNS), -1),
    )
    return result, _sizes(program, channels, int(starts[-1]), total)


def _marginals(ops: np.ndarray, count: int, par: np.ndarray) -> np.ndarray:
    """The kind, the parameters and the pair of every marginal, position by position."""
    found = np.zeros((count, 3), dtype=np.int64)
    for row in ops[ops[:, CODE] == Code.ELEMENTWISE]:
        at, size = row[MARGINAL], row[H] * row[W]
        pairs = series_blocks(par, row[PAR]) if row[KIND] == SERIES else 1
        for pair in range(pairs):
            found[at + pair * size : at + (pair + 1) * size] = row[KIND], row[PAR], pair
    return found


def _packed(h: int, w: int) -> list[int]:
    """Where the plane of displacement (d1, d2) begins, for d1 > −h and d2 > −w in row-major order.

    The plane holds the positions u for which u and u + δ are on the grid, and nothing else.
    """
    at, total = [], 0
    for d1 in range(-h + 1, h):
        for d2 in range(-w + 1, w):
            at.append(total)
            total += (h - abs(d1)) * (w - abs(d2))
    return at


def _operation(flat: _Flat, op: Operation, starts: np.ndarray) -> list[int]:
    row = [0] * OP_COLUMNS
    row[CODE], row[SRC], row[DST], row[KIND] = op.code, op.src, op.dst, op.kind
    row[MARGINAL] = int(starts[op.marginal]) if op.marginal >= 0 else 0
    row[PAR] = flat.put(flat.par, op.parameters)
    row[TANGENT], row[TRAINABLE] = int(op.tangent), int(op.trainable)
    row[TARGET_TANGENT] = int(op.target_tangent)
    row[H : DOWN2 + 1] = [*op.grid, *op.out, *op.down]
    if op.axes is not None:
        for column, window in ((START1, op.axes[0]), (START2, op.axes[1])):
            row[column], row[column + 1] = window.start, window.stride
            row[column + 2] = len(window.taps)
            row[column + 3] = flat.put(flat.taps, window.taps)
        if op.offsets:
            row[COUNT1] = len(op.offsets)
            row[TAPS1] = flat.put(flat.taps, [n for offset in op.offsets for n in offset])
    return row


def _axis(flat: _Flat, matrix: np.ndarray, wrap: bool) -> int:
    """The targets of one axis for every displacement; returns where their table begins."""
    n = matrix.shape[1]
    bounds = []
    for d in range(n) if wrap else range(-n + 1, n):
        bounds.append(len(flat.targets))
        for o, p, terms in targets(matrix, d, wrap):
            first = flat.put(flat.term_at, [i for i, _ in terms])
            flat.term_weight.extend(w for _, w in terms)
            flat.targets.append((o, p, first, len(terms)))
    return flat.put(flat.target_of, [*bounds, len(flat.targets)])


def _readout(flat: _Flat, matrix: np.ndarray, wrap: bool) -> int:
    """G[i, i+d] for every displacement and position; returns where the table begins."""
    n = matrix.shape[0]
    first = len(flat.weights)
    for d in range(n) if wrap else range(-n + 1, n):
        row = [0.0] * n
        for i, w in diagonal_weights(matrix, d, wrap):
            row[i] = w
        flat.weights.extend(row)
    return first


def _sizes(program: Program, channels: int, marginals: int, registers: int) -> Sizes:
    plane, buffer, row_pairs = 1, 1, 1
    for stage in program.stages:
        grids = [stage.grid, stage.end, *(op.out for op in stage.operations)]
        plane = max(plane, *(h * w for h, w in grids))
        buffer = max(buffer, *(w for _, w in grids))
        for op in stage.operations:
            if op.axes is not None:
                reach = op.axes[1].taps or tuple(b for _, b in op.offsets)
                pad = 2 * (max(map(abs, reach)) + abs(op.axes[1].start)) + op.axes[1].stride
                buffer = max(buffer, op.grid[1] + op.out[1] * op.axes[1].stride + pad)
        if stage.sink >= 0:
            row_pairs = max(row_pairs, stage.out[0] ** 2 * stage.end[1])
    return Sizes(
        program.slots, plane, buffer, row_pairs, max(registers, 1), max(marginals, 1), channels
    )
