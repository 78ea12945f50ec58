"""Training a finite network by full gradients, and watching how far it moves from its start."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from ..checks import flag, whole
from ..errors import InputError
from ..results import Result, Table
from .descent import Schedule, make_schedule
from .empirical import empirical_ntk
from .losses import Loss, as_targets, find_loss
from .rates import max_learning_rate
from .subject import ModuleError
from .weights import as_inputs, descend, values

if TYPE_CHECKING:
    from ..typing import ArrayLike


@dataclass(frozen=True, eq=False)
class Training(Result):
    """A training run at its recorded times; made by `train`.

    Attributes:
        module: the trained network; the one that was given is as before.
        steps, times: (t,) numbers of steps, and step by lr (or time) elapsed. Time is that of
            `tangency.learn`: gradient flow on a loss summed over examples.
        values: (t, n) or (t, n, outputs) function values on the training inputs, as y is.
        test_values: likewise on `X_test`, None without it.
        losses: (t,) training losses, summed over examples.
        movement: (t,) ‖θ − θ₀‖/‖θ₀‖ over the trained parameters.
        kernel_change: (t,) ‖K_t − K₀‖/‖K₀‖ (Frobenius) of the empirical NTK on `kernel_points`
            training inputs, None where that was 0.
        kernel_points: how many.
        lr: time of one step. flow: whether steps follow gradient flow. loss: its name.
    """

    module: nn.Module
    steps: np.ndarray
    times: np.ndarray
    values: np.ndarray
    test_values: np.ndarray | None
    losses: np.ndarray
    movement: np.ndarray
    kernel_change: np.ndarray | None
    kernel_points: int
    lr: float
    flow: bool
    loss: str

    @property
    def title(self) -> str:
        return "Training, and how far it moves the network"

    @property
    def reading(self) -> str:
        return (
            "In lazy training the loss falls while weights and kernel stay where they were: the "
            "network is then as good as linear in its weights, and its kernel decides what it "
            "learns."
        )

    @property
    def summary(self) -> str:
        how = "gradient flow" if self.flow else f"gradient descent with lr {self.lr:.3g}"
        words = (
            f"After {self.steps[-1]:,} steps of {how} the {self.loss.replace('_', '-')} loss went "
            f"from {self.losses[0]:.3g} to {self.losses[-1]:.3g} and the weights moved by "
            f"{100 * self.movement[-1]:.2g} % of their norm"
        )
        if self.kernel_change is not None:
            words += f", the kernel by {100 * self.kernel_change[-1]:.2g} %"
        return f"{words}."

    def table(self) -> Table:
        """Time by time: loss, and the movement of weights and kernel."""
        columns = ["step", "time", "loss", "‖θ − θ₀‖/‖θ₀‖"]
        values = [self.times, self.losses, self.movement]
        if self.kernel_change is not None:
            columns.append("‖K − K₀‖/‖K₀‖")
            values.append(self.kernel_change)
        numbers = zip(*values, strict=True)
        return Table(
            columns,
            [
                (int(k), *map(float, row))
                for k, row in zip(self.steps.tolist(), numbers, strict=True)
            ],
        )


def train(
    module: nn.Module,
    X: ArrayLike,
    y: ArrayLike,
    lr: float | None = None,
    steps: int | None = None,
    *,
    time: float | None = None,
    X_test: ArrayLike | None = None,
    loss: str = "squared",
    record: int | Sequence[int] = 20,
    kernel_points: int = 32,
    centred: bool = False,
) -> Training:
    """Train a copy of a module by full-batch gradient descent, or along gradient flow.

    Args:
        module: any `nn.Module`; its parameters that require gradients are trained, from their
            present values.
        X: (n, ...) inputs as the module takes them, a NumPy array or a tensor; computed in the
            dtype of the parameters. X_test: more of them, on which only values are recorded.
        y: targets (n,) or (n, outputs); classes (n,) for cross-entropy.
        lr, steps: gradient descent on the loss summed over examples. The default lr is
            half of `max_learning_rate`.
        time: alone, or with `steps`: gradient flow for that long. With `lr`: descent. Steps suit
            the kernel at the start; a `StepWarning` says if it has outgrown them at the end.
        loss: "squared", ½ Σ (f − y)², or "cross_entropy".
        record: about how many times are recorded, spaced geometrically, start and end
            included; or numbers of steps.
        kernel_points: on how many training inputs, the first ones, the change of the empirical NTK
            is measured at every recorded time; 0 for none.
        centred: train and record f − f₀ in place of f, so that the function starts at 0.

    Steps are taken in θ − θ₀, which is stored apart from θ₀: a small step is not lost in the
    rounding of large weights.

    Raises:
        InputError: targets that do not fit, options that cannot be, training that diverges.

    >>> import numpy as np, torch
    >>> from tangency.finite import train
    >>> module = torch.nn.Linear(2, 1, dtype=torch.float64)
    >>> run = train(module, np.eye(2), np.array([1.0, -1.0]), lr=0.5, steps=200)
    >>> run.values[-1].round(6).tolist()
    [1.0, -1.0]
    """
    chosen = find_loss(loss)
    trained = _copied(module)
    x = as_inputs(X, trained)
    tests = None if X_test is None else as_inputs(X_test, trained, "X_test")
    start, start_tests = values(trained, x), None if tests is None else values(trained, tests)
    targets = as_targets(y, start.shape, chosen, start)
    schedule = make_schedule(
        lr, steps, time, record, lambda: 2 / max_learning_rate(_ntk(trained, x), loss)
    )
    points = whole(kernel_points, "kernel_points", 0)
    watch = _Watch(trained, x, tests, chosen, targets, points)
    if flag(centred, "centred"):
        watch.offsets = (start, start_tests)
    seen = descend(trained, x, targets, chosen, schedule, watch.see, watch.offsets[0])
    flat = np.ndim(y) == 1 and start.shape[1] == 1
    if schedule.flow:
        schedule.warn_if_too_long(2 / max_learning_rate(_ntk(trained, x), loss))
    return watch.result(seen, schedule, flat)


class _Watch:
    """What is recorded of a run."""

    def __init__(
        self,
        module: nn.Module,
        x: torch.Tensor,
        tests: torch.Tensor | None,
        loss: Loss,
        targets: torch.Tensor,
        kernel_points: int,
    ) -> None:
        self.module, self.x, self.tests, self.loss, self.targets = module, x, tests, loss, targets
        self.points = min(kernel_points, len(x))
        self.first = _ntk(module, x[: self.points]) if self.points > 0 else None
        self.offsets: tuple[Any, Any] = (0.0, 0.0)

    def see(self, distance: float) -> tuple[Any, Any, float, float, float]:
        f = values(self.module, self.x) - self.offsets[0]
        tests = None if self.tests is None else values(self.module, self.tests) - self.offsets[1]
        change = 0.0
        if self.first is not None and distance != 0:
            now = _ntk(self.module, self.x[: self.points])
            change = float(np.linalg.norm(now - self.first) / np.linalg.norm(self.first))
        return f, tests, float(self.loss.value(f, self.targets)), distance, change

    def result(self, seen: list[Any], schedule: Schedule, flat: bool) -> Training:
        outputs, tests, losses, movement, change = zip(*seen, strict=True)
        return Training(
            module=self.module,
            steps=np.array(schedule.marks),
            times=schedule.times,
            values=_stacked(outputs, flat),
            test_values=None if self.tests is None else _stacked(tests, flat),
            losses=np.array(losses),
            movement=np.array(movement),
            kernel_change=None if self.first is None else np.array(change),
            kernel_points=self.points,
            lr=schedule.step,
            flow=schedule.flow,
            loss=self.loss.name,
        )


def _copied(module: Any) -> nn.Module:
    if not isinstance(module, nn.Module):
        raise InputError(f"module must be a torch.nn.Module; got a {type(module).__name__}")
    try:
        return copy.deepcopy(module)
    except Exception as error:
        raise ModuleError(
            f"the module cannot be copied, and `train` leaves it as it is: {error}; keep no "
            "results of a forward pass as attributes of it"
        ) from error


def _ntk(module: nn.Module, x: torch.Tensor) -> np.ndarray:
    K = empirical_ntk(module, x, outputs="full")
    return K.detach().cpu().numpy() if isinstance(K, torch.Tensor) else np.asarray(K)


def _stacked(recorded: Sequence[torch.Tensor], flat: bool) -> np.ndarray:
    found = torch.stack(list(recorded)).cpu().numpy()
    return found[..., 0] if flat else found
