"""`tangency gram-status`, and the part of `tangency gram` that computes into a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from . import options as o
from .files import claim_place
from .say import say


def claim_store(out: Path, force: bool, max_memory: str | None, tile: str | None) -> bool:
    """Whether `out` is to be a store; raises `ValueError` for options that do not go with it."""
    if out.suffix.lower() != ".zarr":
        if tile is not None:
            raise ValueError(f"--tile is for stores, but --out is {out}; give a name in .zarr")
        return False
    if force:
        raise ValueError(
            f"{out}: a store is never replaced, as the same command goes on with it; remove the "
            "folder to begin again, and leave out --force"
        )
    if max_memory is not None:
        raise ValueError("a store needs memory for some tiles only; use --tile, not --max-memory")
    claim_place(out)
    return True


def parse_tile(text: str | None) -> int | str:
    """`auto`, or a number above 0.

    >>> parse_tile(None), parse_tile("512")
    ('auto', 512)
    """
    if text in (None, "auto"):
        return "auto"
    if not (text.isascii() and text.isdigit()) or int(text) == 0:
        raise ValueError(f"--tile {text}: expected a whole number above 0, or auto")
    return int(text)


def compute_store(network: Any, X: Any, Y: Any | None, out: Path, **options: Any) -> None:
    """Compute into the store `out`, and say what is in it."""
    from ..gram import compute, status

    with going_on(out):
        compute(network, X, Y, out, progress=o.interactive(), **options)
    say(str(status(out)))


@contextmanager
def going_on(out: Path) -> Iterator[None]:
    """Say of an interruption what the store at `out` holds by then."""
    try:
        yield
    except KeyboardInterrupt:
        if not out.exists():
            raise
        from ..gram import status

        found = status(out)
        raise KeyboardInterrupt(
            f"{out} holds {found.done:,} of {found.tiles:,} tiles; the same command goes on"
        ) from None


def gram_status(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="A folder written by gram.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every tile and compare it with its checksum.")
    ] = False,
) -> None:
    """Show how far a stored kernel matrix is: tiles done and left, speed, time left.

    With --verify the exit code is 1 if a tile is missing or damaged.
    """
    from .. import gram

    say(str(gram.status(store)))
    if verify:
        found = gram.verify(store, progress=o.interactive())
        say(str(found))
        raise typer.Exit(0 if found.ok else 1)
