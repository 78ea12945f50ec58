"""Tiles computed by the workers of a Dask cluster, any of which may come and go."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import secrets
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError, StoreError
from . import lock
from .client import check_client
from .job import Data, Job
from .on_worker import Done, Room, Task, look_around
from .sent import Sent, UnreachableError
from .shares import Shares, Tile
from .store import Store
from .troubles import Troubles

# The share of a worker's memory for input and what is derived from it.
_SHARE = 0.3
# Tiles that wait at a worker beside those that it computes: it is never idle, and loses little.
_AHEAD = 1
# Seconds between looks at who is there, for a worker that takes nothing, and for none at all.
_LOOK, _REST, _PATIENCE = 1.0, 10.0, 30.0

# In the place of the address of a worker.
_ANYBODY = "anybody"

_CANCELLED = (CancelledError, asyncio.CancelledError)


def run_tiles(
    job: Job,
    data: Data,
    store: Store,
    todo: Iterable[Tile],
    client: Any,
    on_done: Callable[[int, int], None],
    owner: lock.Owner | None = None,
) -> None:
    """Computes the tiles `todo` on a cluster and writes them to the store.

    Each block of input is sent to each worker that needs it once. Workers write tiles themselves
    where they see the store's folder; otherwise tiles come to the client, which writes them, a
    few at a time. What a lost worker had not finished is done by others, also by such as join
    later. Which worker computes a tile changes no bit of it.

    Args:
        job, data, store: of `compute`.
        client: a `distributed.Client`.
        on_done: is told (i, j) of each tile that is in the store.
        owner: this run, as the store's folder names it; None: whoever is named there.

    Raises:
        InputError: a client that cannot serve, or workers with another version of the library.
        StoreError: a tile that failed three times for a reason of its own, or whose workers were
            lost eight times; the connection to the scheduler is lost; the store is not there any
            more.
    """
    check_client(client)
    run = _Run(job, data, store, todo, client, on_done, owner or lock.last_owner(store.records))
    try:
        run.to_the_end()
    finally:
        run.stop()


@dataclass
class _Worker:
    """A worker as the client knows it; without `sent` it has not answered yet."""

    address: str
    slots: int
    sent: Sent | None = None
    rests_until: float = 0.0
    running: dict[str, tuple[Tile | None, Any]] = field(default_factory=dict)


class _Lost(Exception):
    """A worker is gone, or what was sent to it."""


class _Run:
    """One job on one cluster."""

    def __init__(
        self,
        job: Job,
        data: Data,
        store: Store,
        todo: Iterable[Tile],
        client: Any,
        on_done: Callable[[int, int], None],
        owner: lock.Owner | None,
    ) -> None:
        self.data, self.store, self.grid = data, store, job.grid
        self.task, self.owner = Task(job.with_threads(1), store, owner), owner
        self.client, self.on_done = client, on_done
        self.shares = Shares(todo)
        self.workers: dict[str, _Worker] = {}
        self.finished: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self.troubles = Troubles(job.grid)
        self.looked = self.seen = time.monotonic()
        self.call: Any = None

    def to_the_end(self) -> None:
        self._look()
        while len(self.shares) or any(self._tiles(w) for w in self.workers.values()):
            for address in list(self.workers):
                if address in self.workers:  # none was lost while others were served
                    self._fill(self.workers[address])
            for address, future in self._events():
                self._settle(address, future)
            if time.monotonic() - self.looked > _LOOK:
                self._look()

    def stop(self) -> None:
        """Nothing waits at the workers any more; what they compute just now, they may finish."""
        futures = [f for w in self.workers.values() for _, f in w.running.values()]
        for worker in self.workers.values():
            self._forget(worker)
        self.call = None
        if futures and self.client.status == "running":
            with contextlib.suppress(Exception):
                self.client.cancel(futures, force=True)

    # Workers

    def _look(self) -> None:
        """Who is there, who is gone."""
        self.looked = time.monotonic()
        threads = self._threads()
        if threads is None:
            return
        for address in [a for a in self.workers if a not in threads]:
            self._lose(self.workers.pop(address))
        for address in [a for a in threads if a not in self.workers]:
            self.workers[address] = worker = _Worker(address, threads[address])
            self._submit(worker, None, look_around)
        self._call_for_workers()
        if self.workers:
            self.seen = time.monotonic()
        elif time.monotonic() - self.seen > _PATIENCE:
            self.seen = float("inf")
            warnings.warn(
                f"no worker has been there for {_PATIENCE:.0f} seconds; the job goes on as soon "
                "as one connects to the scheduler",
                stacklevel=2,
            )

    def _call_for_workers(self) -> None:
        """While nobody is there, a task that waits for anybody: clusters that adapt ask for it."""
        if self.workers:
            self.call = None  # its answer is of no interest
        elif self.call is None or self.call.done():
            name = f"tangency-call-{secrets.token_hex(8)}"
            self.call = self.client.submit(look_around, key=name, pure=False)
            self.call.add_done_callback(lambda f: self.finished.put((_ANYBODY, f)))

    def _threads(self) -> dict[str, int] | None:
        """Threads by address of the workers; None if the scheduler does not answer just now."""
        found, reason = None, None
        try:
            found = self.client.nthreads()
        except Exception as error:
            reason = error
        if self.client.status not in ("running", "connecting"):
            raise StoreError(
                "the connection to the Dask scheduler is lost; finished tiles are in the store: "
                "the same call with a new client goes on where it stopped"
            ) from reason
        return found

    def _lose(self, worker: _Worker) -> None:
        """Its tiles are to be done by others."""
        tiles = self._tiles(worker)
        self._forget(worker)
        self.shares.leave(worker.address)
        for tile in tiles:
            self.troubles.lost(tile)
            self.shares.give_back(tile)

    def _forget(self, worker: _Worker) -> None:
        worker.running.clear()
        if worker.sent is not None:
            worker.sent.forget()

    # Tasks

    def _fill(self, worker: _Worker) -> None:
        """Gives a worker what it can take."""
        while (
            worker.sent is not None
            and worker.rests_until <= time.monotonic()
            and len(worker.running) < worker.slots + _AHEAD
            and (tile := self.shares.take(worker.address)) is not None
        ):
            i, j = tile
            try:
                rows = worker.sent.future(("X", i), lambda i=i: self.data.row(i))
                columns = worker.sent.future(self._column(j), lambda j=j: self.data.column(j))
            except UnreachableError:
                self.shares.give_back(tile)
                worker.rests_until = time.monotonic() + _REST
                self._look()
                return
            self._submit(worker, tile, self.task.run, i, j, rows, columns)

    def _column(self, j: int) -> tuple[str, int]:
        return ("X" if self.grid.symmetric else "Y", j)

    def _submit(self, worker: _Worker, tile: Tile | None, function: Any, *arguments: Any) -> None:
        name = "look" if tile is None else f"tile-{tile[0]}-{tile[1]}"
        future = self.client.submit(
            function,
            *arguments,
            key=f"tangency-{name}-{secrets.token_hex(8)}",
            workers=[worker.address],
            allow_other_workers=False,
            pure=False,
        )
        worker.running[future.key] = (tile, future)
        future.add_done_callback(lambda f: self.finished.put((worker.address, f)))

    def _events(self) -> Iterator[tuple[str, Any]]:
        """What has ended; waits a moment for the first."""
        with contextlib.suppress(queue.Empty):
            yield self.finished.get(timeout=_LOOK)
            while True:
                yield self.finished.get_nowait()

    def _settle(self, address: str, future: Any) -> None:
        """A task has ended, in one way or another."""
        if address == _ANYBODY and future.status == "finished":
            self._look()  # at once: without work, whoever came may be sent away again
        worker = self.workers.get(address)
        if worker is None or future.key not in worker.running:
            return  # it was given up before
        tile, _ = worker.running[future.key]
        try:
            found = self._result(worker, future)
        except _Lost:
            self._look()
            if self.workers.get(address) is worker:
                # The worker is there, or there again, but not what was sent to it.
                self._lose(self.workers.pop(address))
            return
        except Exception as error:
            del worker.running[future.key]
            self._failed(tile, address, error)
            return
        del worker.running[future.key]
        if isinstance(found, Room):
            self._welcome(worker, found)
        else:
            assert tile is not None
            self._take_in(worker, tile, found)

    def _result(self, worker: _Worker, future: Any) -> Any:
        """What a task returned; raises its error, or `_Lost`."""
        from distributed import KilledWorker

        if future.status == "error":
            error = future.exception(timeout=_PATIENCE)
            if isinstance(error, (KilledWorker, *_CANCELLED)):
                raise _Lost
            raise error
        patience = 4.0
        while future.status != "cancelled":
            try:
                return future.result(timeout=patience)
            except TimeoutError:
                threads = self._threads()
                if threads is not None and worker.address not in threads:
                    break
                patience *= 2  # a large tile on a slow network
            except _CANCELLED:
                break
        raise _Lost

    def _welcome(self, worker: _Worker, room: Room) -> None:
        from ..version import __version__

        if room.version != __version__:
            raise InputError(
                f"the worker {worker.address} has tangency {room.version}, this process "
                f"{__version__}; install the same version everywhere"
            )
        worker.sent = Sent(self.client, worker.address, int(_SHARE * room.memory))

    def _take_in(self, worker: _Worker, tile: Tile, done: Done) -> None:
        i, j = tile
        if worker.sent is not None:
            worker.sent.resize(("X", i), done.sizes[0])
            worker.sent.resize(self._column(j), done.sizes[1])
        if done.arrays is None:
            self.store.require_owner(self.owner)
        else:
            self.store.write_tile(i, j, done.arrays, done.seconds, self.owner)
        self.on_done(i, j)

    def _failed(self, tile: Tile | None, address: str, error: Exception) -> None:
        if tile is not None:
            self.shares.give_back(tile, self.troubles.failed(tile, address, error))
        elif isinstance(error, StoreError):
            raise error
        else:
            raise InputError(
                f"the worker {address} cannot serve: {type(error).__name__}: {error}; is the same "
                "version of tangency installed there?"
            ) from error

    @staticmethod
    def _tiles(worker: _Worker) -> list[Tile]:
        return [tile for tile, _ in worker.running.values() if tile is not None]
