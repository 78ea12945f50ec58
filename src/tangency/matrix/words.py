"""What a store says when it cannot write, and what is to be done then."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engines.tiles import size_text
from ..errors import StoreError
from .room import room_for

if TYPE_CHECKING:
    from .store import Store

_READ = (
    "read it whole by K[:], or a part by K[rows, columns], or go by blocks with the dask array "
    "K.dask, as in (K.dask @ v).compute()"
)


def run_again(kinds: tuple[str, ...]) -> str:
    """What computes such a store, and is to be called once more."""
    return f"run {'transform_to' if kinds == ('features',) else 'gram.compute'} again"


def remedy(kinds: tuple[str, ...]) -> str:
    """What completes a store with matrices of these names.

    >>> remedy(("ntk",))
    'run gram.compute again with the same inputs, it goes on where it stopped'
    """
    return f"{run_again(kinds)} with the same inputs, it goes on where it stopped"


def cannot_write(store: Store, i: int, j: int, error: OSError) -> str:
    """A tile that the disk does not take: how many are safe, and how much room is needed."""
    where = f"{store.path}: tile ({i}, {j})"
    try:
        done = store.recorded()
    except StoreError:
        return f"{where} cannot be written ({error}); then {remedy(store.header.kinds)}"
    safe = f"{len(done)} of {len(store.grid)} tiles are safe"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        left = (tile for tile in store.grid if tile not in done)
        room = size_text(room_for(store.path, store.header, left))
        return (
            f"{store.path}: there is no room for tile ({i}, {j}) ({error.strerror}); {safe}; make "
            f"room for {room}, then {remedy(store.header.kinds)}"
        )
    return f"{where} cannot be written ({error}); {safe}; then {remedy(store.header.kinds)}"


def gone(store: Store) -> str:
    """The folder is not that any more into which the job computes."""
    return (
        f"{store.path} was removed, renamed or replaced while tiles were computed into it; what is "
        "there now was left alone, and finished tiles are where that folder went; bring it back, "
        f"or give another path, and {run_again(store.header.kinds)}"
    )


def removed(store: Store, i: int, j: int) -> str:
    """A tile that was written is not there at the end."""
    return (
        f"{store.path}: tile ({i}, {j}) was written, but is gone, so that somebody has removed "
        f"files while tiles were computed; {remedy(store.header.kinds)}"
    )


def described_otherwise(store: Store) -> str:
    """The description is that of another job at the end."""
    return (
        f"{store.path}: its zarr.json was replaced by that of another job while tiles were "
        "computed; what is there now was left alone: take that file away and put the right one "
        f"there, or give another path and {run_again(store.header.kinds)}"
    )


def not_finite(i: int, j: int, name: str, dtype: Any) -> str:
    """Values that no store may take."""
    return (
        f"tile ({i}, {j}) of {name} holds NaN or infinity: values too large for {dtype}; scale the "
        "inputs down, or use float64"
    )


class NoArithmeticError(StoreError, TypeError):
    """Arithmetic with a stored matrix as if it were an array in memory."""


def no_arithmetic(path: Path, operation: str) -> str:
    """What to do in place of arithmetic that would read all of a matrix."""
    return (
        f"{path} is a matrix in a store, with which NumPy's {operation} does not compute; {_READ}"
    )


def no_attribute(path: Path, name: str) -> str:
    """What to do in place of a method of arrays that a stored matrix lacks."""
    return f"{path} is a matrix in a store, which has no {name}; {_READ}"
