"""What a search has judged, in a file: the same search, started again, takes it from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ..solvers.checkpoint import Checkpoint, digest
from .judge import Data, Judged
from .pool import Candidate


class State:
    """What came of candidates, by round and place, kept in a checkpoint where there is one."""

    def __init__(
        self,
        path: Path | None,
        data: Data,
        entered: tuple[Candidate, ...],
        rounds: dict[str, Any],
        options: dict[str, Any],
        solver: Any,
    ) -> None:
        self.known: dict[str, Judged] = {}
        self.checkpoint = None
        if path is None:
            return
        # A kernel that has no name in files has none that another process would know it by.
        each = [(one.name, one.kernel.to_dict(), one.free) for one in entered]
        parts = {
            "the samples or their order": digest(data.X),
            "the targets": digest(data.targets),
            "the candidates": digest(each),
            "the rounds": digest(rounds),
            "what is tuned": digest(options),
            "the solver": digest(solver),
        }
        self.checkpoint = Checkpoint(path, parts, "tangency-search", ("search", "search"))
        if (found := self.checkpoint.read()) is not None:
            self._take_up(*found, path)

    def get(self, round_: int, place: int) -> Judged | None:
        """What came of a candidate in a round; None if it has not been judged."""
        return self.known.get(f"{round_}-{place}")

    def add(self, round_: int, place: int, judged: Judged) -> None:
        """Keep what came of a candidate."""
        self.known[f"{round_}-{place}"] = judged
        if self.checkpoint is not None and self.checkpoint.due():
            self.write()

    def write(self) -> None:
        """Have all of it in the file."""
        if self.checkpoint is None:
            return
        numbers = {
            key: [each.alpha, each.accuracy, each.chosen, each.failure]
            for key, each in self.known.items()
        }
        arrays = {f"squares_{key}": each.squares for key, each in self.known.items()}
        self.checkpoint.write(numbers, arrays)

    def _take_up(self, numbers: dict[str, Any], arrays: dict[str, np.ndarray], path: Path) -> None:
        try:
            for key, (alpha, accuracy, chosen, failure) in numbers.items():
                squares = arrays[f"squares_{key}"]
                if squares.ndim != 1 or squares.dtype != np.float64:
                    raise ValueError(f"squares_{key}")
                values = {str(name): float(value) for name, value in chosen.items()}
                judged = Judged(squares, float(alpha), float(accuracy), values, str(failure))
                self.known[key] = judged
        except (KeyError, TypeError, ValueError, AttributeError):
            raise InputError(
                f"{path} is a checkpoint of this search, but its contents are damaged; "
                "delete it, or give another path as checkpoint"
            ) from None
