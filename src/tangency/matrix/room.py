"""What a store takes on a disk, where every file and folder takes whole blocks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from ..engines.tiles import size_text
from ..errors import StoreError
from .layout import Header

# Bytes of a block where the system does not say, and of a record, at most, with two kinds.
_BLOCK, _RECORD = 4096, 512


def room_for(
    path: Path, header: Header, tiles: Iterable[tuple[int, int]], block: int | None = None
) -> int:
    """Bytes of the disk that these tiles take with their records and folders.

    Args:
        block: bytes of which the file system gives out whole ones; None: as it says itself.
    """
    block = _block(path) if block is None else block
    grid, tiles = header.grid, list(tiles)
    diagonals = sum(grid.symmetric and i == j for i, j in tiles)
    diagonal = grid.chunk[0] * header.dtype.itemsize + 4
    rows = len({i for i, _ in tiles}) + 1  # a folder for each, and the one that they lie in
    each = _whole(header.tile_bytes, block) * len(tiles) + _whole(diagonal, block) * diagonals
    folders = block * (rows + grid.symmetric)
    return len(header.kinds) * (each + folders) + _whole(_RECORD, block) * len(tiles)


def require_room(path: Path, header: Header, tiles: Iterable[tuple[int, int]]) -> None:
    """Raises `StoreError` where the disk is too small for what is to come."""
    need, free = room_for(path, header, tiles), shutil.disk_usage(path).free
    if need > free:
        raise StoreError(
            f"{path} needs {size_text(need)} more, but {size_text(free)} are free there; "
            "make room or give a store on another disk, use float32, or one kind"
        )


def _whole(size: int, block: int) -> int:
    return -(-size // block) * block


def _block(path: Path) -> int:
    try:
        return os.statvfs(path).f_frsize or _BLOCK
    except (AttributeError, OSError):
        return _BLOCK
