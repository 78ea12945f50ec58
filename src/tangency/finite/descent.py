"""Gradient descent and gradient flow, step by step, for weights and for functions alike."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..checks import is_number, items, number, shown, whole
from ..errors import InputError
from .losses import Loss


class DivergedError(InputError):
    """Function values that are not finite any more."""


class StepWarning(UserWarning):
    """Steps of gradient flow that have become too long during training."""


State = list[torch.Tensor]
Velocity = Callable[[State], State]


_LONG = 1.5

_MOST_STEPS = 10**8
"""More would take weeks even for a module of a single weight."""


@dataclass(frozen=True)
class Schedule:
    """How a training goes through time.

    Attributes:
        step: time of one step; for gradient descent this is the learning rate.
        steps: how many.
        marks: the numbers of those after which something is recorded, 0 for the start.
        flow: steps follow gradient flow (Runge and Kutta's method of order 4) instead of going
            straight along the gradient.
    """

    step: float
    steps: int
    marks: tuple[int, ...]
    flow: bool = False

    def warn_if_too_long(self, rate: float) -> None:
        """Warn if the fastest direction is learnt at such a rate at the end of a flow.

        Runge and Kutta's method is unstable from a product of step and rate of 2.8 on, and in the
        fastest direction off by 6 % of what is left there at 1.5.
        """
        if self.flow and self.step * rate > _LONG:
            least = math.ceil(2 * self.step * self.steps * rate)
            warnings.warn(
                f"the kernel grew on the way: steps of {self.step:.3g} are too long to follow "
                f"gradient flow where its fastest direction is learnt at the rate {rate:.3g}, and "
                f"the values may be off; pass steps={least} or more",
                StepWarning,
                stacklevel=3,
            )

    @property
    def times(self) -> np.ndarray:
        """(t,) the recorded times."""
        return self.step * np.array(self.marks, dtype=float)


def make_schedule(
    lr: float | None,
    steps: int | None,
    time: float | None,
    record: int | Sequence[int],
    fastest: Callable[[], float],
) -> Schedule:
    """Steps of gradient descent, or of gradient flow where a time is given and no rate.

    fastest: gives the rate 1/t at which the fastest direction is learnt; asked only where no rate
    is given. Descent then takes the step in which that direction is learnt at once; flow takes
    steps half as long, where its error in a direction is below 3e-4 of what is left there.
    """
    if time is None and steps is None:
        raise InputError("say how long to train: steps=... or time=...")
    if steps is not None:
        steps = whole(steps, "steps", 1, _MOST_STEPS)
    lr = None if lr is None else number(lr, "lr", above=0)
    time = None if time is None else number(time, "time", above=0)
    if time is None:
        assert steps is not None
        rate = 1.0 / fastest() if lr is None else lr
        return Schedule(rate, steps, _marks(record, steps))
    if lr is not None and steps is not None:
        raise InputError("lr, steps and time together say the same twice; leave one of them out")
    if lr is not None:
        steps = _affordable(time / lr, time)
    elif steps is None:
        steps = max(10, _affordable(float(np.ceil(2 * time * fastest())), time))
    return Schedule(time / steps, steps, _marks(record, steps), flow=lr is None)


def _affordable(steps: float, time: float) -> int:
    """So many steps, one at least; raises `InputError` for more than anyone would wait for."""
    if steps > _MOST_STEPS:
        raise InputError(
            f"time={time:g} takes {steps:.3g} steps, more than {_MOST_STEPS:,}; give a shorter "
            "time, or say steps= and lr="
        )
    return max(1, round(steps))


def _marks(record: int | Sequence[int], steps: int) -> tuple[int, ...]:
    if is_number(record):
        record = whole(record, "record", 1)
        # From the end, so that a single mark is that of the last step.
        spaced = np.geomspace(steps, 1, min(record, steps))
        return (0, *np.unique(np.round(spaced).astype(int)).tolist())
    numbers = [whole(k, "each of record") for k in items(record, "record")]
    marks = sorted({0, steps, *numbers})
    if marks[0] < 0 or marks[-1] > steps:
        raise InputError(f"record names steps from 0 to {steps}, got {shown(numbers)}")
    return tuple(marks)


def follow(
    schedule: Schedule, state: State, velocity: Velocity, observe: Callable[[State], Any]
) -> list[Any]:
    """Move `state`, in place, along `velocity`; what `observe` says of it at every mark."""
    seen = []
    advance = _runge_kutta if schedule.flow else _euler
    marks = frozenset(schedule.marks)
    for k in range(schedule.steps + 1):
        if k in marks:
            seen.append(observe(state))
        if k < schedule.steps:
            advance(state, velocity, schedule.step)
    return seen


def _euler(state: State, velocity: Velocity, step: float) -> None:
    _move(state, velocity(state), step)


def _runge_kutta(state: State, velocity: Velocity, step: float) -> None:
    first = velocity(state)
    second = velocity(_moved(state, first, step / 2))
    third = velocity(_moved(state, second, step / 2))
    last = velocity(_moved(state, third, step))
    for part, weight in ((first, 1), (second, 2), (third, 2), (last, 1)):
        _move(state, part, weight * step / 6)


def _move(state: State, velocity: State, step: float) -> None:
    for place, speed in zip(state, velocity, strict=True):
        place.add_(speed, alpha=step)


def _moved(state: State, velocity: State, step: float) -> State:
    return [torch.add(place, v, alpha=step) for place, v in zip(state, velocity, strict=True)]


def kernel_descent(
    kernel: torch.Tensor, start: torch.Tensor, targets: torch.Tensor, loss: Loss, schedule: Schedule
) -> torch.Tensor:
    """Function values (t, m, o) when a linear model with this kernel is trained.

    kernel: (m, n) between all points and the n training points, which come first; or (m, n, o, o)
    where outputs are not independent. start: (m, o) values before training. targets: (n, o).

    The state is the coefficients c (n, o) of the change Σᵢ K(·, xᵢ) cᵢ, so that points beside the
    training points cost nothing but at the marks.
    """
    points, outputs = start.shape
    n = len(targets)
    if kernel.ndim == 4:
        matrix = kernel.permute(0, 2, 1, 3).reshape(points * outputs, n * outputs)
    else:
        matrix = kernel

    def change(matrix: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        return (matrix @ c.reshape(matrix.shape[1], -1)).reshape(-1, outputs)

    inner = matrix[: len(matrix) // points * n].contiguous()

    def velocity(state: State) -> State:
        values = start[:n] + change(inner, state[0])
        return [-loss.gradient(require_finite(values, schedule), targets)]

    def observe(state: State) -> torch.Tensor:
        return start + change(matrix, state[0])

    return torch.stack(follow(schedule, [torch.zeros_like(targets)], velocity, observe))


def require_finite(values: torch.Tensor, schedule: Schedule) -> torch.Tensor:
    """`values`, unless training has run away."""
    if not torch.isfinite(values).all():
        raise DivergedError(
            f"training has diverged: function values are not finite with steps of {schedule.step:g}"
            "; take a smaller lr (max_learning_rate(K) is the limit for a kernel K), or scale "
            "the inputs down"
        )
    return values
