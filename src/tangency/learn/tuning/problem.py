"""The objective as a function of the logarithms of what is free, with its gradient by autograd."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...kernels import NNGP, NTK
from ...nets import Sequential
from ..parameters import changed
from . import objectives
from .free import NOISE, SCALES, Free

Vector = NDArray[np.float64]

KINDS = {"nngp": NNGP, "ntk": NTK}

# Steps of differences in logarithms: their error, and rounding over them, are below 1e-9.
_STEP = 2e-3
_SAME = 1e-6  # relative, of a derivative that others make up for
_FEW = 24  # samples whose kernel shows which parameters matter


@dataclass(frozen=True, eq=False)
class Settings:
    """Values of everything: numbers, or tensors where a gradient is wanted."""

    net: Sequential
    noise: Any
    scales: Any


@dataclass(frozen=True, eq=False)
class Problem:
    """What is minimised. `x` and `y` are arrays in float64, `y` (n, k) centred with mean square 1.

    `free` are the variables in their order: parameters of the network, `noise` in units of the mean
    of K(x, x), and `input_scales__0`, …. `noise` is the fixed one, in units of K, where none is
    free. `units` (k,) are those of the targets: their root mean square. `landmarks` are places of
    samples S, with K[:, S] K[S, S]⁺ K[S, :] judged in the place of K.
    """

    net: Sequential
    kind: str
    x: Vector
    y: Vector
    units: Vector
    objective: str
    free: tuple[Free, ...]
    noise: float | None
    landmarks: tuple[int, ...] | None = None

    @property
    def box(self) -> Vector:
        """Bounds of the logarithms, (p, 2)."""
        return np.log([[each.lower, each.upper] for each in self.free])

    @property
    def start(self) -> Vector:
        return np.log([each.start for each in self.free])

    def value_and_gradient(self, point: Vector) -> tuple[float, Vector]:
        """The loss at logarithms (p,), and its gradient (p,).

        Raises:
            InputError: a kernel that overflows, or is singular with its noise.
        """
        import torch

        with torch.inference_mode(False), torch.enable_grad():
            variables = torch.from_numpy(np.array(point)).requires_grad_()
            loss = self._loss(variables.exp().unbind())
            (gradient,) = torch.autograd.grad(loss, variables)
        size, values = self.y.size, np.exp(point).tolist()
        priors = [(i, each.prior) for i, each in enumerate(self.free) if each.prior is not None]
        slopes = np.zeros(len(point))
        for i, prior in priors:
            slopes[i] = prior.slope(values[i]) / size
        return float(loss.detach()) - self.log_prior(point) / size, gradient.numpy() - slopes

    def value(self, point: Vector) -> float:
        """The loss alone."""
        import torch

        with torch.no_grad():
            found = float(self._loss(np.exp(point).tolist()))
        return found - self.log_prior(point) / self.y.size

    def log_prior(self, point: Vector) -> float:
        """The log density of the logarithms (p,) under the priors; 0 without any."""
        values = np.exp(point).tolist()
        pairs = zip(self.free, values, strict=True)
        return sum(each.prior.log_density(value) for each, value in pairs if each.prior is not None)

    def in_words(self, loss: float) -> float:
        """The objective for a loss, in units of the target; of several, errors / variance.

        The priors have their part in it.
        """
        n, k = self.y.shape
        if self.objective == "leave_one_out":
            return math.exp(2.0 * loss) * (float(self.units[0]) ** 2 if k == 1 else 1.0)
        return -n * k * loss - n * float(np.log(self.units).sum())

    def settings(self, values: Sequence[Any]) -> Settings:
        """What these values of the variables mean; the noise in units of the mean of K(x, x)."""
        named = dict(zip((each.name for each in self.free), values, strict=True))
        noise = named.pop(NOISE, None)
        scales = [named.pop(name) for name in list(named) if name.startswith(SCALES)]
        return Settings(changed(self.net, named), noise, scales or None)

    def kernel(self, settings: Settings, rows: Any = slice(None)) -> Any:
        """K (n, n) as a tensor, of all samples or of some."""
        return self._kernel(settings)(self._scaled(settings, rows))

    def matrix(self, settings: Settings) -> Any:
        """What is judged: K, or what stands for it where there are landmarks."""
        if self.landmarks is None:
            return self.kernel(settings)
        kernel, x = self._kernel(settings), self._scaled(settings)
        columns = kernel(x, x[list(self.landmarks)])
        return objectives.low_rank(columns, columns[list(self.landmarks)], kernel.diag(x))

    def _kernel(self, settings: Settings) -> Any:
        return KINDS[self.kind](settings.net)

    def _scaled(self, settings: Settings, rows: Any = slice(None)) -> Any:
        import torch

        x = torch.from_numpy(self.x[rows])
        if settings.scales is not None:
            scales = [
                torch.as_tensor(each, dtype=x.dtype, device=x.device) for each in settings.scales
            ]
            x = x * torch.stack(scales)
        return x

    def noise_of(self, settings: Settings, K: Any) -> Any:
        """The noise in units of K."""
        if settings.noise is None:
            return self.noise
        return settings.noise * K.diagonal().mean()

    def _loss(self, values: Sequence[Any]) -> Any:
        """For densities minus their mean over samples and outputs, else half the log of the error.

        Half the log is for an error what that mean is for a density: minus the log density of a
        residual, each normal with the variance of all. Priors are added to either alike. Errors of
        several outputs count in units of their variances.
        """
        import torch

        settings = self.settings(values)
        K, y = self.matrix(settings), torch.from_numpy(self.y)
        found = objectives.OBJECTIVES[self.objective](K, y, self.noise_of(settings, K))
        if self.objective == "leave_one_out":
            return 0.5 * found.mean().log()
        return -found.mean() / len(y)


def without_effect(problem: Problem, place: Vector) -> list[str]:
    """Parameters of the network that change nothing that the others, with amplitude, could not.

    ∂K/∂log θ of each at `place` is compared with those of others, with K itself, which the
    amplitude scales, and with I where the noise is free: of parameters that depend on each other
    the later ones are named, and weights come last. So of ReLU networks without biases all weights,
    and with biases one of them.
    """
    rows = np.random.default_rng(0).permutation(len(problem.x))[:_FEW]

    def kernel(point: Vector) -> Vector:
        import torch

        with torch.no_grad():
            found = problem.kernel(problem.settings(np.exp(point).tolist()), rows)
        return found.numpy()

    K, eye = kernel(place), np.eye(len(rows))
    fixed = [K, eye] if problem.noise is None else [K + problem.noise * eye]
    basis: list[Vector] = []
    for matrix in fixed:
        _added(basis, matrix.ravel())
    found: list[str] = []
    order = [i for i, each in enumerate(problem.free) if each.name != NOISE]
    for i in sorted(order, key=lambda i: _rank(problem.free[i])):
        step = _STEP * np.eye(len(place))[i]
        near, far = (kernel(place + m * step) - kernel(place - m * step) for m in (1, 2))
        slope = (8.0 * near - far).ravel() / (12.0 * _STEP)
        small = np.linalg.norm(slope) < 1e-9 * np.linalg.norm(K)
        new = not small and _added(basis, slope)
        if not new and not problem.free[i].name.startswith(SCALES):
            found.append(problem.free[i].name)
    return found


def _rank(free: Free) -> int:
    """Input scales first, then biases, numbers of activations, and weights."""
    if free.name.startswith(SCALES):
        return 0
    return {"bias_std": 1, "weight_std": 3}.get(free.kind, 2)


def _added(basis: list[Vector], vector: Vector) -> bool:
    """Whether a vector is independent of an orthonormal basis, to which it then is added."""
    rest = vector
    for _ in range(2):  # once is not orthogonal to the last digit
        for each in basis:
            rest = rest - (each @ rest) * each
    size = float(np.linalg.norm(rest))
    if size <= _SAME * float(np.linalg.norm(vector)):
        return False
    basis.append(rest / size)
    return True
