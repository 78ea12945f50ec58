"""The leave-one-out error of a kernel on some samples, after its free numbers are chosen."""

from __future__ import annotations

import dataclasses
import math
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, NetworkError
from ...kernels.network import NetworkKernel
from ..base import centred
from ..conditioning import IllConditionedWarning
from ..grid import SearchWarning
from ..parameters import changed
from ..regularization import Regularization
from ..solvers.fit import Problem, fit
from ..tuning.choice import tuned
from ..units import as_they_are, in_units
from .pool import Candidate

Matrix = NDArray[np.float64]

TUNED = 1000
"""Samples up to which numbers are chosen; on more they stay as they were."""


@dataclass(frozen=True, eq=False)
class Data:
    """Samples X and targets (n, k), in the order in which they are taken.

    codes (n,) of the classes, whose indicators the targets then are, or None.
    """

    X: Any
    targets: Matrix
    codes: NDArray[np.intp] | None

    def first(self, count: int) -> Data:
        """So many samples."""
        codes = None if self.codes is None else self.codes[:count]
        return Data(self.X[:count], self.targets[:count], codes)


@dataclass(frozen=True, eq=False)
class Judged:
    """What came of a candidate on some samples.

    squares (m,): the squared leave-one-out residual of each sample, over the variance of the
    targets, each output in units of its own; `error` is their mean, 1 for predictions no better
    than the mean. accuracy: of the leave-one-out predictions, NaN for numbers. chosen: the
    numbers in the network. failure: why there is nothing.
    """

    squares: Matrix
    alpha: float = math.nan
    accuracy: float = math.nan
    chosen: dict[str, float] = field(default_factory=dict)
    failure: str = ""

    @property
    def error(self) -> float:
        return math.inf if self.failure else float(np.mean(self.squares))


def judge(
    candidate: Candidate,
    before: dict[str, float],
    data: Data,
    options: dict[str, Any],
    solver: Any,
) -> Judged:
    """Choose a candidate's free numbers, from those `before` on, and leave out each sample.

    options: of `tune`. A kernel that overflows, or cannot be solved with, has failed.
    """
    try:
        with warnings.catch_warnings():
            for kind in (SearchWarning, IllConditionedWarning):  # nobody can act on all of them
                warnings.simplefilter("ignore", kind)
            chosen = _chosen(candidate, before, data, options)
            return _left_out(with_numbers(candidate, chosen), chosen, data, solver)
    except (InputError, NetworkError) as error:
        return Judged(np.zeros(0), failure=str(error))


def with_numbers(candidate: Candidate, chosen: dict[str, float]) -> Any:
    """The kernel of a candidate with these numbers in its network."""
    if not chosen:
        return candidate.kernel
    assert isinstance(candidate.kernel, NetworkKernel)
    return dataclasses.replace(candidate.kernel, net=changed(candidate.kernel.net, chosen))


def _chosen(
    candidate: Candidate, before: dict[str, float], data: Data, options: dict[str, Any]
) -> dict[str, float]:
    if not candidate.free or (before and len(data.X) > TUNED):
        return before
    kernel, few = with_numbers(candidate, before), data.first(TUNED)
    X = few.X if kernel.input_shape is None else few.X.reshape(-1, *kernel.input_shape)
    found = tuned(
        kernel.net,
        X,
        few.targets,
        kind=kernel.kind,
        alike=data.codes is not None,
        objective="leave_one_out",
        restarts=0,
        progress=False,
        **{"free": candidate.free, **options},
    )
    return {name: value for name, value in found.chosen.items() if name[0].isdigit()}


def _left_out(kernel: Any, chosen: dict[str, float], data: Data, solver: Any) -> Judged:
    residual, _ = centred(data.targets, True)
    units = as_they_are(residual) if data.codes is not None else in_units(residual)
    problem, ridge = Problem(kernel, data.X), Regularization(None, math.inf)
    choice = problem.choose(ridge, solver)
    found = fit(problem, units.targets, ridge, choice, units.loss, centred=True)
    if found.residuals is None:
        raise InputError(
            "this solver has no leave-one-out residuals; CG(probes=0) does not estimate them"
        )
    squares = np.mean(np.square(found.residuals) * units.weights, axis=1)
    accuracy = math.nan
    if data.codes is not None:
        held_out = data.targets - found.residuals
        accuracy = float(np.mean(np.argmax(held_out, axis=1) == data.codes))
    # Units of the targets, which are all weighted to the same mean square.
    return Judged(squares / units.loss(units.targets), found.alpha, accuracy, chosen)
