"""Options of commands that fill a store, for a Dask cluster, and the client that they ask for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from .say import say

Workers = Annotated[
    int | None,
    typer.Option(metavar="N", help="Compute a store in N processes on this machine."),
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Compute a store on a Dask cluster: tcp://HOST:PORT."),
]
Dashboard = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Dask's page on the --workers; a PORT alone is for this machine only.",
    ),
]


@dataclass(frozen=True)
class Cluster:
    """Where tiles are computed; nothing given: in this process.

    Raises:
        ValueError: options that do not go with each other.
    """

    workers: int | None = None
    scheduler: str | None = None
    dashboard: str | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.scheduler is not None:
            raise ValueError(
                "--workers starts a cluster here and --scheduler uses one that runs; give one"
            )
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"--workers {self.workers}: expected a number of at least 1")
        if self.dashboard is not None and self.workers is None:
            raise ValueError("--dashboard is for --workers; give their number")

    @property
    def wanted(self) -> bool:
        """Whether tiles go to other processes."""
        return self.workers is not None or self.scheduler is not None

    def check(self, stored: bool, jobs: int | None) -> None:
        """Raises `ValueError` where other options of the command forbid a cluster."""
        if not self.wanted:
            return
        option = "--scheduler" if self.workers is None else "--workers"
        if not stored:
            raise ValueError(f"{option} is for stores; give --out a name in .zarr")
        if jobs is not None:
            raise ValueError(
                f"--jobs sets threads in this process, and with {option} other processes compute; "
                "leave it out"
            )

    @contextmanager
    def client(self) -> Iterator[Any]:
        """A client of the cluster, which ends with the block if it was started here; or None."""
        if self.scheduler is not None:
            from ..matrix.client import connected

            with connected(self.scheduler) as client:
                yield client
        elif self.workers is not None:
            from ..gram import local_cluster

            with local_cluster(self.workers, self.dashboard) as client:
                if self.dashboard is not None:
                    say(f"dashboard: {client.dashboard_link}", err=True)
                yield client
        else:
            yield None
