"""The main job on real images: neural kernels beside an RBF SVM and a linear model, on digits.

Every kernel matrix is computed once and cut into pieces for the learning curves. The ridge is
chosen by leave-one-out on the training part, the SVM's parameters by cross-validation on it; the
test part is used for the accuracies that are reported and for nothing else.
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from ..data import Dataset, load, stratified_subset
from ..errors import InputError
from ..kernels import gram
from ..learn import KernelClassifier
from .baselines import linear_row, svm_row
from .figures import Curve
from .table import Row

KERNELS = {"NTK": "ntk", "last-layer": "nngp"}
_LADDER = (100, 200, 300, 400, 500, 750, 1000)
_SIZES = (20, 50, 100, 200, 500)


class Network(NamedTuple):
    """A network of the demo: how it is called, and its text form."""

    name: str
    text: str


DENSE = Network("dense", "flatten dense relu dense relu dense")
FLAT = Network("conv + flatten", "conv3 relu conv3 relu flatten dense")
AVERAGE = Network("conv + average", "conv3 relu conv3 relu gap dense")


@dataclass(frozen=True)
class Settings:
    """What the demo may use.

    images: how many digits in all, None for the 1,797. slow_images: on how many training images
    the average-pooling network is trained, None for as many as `budget` seconds allow on this
    machine (`affordable`). draws: repetitions for each point of a learning curve.
    """

    images: int | None = None
    slow_images: int | None = None
    budget: float = 30.0
    draws: int = 5
    seed: int = 0
    progress: bool = False

    @property
    def steps(self) -> int:
        """How often `run_demo` calls `step`."""
        return 8


class Grams(NamedTuple):
    """The kernels of one network on training rows `rows`: K(train, train) and K(test, train)."""

    network: Network
    rows: np.ndarray
    train: dict[str, np.ndarray]
    test: dict[str, np.ndarray]
    seconds: float


class Result(NamedTuple):
    """All that the demo found."""

    data: Dataset
    grams: list[Grams]
    rows: list[Row]
    curves: dict[str, dict[str, Curve]]
    seconds: float


Step = Callable[[str], None]


def run_demo(settings: Settings | None = None, step: Step = lambda name: None) -> Result:
    """Compute everything that `tangency demo` shows; `step` is told what is being done.

    Raises `InputError` for fewer than 100 images or a subset that cannot be.
    """
    settings = settings or Settings()
    start = time.perf_counter()
    data = digits(settings)
    everything = np.arange(len(data.X_train))
    grams = []
    for network in (DENSE, FLAT):
        step(f"kernels: {network.name}")
        grams.append(compute_grams(network, data, everything, settings.progress))
    step(f"kernels: {AVERAGE.name}")
    subset = stratified_subset(_labels(data), slow_images(data, settings), settings.seed)
    grams.append(compute_grams(AVERAGE, data, subset, settings.progress))
    step(f"fits on {len(everything):,} images")
    rows = compare(data, grams, everything, settings.seed)
    step(f"fits on {len(subset):,} images")
    if len(subset) < len(everything):
        rows += compare(data, grams, subset, settings.seed)
    curves = {}
    for matrices in grams:
        step(f"learning curve: {matrices.network.name}")
        curves[matrices.network.name] = learning_curve(data, matrices, settings)
    return Result(data, grams, rows, curves, time.perf_counter() - start)


def explanation(result: Result) -> str:
    """What the columns of the table mean, and which part of it is a subset."""
    full, slow = len(result.data.X_train), len(result.grams[-1].rows)
    lines = [
        "accuracy: on the same test images everywhere, ± its standard error (Agresti and Coull)",
        "kernel s: seconds for the kernel matrices; NTK and last-layer kernel come from one pass",
        "norm: of the fitted function in the kernel's RKHS; size: root of the mean of K(x, x), "
        "so that norm × size does not change when a kernel is multiplied by a number",
        "chosen: by leave-one-out (alpha) or cross-validation (C, γ) on the training images alone",
    ]
    if slow < full:
        lines.append(
            f"{AVERAGE.name}: its kernels cost most, so it saw {slow:,} of the {full:,} training "
            "images; all models are compared on those below (--images sets their number)"
        )
    lines += [f"{g.network.name}: {g.network.text}" for g in result.grams]
    lines.append(f"total: {result.seconds:.0f} s")
    return "\n".join(textwrap.fill(line, 96, subsequent_indent="    ") for line in lines)


def digits(settings: Settings) -> Dataset:
    """The digits, or a stratified part of them, with a fifth held out as the test part."""
    data = load("digits")
    if settings.images is not None:
        if settings.images < 100:
            raise InputError(f"the demo needs at least 100 images, got {settings.images}")
        rows = stratified_subset(_labels(data), settings.images, settings.seed)
        data = replace(data, X_train=data.X_train[rows], y_train=_labels(data)[rows])
    return data.split(0.2, settings.seed)


def slow_images(data: Dataset, settings: Settings) -> int:
    """The number of training images for the average-pooling network."""
    total = len(data.X_train)
    if settings.slow_images is not None:
        if settings.slow_images < 20:
            raise InputError(
                f"the average-pooling network needs at least 20 training images, got "
                f"{settings.slow_images}"
            )
        return min(settings.slow_images, total)
    return affordable(_pairs_per_second(data.X_train), settings.budget, total, len(_test(data)))


def affordable(rate: float, budget: float, total: int, tests: int) -> int:
    """The largest round number m of training images whose kernels take at most `budget` seconds.

    m(m + 1)/2 pairs among the training images and m pairs for each of the `tests` test images, at
    `rate` pairs a second; all `total` training images where that is affordable, else a step of a
    coarse ladder, so that two runs on one machine rarely differ. At least 100 (or `total`).

    >>> affordable(6000, 40, total=1437, tests=360), affordable(200_000, 40, 1437, 360)
    (400, 1437)
    """
    for images in (total, *sorted(_LADDER, reverse=True)):
        if images <= total and images * (images + 1) / 2 + images * tests <= rate * budget:
            return images
    return min(_LADDER[0], total)


def _pairs_per_second(X: np.ndarray) -> float:
    # The best of several, since other programs can only slow a measurement down; the first call
    # pays for whatever is set up once.
    pilot, times = X[:64], []
    for _ in range(4):
        start = time.perf_counter()
        gram(AVERAGE.text, pilot)
        times.append(time.perf_counter() - start)
    return len(pilot) * (len(pilot) + 1) / 2 / min(times)


def compute_grams(network: Network, data: Dataset, rows: np.ndarray, progress: bool) -> Grams:
    """Both kernels of a network in one pass, between training rows and to the test images."""
    X = data.X_train[rows]
    start = time.perf_counter()
    train = gram(network.text, X, progress=progress)
    test = gram(network.text, _test(data), X, progress=progress)
    seconds = time.perf_counter() - start
    return Grams(
        network,
        rows,
        {name: getattr(train, key) for name, key in KERNELS.items()},
        {name: getattr(test, key) for name, key in KERNELS.items()},
        seconds,
    )


def compare(data: Dataset, grams: list[Grams], rows: np.ndarray, seed: int) -> list[Row]:
    """Every kernel that covers the training rows, then the SVM and the linear model, on them."""
    found = []
    for matrices in grams:
        if not np.isin(rows, matrices.rows).all():
            continue
        for kernel in KERNELS:
            found.append(_kernel_row(data, matrices, kernel, rows))
    X, y = data.X_train[rows].reshape(len(rows), -1), _labels(data)[rows]
    X_test, y_test = _test(data).reshape(len(_test(data)), -1), np.asarray(data.y_test)
    found.append(svm_row(X, y, X_test, y_test, seed))
    found.append(linear_row(X, y, X_test, y_test))
    return found


def _kernel_row(data: Dataset, grams: Grams, kernel: str, rows: np.ndarray) -> Row:
    places = np.searchsorted(grams.rows, rows)
    K = grams.train[kernel][np.ix_(places, places)]
    model = _fit(K, _labels(data)[rows])
    predicted = model.predict(grams.test[kernel][:, places])
    return Row(
        model=grams.network.name,
        network=grams.network.text,
        kernel=kernel,
        trained_on=len(rows),
        correct=int(np.sum(predicted == data.y_test)),
        total=len(predicted),
        kernel_seconds=grams.seconds if len(rows) == len(grams.rows) else None,
        chosen=f"alpha={model.alpha_:.2g}",
        rkhs_norm=model.rkhs_norm_,
        size=float(np.sqrt(np.mean(np.diag(K)))),
    )


def learning_curve(data: Dataset, grams: Grams, settings: Settings) -> dict[str, Curve]:
    """Test accuracy of both kernels on nested sizes of training part, repeated draws of each.

    Both kernels see the same draws. The largest size is the whole part, so it has one draw.
    """
    y, full = _labels(data)[grams.rows], len(grams.rows)
    sizes = [size for size in _SIZES if size < 0.8 * full] + [full]
    curves: dict[str, list[list[float]]] = {kernel: [] for kernel in KERNELS}
    for size in sizes:
        draws = 1 if size == full else settings.draws
        chosen = [stratified_subset(y, size, settings.seed + draw) for draw in range(draws)]
        for kernel in KERNELS:
            K, K_test = grams.train[kernel], grams.test[kernel]
            scores = []
            for rows in chosen:
                model = _fit(K[np.ix_(rows, rows)], y[rows])
                scores.append(float(np.mean(model.predict(K_test[:, rows]) == data.y_test)))
            curves[kernel].append(scores)
    return {kernel: Curve(sizes, scores) for kernel, scores in curves.items()}


def _fit(K: np.ndarray, y: np.ndarray) -> KernelClassifier:
    # One thread: matrices this small gain nothing from more, and where other programs keep the
    # cores busy, threads that wait for each other take twenty times as long.
    with threadpool_limits(1, user_api="blas"):
        return KernelClassifier("precomputed", alpha="loo").fit(K, y)


def _labels(data: Dataset) -> np.ndarray:
    return np.asarray(data.y_train)


def _test(data: Dataset) -> np.ndarray:
    return np.asarray(data.X_test)
