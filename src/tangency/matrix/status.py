"""How far a stored kernel matrix is, from its records alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import lock
from .records import Record
from .store import Store, TileDamaged, TileMissing

if TYPE_CHECKING:
    from ..typing import FilePath


@dataclass(frozen=True)
class Status:
    """The progress of a store.

    Attributes:
        path: its folder.
        kinds: the matrices in it.
        shape: of each of them.
        tiles, done, damaged: tiles in all, with a record, and with one that is not valid; tiles
            themselves are not read, which `gram.verify` does.
        pairs, pairs_done: values to compute for each kind, and those of finished tiles.
        pairs_per_second: speed of the last run by the clock; None before two tiles are done.
        seconds_left: at that speed; None where it is not known.
        running: whether a process computes into the store now; None if this one may not look.
        owner: that process; None if there is none, or it is not known.
    """

    path: Path
    kinds: tuple[str, ...]
    shape: tuple[int, int]
    tiles: int
    done: int
    damaged: int
    pairs: int
    pairs_done: int
    pairs_per_second: float | None
    running: bool | None
    owner: lock.Owner | None

    @property
    def left(self) -> int:
        """Tiles that are to be computed."""
        return self.tiles - self.done

    @property
    def complete(self) -> bool:
        return self.left == 0

    @property
    def seconds_left(self) -> float | None:
        if self.complete:
            return 0.0
        if not self.pairs_per_second:
            return None
        return (self.pairs - self.pairs_done) / self.pairs_per_second

    def __str__(self) -> str:
        n, m = self.shape
        share = 100 * self.pairs_done / self.pairs
        lines = [
            f"{self.path}: {' and '.join(self.kinds)}, {n:,} x {m:,}",
            f"done: {self.done:,} of {self.tiles:,} tiles, {share:.1f} % of the pairs",
        ]
        if self.damaged:
            lines.append(f"damaged records: {self.damaged:,}; the next run computes them again")
        if self.pairs_per_second:
            lines.append(f"speed: {self.pairs_per_second:,.0f} pairs/s")
        if self.seconds_left:
            lines.append(f"time left: {duration(self.seconds_left)}")
        if self.owner is not None:
            lines.append(f"running: process {self.owner.pid} on {self.owner.host}")
        elif self.running:
            lines.append("running: yes; which process is not known")
        elif self.running is None and not self.complete:
            lines.append("running: not known (no right to look)")
        elif not self.complete:
            lines.append("running: no; the same call goes on where it stopped")
        return "\n".join(lines)


def status(path: FilePath) -> Status:
    """How much of the matrix in the store at `path` is done, how fast, and how much time is left.

    It reads the records and may be called while the matrix is computed.

    Raises:
        StoreError: there is no store.
    """
    store = Store.open(path)
    grid, found, damaged = store.grid, [], 0
    for i, j in sorted(store.recorded()):
        try:
            found.append(store.record(i, j))
        except TileDamaged:
            damaged += 1
        except TileMissing:
            pass  # a job that runs writes it anew
    owner, running = lock.last_owner(store.records), lock.in_use(store.records)
    return Status(
        store.path,
        store.header.kinds,
        (grid.n, grid.m),
        len(grid),
        len(found),
        damaged,
        grid.all_pairs,
        sum(record.pairs for record in found),
        _speed(found, owner),
        running,
        owner if running else None,
    )


def _speed(found: list[Record], owner: lock.Owner | None) -> float | None:
    """Pairs in a second: of the last run by the clock, if it wrote enough, else by tile."""
    last = [record for record in found if owner is None or record.when >= owner.since]
    if owner is not None and len(last) > 1:
        # From the first of them on, as data are read and loops compiled before it.
        times = sorted((record.time, record.pairs) for record in last)
        seconds = times[-1][0] - times[0][0]
        if seconds > 0:
            return sum(pairs for _, pairs in times[1:]) / seconds
    seconds = sum(record.seconds for record in found)
    return sum(record.pairs for record in found) / seconds if seconds > 0 else None


def duration(seconds: float) -> str:
    """A time in words.

    >>> duration(75), duration(7300), duration(400000)
    ('1 min 15 s', '2 h 1 min', '4 d 15 h')
    """
    total = round(seconds)
    for large, small, size in (("d", "h", 86400), ("h", "min", 3600), ("min", "s", 60)):
        if total >= size:
            rest = total % size // (size // 24 if large == "d" else size // 60)
            return f"{total // size} {large} {rest} {small}"
    return f"{total} s"
