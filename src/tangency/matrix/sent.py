"""The blocks of input that lie at a worker."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

from ..engines.prepared import prepared

Key = tuple[str, int]

# For a worker to take a block; one that is out of memory takes none.
_SECONDS = 5


class UnreachableError(Exception):
    """A worker takes nothing: it is gone, or waits for memory."""


def send(client: Any, worker: str, data: Any, seconds: float) -> Any:
    """The future of data that this worker alone holds, which has so many seconds to take them.

    Raises:
        UnreachableError: it does not.
    """
    try:
        # Without the hash of its data a block has a key of its own, which this worker alone can
        # hold; to several workers at once, it would wait for ever where one of them dies.
        return client.scatter(data, workers=[worker], hash=False, timeout=seconds)
    except (KeyError, OSError, CancelledError, asyncio.CancelledError) as error:
        raise UnreachableError(worker) from error


class Sent:
    """Blocks that were sent to one worker, each once as long as there is room for them.

    Dask keeps a block at the worker as long as this holds its future, or a task waits for it. The
    block is one `Prepared` object there, so that its norms and marginals are computed once, too.

    Args:
        budget: bytes; beyond that the blocks that were not used for longest are forgotten.
    """

    def __init__(self, client: Any, worker: str, budget: int) -> None:
        self._client = client
        self._worker = worker
        self._budget = budget
        self._futures: OrderedDict[Key, Any] = OrderedDict()
        self._bytes: dict[Key, int] = {}

    def future(self, key: Key, read: Callable[[], Any]) -> Any:
        """The block of this name at the worker; `read()` gives what is sent if it is not there."""
        if key not in self._futures:
            block = prepared(read())
            self._futures[key] = send(self._client, self._worker, block, _SECONDS)
            self._bytes[key] = block.nbytes
        self._futures.move_to_end(key)
        self._trim()
        return self._futures[key]

    def resize(self, key: Key, count: int) -> None:
        """The bytes that a block has come to, with what was derived from it."""
        if key in self._bytes:
            self._bytes[key] = count

    def forget(self) -> None:
        """Nothing is at the worker any more, or need be."""
        self._futures.clear()
        self._bytes.clear()

    def _trim(self) -> None:
        # Two blocks make a tile: without them nothing can be done at all.
        while len(self._futures) > 2 and sum(self._bytes.values()) > self._budget:
            key, _ = self._futures.popitem(last=False)
            del self._bytes[key]
