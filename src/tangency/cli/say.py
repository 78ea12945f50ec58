"""What commands say: lines on the terminal, without what a name may hide in them."""

from __future__ import annotations

import typer

from ..files import naming
from ..printable import printable


def say(text: str, *, err: bool = False) -> None:
    """Print lines on standard output, or on standard error."""
    with naming("standard error" if err else "standard output"):
        typer.echo(printable(text, keep="\n"), err=err)


def one_line(text: str) -> str:
    """A message as a single line."""
    return printable(" ".join(text.split()))
