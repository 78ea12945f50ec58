"""Products of a symmetric kernel matrix with blocks of vectors, each tile used for both triangles.

The tiles are cut into fixed groups whose partial sums are added in a fixed order, so that a
product is the same bits however many workers share it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import CancelledError
from itertools import pairwise
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ...gram.client import check_client
from .parallel import each
from .rules import require_memory
from .tiles import Pair, Tiles

Matrix = NDArray[np.float64]
Product = Callable[[Matrix], Matrix]

_GROUPS = 32
_STRIP = 128  # rows
_ATTEMPTS = 4
_WAIT = 60  # seconds for a worker to come back
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
        _add_products(out, tile, tiles.span(i), tiles.span(j), vectors)
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
        self._groups = groups(tiles.pairs())

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
    lost is done elsewhere, by Dask or, where data went with it, by sending them again.
    """

    def __init__(self, tiles: Tiles, client: Any, keeps: bool = True) -> None:
        check_client(client)
        self.tiles, self.client, self.keeps = tiles, client, keeps
        self._groups = groups(tiles.pairs())
        self._source: Any = None

    def __call__(self, vectors: Matrix) -> Matrix:
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._product(vectors)
            except (CancelledError, asyncio.CancelledError, OSError, KeyError):
                self._source = None  # what was sent is lost with a worker
                self.client.wait_for_workers(1, timeout=_WAIT)
        return self._product(vectors)

    def _product(self, vectors: Matrix) -> Matrix:
        if self._source is None:
            self._source = self.client.scatter(self.tiles, broadcast=True, hash=False)
        sent = self.client.scatter(vectors, broadcast=True, hash=False)
        workers = sorted(self.client.nthreads())
        parts = [
            self.client.submit(
                _on_worker,
                self._source,
                pairs,
                sent,
                self.keeps,
                pure=False,
                # the same as in the last product, where the tiles are
                workers=[workers[k * len(workers) // len(self._groups)]],
                allow_other_workers=True,
            )
            for k, pairs in enumerate(self._groups)
        ]
        total = np.zeros_like(vectors)
        for k in range(len(parts)):
            total += parts[k].result()
            parts[k] = None  # frees the worker's copy
        return total


def _on_worker(tiles: Tiles, pairs: list[Pair], vectors: Matrix, keeps: bool) -> Matrix:
    from distributed import get_worker

    if keeps and not tiles.keeps:
        limit = get_worker().memory_manager.memory_limit or psutil.virtual_memory().available // 4
        tiles.keep_up_to(int(_WORKERS_SHARE * limit))
    with threadpool_limits(1, user_api="blas"):  # a worker's neighbours use the other processors
        return group_product(tiles, pairs, vectors)


def make_operator(tiles: Tiles, storage: str, client: Any = None) -> Operator | RemoteOperator:
    """Return the operator for a solver's `matrix` option; tells the tiles how many to keep.

    Raises `MemoryLimitError` if "memory" is asked for and K does not fit.
    """
    if storage == "memory":
        require_memory(tiles.nbytes, f"K of {tiles.size:,} samples in memory", "cg")
        tiles.keep_up_to(tiles.nbytes)
    elif storage == "auto":
        tiles.keep_up_to(psutil.virtual_memory().available // 2)
    if client is None:
        return Operator(tiles)
    return RemoteOperator(tiles, client, storage == "auto")
