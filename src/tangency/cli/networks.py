"""`tangency describe`."""

from __future__ import annotations

import typer

from .options import Net, parse_shape
from .say import say


def describe(
    net: Net,
    input_shape: str = typer.Option(
        ..., "--input-shape", metavar="HxWxC", help="Shape of one input: 784, 28x28x1, 32x32x3."
    ),
) -> None:
    """Show a network layer by layer: shapes, what each layer costs, and the engine for it."""
    import tangency as tg

    say(tg.explain(tg.parse(net), parse_shape(input_shape)))
