"""`tangency gram-estimate`."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from ..numerals import decimal
from . import options as o
from .matrices import Kind
from .say import say
from .stores import parse_tile


def gram_estimate(
    net: o.Net,
    examples: Annotated[int, typer.Option(metavar="N", help="Rows of the kernel matrix.")],
    input_shape: Annotated[
        str,
        typer.Option("--input-shape", metavar="HxWxC", help="Shape of one input: 784, 28x28x1."),
    ],
    columns: Annotated[
        int | None,
        typer.Option(metavar="M", help="Columns. Default: none, the matrix is symmetric."),
    ] = None,
    kernel: Annotated[Kind, typer.Option(help="Which kernel.")] = Kind.ntk,
    dtype: o.Dtype = o.Precision.float64,
    tile: Annotated[
        str | None, typer.Option(metavar="auto|N", help="Rows and columns of the tiles.")
    ] = None,
    machines: Annotated[
        str,
        typer.Option(
            metavar="N|S,S,...",
            help="Number of cores like one of this machine, or their speeds relative to it.",
        ),
    ] = "1",
) -> None:
    """Estimate what a kernel matrix will take: pairs, time, bytes and memory.

    A block of random inputs is computed for some seconds, on one core of this machine.
    """
    import tangency as tg

    estimate = tg.gram.estimate(
        tg.parse(net),
        (examples, *o.parse_shape(input_shape)),
        columns=columns,
        machines=parse_machines(machines),
        dtype=dtype.value,
        kind=kernel.value,
        tile=parse_tile(tile),
    )
    say(str(estimate))


def parse_machines(text: str) -> int | list[float]:
    """A number of cores, or their speeds with commas between them.

    >>> parse_machines("64"), parse_machines("1,1,0.5"), parse_machines("0.5")
    (64, [1.0, 1.0, 0.5], [0.5])
    """
    if re.fullmatch(r"\d+", text):
        return int(text)
    try:
        return [decimal(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(
            f"--machines {text}: expected a number of cores, or their speeds, as 1,1,0.5"
        ) from None
