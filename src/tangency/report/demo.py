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

from ..data import Dataset, load, stratified_subset
from ..errors import InputError
from ..figures.learning import Curve, Repeated
from ..kernels import gram
from ..kernels.kinds import LABELS, labelled
from ..learn import KernelClassifier
from .baselines import linear_row, svm_row
from .table import Row

_SIZES = (20, 50, 100, 200, 500)
FEW = 100


class Network(NamedTuple):
    """A network of the demo: how it is called, and its text form."""

    name: str
    text: str


DENSE = Network("dense", "flatten dense relu dense relu dense")
FLAT = Network("conv + flatten", "conv3 relu conv3 relu flatten dense")
AVERAGE = Network("conv + average", "conv3 relu conv3 relu gap dense")


NETWORKS = (DENSE, FLAT, AVERAGE)


@dataclass(frozen=True)
class Settings:
    """What the demo may use.

    images: how many digits in all, None for the 1,797. draws: repetitions for each point of a
    learning curve.
    """

    images: int | None = None
    draws: int = 5
    seed: int = 0
    progress: bool = False

    @property
    def steps(self) -> int:
        """How often `run_demo` calls `step`."""
        return 3 + 2 * len(NETWORKS)


class Grams(NamedTuple):
    """The kernels of one network, each K(train, train) and K(test, train), and their time."""

    network: Network
    train: dict[str, np.ndarray]
    test: dict[str, np.ndarray]
    seconds: float


class Result(NamedTuple):
    """All that the demo found; `few` compares the models after training on few images."""

    data: Dataset
    grams: list[Grams]
    rows: list[Row]
    curves: dict[str, dict[str, Curve]]
    few: tuple[int, list[Repeated]]
    seconds: float


Step = Callable[[str], None]


def run_demo(settings: Settings | None = None, step: Step = lambda name: None) -> Result:
    """Compute everything that `tangency demo` shows; `step` is told what is being done.

    Raises `InputError` for a number of images that is below 100 or more than there are.
    """
    from ..engines.fused.warm import warm_up

    settings = settings or Settings()
    start = time.perf_counter()
    data = digits(settings)
    step("compiling the fused engine (once per machine)")
    warm_up(("float64",))  # so that the times in the table are those of the kernels alone
    grams = []
    for network in NETWORKS:
        step(f"kernels: {network.name}")
        grams.append(compute_grams(network, data, settings.progress))
    step(f"fits on {len(data.X_train):,} images")
    rows = compare(data, grams, settings.seed)
    curves = {}
    for matrices in grams:
        step(f"learning curve: {matrices.network.name}")
        curves[matrices.network.name] = learning_curve(data, matrices, settings)
    step("fits on few images")
    few = compare_few(data, curves, settings)
    return Result(data, grams, rows, curves, few, time.perf_counter() - start)


def explanation(result: Result) -> str:
    """What the columns of the table mean, and whether it is about a part of the digits only."""
    lines = [
        "accuracy: on the same test images everywhere, ± its standard error (Agresti and Coull)",
        "kernel s: seconds for the kernel matrices; NTK and last-layer kernel come from one pass",
        "norm: of the fitted function in the kernel's RKHS; size: root of the mean of K(x, x), "
        "so that norm × size does not change when a kernel is multiplied by a number",
        "chosen: by leave-one-out (alpha) or cross-validation (C, γ) on the training images alone",
    ]
    used = len(result.data.X_train) + len(_test(result.data))
    total = len(load("digits").X_train)
    if used < total:
        lines.insert(0, f"a quick look: only {used:,} of the {total:,} digits were used")
    lines += [f"{g.network.name}: {g.network.text}" for g in result.grams]
    lines.append(f"total: {result.seconds:.0f} s")
    return "\n".join(textwrap.fill(line, 96, subsequent_indent="    ") for line in lines)


def digits(settings: Settings) -> Dataset:
    """The digits, or a stratified part of them, with a fifth held out as the test part."""
    data = load("digits")
    if settings.images is not None:
        if not 100 <= settings.images <= len(data.X_train):
            raise InputError(
                f"the demo needs 100 to {len(data.X_train):,} images, got {settings.images}"
            )
        rows = stratified_subset(_labels(data), settings.images, settings.seed)
        data = replace(data, X_train=data.X_train[rows], y_train=_labels(data)[rows])
    return data.split(0.2, settings.seed)


def compute_grams(network: Network, data: Dataset, progress: bool) -> Grams:
    """Both kernels of a network in one pass, between training images and to the test images."""
    start = time.perf_counter()
    train = gram(network.text, data.X_train, progress=progress)
    test = gram(network.text, _test(data), data.X_train, progress=progress)
    seconds = time.perf_counter() - start
    return Grams(
        network,
        labelled(train),
        labelled(test),
        seconds,
    )


def compare(data: Dataset, grams: list[Grams], seed: int) -> list[Row]:
    """Every kernel, then the SVM and the linear model, on the whole training part."""
    found = [
        _kernel_row(data, matrices, kernel) for matrices in grams for kernel in LABELS.values()
    ]
    return found + _others(data, np.arange(len(data.X_train)), seed)


def _others(data: Dataset, rows: np.ndarray, seed: int) -> list[Row]:
    X, y = data.X_train[rows].reshape(len(rows), -1), _labels(data)[rows]
    X_test, y_test = _test(data).reshape(len(_test(data)), -1), np.asarray(data.y_test)
    return [svm_row(X, y, X_test, y_test, seed), linear_row(X, y, X_test, y_test)]


def compare_few(
    data: Dataset, curves: dict[str, dict[str, Curve]], settings: Settings
) -> tuple[int, list[Repeated]]:
    """All models after training on few images, where they differ more: that size, and a row each.

    The size is the largest one of the learning curves up to `FEW` that has several draws. The
    SVM and the linear model see the same draws as the kernels.
    """
    sizes = next(iter(next(iter(curves.values())).values())).sizes
    size = max(size for size in sizes[:-1] if size <= FEW)
    rows = [
        Repeated(name, kernel, curve.scores[sizes.index(size)])
        for name, kernels in curves.items()
        for kernel, curve in kernels.items()
    ]
    others: dict[str, list[float]] = {}
    for chosen in _draws(data, size, settings):
        for row in _others(data, chosen, settings.seed):
            others.setdefault(row.model, []).append(row.accuracy.value)
    return size, rows + [Repeated(name, None, scores) for name, scores in others.items()]


def _draws(data: Dataset, size: int, settings: Settings) -> list[np.ndarray]:
    count = 1 if size == len(data.X_train) else settings.draws
    return [stratified_subset(_labels(data), size, settings.seed + i) for i in range(count)]


def _kernel_row(data: Dataset, grams: Grams, kernel: str) -> Row:
    K = grams.train[kernel]
    model = _fit(K, _labels(data))
    predicted = model.predict(grams.test[kernel])
    return Row(
        model=grams.network.name,
        network=grams.network.text,
        kernel=kernel,
        trained_on=len(K),
        correct=int(np.sum(predicted == data.y_test)),
        total=len(predicted),
        kernel_seconds=grams.seconds,
        chosen=f"alpha={model.alpha_:.2g}",
        rkhs_norm=model.rkhs_norm_,
        size=float(np.sqrt(np.mean(np.diag(K)))),
    )


def learning_curve(data: Dataset, grams: Grams, settings: Settings) -> dict[str, Curve]:
    """Test accuracy of both kernels on nested sizes of training part, repeated draws of each.

    Both kernels see the same draws. The largest size is the whole part, so it has one draw.
    """
    y, full = _labels(data), len(data.X_train)
    sizes = [size for size in _SIZES if size < 0.8 * full] + [full]
    curves: dict[str, list[list[float]]] = {kernel: [] for kernel in LABELS.values()}
    for size in sizes:
        chosen = _draws(data, size, settings)
        for kernel in LABELS.values():
            K, K_test = grams.train[kernel], grams.test[kernel]
            scores = []
            for rows in chosen:
                model = _fit(K[np.ix_(rows, rows)], y[rows])
                scores.append(float(np.mean(model.predict(K_test[:, rows]) == data.y_test)))
            curves[kernel].append(scores)
    return {kernel: Curve(sizes, scores) for kernel, scores in curves.items()}


def _fit(K: np.ndarray, y: np.ndarray) -> KernelClassifier:
    return KernelClassifier("precomputed", alpha="loo").fit(K, y)


def _labels(data: Dataset) -> np.ndarray:
    return np.asarray(data.y_train)


def _test(data: Dataset) -> np.ndarray:
    return np.asarray(data.X_test)
