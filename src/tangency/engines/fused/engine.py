"""The fused engine: kernels of NumPy inputs, planes for grids and tiles for vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from ...nets.geometry import AxisMatrices
from ...nets.meeting import Concatenate, Product, Sum
from ...nets.operators import (
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
from ..blas import one_blas_thread
from ..engine import BOTH, Wanted
from ..overflow import check_values
from ..prepared import Prepared, prepared
from ..threads import run, threads
from ..twins import row_squares, twins, write
from . import blocks, warm
from .activations import no_loop
from .head import BAND, ROOM, THREAD, head_of
from .lowering import lower
from .pieces import pieces
from .program import Uncovered
from .series import probe, slow
from .tables import tables
from .tail import Tail
from .vectors import Products
from .work import room_bytes

_OPERATORS = (
    *(Average, Concatenate, Normalize, Pointwise, Positions, Scale, Shifts, Stack, Sum, Weights),
)

WORKING_BYTES = ROOM + THREAD + 3 * BAND
"""What the engine needs beside its inputs and its result, at most."""

# Rows and columns of a tile of vectors, and rows of a strip of one on the diagonal. Large symmetric
# matrices have larger ones: their mirror images are written in longer runs.
_SIDES, _LARGE_SIDES, _LARGE = (256, 32), (512, 64), 2048


@lru_cache(maxsize=64)
def uncovered(plan: Plan) -> str | None:
    """Why this engine cannot compute a network; None where it can."""
    if plan.attached is not None:
        return "inputs have edges" if plan.attached.nodes else "inputs have masks"
    for step in walk(plan.steps):
        if reason := _unknown(step):
            return reason
    plan = probe(plan)
    try:
        if not plan.space:
            pieces(plan.steps)
            return None
        program = lower(plan, True)
    except Uncovered as reason:
        return str(reason)
    need = room_bytes(tables(program, plan.input_shape[-1], np.float64)[1], 1, 8)
    if need > THREAD:
        return f"pooling stores covariances of {need / 2**20:.0f} MiB for each pair"
    return None


def _unknown(step: Step) -> str | None:
    """Why there is no loop for an operator."""
    name = type(step.layer).__name__
    match step.operator:
        case Pointwise(activation):
            return slow(activation) if activation.quadrature else no_loop(activation)
        case Shifts(geometry) if any(
            (w.size_out - 1) * w.stride >= w.size_in for w in geometry.axes
        ):
            # Planes of δ reach as far as positions do, and those of δ·stride must be among them.
            return f"{name} has windows that begin farther apart than any positions are"
        case Weights(shared=False) if step.need_out is Need.FULL:
            # Of the diagonal alone, shared weights make the same.
            return f"{name} has other weights at each position, and later layers mix positions"
        case Weights() as weights if weights.trainable and not weights.usual:
            return f"{name} has learning rates of its own"
        case Normalize(space=True):
            return f"{name} normalises over space"
        case Concatenate(parts=None):
            return f"{name} puts grids one after the other"
        case Product():
            return f"{name} multiplies branches"
        case Drop():
            return f"{name} has random masks"
        case Attend():
            return f"{name} takes sums over all positions with weights that each input makes"
        case Embed():
            return f"{name} adds covariances of positions"
        case Stack(maps) if not all(isinstance(a, AxisMatrices) for a in maps):
            return f"{name} has a filter that is not separable"
        case operator if not isinstance(operator, _OPERATORS):
            return f"{name} is made of operators it does not know"
    return None


def gram(
    plan: Plan,
    x: np.ndarray | Prepared,
    y: np.ndarray | Prepared | None,
    *,
    wanted: Wanted = BOTH,
    n_jobs: int | None = None,
    progress: bool = False,
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """K(x_i, y_j) for all pairs: (nngp, ntk), None for what is not wanted; no y: symmetric."""
    first, second = prepared(x), None if y is None else prepared(y)
    warm.get_ready(first.inputs.dtype, bool(plan.space))
    if second is not None and len(second) < min(len(first), 32):
        # The second inputs fill the lanes: the larger set leaves fewer of them empty.
        pair = gram(plan, second, first, wanted=wanted, n_jobs=n_jobs, progress=progress)
        nngp, ntk = (None if k is None else np.ascontiguousarray(k.T) for k in pair)
        return nngp, ntk
    one = rows_of(first)
    two = one if second is None else rows_of(second)
    symmetric, jobs = second is None, threads(n_jobs)
    found = twins(one, None if symmetric else two)
    compute = _of_grids if plan.space else _of_vectors
    pair = compute(plan, one, two, symmetric, wanted, jobs, progress)
    if plan.space:
        for k in pair:
            check_values(k)
    if symmetric or found:
        # Of two sets only the inputs that are in both are taken with themselves.
        rows = np.arange(len(one)) if symmetric else np.concatenate([t.rows for t in found])
        some = one if symmetric else Prepared(one.inputs[rows])
        for k, values in zip(pair, _diagonal(plan, some, wanted.ntk, jobs), strict=True):
            if k is not None and values is not None:
                alone = np.zeros(len(one), dtype=k.dtype)
                alone[rows] = values
                write(k, found, alone, symmetric)
    return pair


def _of_grids(
    plan: Plan,
    one: Prepared,
    two: Prepared,
    symmetric: bool,
    wanted: Wanted,
    jobs: int,
    progress: bool,
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """`gram` of inputs that are rows; of equal sets, `symmetric` computes half of it.

    Σ is computed on the way to Θ, for all pairs.
    """
    x, y = one.inputs, two.inputs
    s = np.zeros((len(x), len(y)), dtype=x.dtype)
    t = np.zeros(s.shape, dtype=x.dtype) if wanted.ntk else None
    head = head_of(plan, wanted.ntk, x.dtype)
    out = s, s if t is None else t
    head.gram(one, two, out, symmetric, jobs, progress)
    tail = Tail(head.program.rest, wanted.ntk, head.program.tangent, x.dtype)
    if symmetric or not tail.empty:
        aux = marginals_behind(plan, tail, one, jobs), marginals_behind(plan, tail, two, jobs)

        def tile(work: Any, rows: tuple[int, int], cols: tuple[int, int]) -> None:
            if not tail.empty:
                tail.tile(work, *out, aux, rows, cols)
            if symmetric:
                _mirror((s, t), rows, cols)

        _over_tiles(tile, tail.room, x, y, symmetric, jobs)
    return s if wanted.nngp else None, t


def _of_vectors(
    plan: Plan,
    one: Prepared,
    two: Prepared,
    symmetric: bool,
    wanted: Wanted,
    jobs: int,
    progress: bool,
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """As `_of_grids`; of Σ, where it is not wanted, there is one tile at a time."""
    x, y = one.inputs, two.inputs
    tail = Tail(plan.steps, wanted.ntk, False, x.dtype)
    aux = passed(plan, tail, one)[2], passed(plan, tail, two)[2]
    products = Products(plan, tail, one, two, aux, wanted.nngp)
    s, t = (np.zeros((len(x), len(y)), dtype=x.dtype) if each else None for each in wanted)

    def tile(work: Any, rows: tuple[int, int], cols: tuple[int, int]) -> None:
        for out, values in zip((s, t), products.tile(work, rows, cols), strict=True):
            if out is not None:
                # Here, where they are in cache: another pass over the matrix would take longer.
                check_values(values)
                out[slice(*rows), slice(*cols)] = values
        if symmetric:
            _mirror((s, t), rows, cols)

    _over_tiles(tile, tail.room, x, y, symmetric, jobs, progress)
    return s, t


def _over_tiles(
    tile: Callable[[Any, tuple[int, int], tuple[int, int]], None],
    make_room: Callable[[], Any],
    x: np.ndarray,
    y: np.ndarray,
    symmetric: bool,
    jobs: int,
    progress: bool = False,
) -> None:
    """Calls `tile(work, rows, columns)` for all pairs, or for those on and above the diagonal."""
    side, strip = _LARGE_SIDES if symmetric and len(x) >= _LARGE else _SIDES

    def block(work: Any, row: int, first: int, last: int) -> None:
        rows = (row, min(row + side, len(x)))
        for k in range(first, last):
            cols = (k * side, min((k + 1) * side, len(y)))
            if not symmetric or row != cols[0]:
                tile(work, rows, cols)
                continue
            # On the diagonal only the upper triangle is wanted: less of it is computed in vain.
            for i in range(*rows, strip):
                tile(work, (i, min(i + strip, rows[1])), (i, cols[1]))

    count = -(-len(y) // side)
    items = [(i, i // side if symmetric else 0, count) for i in range(0, len(x), side)]

    def pairs(row: int, first: int, last: int) -> int:
        return min(side, len(x) - row) * (min(last * side, len(y)) - first * side)

    # One thread for each tile: products of one shape then give the same bits at any load.
    with one_blas_thread():
        total = sum(pairs(*item) for item in items)
        run(items, block, make_room, jobs=jobs, total=total, progress=progress, weight=pairs)


def _mirror(pair: Iterable[np.ndarray | None], rows: Any, cols: Any) -> None:
    for k in pair:
        if k is not None:
            blocks.mirror(k, rows, cols)


def diagonal(
    plan: Plan, x: np.ndarray | Prepared, *, want_ntk: bool = True, n_jobs: int | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """K(x_i, x_i) for each input: (nngp, ntk)."""
    given = prepared(x)
    warm.get_ready(given.inputs.dtype, bool(plan.space))
    return _diagonal(plan, rows_of(given), want_ntk, threads(n_jobs))


def _diagonal(
    plan: Plan, given: Prepared, want_ntk: bool, jobs: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """`diagonal` of inputs that are rows, computed once."""

    def make() -> tuple[np.ndarray, np.ndarray | None]:
        x = given.inputs
        if plan.space:
            head = head_of(plan, want_ntk, x.dtype)
            s, t = head.diagonal(x, jobs)
            tail = Tail(head.program.rest, want_ntk, head.program.tangent, x.dtype)
            tail.diagonal(s, t)
        else:
            s, t, _ = passed(plan, Tail(plan.steps, want_ntk, False, x.dtype), given)
        for values in (s, t):
            check_values(values)
        return s, t if want_ntk else None

    return given.derive(("diagonal", plan, want_ntk), make)


def passed(plan: Plan, tail: Tail, given: Prepared) -> tuple[np.ndarray, ...]:
    """Vectors taken through all layers alone: K(x, x) of both kinds, and (u, v) of all marginals.

    They start from the one sum of squares that products of two vectors are measured against.
    """

    def make() -> tuple[np.ndarray, ...]:
        s = row_squares(given).copy()
        t = np.zeros_like(s)
        aux = tail.diagonal(s, t)
        return s, t, aux

    return given.derive(("tail", plan, tail.want_ntk), make)


def marginals_behind(plan: Plan, tail: Tail, given: Prepared, jobs: int) -> np.ndarray:
    """(u, v) of each image at every layer of the tail that asks for them."""

    def make() -> np.ndarray:
        x = given.inputs
        q = np.zeros(len(x), dtype=x.dtype)
        if tail.reads_marginals:
            # Σ of each input with itself at the readout.
            q = head_of(plan, False, x.dtype).diagonal(x, jobs)[0]
        return tail.diagonal(q, np.zeros_like(q))

    return given.derive(("tail", plan, tail.want_ntk), make)


def rows_of(given: Prepared) -> Prepared:
    """Inputs as rows, in the one kind of array that the loops are compiled for."""

    def make() -> Prepared:
        rows = Prepared(flat(given.inputs))
        rows.derive("squares", lambda: row_squares(given))
        return rows

    return given.derive("rows", make)


def flat(x: np.ndarray) -> np.ndarray:
    """Read-only arrays (joblib's memory maps) would be another kind; nothing writes to inputs."""
    flat = np.require(np.ascontiguousarray(x), requirements="A").reshape(len(x), -1)
    return flat if flat.flags.writeable else np.asarray(_Writeable(flat))


class _Writeable:
    """The memory of a read-only array as NumPy sees that of one that is not."""

    def __init__(self, x: np.ndarray) -> None:
        self.array = x
        self.__array_interface__ = {**x.__array_interface__, "data": (x.ctypes.data, False)}
