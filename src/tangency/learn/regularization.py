"""What the parameters `alpha` and `training_time` ask for, checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..checks import is_number, items, number, shown
from ..errors import InputError
from ..kernels.foreign import refuse_masked

Penalty = float | Sequence[float] | Literal["loo"] | None


@dataclass(frozen=True)
class Regularization:
    """One alpha, or several to choose among, and the time that gradient flow runs for.

    `alphas` is None for the grid that leave-one-out searches; `time` is ∞ without early stopping.
    `profiled` says that amplitudes go with a single one, as they do with several.
    """

    alphas: tuple[float, ...] | None
    time: float
    profiled: bool = False

    @property
    def chooses(self) -> bool:
        """Whether alpha is chosen: by leave-one-out, or by the marginal likelihood."""
        return self.alphas is None or len(self.alphas) > 1 or self.profiled


def make_regularization(alpha: Any, training_time: Any) -> Regularization:
    """Return what these two parameters ask for.

    alpha=None means "loo" without a training time and 0 with one. Raises `InputError` for a
    negative, NaN or infinite alpha, a negative or NaN time, and for several alphas with a
    finite time, because leaving a sample out of gradient flow has no closed form.
    """
    time = math.inf if training_time is None else _number("training_time", training_time)
    if alpha is None:
        alpha = "loo" if training_time is None else 0.0
    if isinstance(alpha, str):
        if alpha != "loo":
            raise InputError(
                f"alpha={shown(alpha)} is not known; expected a number ≥ 0, a list of numbers, "
                '"loo" or None'
            )
        regularization = Regularization(None, time)
    else:
        regularization = Regularization(_several("alpha", alpha), time)
    if regularization.chooses and not math.isinf(time):
        raise InputError(
            f"alpha={shown(alpha)} chooses by leave-one-out, which has no closed form for gradient "
            f"flow stopped at training_time={shown(training_time)}; give one number as alpha "
            "(the flow then has that weight decay; 0 for none), or leave training_time=None"
        )
    return regularization


def make_noise_regularization(noise: Any, training_time: Any, inference: Any) -> Regularization:
    """Return the same for a Gaussian process: noise variances in the place of alphas.

    noise=None means "ml" for the posterior and 0 for the ensemble. Raises `InputError` as
    `make_regularization` does, for an unknown `inference`, and for a choice of noise or a training
    time where they have no meaning.
    """
    if not isinstance(inference, str) or inference not in ("posterior", "ensemble"):
        raise InputError(f'inference={shown(inference)}; expected "posterior" or "ensemble"')
    if inference == "posterior" and training_time is not None:
        raise InputError(
            f"training_time={shown(training_time)} has no meaning for Bayesian inference; "
            'leave it None, or set inference="ensemble" for trained networks'
        )
    time = math.inf if training_time is None else _number("training_time", training_time)
    if noise is None:
        noise = "ml" if inference == "posterior" else 0.0
    if isinstance(noise, str) and noise != "ml":
        raise InputError(
            f"noise={shown(noise)} is not known; expected a variance ≥ 0, a list of them, "
            '"ml" or None'
        )
    regularization = Regularization(
        None if isinstance(noise, str) else _several("noise", noise), time
    )
    if inference == "ensemble" and regularization.chooses:
        raise InputError(
            f"noise={shown(noise)} chooses by marginal likelihood, which an ensemble of trained "
            'networks does not have; give one number, or set inference="posterior"'
        )
    return regularization


def _several(name: str, value: Any) -> tuple[float, ...]:
    """Return one number, or the different ones of a list in ascending order."""
    if is_number(value):
        return (_number(name, value, finite=True),)
    refuse_masked(value, name)
    try:
        values = items(value, name)
    except InputError:
        values = []
    if not values or not all(map(is_number, values)):
        raise InputError(
            f"{name}={shown(value)}; expected one finite number ≥ 0, or a non-empty flat list of "
            "them to choose among"
        )
    return tuple(sorted({_number(name, each, finite=True) for each in values}))


def _number(name: str, value: Any, *, finite: bool = False) -> float:
    """Return `value` as a float ≥ 0."""
    try:
        return number(value, name, least=0, finite=finite)
    except InputError:
        wanted = f"a {'finite ' if finite else ''}number ≥ 0"
        raise InputError(f"{name}={shown(value)}; expected {wanted}") from None
