"""Processes for tests: with the signals that they need, and gone at the end whatever happens."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil


@contextmanager
def default_interrupt() -> Iterator[None]:
    """Children that start now obey Ctrl-C, though a shell may have begun the tests without.

    `nohup`, `&` in a script and some services start programs with SIGINT ignored, and children
    inherit that. For the main thread only.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def started(command: list[Any], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process with its output in pipes, for `with`; at the end it is gone, and all that it began.

    It leads a group of its own, as a command does in a terminal: `os.killpg(process.pid, SIGINT)`
    is Ctrl-C there.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with default_interrupt():
        process = subprocess.Popen(
            [str(part) for part in command], **{**pipes, "start_new_session": True, **options}
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> None:
    """Kill a process with its group, wait for it and close its pipes."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def commands() -> dict[psutil.Process, str]:
    """The processes below this one with their command lines, without those that are ending."""
    found = {}
    for child in psutil.Process().children(recursive=True):
        # Between two looks at it a process may be gone, or wait as a zombie to be.
        with contextlib.suppress(psutil.NoSuchProcess):
            found[child] = " ".join(child.cmdline())
    return found


def worker_processes() -> list[psutil.Process]:
    """Processes below this one that were spawned to compute, as the workers of a cluster are."""
    return [child for child, command in commands().items() if "spawn_main" in command]
