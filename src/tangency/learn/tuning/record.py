"""What a search has evaluated, in a file: the same search, started again, takes it from there.

L-BFGS asks for the same points again, and every one that was answered before costs nothing. So the
file knows nothing of the method, and what is found has the same bits.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import InputError
from ..solvers.checkpoint import Checkpoint, digest
from .problem import Problem, Vector

Answer = tuple[float, Vector]


class Record:
    """Losses and gradients by their points, kept in a checkpoint where there is one."""

    def __init__(self, problem: Problem, points: list[Vector], path: Path | None) -> None:
        self.answers: dict[bytes, Answer] = {}
        self.size = len(problem.free)
        self.checkpoint = None
        if path is None:
            return
        parts = {
            "the samples": digest(problem.x),
            "the targets": digest(problem.y, problem.units),
            "the network": digest(problem.net, problem.kind),
            "the landmarks": digest(problem.landmarks),
            "the objective": digest(problem.objective),
            "what is free, its bounds or priors": digest(problem.free, problem.noise),
            "the starts": digest(*points),
        }
        self.checkpoint = Checkpoint(path, parts, "tangency-tune", ("search", "search"))
        if (found := self.checkpoint.read()) is not None:
            self._take_up(found[1], path)

    def get(self, point: Vector) -> Answer | None:
        """What was answered at this point; None for a new one."""
        return self.answers.get(point.tobytes())

    def add(self, point: Vector, loss: float, gradient: Vector) -> None:
        """Keep an answer."""
        self.answers[point.tobytes()] = loss, gradient
        if self.checkpoint is not None and self.checkpoint.due():
            self.write()

    def write(self) -> None:
        """Have all answers in the file."""
        if self.checkpoint is None:
            return
        points = [np.frombuffer(key, np.float64) for key in self.answers]
        losses, gradients = zip(*self.answers.values(), strict=True) if points else ((), ())
        shape = (len(points), self.size)
        arrays = {
            "points": np.array(points, np.float64).reshape(shape),
            "losses": np.array(losses, np.float64),
            "gradients": np.array(gradients, np.float64).reshape(shape),
        }
        self.checkpoint.write({}, arrays)

    def _take_up(self, arrays: dict[str, Vector], path: Path) -> None:
        points, losses, gradients = (
            arrays.get(name, np.zeros(0)) for name in ("points", "losses", "gradients")
        )
        shape = (len(losses), self.size)
        good = losses.ndim == 1 and points.shape == gradients.shape == shape
        if not good or not all(a.dtype == np.float64 for a in (points, losses, gradients)):
            raise InputError(
                f"{path} is a checkpoint of this search, but its contents are damaged; "
                "delete it, or give another path as checkpoint"
            )
        for point, loss, gradient in zip(points, losses, gradients, strict=True):
            self.answers[point.tobytes()] = float(loss), gradient
