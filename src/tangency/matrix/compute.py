"""Computes a kernel matrix into a store, tile by tile, and goes on where a run before stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import dtype_of, flag, shown, within_memory
from ..engines.progress import progress_bar
from ..errors import InputError, StoreError
from ..kernels import KernelPair
from ..kernels.foreign import refuse_unlike_columns
from . import layout
from .blocks import Blocks
from .client import check_client
from .grid import MOST_TILES, Grid
from .job import Job, described, engines, kernel_and_kinds, settled
from .lock import Owner, UnwritableError
from .room import require_room
from .sources import rows_of
from .store import Store, folder
from .tilesize import tile_size

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ..typing import ArrayLike, FilePath, KernelLike
    from .view import StoredGram

# Tiles that wait to be written, beside the one that is being computed: one in the writer's hands
# and none behind it, as a disk that is slower than the processors would fill the memory.
_WAITING = 1


@within_memory()
def compute(
    kernel: KernelLike,
    X: ArrayLike,
    Y: ArrayLike | None = None,
    store: FilePath = "K.zarr",
    *,
    kind: str | None = None,
    tile: int | str = "auto",
    dtype: DTypeLike | None = None,
    client: Any = None,
    resume: bool = True,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> StoredGram | KernelPair:
    """Compute K(x_i, y_j) into a store that a crash cannot harm; resume if it was begun before.

    Args:
        kernel: any kernel of the library, or a network (or its text form) with `kind`. A kernel of
            your own needs `to_dict`; values that it returns in another precision are rounded to
            `dtype`.
        X, Y: inputs (n, *space, channels) and (m, *space, channels): arrays, memory maps, arrays
            of Zarr; read by blocks of rows, so that they must not change meanwhile; or `Masked` or
            `Graphs`. No Y is a symmetric matrix: of it, tiles on and above the diagonal are
            computed and stored.
        store: the folder of the store, a Zarr v3 group; it ends in .zarr by custom.
        kind: "both" (of a network, if not given), "ntk" or "nngp".
        tile: rows and columns of a tile; "auto": by cost and memory (`tilesize.tile_size` has the
            rule), or those of the store that is there.
        dtype: float32 or float64, to which inputs are converted; None: as the inputs.
        client: a `dask.distributed.Client` whose workers compute the tiles.
        resume: False refuses a store that has tiles already.
        n_jobs: threads for each tile; no value depends on it.
        progress: show a bar, in pairs, if it takes longer than two seconds; None: where a person
            looks on, which is when stderr is a terminal.

    Returns:
        The stored matrix, or a `KernelPair` of them. Values are those of the kernel called with
        blocks of inputs: they depend on the tiles' size and, as all sums do, on the processor's
        vector width (by rounding), but neither on threads and workers nor on interruptions.

    Raises:
        InputError: inputs that the kernel cannot take, NaN and infinity among them; no client.
        StoreError: the store is that of another job, is in use, cannot be written, or was removed,
            renamed or replaced meanwhile.

    >>> import numpy as np, tempfile
    >>> import tangency as tg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     K = tg.gram.compute(tg.NTK("dense relu dense"), np.eye(3), store=f"{folder}/K.zarr")
    ...     K[0], K.complete
    (array([2.        , 0.31830989, 0.31830989]), True)
    """
    if client is not None:
        check_client(client)
    store, resume = folder(store), flag(resume, "resume")
    progress = None if progress is None else flag(progress, "progress")
    kernel, kinds = kernel_and_kinds(kernel, kind)
    job, blocks = make_job(kernel, kinds, X, Y, store, tile, dtype, n_jobs)
    place = Store.prepare(store, job)
    fill(place, job, blocks, client=client, resume=resume, progress=progress)
    from .view import opened

    return opened(place)


def fill(
    place: Store,
    job: Job,
    blocks: Blocks,
    *,
    client: Any = None,
    resume: bool = True,
    progress: bool | None = None,
) -> None:
    """Compute what is missing of a job in its store; raises as `compute` does."""
    if not resume and place.missing() < len(place.grid):
        raise StoreError(
            f"{place.path} holds tiles already; resume=True goes on with them, and to begin again "
            "remove that folder"
        )
    try:
        with place.running() as owner:
            todo = _todo(place, progress)
            if todo:
                require_room(place.path, place.header, todo)
                _run(job, blocks, place, todo, owner, client, progress)
    except UnwritableError:
        if _todo(place, progress):
            raise


def make_job(
    kernel: Any,
    kinds: tuple[str, ...],
    X: Any,
    Y: Any | None,
    store: Any,
    tile: int | str,
    dtype: Any,
    n_jobs: int | None,
) -> tuple[Job, Blocks]:
    """The job, with digests of the data, and the blocks of inputs for its tiles."""
    kernel = settled(kernel, n_jobs)
    described(kernel)
    refuse_unlike_columns(X, Y)
    x, y = rows_of(X, Y, _precision(dtype))
    if y is not None:
        if x.shape[1:] != y.shape[1:]:
            raise InputError(
                f"X has inputs of shape {x.shape[1:]} and Y of shape {y.shape[1:]}; they must be "
                "equal"
            )
        x.dtype = y.dtype = np.result_type(x.dtype, y.dtype)
    kernel.diag(x[:1])  # a network that does not fit is found before all data are read
    engine = engines(kernel, x)
    m = len(x if y is None else y)
    if isinstance(tile, str) and tile == "auto":
        tile = _stored_tile(store) or tile
    side = tile_size(tile, kernel, x, m, len(kinds))
    grid = Grid(len(x), m, side, y is None)
    if grid.count > MOST_TILES:
        raise InputError(
            f"tile={side} makes {grid.count:,} tiles, with a file for each; at most {MOST_TILES:,} "
            'are possible: give a larger tile, or tile="auto"'
        )
    digests = (x.digest(),) if y is None else (x.digest(), y.digest())
    job = Job(kernel, kinds, x.dtype.name, grid, x.shape[1:], digests, engine)
    return job, Blocks(grid, x, y)


def run_tiles(
    job: Job,
    data: Blocks,
    store: Store,
    todo: list[tuple[int, int]],
    on_done: Callable[[int, int], None],
    owner: Owner | None = None,
) -> None:
    """Compute tiles one after the other with all threads; another thread writes them."""
    pending: list[Any] = []
    with ThreadPoolExecutor(1, "tangency-writer") as writer:

        def settle(at_most: int) -> None:
            while len(pending) > at_most:
                (i, j), written = pending.pop(0)
                written.result()
                on_done(i, j)

        try:
            for i, j in todo:
                start = time.perf_counter()
                arrays = job.compute_tile(i, j, data)
                seconds = time.perf_counter() - start
                settle(_WAITING - 1)
                pending.append(
                    ((i, j), writer.submit(store.write_tile, i, j, arrays, seconds, owner))
                )
        finally:
            # Interrupted too: what has been computed is written before the lock is given back.
            settle(0)


def _run(
    job: Job,
    blocks: Blocks,
    place: Store,
    todo: list[tuple[int, int]],
    owner: Owner,
    client: Any,
    progress: bool | None,
) -> None:
    total = sum(place.grid.pairs(i, j) for i, j in todo)
    with progress_bar(total, progress) as bar:

        def done(i: int, j: int) -> None:
            bar.update(place.grid.pairs(i, j))

        if client is None:
            run_tiles(job, blocks, place, todo, done, owner)
        else:
            from . import cluster

            cluster.run_tiles(job, blocks, place, todo, client, done, owner)
    place.require_owner(owner)
    place.require_written(todo)
    place.require_described()


def _todo(store: Store, progress: bool | None) -> list[tuple[int, int]]:
    """The tiles to compute. What is there is read again: a damaged tile must not stay."""
    with progress_bar(store.grid.all_pairs, progress, first="checking stored tiles") as bar:
        return store.todo(bar.update)[0]


def _precision(dtype: Any) -> Any:
    if dtype is None:
        return None
    found = dtype_of(dtype)
    if found is None or found not in (np.float32, np.float64):
        raise InputError(
            f"dtype must be float32, float64, or None (of the inputs); got {shown(dtype)}"
        )
    return found


def _stored_tile(store: Any) -> int | None:
    """The tiles' side in a store that is there already."""
    path = folder(store)
    # Not `is_file`, which may not be asked in a folder that nobody may read.
    if not os.path.isfile(path / layout.ABOUT):
        return None
    return layout.read_header(path).grid.tile
