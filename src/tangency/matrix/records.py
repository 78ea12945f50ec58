"""A tile's record: written after the tile, it says what the tile must be."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import atomic

# Bytes of a record, beyond which a file is none.
_LONGEST = 2**16


@dataclass(frozen=True)
class Record:
    """What is known of a finished tile.

    Attributes:
        tile: its place (i, j) in the grid.
        fingerprint: of the job that computed it.
        crc32c: checksums of what is stored for it, by the name of the array.
        pairs: how many values were computed.
        seconds: how long that took.
        when: the time at which it was written, UTC in ISO 8601.
    """

    tile: tuple[int, int]
    fingerprint: str
    crc32c: dict[str, int]
    pairs: int
    seconds: float
    when: str

    def to_bytes(self) -> bytes:
        """The record sealed: with a checksum of its own."""
        data = asdict(self)
        return json.dumps({**data, "seal": _seal(data)}).encode()

    @property
    def time(self) -> float:
        """`when` in seconds since 1970."""
        return datetime.fromisoformat(self.when).timestamp()


def now() -> str:
    """The time for a record."""
    return datetime.now(UTC).isoformat()


def read(path: Path) -> Record | None:
    """The record in a file; None if there is no such file.

    Raises:
        ValueError: a record whose seal does not fit, in words.
    """
    try:
        text = atomic.read(path, _LONGEST)
    except FileNotFoundError:
        return None
    try:
        data: dict[str, Any] = json.loads(text)
        seal = data.pop("seal")
        found = Record(**{**data, "tile": tuple(data["tile"])})
        sealed, good = seal == _seal(data), _good(found)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ValueError("its record cannot be read") from None
    if not sealed:
        raise ValueError("its record does not match its own checksum")
    if not good:
        raise ValueError("its record cannot be read")
    return found


def _good(record: Record) -> bool:
    """Whether each field is what it must be: whoever can write a record can seal it too."""
    sums = record.crc32c
    return (
        len(record.tile) == 2
        and all(_whole(k) for k in (*record.tile, record.pairs))
        and isinstance(record.fingerprint, str)
        and isinstance(sums, dict)
        and all(_whole(value) and value < 2**32 for value in sums.values())
        and isinstance(record.seconds, int | float)
        and 0 <= record.seconds < math.inf
        and datetime.fromisoformat(record.when).tzinfo is not None
    )


def _whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def _seal(data: dict[str, Any]) -> int:
    return atomic.checksum(json.dumps(data, sort_keys=True, separators=(",", ":")).encode())
