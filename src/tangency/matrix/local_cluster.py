"""A cluster on this machine: processes with one thread each, reached through the loopback only."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import psutil

from ..checks import shown, whole
from ..errors import InputError
from . import quiet

if TYPE_CHECKING:
    from distributed import Client

# Libraries and compiled loops alone take a part of this.
_LEAST_MEMORY = 2**30

# Beyond this a number of processes is a mistake: memory would be gone long before.
_MOST_WORKERS = 1000

# Seconds between looks at whether all workers are there.
_LOOK = 1.0


@contextmanager
def local_cluster(workers: int, dashboard: str | None = None) -> Iterator[Client]:
    """A Dask client with worker processes on this machine, for a `with` statement.

    At the end the processes are gone. A worker that dies is replaced.

    Args:
        workers: how many; one for each core is right for kernels.
        dashboard: where Dask's dashboard listens, HOST:PORT, or PORT for the loopback alone;
            0.0.0.0:PORT lets in everyone who can reach this machine. It needs bokeh. By default
            nothing but the loopback is bound.

    Raises:
        InputError: no number of workers, no such address, no bokeh.

    Worker processes import the main module of the program: in a script, call this below
    `if __name__ == "__main__":`.
    """
    workers = whole(workers, "workers", 1, _MOST_WORKERS)
    address = dashboard_address(dashboard)
    if dashboard is not None and find_spec("bokeh") is None:
        raise InputError("the dashboard needs bokeh: pip install bokeh, or leave it out")
    from distributed import Client, LocalCluster

    memory = int(0.9 * psutil.virtual_memory().available / workers)
    # Killed workers are nothing to be told of: their tiles are done by others. What cannot be
    # mended reaches the caller as an error.
    with (
        _calm(),
        LocalCluster(
            n_workers=int(workers),
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=address,
            memory_limit=max(memory, _LEAST_MEMORY),
            preload=[quiet.__name__],
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
        _at_full_strength(cluster, int(workers)),
    ):
        yield client


@contextmanager
def _at_full_strength(cluster: Any, workers: int) -> Iterator[None]:
    """Starts workers anew where Dask gives them up, as it does when one dies while it starts."""
    over = threading.Event()

    def mend() -> None:
        for name, nanny in list(cluster.workers.items()):
            if nanny.status.name in ("failed", "closed"):
                del cluster.workers[name]
        if len(cluster.workers) < workers and not over.is_set():
            cluster.scale(workers)

    def watch() -> None:
        while not over.wait(_LOOK):
            cluster.loop.add_callback(mend)

    watcher = threading.Thread(target=watch, name="tangency-workers", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


@contextmanager
def _calm() -> Iterator[None]:
    """Without what asyncio logs of results whose worker was lost while they were fetched."""
    logger = logging.getLogger("asyncio")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def dashboard_address(text: str | None) -> str:
    """The address to bind for HOST:PORT or PORT; a free port of the loopback for None.

    >>> dashboard_address("8787"), dashboard_address("0.0.0.0:8787"), dashboard_address(None)
    ('127.0.0.1:8787', '0.0.0.0:8787', '127.0.0.1:0')
    """
    if text is None:
        return "127.0.0.1:0"
    found = re.fullmatch(r"(?:(.*):)?(\d{1,5})", text.strip()) if isinstance(text, str) else None
    if found is None or int(found[2]) > 65535:
        raise InputError(
            f"dashboard {shown(text)}: expected HOST:PORT, as 0.0.0.0:8787, or PORT for the "
            "loopback"
        )
    return f"{found[1] or '127.0.0.1'}:{int(found[2])}"
