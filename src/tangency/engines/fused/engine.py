"""The fused engine: kernels of NumPy inputs, planes for grids and tiles for vectors."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ...nets import Activation
from ...nets.activations import ActivationLayer
from ...nets.geometry import GridMatrix
from ...nets.plan import Plan, walk
from ..prepared import Prepared, prepared
from . import blocks, warm
from .activations import KNOWN
from .head import BAND, ROOM, THREAD, head_of
from .lowering import lower
from .program import Uncovered
from .run import one_blas_thread, run, threads
from .tables import tables
from .tail import Tail
from .vectors import Products, norms
from .work import room_bytes

WORKING_BYTES = ROOM + THREAD + 3 * BAND
"""What the engine needs beside its inputs and its result, at most."""

# Rows and columns of a tile of vectors, and rows of a strip of one on the diagonal. Large symmetric
# matrices have larger ones: their mirror images are written in longer runs.
_SIDES, _LARGE_SIDES, _LARGE = (256, 32), (512, 64), 2048


@lru_cache(maxsize=64)
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
    if need > THREAD:
        return f"pooling stores covariances of {need / 2**20:.0f} MiB for each pair"
    return None


def gram(
    plan: Plan,
    x: np.ndarray | Prepared,
    y: np.ndarray | Prepared | None,
    *,
    want_ntk: bool = True,
    n_jobs: int | None = None,
    progress: bool = False,
) -> tuple[np.ndarray, np.ndarray | None]:
    """K(x_i, y_j) for all pairs: (nngp, ntk); `y=None` is a symmetric call."""
    first, second = prepared(x), None if y is None else prepared(y)
    warm.get_ready(first.inputs.dtype, bool(plan.space))
    if second is not None and len(second) < min(len(first), 32):
        # The second inputs fill the lanes: the larger set leaves fewer of them empty.
        pair = gram(plan, second, first, want_ntk=want_ntk, n_jobs=n_jobs, progress=progress)
        nngp, ntk = (None if k is None else np.ascontiguousarray(k.T) for k in pair)
        assert nngp is not None
        return nngp, ntk
    one = _rows(first)
    two = one if second is None else _rows(second)
    return _gram(plan, one, two, second is None, want_ntk, threads(n_jobs), progress)


def _gram(
    plan: Plan,
    one: Prepared,
    two: Prepared,
    symmetric: bool,
    want_ntk: bool,
    jobs: int,
    progress: bool,
) -> tuple[np.ndarray, np.ndarray | None]:
    """`gram` of inputs that are rows; of equal sets, `symmetric` computes half of it."""
    x, y = one.inputs, two.inputs
    s = np.zeros((len(x), len(y)), dtype=x.dtype)
    t = np.zeros(s.shape, dtype=x.dtype) if want_ntk else s
    products: Products | None = None
    if plan.space:
        head = head_of(plan, want_ntk, x.dtype)
        head.gram(one, two, (s, t), symmetric, jobs, progress)
        tail = Tail(head.program.rest, want_ntk, head.program.tangent, x.dtype)
    else:
        tail = Tail(plan.steps, want_ntk, False, x.dtype)
        products = Products(plan, tail, one, two)
    aux = [_marginals(plan, tail, given, jobs) for given in (one, two)]

    side, strip = _LARGE_SIDES if symmetric and len(x) >= _LARGE else _SIDES

    def tile(work: Any, rows: tuple[int, int], cols: tuple[int, int]) -> None:
        done = products is not None and products.tile(s, t, rows, cols)
        if not done and not tail.empty:
            tail.tile(work, s, t, (aux[0], aux[1]), rows, cols)
        if symmetric:
            blocks.mirror(s, rows, cols)
            if want_ntk:
                blocks.mirror(t, rows, cols)

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

    if products is not None or symmetric or not tail.empty:
        count = -(-len(y) // side)
        items = [(i, i // side if symmetric else 0, count) for i in range(0, len(x), side)]
        total = sum(last - first for _, first, last in items)
        # One thread for each tile: products of one shape then give the same bits at any load.
        with one_blas_thread():
            run(items, block, tail.room, jobs=jobs, total=total)
    return s, t if want_ntk else None


def diagonal(
    plan: Plan, x: np.ndarray, *, want_ntk: bool = True, n_jobs: int | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """K(x_i, x_i) for each input: (nngp, ntk)."""
    warm.get_ready(x.dtype, bool(plan.space))
    x = _rows(Prepared(x)).inputs
    if plan.space:
        head = head_of(plan, want_ntk, x.dtype)
        s, t = head.diagonal(x, threads(n_jobs))
        tail = Tail(head.program.rest, want_ntk, head.program.tangent, x.dtype)
    else:
        s, t = np.einsum("ij,ij->i", x, x), np.zeros(len(x), dtype=x.dtype)
        tail = Tail(plan.steps, want_ntk, False, x.dtype)
    tail.diagonal(s, t)
    return s, t if want_ntk else None


def _marginals(plan: Plan, tail: Tail, given: Prepared, jobs: int) -> np.ndarray:
    """(u, v) of each input at every layer of the tail that asks for them."""

    def make() -> np.ndarray:
        x = given.inputs
        if not plan.space:
            q = norms(given).squares.copy()
        elif tail.reads_marginals:
            # Σ of each input with itself at the readout.
            q = head_of(plan, False, x.dtype).diagonal(x, jobs)[0]
        else:
            q = np.zeros(len(x), dtype=x.dtype)
        return tail.diagonal(q, np.zeros_like(q))

    return given.derive(("tail", plan, tail.want_ntk), make)


def _rows(given: Prepared) -> Prepared:
    """Inputs as rows, in the one kind of array that the loops are compiled for."""
    return given.derive("rows", lambda: Prepared(_flat(given.inputs)))


def _flat(x: np.ndarray) -> np.ndarray:
    """Read-only arrays (joblib's memory maps) would be another kind; nothing writes to inputs."""
    flat = np.require(np.ascontiguousarray(x), requirements="A").reshape(len(x), -1)
    return flat if flat.flags.writeable else np.asarray(_Writeable(flat))


class _Writeable:
    """The memory of a read-only array as NumPy sees that of one that is not."""

    def __init__(self, x: np.ndarray) -> None:
        self.array = x
        self.__array_interface__ = {**x.__array_interface__, "data": (x.ctypes.data, False)}
