"""`tangency lazy`: finite networks in training, beside their linearisation and infinite limit."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..numerals import decimal
from . import options as o
from .measures import FigureOut, claim_figure, give, read
from .say import say

if TYPE_CHECKING:
    from ..data import Dataset
    from ..nets import Sequential


class Loss(StrEnum):
    """What is made small in training."""

    squared = "squared"
    cross_entropy = "cross-entropy"


def lazy(
    data: o.Data,
    net: o.Net,
    widths: Annotated[
        str, typer.Option(metavar="N,N,...", help="Channels of hidden layers.")
    ] = "64,256,1024,4096",
    seeds: Annotated[int, typer.Option(min=1, help="Networks of each width.")] = 5,
    train: Annotated[int, typer.Option(min=2, help="Examples to train on.")] = 100,
    test: Annotated[int, typer.Option(min=0, help="Examples to compare functions on.")] = 100,
    steps: Annotated[int, typer.Option(min=1, help="Steps of gradient descent.")] = 400,
    alpha: Annotated[
        float,
        typer.Option(help="Scale of the output; a large one makes training lazy at any width."),
    ] = 1.0,
    loss: Annotated[Loss, typer.Option(help="Cross-entropy is for classes only.")] = Loss.squared,
    out: FigureOut = None,
    seed: o.Seed = 0,
    label_column: o.LabelColumn = "-1",
    header: o.Header = None,
    input_shape: o.InputShape = None,
    channels: o.ChannelAxis = o.Channels.auto,
    scale: o.Scale = "auto",
    dtype: o.Dtype = o.Precision.float32,
    force: o.Force = False,
) -> None:
    """Train finite networks of several widths, and show how near they come to the kernel's limit.

    Each network is trained by gradient descent, beside its linearisation and the infinite
    network, which start from the same function. Needs PyTorch: pip install "tangency[torch]".
    """
    claim_figure(out, force, data)
    numbers = parse_widths(widths)
    from ..finite.requirement import require_torch

    require_torch()
    from ..nets import parse

    network = parse(net)
    dataset = read(data, o.reading(label_column, header, input_shape, channels, scale))
    dataset = fitting(dataset, network)
    from ..data.inputs import narrowed
    from ..finite.lazy import lazy_training
    from ..report.lazy import targets, training_parts

    x, y, x_test = training_parts(dataset, train, test, seed)
    name = loss.value.replace("-", "_")
    with_classes = dataset.task == "classification"
    if name == "cross_entropy" and not with_classes:
        raise ValueError("--loss cross-entropy is for classes, but these labels are targets")
    found = lazy_training(
        network,
        narrowed(x, dtype.value, dataset.name),
        targets(y, name),
        numbers,
        tuple(range(seed, seed + seeds)),
        X_test=None if len(x_test) == 0 else narrowed(x_test, dtype.value, dataset.name),
        alpha=alpha,
        steps=steps,
        loss=name,
        progress=o.interactive(),
    )
    give(found, out)


def parse_widths(text: str) -> tuple[int, ...]:
    """Whole numbers with commas between them.

    >>> parse_widths("64,256")
    (64, 256)
    """
    try:
        found = [decimal(part) for part in text.split(",")]
    except ValueError:
        found = []
    numbers = tuple(int(size) for size in found if size.is_integer())
    if len(numbers) < len(found):
        numbers = ()
    if not numbers or min(numbers) < 1 or len(set(numbers)) < len(numbers):
        raise ValueError(
            f"--widths {text}: expected different whole numbers with commas between them, such as "
            "64,256,1024"
        )
    return numbers


def fitting(dataset: Dataset, net: Sequential) -> Dataset:
    """The data, images as rows where the network begins with a dense layer; says so."""
    from ..errors import NetworkError

    shape = dataset.input_shape
    try:
        # A dense network takes images, too, position by position, and then ends on their grid.
        if not net.output_shape(shape):
            return dataset
    except NetworkError:
        if len(shape) == 1:
            raise
    flat: dict[str, Any] = {
        part: None if X is None else X.reshape(len(X), -1)
        for part, X in (("X_train", dataset.X_train), ("X_test", dataset.X_test))
    }
    changed = replace(dataset, **flat)
    try:
        net.output_shape(changed.input_shape)
    except NetworkError:
        net.output_shape(shape)  # its message is about the data as they are
        raise
    say(f"images are taken as vectors of {changed.input_shape[0]} numbers")
    return changed
