"""How far finite networks in training are from their linearisation and infinite limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import flag, is_number, plain_array, shown, whole
from ..engines.progress import progress_bar
from ..errors import InputError
from ..results import Result, Table
from .measure import Measure, slope_text
from .trial import Outcome, Trial, UnstableError

if TYPE_CHECKING:
    from ..typing import ArrayLike, NetworkLike

WIDTHS = (64, 256, 1024, 4096)
_MOST_SEEDS = 10_000
_ATTEMPTS = 10
#: What `LazyTraining.measures` holds of the network itself, with names for figures and tables.
KERNELS = {
    "fluctuation": "kernel at the start, ‖K₀ − Θ‖/‖Θ‖",
    "change": "kernel in training, ‖Kₜ − K₀‖/‖K₀‖",
    "movement": "weights, ‖θₜ − θ₀‖/‖θ₀‖",
}
#: And of its function, on training and on test points.
PAIRS = {
    "trained": "network – infinite network",
    "start": "linearised network – infinite network",
    "linear": "network – linearised network",
}


@dataclass(frozen=True, eq=False)
class LazyTraining(Result):
    """Networks of several widths beside their limits; made by `lazy_training`.

    Attributes:
        measures: quantity -> `Measure`. "fluctuation", "change" and "movement" are those of the
            network: ‖K₀ − Θ‖/‖Θ‖ of its empirical NTK before training and the NTK,
            ‖Kₜ − K₀‖/‖K₀‖ in training, ‖θₜ − θ₀‖/‖θ₀‖. "trained", "start" and "linear",
            with " train" or " test" after them, are distances of functions: network to infinite
            network, linearised to infinite network, network to linearised network. Each is
            the largest root mean square over points at a recorded time, divided by the largest
            root mean square change of the infinite network.
        losses: "network", "linearised", "infinite" -> (w, seeds) training loss at the end, divided
            by that at the start.
        widths, seeds: of the networks. parameters: (w,) how many are trained.
        alpha, lr, steps, loss: as they were used.
        net: its text. train_points, test_points: how many.
    """

    measures: Mapping[str, Measure]
    losses: Mapping[str, np.ndarray]
    widths: tuple[int, ...]
    seeds: tuple[int, ...]
    parameters: np.ndarray
    alpha: float
    lr: float
    steps: int
    loss: str
    net: str
    train_points: int
    test_points: int

    @property
    def title(self) -> str:
        return "Finite networks in training, beside their infinite limit"

    @property
    def reading(self) -> str:
        return (
            "Both axes are logarithmic. Where a line falls with slope −1/2, four times the width "
            "halves the distance; the smaller the distance between a network and its "
            "linearised network, the lazier its training."
        )

    @property
    def summary(self) -> str:
        where = "test" if self.test_points else "train"
        parts = [("fluctuation", "the kernel at the start"), ("change", "its change in training")]
        parts += [(f"{key} {where}", PAIRS[key]) for key in PAIRS]
        told = []
        for key, words in parts:
            measure = self.measures[key]
            text = f"{words} {measure.mean[0]:.2g} to {measure.mean[-1]:.2g}"
            if measure.fit is not None:
                text += f" (slope {slope_text(measure.fit)})"
            told.append(text)
        loss = 100 * float(np.mean(self.losses["network"][-1]))
        scaled = f" and output scale {self.alpha:g}" if self.alpha != 1 else ""
        return (
            f"From width {self.widths[0]:,} to {self.widths[-1]:,}, relative distances: "
            f"{'; '.join(told)}. {self.steps:,} steps with lr {self.lr:.2g}{scaled} left "
            f"{loss:.2g} % of the training loss of the widest networks."
        )

    def table(self) -> Table:
        """Quantity by quantity: mean and standard error at each width, fitted and known slope."""
        columns = ["distance", "points"]
        for width in self.widths:
            columns += [f"width {width:,}", f"width {width:,}, ±"]
        columns += ["slope", "slope, ±", "theory"]
        rows: list[tuple[Any, ...]] = []
        for measure in self.measures.values():
            row: list[Any] = [measure.name, measure.points or "-"]
            for mean, error in zip(measure.mean, measure.error, strict=True):
                row += [float(mean), _or_dash(error)]
            fit = measure.fit
            row += ["-", "-"] if fit is None else [fit.exponent, _or_dash(fit.error)]
            row.append("-" if measure.theory is None else measure.theory)
            rows.append(tuple(row))
        return Table(columns, rows)


def _or_dash(value: float) -> Any:
    return "-" if np.isnan(value) else float(value)


def lazy_training(
    net: NetworkLike,
    X: ArrayLike,
    y: ArrayLike,
    widths: Sequence[int] = WIDTHS,
    seeds: int | Sequence[int] = 5,
    *,
    X_test: ArrayLike | None = None,
    alpha: float = 1.0,
    centred: bool | None = None,
    lr: float | None = None,
    steps: int = 400,
    loss: str = "squared",
    record: int = 12,
    kernel_points: int = 32,
    progress: bool = False,
) -> LazyTraining:
    """Train networks of several widths, and compare with their linearisation and infinite limit.

    All three start from the same random function and take the same steps of gradient descent: the
    network in its weights, the linearised network with the empirical NTK K₀ of its start, the
    infinite network with the NTK Θ. (Steps on a linear model are those on its kernel.)

    Args:
        net: the network, or its text form; one with layers that exist at finite width.
        X, y: (n, *space, channels) inputs, and targets (n,) or (n, outputs), classes for
            cross-entropy. Computed in the dtype of X; take float64 for a large alpha.
        widths: channels of hidden layers. seeds: how many networks of each width, or their
            numbers.
        X_test: (m, *space, channels) more points on which functions are compared.
        alpha: multiplies the output, while the loss is divided by alpha². Training is lazy at any
            width where alpha is large.
        centred: train f − f₀ in place of f. None: exactly where alpha is not 1, as a large
            alpha would make f₀ large too.
        lr: of the loss summed over examples. None: half of what is stable for Θ and for every K₀,
            which is 1/λ_max on the training inputs; less where training is still not stable.
        steps, loss, record: as in `train`.
        kernel_points: on how many inputs the change of the kernel in training is measured.
        progress: show a progress bar.

    Known for wide networks: K₀ − Θ falls as width^{−1/2} (Jacot et al. 2018), and with it the
    distance to the infinite network. Kₜ − K₀ and the distance to the linearised network fall as
    width⁻¹ for smooth activations (Dyer & Gur-Ari 2020, Huang & Yau 2020); the bound of Lee et al.
    2019, width^{−1/2}, is nearer to what ReLU networks do. ‖θₜ − θ₀‖ stays bounded, and ‖θ₀‖
    is the root of the number of parameters.

    Raises:
        InputError: networks without a finite counterpart, targets that do not fit, training
            that diverges.

    Source: Chizat, Oyallon & Bach 2019, "On lazy training in differentiable programming"; Lee et
    al. 2019.

    >>> import numpy as np
    >>> from tangency.finite import lazy_training
    >>> X = np.random.default_rng(0).normal(size=(6, 4))
    >>> lazy = lazy_training("dense erf dense", X, X[:, 0], widths=(16, 256), seeds=3, steps=50)
    >>> narrow, wide = lazy.measures["linear train"].mean
    >>> bool(wide < narrow / 2)
    True
    """
    progress = flag(progress, "progress")
    widths_, seeds_ = _whole(widths, "widths", 1), _seeds(seeds)
    trial = Trial.prepare(net, X, y, X_test, alpha, centred, lr, steps, loss, record, kernel_points)
    if lr is None:
        limits = [trial.limit_of(width, seed) for width in widths_ for seed in seeds_]
        trial = trial.slower(min(trial.schedule.step, min(limits) / 2))
    attempts = _ATTEMPTS if lr is None else 1
    trial, found = _stable(trial, widths_, seeds_, progress, attempts)
    return _collected(trial, found, widths_, seeds_)


def _collected(
    trial: Trial, found: list[list[Outcome]], widths: tuple[int, ...], seeds: tuple[int, ...]
) -> LazyTraining:
    parameters = np.array([row[0].parameters for row in found])
    return LazyTraining(
        measures=_measures(found, widths, parameters, trial.smooth),
        losses={
            name: np.array([[one.losses[name] for one in row] for row in found])
            for name in found[0][0].losses
        },
        widths=widths,
        seeds=seeds,
        parameters=parameters,
        alpha=trial.alpha,
        lr=trial.schedule.step,
        steps=trial.schedule.steps,
        loss=trial.loss.name,
        net=str(trial.net),
        train_points=trial.train_points,
        test_points=len(trial.x) - trial.train_points,
    )


def _stable(
    trial: Trial, widths: tuple[int, ...], seeds: tuple[int, ...], progress: bool, attempts: int
) -> tuple[Trial, list[list[Outcome]]]:
    """All networks, again at a smaller rate where one turns out to be unstable."""
    while True:
        attempts -= 1
        try:
            return trial, _run(trial, widths, seeds, progress)
        except UnstableError as error:
            if attempts == 0:
                raise
            trial = trial.slower(error.limit)


def _run(
    trial: Trial, widths: tuple[int, ...], seeds: tuple[int, ...], progress: bool
) -> list[list[Outcome]]:
    """All networks, the narrow ones first: they are quick, and the first to need a smaller rate."""
    found: list[list[Outcome]] = []
    with progress_bar(len(widths) * len(seeds), progress, "network") as bar:
        for width in widths:
            found.append([])
            for seed in seeds:
                found[-1].append(trial.run(width, seed))
                bar.update(1)
    return found


def _measures(
    found: list[list[Outcome]], widths: tuple[int, ...], parameters: np.ndarray, smooth: bool
) -> dict[str, Measure]:
    size = np.array(widths, dtype=float)
    second = -1.0 if smooth else None
    theory: dict[str, float | None] = {"fluctuation": -0.5, "change": second, "movement": None}
    theory |= {"trained": -0.5, "start": -0.5, "linear": second}
    if len(widths) > 1:
        theory["movement"] = float(-0.5 * np.polyfit(np.log(size), np.log(parameters), 1)[0])
    measures = {}
    for key in found[0][0].values:
        kind, _, points = key.partition(" ")
        values = np.array([[one.values[key] for one in row] for row in found])
        name = (KERNELS | PAIRS)[kind]
        measures[key] = Measure(name, points, size, values, theory[kind])
    return measures


def _whole(values: Any, name: str, least: int) -> tuple[int, ...]:
    found = plain_array(values, name)
    if found.ndim != 1 or found.size == 0 or found.dtype.kind not in "iu" or found.min() < least:
        raise InputError(
            f"{name} must be whole numbers, {least} or more, as in (64, 256); got {shown(values)}"
        )
    if len(set(found.tolist())) != len(found):
        raise InputError(f"{name} must be distinct, got {shown(values)}")
    return tuple(sorted(found.tolist()))


def _seeds(seeds: int | Sequence[int]) -> tuple[int, ...]:
    if is_number(seeds):
        if not 0 < whole(seeds, "seeds") <= _MOST_SEEDS:
            raise InputError(
                f"seeds must be whole numbers, or how many of them, from 1 to {_MOST_SEEDS:,}; "
                f"got {shown(seeds)}"
            )
        seeds = range(whole(seeds, "seeds"))
    return _whole(seeds, "seeds", 0)
