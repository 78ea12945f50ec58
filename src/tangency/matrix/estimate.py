"""What a kernel matrix will take: pairs, time, bytes and memory, from a short measurement."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import dtype_of, is_number, is_whole, number, shown, whole, within_memory
from ..errors import InputError
from ..kernels import Prepared
from .grid import Grid
from .job import Job, engines, kernel_and_kinds, settled
from .sources import Rows
from .tilesize import tile_size

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ..typing import KernelLike

# Resident in a worker process that has computed a tile, without what the tile needs.
_LIBRARIES = 300 * 10**6
# More cores than that are a slip of the pen, and each takes a place in `speeds`.
_MOST_MACHINES = 10**6
# Columns of the smallest block that is timed: whole groups of inputs, as in large tiles.
_COLUMNS = 128


@dataclass(frozen=True)
class Estimate:
    """The time and space that a kernel matrix will take.

    Attributes:
        kinds: names of the matrices.
        dtype: of their numbers.
        grid: rows, columns, side of a tile, symmetry; `grid.count` tiles.
        pairs: that are computed; of a symmetric matrix one triangle.
        pairs_per_second: of one core of this machine, measured.
        speeds: of all workers, in cores of this machine.
        seconds: pairs over the speeds of all workers together, at least one tile on the fastest.
        store_bytes: of the finished store.
        input_bytes: of the inputs, which each worker gets at most once.
        worker_bytes: that a worker needs at least.
        solver_bytes: of the matrix in float64, in which a direct solver works; None if it is not
            symmetric.
    """

    kinds: tuple[str, ...]
    dtype: str
    grid: Grid
    pairs: int
    pairs_per_second: float
    speeds: tuple[float, ...]
    seconds: float
    store_bytes: int
    input_bytes: int
    worker_bytes: int
    solver_bytes: int | None

    def __str__(self) -> str:
        grid, cores = self.grid, sum(self.speeds)
        size = f"{grid.n:,} × {grid.m:,}, {self.dtype}"
        symmetry = "symmetric" if grid.symmetric else "not symmetric"
        rows = [
            ("matrix", f"{' and '.join(self.kinds)}, {size}, {symmetry}"),
            ("pairs", f"{self.pairs:,}"),
            ("tiles", f"{grid.count:,} of {grid.tile:,} × {grid.tile:,}"),
            ("speed", f"{_rounded(self.pairs_per_second)} pairs a second on one core, measured"),
            ("time", f"{_duration(self.seconds)} on {cores:g} core{'' if cores == 1 else 's'}"),
            ("store", _bytes(self.store_bytes)),
            ("inputs", f"{_bytes(self.input_bytes)}, sent to each worker at most once"),
            ("memory", f"{_bytes(self.worker_bytes)} for each worker, at least"),
        ]
        if self.solver_bytes is not None:
            rows.append(("solve", f"{_bytes(self.solver_bytes)} for a direct solver in float64"))
        return "\n".join(f"{name:<8}{text}" for name, text in rows)


@within_memory()
def estimate(
    net: KernelLike,
    shape: Sequence[int],
    *,
    columns: int | None = None,
    machines: int | Sequence[float] = 1,
    dtype: DTypeLike = "float64",
    kind: str | None = None,
    tile: int | str = "auto",
    seconds: float = 0.5,
) -> Estimate:
    """Estimates what `compute` will take, from a measurement of some seconds on this machine.

    Blocks of random inputs are computed on one core, larger and larger ones up to a tile, until
    one takes `seconds`. Time is then taken to be in proportion to pairs and in inverse proportion
    to cores; docs/scaling.md shows how far that holds.

    Args:
        net: a network or its text, or a kernel, as for `compute`.
        shape: of X, (n, *space, channels).
        columns: rows of Y; None for the symmetric matrix of X.
        machines: how many cores like one of this machine, or the speed of each core, where 0.5 is
            half of that: `[1, 1, 0.5]`.
        dtype, kind, tile: as for `compute`.
        seconds: that the last measurement should take.

    Raises:
        InputError: no such shape, columns, machines, dtype, kind, tile or seconds.
        NetworkError: a network that does not fit the shape.

    >>> import tangency as tg
    >>> estimate = tg.gram.estimate("dense relu dense", (60_000, 784), machines=8, dtype="float32")
    >>> estimate.pairs, estimate.store_bytes > 7.2e9
    (1800030000, True)
    """
    shape = _shape(shape)
    name = _dtype(dtype)
    if columns is not None and not _count(columns):
        raise InputError(
            f"columns must be a whole number of at least 1, or None; got {shown(columns)}"
        )
    if not _speed(seconds):
        raise InputError(f"seconds must be a number above 0, got {shown(seconds)}")
    speeds = _speeds(machines)
    job = _job(net, shape, columns, name, kind, tile)
    rate, block_bytes = _measure(job, shape[1:], seconds)
    grid, itemsize = job.grid, np.dtype(name).itemsize
    tile_bytes = len(job.kinds) * grid.chunk[0] * grid.chunk[1] * itemsize
    inputs = grid.n + (0 if grid.symmetric else grid.m)
    fastest = min(math.prod(grid.chunk), grid.all_pairs) / (rate * max(speeds))
    return Estimate(
        kinds=job.kinds,
        dtype=name,
        grid=grid,
        pairs=grid.all_pairs,
        pairs_per_second=rate,
        speeds=speeds,
        seconds=max(grid.all_pairs / (rate * sum(speeds)), fastest),
        store_bytes=grid.count * tile_bytes,
        input_bytes=inputs * math.prod(shape[1:]) * itemsize,
        # Two blocks of input, and a tile twice: as it is computed, and as it is written.
        worker_bytes=_LIBRARIES + 2 * round(block_bytes) + 2 * tile_bytes,
        solver_bytes=8 * grid.n**2 if grid.symmetric else None,
    )


def _measure(job: Job, shape: tuple[int, ...], wanted: float) -> tuple[float, float]:
    """Pairs a second on one core, and the bytes of a block of inputs of a whole tile.

    What is derived from each input alone is not timed: it is kept for many tiles.
    """
    evaluate = job.with_threads(1).evaluate
    rng = np.random.default_rng(0)
    seconds, pairs, row_bytes = 0.0, 0, 0.0
    for rows, columns in _sizes(*job.grid.chunk):
        blocks = [
            Prepared(rng.standard_normal((count, *shape)).astype(job.dtype))
            for count in (rows, columns)
        ]
        evaluate(*blocks)
        start = time.perf_counter()
        evaluate(*blocks)
        seconds, pairs = time.perf_counter() - start, rows * columns
        row_bytes = max(block.nbytes / len(block) for block in blocks)
        if seconds >= wanted / 2:
            break
    return pairs / seconds, row_bytes * max(job.grid.chunk)


def _sizes(most_rows: int, most_columns: int) -> Iterator[tuple[int, int]]:
    """Blocks of which each has twice the pairs of the one before, up to the last."""
    rows, columns = 1, min(_COLUMNS, most_columns)
    yield rows, columns
    while (rows, columns) != (most_rows, most_columns):
        if rows < min(columns, most_rows) or columns == most_columns:
            rows = min(2 * rows, most_rows)
        else:
            columns = min(2 * columns, most_columns)
        yield rows, columns


def _job(
    net: Any, shape: tuple[int, ...], columns: int | None, dtype: str, kind: str | None, tile: Any
) -> Job:
    """The job that `compute` would do for such inputs."""
    kernel, kinds = kernel_and_kinds(net, kind)
    kernel = settled(kernel, 1)
    inputs = Rows(np.broadcast_to(np.zeros((), dtype), shape))
    kernel.diag(inputs[:1])
    m = shape[0] if columns is None else columns
    grid = Grid(shape[0], m, tile_size(tile, kernel, inputs, m, len(kinds)), columns is None)
    return Job(kernel, kinds, dtype, grid, shape[1:], ("",), engines(kernel, inputs))


def _shape(shape: Any) -> tuple[int, ...]:
    good = isinstance(shape, Sequence) and 2 <= len(shape) <= 5
    if not good or not all(_count(size) for size in shape):
        raise InputError(
            f"shape must be that of X, (n, features) or (n, *space, channels), got {shown(shape)}"
        )
    return tuple(whole(size, "a size in shape", 1) for size in shape)


def _count(value: Any) -> bool:
    return is_whole(value) and 0 < int(value) < 2**63


def _dtype(dtype: Any) -> str:
    found = dtype_of(dtype)
    if found is None or found.name not in ("float32", "float64"):
        raise InputError(f"dtype must be float32 or float64, got {shown(dtype)}")
    return found.name


def _speeds(machines: Any) -> tuple[float, ...]:
    if _count(machines):
        machines = (1.0,) * whole(machines, "machines", 1, _MOST_MACHINES)
    listed = isinstance(machines, Sequence) and not isinstance(machines, memoryview)
    speeds = machines if listed else ()
    if not speeds or not all(map(_speed, speeds)):
        raise InputError(
            "machines must be a number of cores, or the speeds of cores relative to one of this "
            f"machine, as [1, 1, 0.5]; got {shown(machines)}"
        )
    return tuple(float(speed) for speed in speeds)


def _speed(value: Any) -> bool:
    return is_number(value) and 0 < number(value, "a speed", finite=False) < math.inf


def _rounded(value: float) -> str:
    """With three digits."""
    return f"{float(f'{value:.3g}'):,.{0 if value >= 100 else 2}f}"


def _bytes(count: float) -> str:
    """In powers of 1000, as disks are sold."""
    units = ("bytes", "kB", "MB", "GB", "TB", "PB")
    power = 0
    while count >= 999.5 and power < len(units) - 1:
        count, power = count / 1000, power + 1
    return f"{count:.3g} {units[power]}"


def _duration(seconds: float) -> str:
    """With two or three digits, in the largest unit that gives at least 1.5."""
    for unit, size in (("years", 365.25 * 86400), ("days", 86400), ("hours", 3600)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 60:.3g} minutes" if seconds >= 90 else f"{seconds:.2g} seconds"
