"""The state of an iteration in a file, from which the same fit goes on."""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...files import ARRAYS, abandoned, drafts, write_arrays

FORMAT = "tangency-cg"
FORMAT_VERSION = 1
SECONDS = 30.0  # between two writes; the first comes at once, so that a bad path is seen early


def digest(*parts: Any) -> str:
    """Return a SHA-256 of arrays and of whatever `repr` tells apart.

    >>> digest(1.0, "a") == digest(1.0, "a") != digest(1.0, "b")
    True
    """
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            found.update(f"{part.shape} {part.dtype}".encode())
            found.update(np.ascontiguousarray(part).data)
        else:
            found.update(repr(part).encode())
    return found.hexdigest()


@dataclass
class Checkpoint:
    """A file for the state of one problem, which `problem` identifies part by part.

    `format` and `what` say whose state it is, to the file and in messages.

    It is written at most every `SECONDS`, beside its final place and then renamed, so that an
    interrupted write leaves the previous state.
    """

    path: Path
    problem: dict[str, str]
    format: str = FORMAT
    what: tuple[str, str] = ("solver", "fit")
    _last: float = -math.inf

    def read(self) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """Return numbers and arrays as `write` got them; None if there is no file yet.

        Raises `InputError` for a file of another problem, naming the differences, and for
        anything that is not a checkpoint; neither is touched.
        """
        self._sweep()
        if not self.path.exists():
            return None
        try:
            with open(self.path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            header = json.loads(arrays.pop("header").tobytes())
            good = header["format"] == self.format and header["format_version"] == FORMAT_VERSION
            problem, numbers = dict(header["problem"]), dict(header["numbers"])
        except Exception as error:  # whatever damaged bytes happen to mean to zipfile
            raise InputError(
                f"{self.path} is no checkpoint of this {self.what[0]}, or is damaged ({error!r}); "
                "delete it, or give another path as checkpoint"
            ) from None
        if not good:
            raise InputError(
                f"{self.path} has the format {header['format']!r}, version "
                f"{header['format_version']!r}; expected {self.format!r}, version "
                f"{FORMAT_VERSION}; delete it, or give another path as checkpoint"
            )
        other = [name for name, value in self.problem.items() if problem.get(name) != value]
        if other:
            raise InputError(
                f"{self.path} is the checkpoint of another {self.what[1]}: it differs in "
                f"{', '.join(other)}; delete it, or give another path as checkpoint"
            )
        return numbers, arrays

    def _sweep(self) -> None:
        """Remove what a run that was killed had begun to write."""
        for draft in drafts(self.path, ARRAYS):
            if abandoned(draft):
                draft.unlink(missing_ok=True)

    def due(self) -> bool:
        """Whether the last write is long enough ago."""
        return time.monotonic() - self._last >= SECONDS

    def write(self, numbers: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Replace the file's content."""
        header = {
            "format": self.format,
            "format_version": FORMAT_VERSION,
            "problem": self.problem,
            "numbers": numbers,
        }
        text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
        write_arrays(self.path, {"header": text, **arrays})
        self._last = time.monotonic()
