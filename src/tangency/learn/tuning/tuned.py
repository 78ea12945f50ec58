"""What `tune` found: the network, the kernel, the noise, and the objective around them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...checks import whole
from ...errors import InputError, NetworkError
from ...kernels.network import NetworkKernel
from ...nets import Sequential
from ...nets.values import OPEN
from ...results import Result, Table
from ..estimators import KernelRegressor
from ..gp import GaussianProcess
from ..parameters import changed, parameters
from ..solvers.options import Nystrom
from ..threads import torch_threads
from . import objectives
from .descent import Optimum
from .free import Free, marked_text
from .problem import KINDS, NOISE, SCALES, Problem, Vector
from .scaling import ScaledInputs, in_float64

_NAMES = {
    "marginal_likelihood": "log marginal likelihood",
    "leave_one_out": "mean squared leave-one-out error",
    "predictive_density": "leave-one-out log predictive density",
}
_AROUND = np.log(30.0)  # how far a profile goes to either side, in logarithms
_AT_BOUND = 1e-6
_FEW = 3
_LEAST = 1e-140  # of amplitudes whose squares, times any noise, are numbers


@dataclass(frozen=True, eq=False)
class Profile:
    """The objective along one parameter, the others at their best: `values` and `scores`, (m,).

    scores: NaN where K with its noise is singular. best: what was chosen. bounds: of the search.
    """

    name: str
    values: Vector
    scores: Vector
    best: float
    bounds: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Tuned(Result):
    """What `tune` found.

    net: the network with the numbers chosen in it. kernel: its NTK or NNGP, for inputs times
    `input_scales` ((d,), or None without). noise: in units of that kernel. amplitude: s, a number
    or (k,) as y was: the prior is s²K, the noise has the variance s²·noise. value: of the
    `objective`, in units of y; for errors of several outputs the mean of each one's divided by its
    variance, which is what was made small. `score`, `history` and profiles have the priors in it,
    by which the search went. log_prior: the log density of what was chosen under `priors`, 0
    without. chosen: the free parameters by name, with their values; the noise there is in units of
    the mean of K(x, x). without_effect: what was free, but stayed as it is, as others have its
    effect. history: for each start, the score after each evaluation.
    at_bounds: (name, "lower" or "upper", value).
    """

    net: Sequential
    kernel: NetworkKernel
    noise: float
    amplitude: Any
    input_scales: Vector | None
    objective: str
    value: float
    score: float
    log_prior: float
    chosen: dict[str, float]
    without_effect: tuple[str, ...]
    at_bounds: tuple[tuple[str, str, float], ...]
    history: tuple[Vector, ...] = field(repr=False)
    problem: Problem = field(repr=False)
    point: Vector = field(repr=False)
    X: Any = field(repr=False)
    y: Any = field(repr=False)

    @property
    def text(self) -> str:
        """The text form, with `?` for what was chosen."""
        return marked_text(self.net, (n for n in self.chosen if n[0].isdigit()))

    @property
    def title(self) -> str:
        """What the figure shows."""
        priors = " with priors" if self._has_priors else ""
        return f"{self.measure[0].upper()}{self.measure[1:]}{priors} along each parameter"

    @property
    def measure(self) -> str:
        """What the objective is called in sentences and figures."""
        relative = self.objective == "leave_one_out" and self.problem.y.shape[1] > 1
        return _NAMES[self.objective] + (" / variance" if relative else "")

    @property
    def reading(self) -> str:
        """What was chosen, in one sentence."""
        kind = self.kernel.kind.upper()
        parts = [f"{words(n)} {v:.3g}" for n, v in self.chosen.items() if n[0].isdigit()]
        parts.append(f"noise {self.noise:.3g} ({self._share:.2g} of the mean of K(x, x))")
        if self.input_scales is not None:
            order = np.argsort(-self.relevance, kind="stable")[:_FEW]
            largest = ", ".join(f"{i} ({self.relevance[i]:.2g})" for i in order)
            parts.append(f"most relevant features {largest}")
        best = f"best, {self.value:.4g},"
        if self._has_priors:
            best = f"{self.value:.4g}, best with the priors' log density, {self.log_prior:.4g},"
        text = f"The {self.measure} of the {kind} is {best} at {'; '.join(parts)}"
        if self.without_effect:
            idle = ", ".join(map(words, self.without_effect))
            text += f"; left as it was, for the amplitude or others have its effect: {idle}"
        return text + "."

    @property
    def summary(self) -> str:
        """What was found, in one sentence."""
        return f"{self.net}: {self.measure} {self.value:.4g}, noise {self.noise:.3g}."

    @property
    def relevance(self) -> Vector:
        """How much each feature counts: its scale times its standard deviation, the largest 1.

        Raises:
            InputError: no input scales were chosen.
        """
        if self.input_scales is None:
            raise InputError("relevance is read from input scales: tune(..., input_scales=True)")
        x = self.problem.x
        spread = self.input_scales * x.reshape(-1, x.shape[-1]).std(axis=0)
        return spread / (spread.max() or 1.0)

    @property
    def _has_priors(self) -> bool:
        return any(each.prior is not None for each in self.problem.free)

    @property
    def _share(self) -> float:
        settings = self.problem.settings(np.exp(self.point).tolist())
        if settings.noise is not None:
            return float(settings.noise)
        mean = float(np.mean(self.kernel.diag(self.scaled(self.problem.x))))
        return self.noise / mean if mean else np.inf

    def scaled(self, X: Any) -> Any:
        """Inputs as `kernel` takes them: times `input_scales`, where there are any."""
        return X if self.input_scales is None else np.asarray(X) * self.input_scales

    def table(self) -> Table:
        """What was free: its value, where the choice began, and its bounds; then the amplitude."""
        rows: list[tuple[Any, ...]] = []
        for each in self.problem.free:
            edge = next((end for name, end, _ in self.at_bounds if name == each.name), "")
            value, note = self.chosen[each.name], f"at its {edge} bound" if edge else ""
            if each.name == NOISE:
                note = note or "times the mean of K(x, x)"
            if each.prior is not None:
                note = "; ".join(filter(None, (note, str(each.prior))))
            size = (value, each.start, each.lower, each.upper)
            rows.append((each.name, self._layer(each.name), *size, note))
        for name in self.without_effect:
            value = float(dict(parameters(self.net))[name])
            rows.append((name, self._layer(name), value, value, "", "", "without effect"))
        for s in np.atleast_1d(self.amplitude):
            rows.append(("amplitude", "", float(s), "", "", "", "in closed form"))
        names = ("parameter", "layer", "value", "start", "lower", "upper", "note")
        return Table(names, rows)

    def _layer(self, name: str) -> str:
        """The layer of a parameter in the text form, `?` for what was free; else nothing."""
        if not name[0].isdigit():
            return ""
        free = [n for n in (*self.chosen, *self.without_effect) if n[0].isdigit()]
        marked = changed(self.net, dict.fromkeys(free, OPEN))
        return str(dict(parameters(marked))[name.rpartition("__")[0]])

    def profiles(self, points: int = 31) -> tuple[Profile, ...]:
        """The objective at values of each parameter within a factor 30, and within its bounds.

        points: how many values, an evaluation of the kernel each.
        """
        points = whole(points, "points", 2, 10_000)
        with torch_threads(len(self.problem.x)):
            return tuple(self._profile(i, points) for i in range(len(self.point)))

    def _profile(self, place: int, points: int) -> Profile:
        each, here = self.problem.free[place], float(self.point[place])
        ends = max(np.log(each.lower), here - _AROUND), min(np.log(each.upper), here + _AROUND)
        grid = np.union1d(np.linspace(*ends, points), [here])
        scores = np.array([self._score(place, float(u)) for u in grid])
        best, bounds = self.chosen[each.name], (each.lower, each.upper)
        return Profile(each.name, np.exp(grid), scores, best, bounds)

    def _score(self, place: int, value: float) -> float:
        point = self.point.copy()
        point[place] = value
        try:
            return self.problem.in_words(self.problem.value(point))
        except (InputError, NetworkError):  # singular, or too rough for quadrature, there
            return np.nan

    def estimator(self) -> Any:
        """An estimator with what was chosen, fitted to the data that it was chosen by.

        A `GaussianProcess` for an NNGP, with noise and amplitude, and a `KernelRegressor` with the
        noise as its alpha for an NTK, or, by solver="nystrom", with landmarks; behind a step that
        scales inputs, in a pipeline of scikit-learn, where there are `input_scales`. It is fitted
        in float64, as the choice was made: small noise is lost in a float32 kernel. The amplitude
        of a single output is part of the kernel; of several, `amplitude_` is set after the fit.
        """
        X = in_float64(self.X)
        if self.input_scales is None:
            return self._fitted(X)
        from sklearn.pipeline import Pipeline

        scaling = ScaledInputs(tuple(self.input_scales.tolist())).fit(X)
        return Pipeline([("scales", scaling), ("model", self._fitted(scaling.transform(X)))])

    def _fitted(self, X: Any) -> KernelRegressor | GaussianProcess:
        if self.problem.landmarks is not None:
            solver = Nystrom(len(self.problem.landmarks))
            return KernelRegressor(self.kernel, alpha=self.noise, solver=solver).fit(X, self.y)
        if self.kernel.kind == "ntk":
            return KernelRegressor(self.kernel, alpha=self.noise).fit(X, self.y)
        if np.size(self.amplitude) == 1 and _LEAST < np.max(self.amplitude) < 1 / _LEAST:
            squared = float(np.ravel(self.amplitude)[0]) ** 2
            return GaussianProcess(squared * self.kernel, noise=squared * self.noise).fit(X, self.y)
        model = GaussianProcess(self.kernel, noise=self.noise).fit(X, self.y)
        one = np.ndim(self.amplitude) == 0
        model.amplitude_ = self.amplitude if one else np.array(self.amplitude)
        # that of the fit is for amplitude 1
        model.log_marginal_likelihood_ = model.log_marginal_likelihoods_ = None
        return model


def made(
    problem: Problem, optimum: Optimum, without_effect: tuple[str, ...], X: Any, y: Any
) -> Tuned:
    """The result of a search."""
    import torch

    # exp(log(bound)) may be beyond it by rounding
    low, high = np.transpose([(each.lower, each.upper) for each in problem.free])
    values = np.clip(np.exp(optimum.point), low, high).tolist()
    settings = problem.settings(values)
    with torch.no_grad():
        K = problem.matrix(settings)
        noise = float(problem.noise_of(settings, K))
        targets = torch.from_numpy(problem.y)
        sizes = objectives.amplitudes(K, targets, noise, problem.objective).numpy()
    sizes, log_prior = sizes * problem.units, problem.log_prior(optimum.point)
    flat = np.ndim(y) == 1
    names = [each.name for each in problem.free]
    return Tuned(
        net=settings.net,
        kernel=KINDS[problem.kind](settings.net),
        noise=noise,
        amplitude=float(sizes[0]) if flat else sizes,
        input_scales=None if settings.scales is None else np.array(settings.scales),
        objective=problem.objective,
        value=problem.in_words(optimum.loss + log_prior / problem.y.size),
        score=problem.in_words(optimum.loss),
        log_prior=log_prior,
        chosen=dict(zip(names, values, strict=True)),
        without_effect=without_effect,
        history=tuple(np.array(list(map(problem.in_words, h))) for h in optimum.history),
        at_bounds=tuple(_at_bounds(problem.free, optimum.point)),
        problem=problem,
        point=optimum.point,
        X=X,
        y=y,
    )


def _at_bounds(free: tuple[Free, ...], point: Vector) -> list[tuple[str, str, float]]:
    found: list[tuple[str, str, float]] = []
    for each, here in zip(free, point, strict=True):
        for end, value in (("lower", each.lower), ("upper", each.upper)):
            if abs(here - np.log(value)) < _AT_BOUND:
                found.append((each.name, end, value))
    return found


def words(name: str) -> str:
    """A name for a sentence.

    >>> words("0__bias_std"), words("noise"), words("input_scales__3")
    ('bias_std of layer 0', 'noise', 'scale of feature 3')
    """
    if name.startswith(SCALES):
        return f"scale of feature {name.rpartition('__')[2]}"
    layer, _, kind = name.rpartition("__")
    return f"{kind} of layer {layer}" if layer else name
