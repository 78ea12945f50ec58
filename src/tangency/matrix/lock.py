"""One job at a time on one store."""

from __future__ import annotations

import errno
import json
import os
import platform
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from ..errors import StoreError
from . import atomic, records

# Bytes of the owner's note, beyond which a file is none.
_LONGEST = 2**16


@dataclass(frozen=True)
class Owner:
    """Who computes into a store, or did so last.

    Attributes:
        pid, host: the process and its machine.
        since: when it began, UTC in ISO 8601.
        run: a random name; whoever reads it in the store sees the same store as the owner.
    """

    pid: int
    host: str
    since: str
    run: str


class UnwritableError(StoreError):
    """A store that this process may not write, or that has no room at all."""


@contextmanager
def locked(folder: Path, store: Path) -> Iterator[Owner]:
    """Hold the lock in `folder`; the system frees it when the process ends, however it ends.

    Raises:
        StoreError: another job holds it, or there is no right to write (`UnwritableError`).
    """
    from filelock import FileLock, Timeout

    # A moment of patience: `in_use` holds the lock too, for as long as it takes to ask.
    lock = FileLock(folder / "lock", timeout=0.5)
    owner = Owner(os.getpid(), platform.node(), records.now(), secrets.token_hex(8))
    try:
        folder.mkdir(exist_ok=True)
        lock.acquire()
        atomic.write(folder / "owner.json", [json.dumps(asdict(owner)).encode()])
    except Timeout:
        raise StoreError(f"{store} is in use{_by(folder)}; wait for that job, or stop it") from None
    except OSError as error:
        lock.release()
        raise UnwritableError(
            f"{store} cannot be written ({error}); make room, get the right to write there, or "
            "compute into a copy; gram.open reads what is there"
        ) from error
    try:
        yield owner
    finally:
        lock.release()


def in_use(folder: Path) -> bool | None:
    """Whether a job holds the lock now; None where this process may not look."""
    path = folder / "lock"
    try:
        return _held(path) if os.name == "nt" else _held_posix(path)
    except FileNotFoundError:
        return False
    except OSError:
        return None


def _held_posix(path: Path) -> bool:
    """Asks for a share of the lock, for which the right to read is enough."""
    import fcntl

    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return True
        if error.errno == errno.ENOSYS:  # there filelock has another kind of lock
            return _held(path)
        raise
    finally:
        os.close(handle)  # and with it the share
    return False


def _held(path: Path) -> bool:
    from filelock import FileLock, Timeout

    if not path.exists():
        return False
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    lock.release()
    return False


def last_owner(folder: Path) -> Owner | None:
    """Who holds the lock or held it last; None if nobody did, or it cannot be read."""
    try:
        found = Owner(**json.loads(atomic.read(folder / "owner.json", _LONGEST)))
        datetime.fromisoformat(found.since)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    named = isinstance(found.host, str) and found.host.isprintable()
    return found if named and type(found.pid) is int and isinstance(found.run, str) else None


def _by(folder: Path) -> str:
    owner = last_owner(folder)
    if owner is None:
        return " by another job"
    since = owner.since[:19].replace("T", " ")
    return f": process {owner.pid} on {owner.host} computes into it since {since} UTC"
