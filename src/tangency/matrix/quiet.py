"""Loaded by the processes of a local cluster: Ctrl-C is for the process that started them."""

from __future__ import annotations

import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """A terminal sends Ctrl-C to all processes; here it would only print a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
