"""`tangency gram`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options as o
from .files import claim, draft

if TYPE_CHECKING:
    import numpy as np

    from ..data import Dataset


class Kind(StrEnum):
    """Which kernel matrices are written."""

    ntk = "ntk"
    nngp = "nngp"
    both = "both"


class Part(StrEnum):
    """Which examples stand for rows or columns."""

    train = "train"
    test = "test"
    all = "all"


def gram(
    data: o.Data,
    net: o.Net,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="K.npy, or K.npz (arrays ntk, nngp) for both.")
    ],
    kernel: Annotated[Kind, typer.Option(help="Which kernel.")] = Kind.ntk,
    rows: Annotated[Part, typer.Option(help="Examples of the rows.")] = Part.all,
    columns: Annotated[
        Part | None, typer.Option(help="Examples of the columns; the rows' if not given.")
    ] = None,
    labels: o.Labels = None,
    label_column: o.LabelColumn = "-1",
    header: o.Header = None,
    input_shape: o.InputShape = None,
    channels: o.ChannelAxis = o.Channels.auto,
    scale: o.Scale = "auto",
    dtype: o.Dtype = o.Precision.float64,
    force: o.Force = False,
) -> None:
    """Compute the kernel matrix of a data set.

    Rows are in the order of the data; "all" is the training part followed by the test part.
    """
    claim(out, force, (".npz",) if kernel is Kind.both else (".npy",))
    import numpy as np

    import tangency as tg
    from tangency.data import load

    dataset = load(
        data,
        labels,
        label_column=o.parse_column(label_column),
        header=header,
        input_shape=None if input_shape is None else o.parse_shape(input_shape),
        channels=channels.value,
        scale=o.parse_scale(scale),
        dtype=dtype.value,
        require_labels=False,
    )
    typer.echo(dataset.summary())
    X = _part(dataset, rows)
    Y = None if columns is None or columns is rows else _part(dataset, columns)
    found = tg.gram(tg.parse(net), X, Y, kernel.value, progress=o.interactive())
    with draft(out) as path:
        if kernel is Kind.both:
            np.savez(path, ntk=found.ntk, nngp=found.nngp)
        else:
            np.save(path, found)
    shape = (found.ntk if kernel is Kind.both else found).shape
    typer.echo(f"{out}: {kernel.value} of {net}, {shape[0]:,} x {shape[1]:,}, {dtype.value}")


def _part(dataset: Dataset, part: Part) -> np.ndarray:
    import numpy as np

    if dataset.X_test is None:
        if part is Part.test:
            raise ValueError(f"{dataset.name} has no test part; use --rows and --columns train")
        return dataset.X_train
    if part is Part.all:
        return np.concatenate([dataset.X_train, dataset.X_test])
    return dataset.X_train if part is Part.train else dataset.X_test
