"""Reads a stored kernel matrix from end to end, to find what is missing and what is damaged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..checks import flag
from ..engines.progress import progress_bar
from . import layout
from .store import Store, TileDamaged, TileMissing
from .words import remedy

if TYPE_CHECKING:
    from ..typing import FilePath


@dataclass(frozen=True)
class Verification:
    """The result of checking a store.

    Attributes:
        path: its folder.
        tiles: how many tiles there are in all.
        done: how many of them are what was written.
        missing: places (i, j) of tiles that were not computed yet.
        damaged: what is wrong, by the places of damaged tiles.
        metadata: files of metadata that are damaged; values are still found without them, but not
            by other readers of Zarr.
        remedy: what makes it whole.
    """

    path: Path
    tiles: int
    done: int
    missing: tuple[tuple[int, int], ...]
    damaged: dict[tuple[int, int], str]
    metadata: tuple[str, ...]
    remedy: str

    @property
    def ok(self) -> bool:
        """Every tile is there, and is what was written."""
        return self.done == self.tiles and not self.metadata

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.done:,} of {self.tiles:,} tiles are whole"]
        if self.missing:
            lines.append(f"missing: {len(self.missing):,}")
        lines += [f"damaged: {reason}" for reason in self.damaged.values()]
        if self.metadata:
            lines.append(f"damaged: {', '.join(self.metadata)}")
        if not self.ok:
            lines.append(self.remedy)
        return "\n".join(lines)


def verify(path: FilePath, progress: bool = False) -> Verification:
    """Read every tile of the store at `path` and compare it with its record.

    Nothing is changed; `gram.compute` computes again what is missing or damaged.

    Raises:
        StoreError: there is no store.
    """
    progress = progress is not None and flag(progress, "progress")
    store = Store.open(path)
    grid, missing, damaged = store.grid, [], {}
    again = remedy(store.header.kinds)
    with progress_bar(len(grid), progress, "tile") as bar:
        for i, j in grid:
            try:
                store.check_tile(i, j)
            except TileMissing:
                missing.append((i, j))
            except TileDamaged as error:
                damaged[i, j] = str(error).removesuffix(f"; {again}")
            bar.update(1)
    done = len(grid) - len(missing) - len(damaged)
    metadata = tuple(layout.problems(store.path, store.header))
    return Verification(store.path, len(grid), done, tuple(missing), damaged, metadata, again)
