"""`tangency gram`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options as o
from .clusters import Cluster, Dashboard, Scheduler, Workers
from .files import claim, draft
from .say import say
from .stores import claim_store, compute_store, parse_tile

if TYPE_CHECKING:
    import numpy as np

    from ..data import Dataset


class Kind(StrEnum):
    """Which kernel matrices are written."""

    ntk = "ntk"
    nngp = "nngp"
    both = "both"


_ENDINGS = dict.fromkeys(Kind, (".npy", ".npz", ".zarr")) | {Kind.both: (".npz", ".zarr")}


class Part(StrEnum):
    """Which examples stand for rows or columns."""

    train = "train"
    test = "test"
    all = "all"


def gram(
    data: o.Data,
    net: o.Net,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="K.npy for one kernel; K.npz holds ntk or nngp or both, and rows; K.zarr is a "
            "store of tiles, where the same command goes on after an interruption.",
        ),
    ],
    kernel: Annotated[Kind, typer.Option(help="Which kernel.")] = Kind.ntk,
    rows: Annotated[Part, typer.Option(help="Examples of the rows.")] = Part.all,
    columns: Annotated[
        Part | None, typer.Option(help="Examples of the columns. Default: those of the rows.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", help="Use N training examples, classes in proportion."),
    ] = None,
    seed: o.Seed = 0,
    labels: o.Labels = None,
    label_column: o.LabelColumn = "-1",
    header: o.Header = None,
    input_shape: o.InputShape = None,
    channels: o.ChannelAxis = o.Channels.auto,
    scale: o.Scale = "auto",
    dtype: o.Dtype = o.Precision.float64,
    max_memory: o.MaxMemory = None,
    jobs: o.Jobs = None,
    tile: Annotated[
        str | None,
        typer.Option(metavar="auto|N", help="Rows and columns of the tiles of a store."),
    ] = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    dashboard: Dashboard = None,
    force: o.Force = False,
) -> None:
    """Compute the kernel matrix of a data set.

    Rows are in the order of the data; "all" is the training part followed by the test part. The
    array train_rows of a .npz says which training examples --limit has left.
    """
    cluster = Cluster(workers, scheduler, dashboard)
    stored = claim_store(out, force, max_memory, tile)
    cluster.check(stored, jobs)
    if not stored:
        claim(out, force, _ENDINGS[kernel], (data, labels))
    memory, threads, side = o.parse_memory(max_memory), o.parse_jobs(jobs), parse_tile(tile)
    import tangency as tg
    from tangency.data import load

    from .parts import limited

    network = tg.parse(net)  # before data are read, as a mistake is likelier here
    reading = o.reading(label_column, header, input_shape, channels, scale)
    dataset = load(data, labels, dtype=dtype.value, require_labels=False, **reading)
    dataset, kept = limited(dataset, limit, seed)
    say(dataset.summary())
    X, Y = _parts(dataset, rows, columns)
    if stored:
        with cluster.client() as client:
            options = {"kind": kernel.value, "tile": side, "n_jobs": threads, "client": client}
            compute_store(network, X, Y, out, **options)
        return
    options = {"max_memory": memory, "n_jobs": threads, "progress": o.interactive()}
    found = tg.gram(network, X, Y, kernel.value, **options)
    n, m = _write(out, found._asdict() if kernel is Kind.both else {kernel.value: found}, kept)
    say(f"{out}: {kernel.value} of {net}, {n:,} x {m:,}, {dtype.value}")


def _write(out: Path, arrays: dict[str, Any], kept: np.ndarray) -> tuple[int, ...]:
    """Writes the file, whole or not at all; returns the shape of the matrices."""
    import numpy as np

    first = next(iter(arrays.values()))
    with draft(out) as path:
        if out.suffix.lower() == ".npz":
            np.savez(path, **arrays, train_rows=kept)
        else:
            np.save(path, first)
    return first.shape


def _parts(dataset: Dataset, rows: Part, columns: Part | None) -> tuple[Any, Any]:
    X = _part(dataset, rows)
    return X, None if columns is None or columns is rows else _part(dataset, columns)


def _part(dataset: Dataset, part: Part) -> np.ndarray:
    import numpy as np

    if dataset.X_test is None:
        if part is Part.test:
            raise ValueError(f"{dataset.name} has no test part; use --rows and --columns train")
        return dataset.X_train
    if part is Part.all:
        return np.concatenate([dataset.X_train, dataset.X_test])
    return dataset.X_train if part is Part.train else dataset.X_test
