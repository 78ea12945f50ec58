"""What `search` found: a ranking of candidates, with how far each is behind the best."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...results import Result, Table
from ..classifier import KernelClassifier
from ..estimators import KernelRegressor
from .judge import Judged, with_numbers
from .pool import Candidate

Vector = NDArray[np.float64]

_CLOSE = 2.0  # standard errors
_NAMED = 3


@dataclass(frozen=True, eq=False)
class Trial:
    """A candidate of `search`, and how it did.

    kernel: with the numbers that were chosen, `chosen`, by name. errors: in each round that it took
    part in, the mean squared leave-one-out error over the variance of the targets; 1 is that of the
    mean. sizes: how many samples there were. gap: how much larger its last error is than that of
    the best on the same samples, and gap_error the standard error of this difference, over samples.
    accuracy: of leave-one-out predictions, NaN for numbers. alpha: the ridge. failure: why it was
    not judged, or "".
    """

    name: str
    kernel: Any
    errors: Vector
    sizes: tuple[int, ...]
    gap: float
    gap_error: float
    accuracy: float
    alpha: float
    chosen: dict[str, float]
    failure: str

    @property
    def error(self) -> float:
        """The error in the last round that it took part in."""
        return float(self.errors[-1])


@dataclass(frozen=True, eq=False)
class Searched(Result):
    """What `search` found.

    trials: all candidates, those of the last round first, each round by its errors. sizes: how
    many samples the rounds had.
    """

    trials: tuple[Trial, ...]
    sizes: tuple[int, ...]
    task: str
    solver: Any = field(repr=False)
    X: Any = field(repr=False)
    y: Any = field(repr=False)

    @property
    def best(self) -> Trial:
        """The candidate of the smallest error on the most samples."""
        return self.trials[0]

    @property
    def kernel(self) -> Any:
        """The kernel of the best candidate, with the numbers chosen in it."""
        return self.best.kernel

    @property
    def close(self) -> tuple[Trial, ...]:
        """Other candidates within two standard errors of the best, when they were last judged."""
        return tuple(each for each in self.trials[1:] if each.gap <= _CLOSE * each.gap_error)

    @property
    def title(self) -> str:
        """What the figure shows."""
        where = " on more and more samples" if len(self.sizes) > 1 else ""
        return f"Leave-one-out error of {len(self.trials)} candidates{where}"

    @property
    def measure(self) -> str:
        """What errors are called in figures."""
        return "leave-one-out error / variance"

    @property
    def reading(self) -> str:
        """What was found, in two sentences."""
        best, close = self.best, self.close
        text = (
            f"Of {len(self.trials)} candidates, {best.name} has the smallest leave-one-out error "
            f"on {self.sizes[-1]:,} samples, {best.error:.3g} of the variance of the targets"
        )
        if not math.isnan(best.accuracy):
            text += f" ({best.accuracy:.1%} right)"
        if not close:
            return f"{text}; no other one was within two standard errors of it."
        names = ", ".join(each.name for each in close[:_NAMED])
        more = f" and {len(close) - _NAMED} more" if len(close) > _NAMED else ""
        earlier = sum(len(each.errors) < len(self.sizes) for each in close)
        left = f" ({earlier} of these left in earlier rounds)" if earlier else ""
        return f"{text}; within two standard errors of it: {names}{more}{left}."

    @property
    def summary(self) -> str:
        """What was found, in one sentence."""
        return f"{self.best.name}: leave-one-out error {self.best.error:.4g} of the variance."

    def table(self) -> Table:
        """All candidates in their order: samples, error, distance to the best, ridge, numbers."""
        rows: list[tuple[Any, ...]] = []
        for place, each in enumerate(self.trials, 1):
            numbers = ", ".join(f"{name} {value:.3g}" for name, value in each.chosen.items())
            right = () if self.task == "regression" else (each.accuracy,)
            behind = (each.gap, each.gap_error, *right, each.alpha)
            rows.append(
                (place, each.name, each.sizes[-1], each.error, *behind, each.failure or numbers)
            )
        right = () if self.task == "regression" else ("accuracy",)
        names = ("rank", "candidate", "samples", "error", "behind", "±", *right, "alpha", "chosen")
        return Table(names, rows)

    def estimator(self) -> KernelRegressor | KernelClassifier:
        """An estimator with the best kernel, fitted to all the data, alpha by leave-one-out."""
        cls = KernelRegressor if self.task == "regression" else KernelClassifier
        return cls(self.kernel, solver=self.solver).fit(self.X, self.y)


def ranked(
    entered: tuple[Candidate, ...],
    rounds: list[list[tuple[int, Judged]]],
    sizes: tuple[int, ...],
    task: str,
    solver: Any,
    X: Any,
    y: Any,
) -> Searched:
    """The result, from what came of the candidates in each round."""
    by_round = [dict(each) for each in rounds]
    order = list(dict.fromkeys(i for each in reversed(rounds) for i, _ in each))
    best = [each[order[0]] for each in by_round]
    trials = [_trial(entered[i], [r[i] for r in by_round if i in r], sizes, best) for i in order]
    return Searched(tuple(trials), sizes, task, solver, X, y)


def _trial(
    candidate: Candidate, judged: list[Judged], sizes: tuple[int, ...], best: list[Judged]
) -> Trial:
    last, place = judged[-1], len(judged) - 1
    gap, error = math.inf, math.nan
    if not last.failure:
        differences = last.squares - best[place].squares
        gap = float(np.mean(differences))
        error = float(np.std(differences, ddof=1) / math.sqrt(len(differences)))
    return Trial(
        name=candidate.name,
        kernel=with_numbers(candidate, last.chosen),
        errors=np.array([each.error for each in judged]),
        sizes=sizes[: len(judged)],
        gap=gap,
        gap_error=error,
        accuracy=last.accuracy,
        alpha=last.alpha,
        chosen=last.chosen,
        failure=last.failure,
    )
