"""Which worker computes which tile: near tiles go to one worker, so that it needs few blocks."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable

Tile = tuple[int, int]


def along_the_curve(tiles: Iterable[Tile]) -> list[Tile]:
    """Tiles in the order of a Z-shaped curve, whose stretches lie in few rows and columns.

    >>> along_the_curve([(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1)])
    [(0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (0, 3)]
    """
    return sorted(tiles, key=_place)


def _place(tile: Tile) -> int:
    """The bits of row and column in turn."""
    row, column = tile
    place = 0
    for bit in range(max(row.bit_length(), column.bit_length())):
        place |= (column >> bit & 1) << 2 * bit | (row >> bit & 1) << (2 * bit + 1)
    return place


class Shares:
    """The tiles that nobody computes yet, a stretch of the curve for each worker.

    Whoever has done its own stretch takes the back half of the longest one. Tiles that came back
    go first, and if there is a choice not to a worker where they failed before.
    """

    def __init__(self, tiles: Iterable[Tile]) -> None:
        self._stretches: dict[Hashable, deque[Tile]] = {}
        self._nobodys = [deque(along_the_curve(tiles))]
        self._returned: dict[Tile, set[Hashable]] = {}

    def __len__(self) -> int:
        given = sum(map(len, self._stretches.values()))
        return given + sum(map(len, self._nobodys)) + len(self._returned)

    def take(self, worker: Hashable) -> Tile | None:
        """The next tile for this worker; None if there is none left for anybody."""
        for tile, failed_at in self._returned.items():
            if worker not in failed_at:
                del self._returned[tile]
                return tile
        own = self._stretches.setdefault(worker, deque())
        if not own:
            own.extend(self._half())
        if own:
            return own.popleft()
        if self._returned:
            return self._returned.popitem()[0]
        return None

    def give_back(self, tile: Tile, failed_at: Iterable[Hashable] = ()) -> None:
        """A tile that was not computed, and the workers where it failed."""
        self._returned[tile] = set(failed_at)

    def leave(self, worker: Hashable) -> None:
        """A worker that is gone: others take what is left of its stretch."""
        left = self._stretches.pop(worker, deque())
        if left:
            self._nobodys.append(left)

    def _half(self) -> Iterable[Tile]:
        """A stretch that nobody has, or the back half of the longest one."""
        self._nobodys = [stretch for stretch in self._nobodys if stretch]
        if self._nobodys:
            return self._nobodys.pop()
        longest = max(self._stretches.values(), key=len)
        half = [longest.pop() for _ in range((len(longest) + 1) // 2)]
        return reversed(half)
