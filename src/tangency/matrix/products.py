"""Products of a symmetric kernel matrix with blocks of vectors, each tile used for both triangles.

The tiles are cut into fixed groups whose partial sums are added in a fixed order, so that a
product is the same bits however many workers share it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engines.blas import one_blas_thread
from ..engines.threads import each
from ..errors import InputError
from .client import check_client
from .on_worker import worker_memory
from .sent import UnreachableError, send
from .tiles import Pair, Tiles

Matrix = NDArray[np.float64]
Product = Callable[[Matrix], Matrix]

_GROUPS = 32
_STRIP = 128  # rows
_ROUNDS = 8  # lost in a row, after which K may be the reason
_STALLED = 180  # seconds without a single part, in case workers only take long to start
_PAUSE = 0.2  # seconds after a lost round: whoever is gone may still be listed
_WAIT = 60  # seconds for a worker to come back
_PATIENCE = 10  # seconds for a worker to take something, or between looks whether it is there
_WORKERS_SHARE = 0.4


def groups(pairs: list[Pair]) -> list[list[Pair]]:
    """Cut the pairs into at most 32 consecutive groups of about one size.

    >>> [len(group) for group in groups([(0, j) for j in range(40)])][:4]
    [1, 1, 1, 2]
    """
    edges = np.linspace(0, len(pairs), min(_GROUPS, len(pairs)) + 1).astype(int)
    return [pairs[a:b] for a, b in pairwise(edges)]


def group_product(tiles: Tiles, pairs: list[Pair], vectors: Matrix) -> Matrix:
    """Return what these tiles, and their mirror images, add to K @ vectors, (n, k)."""
    out = np.zeros_like(vectors)
    for (i, j), tile in zip(pairs, tiles.fetch(pairs), strict=True):
        _add_products(out, tile, tiles.grid.rows(i), tiles.grid.columns(j), vectors)
    return out


def _add_products(
    out: Matrix, tile: np.ndarray, rows: slice, columns: slice, vectors: Matrix
) -> None:
    """Add a tile times vectors, and its mirror image; strips of it stay in cache for both."""
    for start in range(0, len(tile), _STRIP):
        strip = tile[start : start + _STRIP].astype(np.float64, copy=False)
        here = slice(rows.start + start, rows.start + start + len(strip))
        out[here] += strip @ vectors[columns]
        if rows != columns:
            out[columns] += strip.T @ vectors[here]


class Operator:
    """K as a function of vectors (n, k), in this process: a thread for each group of tiles."""

    def __init__(self, tiles: Tiles) -> None:
        self.tiles = tiles
        self._groups = groups(list(tiles.grid))

    def __call__(self, vectors: Matrix) -> Matrix:
        total = np.zeros_like(vectors)
        jobs = 1 if self.tiles.threaded and not self.tiles.whole else None
        for part in each(lambda p: group_product(self.tiles, p, vectors), self._groups, jobs):
            total += part
        return total


class RemoteOperator:
    """K as a function of vectors (n, k), shared out to the workers of a Dask client.

    What the tiles are made from is sent to each worker once. Each keeps its share of the tiles in
    memory, as far as 40 % of its limit go, unless `keeps` is false. The work of a worker that is
    lost is done by the others, or by the one that comes in its place, as often as that happens.

    Raises:
        InputError: no worker has been there for a minute; every part was lost with its worker
            eight times in a row, for three minutes at least, without one that was finished; the
            connection to the scheduler is lost.
    """

    def __init__(self, tiles: Tiles, client: Any, keeps: bool = True) -> None:
        check_client(client)
        self.tiles, self.client, self.keeps = tiles, client, keeps
        self._groups = groups(list(tiles.grid))
        self._sources: dict[str, Any] = {}

    def __call__(self, vectors: Matrix) -> Matrix:
        total, summed = np.zeros_like(vectors), 0
        found: dict[int, Matrix] = {}
        fruitless, since = 0, time.monotonic()
        while summed < len(self._groups):
            self._wait_for_a_worker(summed)
            left = [k for k in range(summed, len(self._groups)) if k not in found]
            fruitless += 1
            for k, part in self._shared_out(left, vectors):
                fruitless, since = 0, time.monotonic()
                found[k] = part
                while summed in found:  # always in this order
                    total += found.pop(summed)
                    summed += 1
            if fruitless >= _ROUNDS and time.monotonic() - since > _STALLED:
                raise self._given_up("its workers were lost before one could finish a part", summed)
            if fruitless:
                time.sleep(_PAUSE)
        return total

    def _wait_for_a_worker(self, summed: int) -> None:
        if self.client.status not in ("running", "connecting"):
            raise self._given_up("the connection to the Dask scheduler was lost", summed)
        try:
            self.client.wait_for_workers(1, timeout=_WAIT)
        except TimeoutError:
            raise self._given_up(f"no worker has come for {_WAIT} seconds", summed) from None

    def _given_up(self, reason: str, summed: int) -> InputError:
        missing = f"{len(self._groups) - summed} of {len(self._groups)} parts are missing"
        return InputError(
            f"a product with K lost its workers ({missing}): {reason}; see why they end (memory?), "
            "or leave client out; a CG with checkpoint= goes on where it stopped"
        )

    def _shared_out(self, left: list[int], vectors: Matrix) -> Iterator[tuple[int, Matrix]]:
        """Yield (k, what the tiles of group k add) for those groups whose worker stays."""
        addresses = sorted(self.client.nthreads())
        self._sources = {a: self._sources[a] for a in addresses if a in self._sources}
        tasks = []
        for number, address in enumerate(addresses):
            # Without losses the same as in the last product, where the tiles are.
            mine = [k for k in left if k * len(addresses) // len(self._groups) == number]
            try:
                if mine and address not in self._sources:
                    self._sources[address] = send(self.client, address, self.tiles, _PATIENCE)
                sent = send(self.client, address, vectors, _PATIENCE) if mine else None
            except UnreachableError:
                self._sources.pop(address, None)
                continue
            for k in mine:
                arguments = (self._sources[address], self._groups[k], sent, self.keeps)
                future = self.client.submit(_on_worker, *arguments, workers=[address], pure=False)
                tasks.append((k, address, future))
        while tasks:
            k, address, future = tasks.pop(0)
            part = self._result(future, address)
            if part is None:
                self._sources.pop(address, None)
            else:
                yield k, part

    def _result(self, future: Any, address: str) -> Matrix | None:
        """What a task returned; None if its worker is lost."""
        from distributed import KilledWorker

        patience = 1.0
        while future.status != "cancelled":
            try:
                return future.result(timeout=patience)
            except TimeoutError:
                if future.status == "error":
                    raise  # of the task itself
                if address not in self.client.nthreads():
                    return None
                patience = min(2 * patience, _PATIENCE)
            except (KilledWorker, CancelledError, asyncio.CancelledError):
                return None
        return None


def _on_worker(tiles: Tiles, pairs: list[Pair], vectors: Matrix, keeps: bool) -> Matrix:
    if keeps and not tiles.keeps:
        tiles.keep_up_to(int(_WORKERS_SHARE * worker_memory()))
    with one_blas_thread():  # a worker's neighbours use the other processors
        return group_product(tiles, pairs, vectors)
