"""`tangency features`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options as o
from .clusters import Cluster, Dashboard, Scheduler, Workers
from .files import claim_place
from .say import say
from .stores import going_on


def features(
    data: o.Data,
    net: o.Net,
    out: Annotated[
        Path,
        typer.Option(
            metavar="F.zarr",
            help="Folder for the features; after an interruption the same command goes on there.",
        ),
    ],
    kernel: o.OneKernel = o.Kernel.ntk,
    components: o.Components = None,
    widths: o.Widths = None,
    seed: o.Seed = 0,
    labels: o.Labels = None,
    label_column: o.LabelColumn = "-1",
    header: o.Header = None,
    input_shape: o.InputShape = None,
    channels: o.ChannelAxis = o.Channels.auto,
    scale: o.Scale = "auto",
    dtype: o.Dtype = o.Precision.float32,
    workers: Workers = None,
    scheduler: Scheduler = None,
    dashboard: Dashboard = None,
) -> None:
    """Write features whose inner products approximate a network's kernel.

    Landmarks are chosen from the training part. Rows are in the order of the data, the training
    part followed by the test part; the store holds the fitted map too, in map.npz, which
    tangency.learn.load reads.
    """
    cluster = Cluster(workers, scheduler, dashboard)
    if out.suffix.lower() != ".zarr":
        raise ValueError(f"{out}: features go to a store; give a name in .zarr")
    cluster.check(True, None)
    claim_place(out)
    each = o.parse_widths(widths)
    reading = o.reading(label_column, header, input_shape, channels, scale)
    import numpy as np

    from ..data import load
    from ..kernels import NNGP, NTK
    from ..learn import LayerwiseFeatures
    from ..nets import parse

    network = parse(net)  # before data are read, as a mistake is likelier here
    dataset = load(data, labels, dtype=dtype.value, require_labels=False, **reading)
    say(dataset.summary())
    function = (NTK if kernel is o.Kernel.ntk else NNGP)(network)
    wanted = LayerwiseFeatures(function, components or 4000, widths=each, random_state=seed)
    found = wanted.map_in(out) or wanted.fit(dataset.X_train)
    parts = [dataset.X_train] if dataset.X_test is None else [dataset.X_train, dataset.X_test]
    with cluster.client() as client, going_on(out):
        stored = found.transform_to(
            np.concatenate(parts), out, client=client, progress=o.interactive()
        )
    n, r = stored.shape
    say(
        f"{out}: {r:,} features of {n:,} examples; relative error of the kernel "
        f"{found.error_:.2%}, of the centred one {found.centred_error_:.2%}"
    )
