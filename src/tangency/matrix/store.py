"""A kernel matrix on the disk: tiles written one by one, and read only if they are what they were.

A tile is done when its record is there, is of this job, and the checksum in it is that of the
bytes of the tile. The record is written after the tile. Whatever interrupts a run, each tile is
then done or to be computed again, and nothing in between is taken for a value.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import checks
from ..checks import shown
from ..errors import StoreError
from . import atomic, layout, lock, records
from .differences import differences
from .grid import Grid
from .job import Job
from .layout import RECORDS, Header
from .records import Record
from .sources import all_finite
from .words import cannot_write, described_otherwise, gone, not_finite, remedy, removed

# What a disk or its server says of a file that it cannot give any more, whoever asks.
_LOST = (errno.EIO, getattr(errno, "ESTALE", errno.EIO), errno.EISDIR)

_READ = "get the right to read there, or see what is wrong with that disk; nothing was changed"


class TileMissing(StoreError):
    """A tile that has not been computed yet."""


class TileDamaged(StoreError):
    """A tile that is not what was written."""


@dataclass(frozen=True)
class Store:
    """A store of tiles; it can be sent to other processes, which see it by the same path."""

    path: Path
    header: Header

    @classmethod
    def open(cls, path: Any) -> Store:
        """The store at `path`; raises `StoreError` if there is none."""
        path = folder(path)
        return cls(path, layout.read_header(path))

    @classmethod
    def prepare(cls, path: Any, job: Job) -> Store:
        """The store for a job: a new one, or the one that it was computed into before.

        Raises:
            StoreError: something else is at `path`, or a store of another job.
        """
        path = folder(path)
        try:
            if layout.create(path, Header(job.description())):
                return cls.open(path)
        except OSError as error:
            raise StoreError(
                f"no store can be made at {path} ({error}); give a folder that can be written, on "
                "a disk that has room"
            ) from error
        store = cls.open(path)
        found = differences(store.header.job, job.description())
        if found:
            raise StoreError(
                f"{path} holds another job: {'; '.join(found)}. Give another path, or remove that "
                "folder to begin again"
            )
        return store

    @property
    def grid(self) -> Grid:
        return self.header.grid

    @property
    def records(self) -> Path:
        """The folder of the records and the lock."""
        return self.path / RECORDS

    @contextmanager
    def running(self) -> Iterator[lock.Owner]:
        """Compute into the store alone.

        Raises:
            StoreError: another job computes into it, or it cannot be written (`UnwritableError`).
        """
        for name in ("lock", "owner.json"):
            layout.require_inside(self.path, self.records / name)
        with lock.locked(self.records, self.path) as owner:
            try:
                atomic.sweep(self.path)
                for name in layout.folders(self.header):
                    layout.require_inside(self.path, self.path / name)
                layout.restore(self.path, self.header)
            except OSError as error:
                raise lock.UnwritableError(f"{self.path} cannot be written ({error})") from error
            try:
                yield owner
            finally:
                # Drafts of workers that were killed; one that lives yet writes for nobody.
                with contextlib.suppress(OSError):
                    atomic.sweep(self.path)

    def seen_from_here(self, owner: lock.Owner) -> bool:
        """Whether this process sees the folder in which `owner` computes, and not a namesake."""
        return lock.last_owner(self.records) == owner

    def write_tile(
        self,
        i: int,
        j: int,
        arrays: dict[str, np.ndarray],
        seconds: float = 0.0,
        owner: lock.Owner | None = None,
    ) -> None:
        """Store the values of the tile (i, j), by kind, and then its record.

        Raises:
            StoreError: the disk is full, the folder cannot be written, or it is not that any more
                in which `owner` computes.
        """
        try:
            sums, stored = {}, self._stored(i, j, arrays)
            self.require_owner(owner)
            for name, (where, values) in stored.items():
                values = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
                sums[name] = atomic.checksum(values)
                self._put(name, where, [values.data, sums[name].to_bytes(4, "little")])
            pairs, when = self.grid.pairs(i, j), records.now()
            spent = round(seconds, 6)
            record = Record((i, j), self.header.fingerprint, sums, pairs, spent, when)
            self._put(RECORDS, self.record_path(i, j), [record.to_bytes()])
        except OSError as error:
            self.require_owner(owner)  # a folder that is gone is no fault of the disk
            raise StoreError(cannot_write(self, i, j, error)) from error

    def require_owner(self, owner: lock.Owner | None) -> None:
        """Raises `StoreError` where the store is not that any more in which `owner` computes."""
        if owner is not None and not self.seen_from_here(owner):
            raise StoreError(gone(self))

    def require_written(self, tiles: list[tuple[int, int]]) -> None:
        """Raises `StoreError` where files of these tiles, which were written, are gone."""
        for i, j in tiles:
            paths = [self.tile_path(i, j, name) for name in self._names(i, j)]
            if not all(map(os.path.exists, [self.record_path(i, j), *paths])):
                raise StoreError(removed(self, i, j))

    def require_described(self) -> None:
        """Raises `StoreError` where the store is no more described as that of its job.

        What of the description is only gone is written again.
        """
        try:
            if (self.path / layout.ABOUT).exists() and layout.read_header(self.path) != self.header:
                raise StoreError(described_otherwise(self))
            layout.restore(self.path, self.header)
        except OSError as error:
            raise lock.UnwritableError(f"{self.path} cannot be written ({error})") from error

    def _put(self, name: str, path: Path, parts: list[Any]) -> None:
        """Write a file below the folder `name`, which must be there still."""
        layout.require_inside(self.path, path.parent)
        atomic.write(path, parts, within=self.path / name)

    def read_tile(self, i: int, j: int, kind: str) -> np.ndarray:
        """The values of the stored tile (i, j), checked.

        Raises:
            StoreError: the tile is missing (`TileMissing`) or damaged (`TileDamaged`).
        """
        return self._read(i, j, kind, self.record(i, j))

    def read_diagonal(self, i: int, kind: str) -> np.ndarray:
        """The part of the diagonal in the tile (i, i) of a symmetric matrix, checked."""
        return self._read(i, i, layout.diagonal(kind), self.record(i, i))

    def record(self, i: int, j: int) -> Record:
        """The record of a tile; raises `StoreError` as `read_tile`."""
        path = layout.require_inside(self.path, self.record_path(i, j))
        try:
            found = records.read(path)
        except ValueError as reason:
            raise self._damaged(i, j, str(reason)) from None
        except OSError as error:
            raise self._unreadable(i, j, "its record", error) from error
        if found is None:
            again = remedy(self.header.kinds)
            raise TileMissing(f"{self.path}: tile ({i}, {j}) is missing; {again}")
        if found.fingerprint != self.header.fingerprint:
            raise self._damaged(i, j, "its record is of another job")
        if found.tile != (i, j):
            raise self._damaged(i, j, f"its record is that of tile {found.tile}")
        if found.pairs != self.grid.pairs(i, j):
            raise self._damaged(i, j, f"its record is of {found.pairs} pairs")
        return found

    def recorded(self) -> set[tuple[int, int]]:
        """The tiles that have a record; whether they are whole is not looked at.

        Raises:
            StoreError: the folder of the records cannot be read.
        """
        try:
            names = os.listdir(layout.require_inside(self.path, self.records))
        except (FileNotFoundError, NotADirectoryError):
            names = []
        except OSError as error:
            raise StoreError(f"{self.records} cannot be read ({error}); {_READ}") from error
        found = (re.fullmatch(r"(0|[1-9]\d{0,9})\.(0|[1-9]\d{0,9})\.json", name) for name in names)
        tiles = ((int(match[1]), int(match[2])) for match in found if match)
        return {tile for tile in tiles if tile in self.grid}

    def check_tile(self, i: int, j: int) -> None:
        """Read all of a tile; raises `StoreError` as `read_tile`."""
        record = self.record(i, j)
        for name in self._names(i, j):
            self._read(i, j, name, record)

    def todo(
        self, passed: Callable[[int], Any] | None = None
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The tiles that are to be computed, and those of them that are there but damaged.

        All that is stored is read; `passed` is told the pairs of each tile that is done.
        """
        todo, damaged = [], []
        for i, j in self.grid:
            try:
                self.check_tile(i, j)
            except TileDamaged:
                damaged.append((i, j))
                todo.append((i, j))
            except TileMissing:
                todo.append((i, j))
            else:
                if passed is not None:
                    passed(self.grid.pairs(i, j))
        return todo, damaged

    def missing(self) -> int:
        """How many tiles have no record; whether the others are whole is not looked at.

        Raises:
            StoreError: the folder of the records cannot be read.
        """
        return len(self.grid) - len(self.recorded())

    def record_path(self, i: int, j: int) -> Path:
        return self.records / f"{i}.{j}.json"

    def tile_path(self, i: int, j: int, name: str) -> Path:
        """The file of a tile, or of the part of a diagonal that goes with it."""
        if name in self.header.kinds:
            return self.path / name / "c" / str(i) / str(j)
        return self.path / name / "c" / str(i)

    def _names(self, i: int, j: int) -> list[str]:
        """The arrays that hold something of a tile."""
        names = list(self.header.kinds)
        if self.grid.symmetric and i == j:
            names += [layout.diagonal(kind) for kind in self.header.kinds]
        return names

    def _shape(self, name: str) -> tuple[int, ...]:
        chunk = self.grid.chunk
        return chunk if name in self.header.kinds else chunk[:1]

    def _stored(
        self, i: int, j: int, arrays: dict[str, np.ndarray]
    ) -> dict[str, tuple[Path, np.ndarray]]:
        """What goes into which file, filled up to the shape of a whole tile."""
        found = {}
        for name in self._names(i, j):
            if name in self.header.kinds:
                values, expected = arrays[name], self.grid.extent(i, j)
            else:
                values = np.diagonal(arrays[name.removesuffix("_diag")])
                expected = self.grid.extent(i, i)[:1]
            if values.shape != expected or values.dtype != self.header.dtype:
                raise TypeError(
                    f"tile ({i}, {j}) of {name} must be {expected} of {self.header.dtype}, got "
                    f"{values.shape} of {values.dtype}"
                )
            if not all_finite(values):
                raise StoreError(not_finite(i, j, name, self.header.dtype))
            whole = self._shape(name)
            if values.shape != whole:
                filled = np.full(whole, np.nan, dtype=values.dtype)
                filled[tuple(slice(size) for size in values.shape)] = values
                values = filled
            found[name] = (self.tile_path(i, j, name), values)
        return found

    def _read(self, i: int, j: int, name: str, record: Record) -> np.ndarray:
        shape, dtype = self._shape(name), self.header.dtype
        size = math.prod(shape) * dtype.itemsize
        path = layout.require_inside(self.path, self.tile_path(i, j, name))
        try:
            data = atomic.read_whole(path, size + 4)
        except FileNotFoundError:
            raise self._damaged(i, j, f"{name} is gone, though its record is there") from None
        except OSError as error:
            raise self._unreadable(i, j, name, error) from error
        except ValueError as reason:
            raise self._damaged(i, j, f"{name} {reason}") from None
        if atomic.checksum(data[:size]) != record.crc32c.get(name):
            raise self._damaged(i, j, f"{name} does not match the checksum in its record")
        if data[size:].tobytes() != record.crc32c[name].to_bytes(4, "little"):
            raise self._damaged(i, j, f"{name} does not match the checksum behind it")
        values = data[:size].view(dtype.newbyteorder("<")).reshape(shape)
        extent = self.grid.extent(i, j)
        return values[tuple(slice(k) for k in extent[: len(shape)])].astype(dtype, copy=False)

    def _damaged(self, i: int, j: int, reason: str) -> TileDamaged:
        again = remedy(self.header.kinds)
        return TileDamaged(f"{self.path}: tile ({i}, {j}) is damaged: {reason}; {again}")

    def _unreadable(self, i: int, j: int, name: str, error: OSError) -> StoreError:
        """A tile that the disk has lost is damaged; one that this process may not see is not."""
        if error.errno in _LOST:
            return self._damaged(i, j, f"{name} cannot be read ({error.strerror})")
        return StoreError(f"{self.path}: tile ({i}, {j}): {name} cannot be read ({error}); {_READ}")


def folder(path: Any) -> Path:
    """The place of a store; raises `StoreError` for an address, or what is no path at all."""
    if isinstance(path, str) and "://" in path:
        raise StoreError(
            f"{shown(path)}: a store is a folder that this machine can write; give a path, on a "
            "disk that is mounted here"
        )
    return checks.path(path, "the path of a store", error=StoreError).absolute()
