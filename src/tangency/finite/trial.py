"""One network in training, its linearisation and its infinite limit, step by step together."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from ..checks import array, flag, number, plain_array, whole
from ..errors import InputError
from ..kernels import NTK
from ..kernels.inputs import pair, signals
from ..nets import Sequential
from ..nets.coerce import as_network
from ..nets.facts import smooth
from ..nets.plan import activations, plan
from .build import build
from .descent import DivergedError, Schedule, kernel_descent, make_schedule
from .empirical import empirical_ntk
from .inputs import tensor_of
from .losses import Loss, as_targets, find_loss
from .rates import max_learning_rate
from .weights import descend, outputs


@dataclass(frozen=True)
class Outcome:
    """What one network gives: a number for each quantity of `LazyTraining`."""

    values: dict[str, float]
    losses: dict[str, float]
    parameters: int


class UnstableError(InputError):
    """Steps that are too long for a network; `limit` is a rate that is short enough for it."""

    def __init__(self, message: str, limit: float = math.nan) -> None:
        super().__init__(message)  # alone, so that processes can send the error to each other
        self.limit = limit

    @classmethod
    def at(cls, lr: float, width: int, seed: int, limit: float) -> Self:
        """The error of this rate for the network of this width and seed."""
        return cls(
            f"training has diverged: lr={lr:.3g} is too large for the network of width {width:,} "
            f"with seed {seed}, whose kernel is far from the limit; take lr={limit:.2g}, or wider "
            "networks",
            limit,
        )


@dataclass(frozen=True, eq=False)
class Trial:
    """What all networks have in common.

    x: (n + m, *space, channels), training inputs first. targets: (n, o). limit: (n + m, n + m) the
    NTK. smooth: whether every activation has two derivatives.
    """

    net: Sequential
    x: torch.Tensor
    train_points: int
    targets: torch.Tensor
    limit: torch.Tensor
    schedule: Schedule
    loss: Loss
    alpha: float
    centred: bool
    kernel_points: int
    smooth: bool

    @classmethod
    def prepare(
        cls,
        net: Any,
        X: Any,
        y: Any,
        X_test: Any | None,
        alpha: float,
        centred: bool | None,
        lr: float | None,
        steps: int,
        loss: str,
        record: int,
        kernel_points: int,
    ) -> Trial:
        """Check all arguments, and compute the NTK between all points."""
        network, chosen = as_network(net), find_loss(loss)
        alpha = number(alpha, "alpha", above=0)
        centred = alpha != 1 if centred is None else flag(centred, "centred")
        x, n = _points(X, X_test)
        if chosen.name != "cross_entropy":
            _require_range("targets", float(np.max(np.abs(array(y, "y")), initial=0.0)), x.dtype)
        targets = as_targets(y, torch.Size((n, _outputs(y, chosen))), chosen, x)
        limit = np.asarray(NTK(network)(x.numpy().astype(np.float64)))
        _require_range("inputs", math.sqrt(np.max(np.diagonal(limit), initial=0.0)), x.dtype)
        largest = max_learning_rate(limit[:n, :n], loss)
        schedule = make_schedule(lr, steps, None, record, lambda: 2 / largest)
        return cls(
            net=network,
            x=x,
            train_points=n,
            targets=targets,
            limit=torch.as_tensor(limit, dtype=x.dtype),
            schedule=schedule,
            loss=chosen,
            alpha=alpha,
            centred=centred,
            kernel_points=whole(kernel_points, "kernel_points", 1),
            # Of an activation whose class does not say so, nobody knows.
            smooth=all(map(smooth, activations(plan(network, tuple(x.shape[1:])).steps))),
        )

    def slower(self, lr: float) -> Trial:
        """The same with another rate."""
        return replace(self, schedule=replace(self.schedule, step=lr))

    def draw(self, width: int, seed: int) -> nn.Module:
        """A network before training."""
        return build(
            self.net,
            width,
            tuple(self.x.shape[1:]),
            outputs=self.targets.shape[1],
            seed=independent_seed(seed, width),
            dtype=self.x.dtype,
            scale=self.alpha,
        )

    def limit_of(self, width: int, seed: int) -> float:
        """The rate below which the linearised network is stable."""
        return self._limit(_kernel(self.draw(width, seed), self.x[: self.train_points]))

    def run(self, width: int, seed: int) -> Outcome:
        """Draw a network, train all three, and compare them.

        Raises `UnstableError` where the rate is not one for this network.
        """
        module = self.draw(width, seed)
        first = _kernel(module, self.x)
        self._check_rate(first, width, seed)
        with torch.no_grad():
            start = outputs(module, self.x)
        offset = start if self.centred else torch.zeros_like(start)
        limit, schedule, n = self.limit, self.schedule, self.train_points
        if not self.loss.gradient((start - offset)[:n], self.targets).any():
            raise InputError(
                "there is nothing to learn: the targets are what the network gives before training"
            )
        arguments = (start - offset, self.targets, self.loss, schedule)
        infinite = kernel_descent(limit[:, :n], *arguments)
        linear = kernel_descent(first[:, :n] / self.alpha**2, *arguments)
        try:
            values, movement = self._train(module, offset)
        except DivergedError:
            raise UnstableError.at(schedule.step, width, seed, schedule.step / 2) from None
        named = {"network": values, "linearised": linear, "infinite": infinite}
        losses = {name: self._left(path) for name, path in named.items()}
        if not losses["network"] < 1:
            raise UnstableError.at(schedule.step, width, seed, schedule.step / 2)
        small = self.kernel_points
        changed = _kernel(module, self.x[:small]) - first[:small, :small]
        if not first[:small, :small].any():
            raise InputError(
                f"the network of width {width} with seed {seed} has a kernel of zeros before it is "
                "trained, as all of its neurons are off; give larger widths, or other seeds"
            )
        found = {
            "fluctuation": _fluctuation(first / self.alpha**2, limit),
            "change": _size(changed) / _size(first[:small, :small]),
            "movement": movement,
        }
        found |= self._distances(values, linear, infinite)
        count = sum(p.numel() for p in module.parameters() if p.requires_grad)
        return Outcome(found, losses, count)

    def _limit(self, kernel: torch.Tensor) -> float:
        return max_learning_rate(kernel, self.loss.name) * self.alpha**2

    def _check_rate(self, kernel: torch.Tensor, width: int, seed: int) -> None:
        n, lr = self.train_points, self.schedule.step
        limit = self._limit(kernel[:n, :n])
        if not lr < limit:
            raise UnstableError.at(lr, width, seed, limit / 2)

    def _train(self, module: nn.Module, offset: torch.Tensor) -> tuple[torch.Tensor, float]:
        """Values (t, n + m, o) of the network, and how far its weights went."""

        def see(distance: float) -> tuple[torch.Tensor, float]:
            with torch.no_grad():
                return outputs(module, self.x) - offset, distance

        n = self.train_points
        schedule = Schedule(
            self.schedule.step / self.alpha**2, self.schedule.steps, self.schedule.marks
        )
        seen = descend(module, self.x[:n], self.targets, self.loss, schedule, see, offset[:n])
        return torch.stack([values for values, _ in seen]), seen[-1][1]

    def _distances(
        self, network: torch.Tensor, linear: torch.Tensor, infinite: torch.Tensor
    ) -> dict[str, float]:
        n, found = self.train_points, {}
        pairs = {
            "trained": network - infinite,
            "start": linear - infinite,
            "linear": network - linear,
        }
        for points, rows in (("train", slice(0, n)), ("test", slice(n, None))):
            if len(self.x[rows]) == 0:
                continue
            scale = rms(infinite[:, rows] - infinite[:1, rows])
            if scale == 0:
                raise InputError(
                    f"what the infinitely wide network computes on the {points}ing inputs does not "
                    "change while it is trained, so that no distance can be relative to that; "
                    "train for longer, or give inputs of the size of those it is trained on"
                )
            for key, difference in pairs.items():
                found[f"{key} {points}"] = rms(difference[:, rows]) / scale
        return found

    def _left(self, path: torch.Tensor) -> float:
        first, last = (self.loss.value(path[k, : self.train_points], self.targets) for k in (0, -1))
        return float(last / first)


def _points(X: Any, X_test: Any | None) -> tuple[torch.Tensor, int]:
    if X_test is None:
        x = tensor_of(signals(X, None))
        return x.cpu(), len(x)
    first, second = (tensor_of(part.inputs) for part in pair(X, X_test, None))
    return torch.cat([first, second]).cpu(), len(first)


def _require_range(name: str, size: float, dtype: torch.dtype) -> None:
    """Refuses what leaves the range of `dtype` where it is squared, and again in sums of steps."""
    most = 1e12 if dtype == torch.float32 else 1e100
    if size and math.isfinite(size) and not 1 / most < size < most:
        what = "the root of the NTK on these inputs is" if name == "inputs" else "the targets are"
        raise InputError(
            f"{what} as large as {size:.2g}, and training in {str(dtype).removeprefix('torch.')} "
            f"leaves its range; divide the {name} by a number so that this is nearer to 1"
        )


def _outputs(y: Any, loss: Loss) -> int:
    y = plain_array(y, "targets")
    if y.ndim == 2:
        return y.shape[1]
    if loss.name == "cross_entropy" and y.size and y.dtype.kind in "iub":
        return max(2, int(y.max()) + 1)
    return 1


def _kernel(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """(n, n, o, o) the empirical NTK."""
    return torch.as_tensor(empirical_ntk(module, x, outputs="full")).detach()


def _fluctuation(kernel: torch.Tensor, limit: torch.Tensor) -> float:
    """‖K − Θ ⊗ I‖/‖Θ ⊗ I‖."""
    outputs_ = kernel.shape[-1]
    expected = limit[:, :, None, None] * torch.eye(outputs_, dtype=kernel.dtype)
    return _size(kernel - expected) / _size(expected)


def _size(tensor: torch.Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor))


def independent_seed(seed: int, width: int) -> int:
    """A seed for each pair: with one generator, a wide network would begin as a narrow one."""
    return int(np.random.SeedSequence([seed, width]).generate_state(1)[0])


def rms(values: torch.Tensor) -> float:
    """The largest root mean square of (t, points, outputs) at a time."""
    return float(values.square().mean(dim=(1, 2)).max().sqrt())
