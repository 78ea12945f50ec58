"""L-BFGS from several starts, within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...engines.progress import progress_bar
from ...errors import InputError, NetworkError
from .problem import Problem, Vector
from .record import Record

_SPREAD = np.log(30.0)  # of random starts, to either side of the first, in logarithms
_STEPS = 200
_AGAIN, _FLAT, _GAIN = 5, 1e-4, 1e-6
_EQUAL = 1e-9  # losses that differ by less are equal: the earlier start wins


@dataclass(frozen=True, eq=False)
class Optimum:
    """The best point found, with the losses of all evaluations from each start, (s) arrays."""

    point: Vector
    loss: float
    history: tuple[Vector, ...]


def starts(problem: Problem, restarts: int, random: np.random.Generator) -> list[Vector]:
    """The network's own values, then random points within a factor 30 of these."""
    first, (low, high) = problem.start, problem.box.T
    drawn = random.uniform(-_SPREAD, _SPREAD, (restarts, len(first)))
    return [first, *np.clip(first + drawn, low, high)]


def descend(
    problem: Problem, points: list[Vector], progress: bool | None, record: Record
) -> Optimum:
    """The smallest loss that L-BFGS finds from these points; all it asks for is in the record.

    Raises:
        InputError: no start has a loss at all.
    """
    best: tuple[float, Vector] | None = None
    histories: list[Vector] = []
    failure: InputError | NetworkError | None = None
    with progress_bar(None, progress, "evaluation") as bar:
        for place, point in enumerate(points):
            bar.set_description(f"start {place + 1} of {len(points)}", refresh=False)
            run = _Run(problem, bar, record)
            loss, found = run.minimise(point)
            histories.append(np.array(run.losses))
            failure = failure or run.failure
            if np.isfinite(loss) and (best is None or loss < best[0] - _EQUAL):
                best = loss, found
    record.write()
    if best is None:
        raise failure or InputError("no start has a finite objective; scale the inputs down")
    return Optimum(best[1], best[0], tuple(histories))


class _Run:
    """One descent, which remembers what it was told."""

    def __init__(self, problem: Problem, bar: Any, record: Record) -> None:
        self.problem, self.bar, self.record = problem, bar, record
        self.losses: list[float] = []
        self.failure: InputError | NetworkError | None = None

    def minimise(self, point: Vector) -> tuple[float, Vector]:
        from scipy.optimize import minimize

        options = {"maxiter": _STEPS, "ftol": 1e-12, "gtol": 1e-7}
        box, before = self.problem.box, np.inf
        for _ in range(_AGAIN):
            found = minimize(self, point, jac=True, method="L-BFGS-B", bounds=box, options=options)
            if not self.losses:  # the first point failed
                return np.inf, point
            loss, point = float(found.fun), np.asarray(found.x)
            downhill = np.abs(np.clip(point - found.jac, *box.T) - point).max()
            # What it remembers of curved valleys can stop it on a slope; afresh it goes on.
            if downhill < _FLAT or loss > before - _GAIN:
                break
            before = loss
        return loss, point

    def __call__(self, point: Vector) -> tuple[float, Vector]:
        self.bar.update(1)
        try:
            loss, gradient = self._answer(point)
        except (
            InputError,
            NetworkError,
        ) as error:  # too large a step; a worse value makes it shorter
            self.failure = error
            return max(self.losses, default=0.0) + 10.0, np.zeros(len(point))
        self.losses.append(loss)
        return loss, gradient

    def _answer(self, point: Vector) -> tuple[float, Vector]:
        found = self.record.get(point)
        if found is None:
            found = self.problem.value_and_gradient(point)
            self.record.add(point, *found)
        return found
