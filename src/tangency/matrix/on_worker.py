"""What runs at a Dask worker: functions that travel by name, and what they answer."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

import psutil

from ..errors import StoreError
from ..kernels import Prepared
from .job import Job
from .lock import Owner
from .store import Store


@dataclass(frozen=True)
class Room:
    """What a worker is.

    Attributes:
        version: of the library there.
        memory: bytes that it may use.
    """

    version: str
    memory: int


@dataclass(frozen=True)
class Done:
    """A tile is computed.

    Attributes:
        seconds: that it took.
        arrays: its values by kind, to be written by the client; None: the worker has written them.
        sizes: bytes that the block of rows and the block of columns take at the worker.
    """

    seconds: float
    arrays: dict[str, Any] | None
    sizes: tuple[int, int]


@dataclass(frozen=True)
class Task:
    """What all tiles of a run have in common.

    Attributes:
        owner: the run, to be found in the store's folder by whoever sees it; None if nobody can.
    """

    job: Job
    store: Store
    owner: Owner | None

    def run(self, i: int, j: int, rows: Prepared, columns: Prepared) -> Done:
        """Computes the tile (i, j) and writes it, if the store can be written to from here.

        A worker that was given up but lives on finds another owner, or none, as soon as the store
        is another's or gone, and leaves it alone. Where the disk gives trouble here alone, the
        client can write the tile still; where it does so there too, that is what ends the job.
        """
        start = time.perf_counter()
        arrays = self.job.compute_tile(i, j, _Blocks(rows, columns))
        seconds = time.perf_counter() - start
        written = self._here() and self._written(i, j, arrays, seconds)
        return Done(seconds, None if written else arrays, (rows.nbytes, columns.nbytes))

    def _written(self, i: int, j: int, arrays: dict[str, Any], seconds: float) -> bool:
        try:
            self.store.write_tile(i, j, arrays, seconds)
        except StoreError as error:
            if not isinstance(error.__cause__, OSError):
                raise  # values that no disk may take
            return False
        return True

    def _here(self) -> bool:
        if self.owner is None or not self.store.seen_from_here(self.owner):
            return False
        return os.access(self.store.records, os.W_OK)


def look_around() -> Room:
    """The first task at each worker."""
    from ..version import __version__

    return Room(__version__, worker_memory())


def worker_memory() -> int:
    """Bytes that the worker which asks may use: its limit, or its share of what is free."""
    from distributed import get_worker

    manager = getattr(get_worker(), "memory_manager", None)
    limit = getattr(manager, "memory_limit", None)
    return int(limit or psutil.virtual_memory().available // (os.cpu_count() or 1))


@dataclass(frozen=True)
class _Blocks:
    """The two blocks of one tile, as a job asks for them."""

    rows: Prepared
    columns: Prepared

    def row(self, i: int) -> Prepared:
        return self.rows

    def column(self, j: int) -> Prepared:
        return self.columns
