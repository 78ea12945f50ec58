"""Learning curves over random splits, cut out of one kernel matrix for each kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import random_split, stratified_split, stratified_subset
from ..errors import InputError
from ..figures.learning import Curve, learning_curves
from ..learn import KernelClassifier, KernelRegressor
from ..results import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZES = (20, 50, 100, 200, 500, 1000, 2000, 5000)
_TEST_SHARE = 1 / 3


@dataclass(frozen=True, eq=False)
class LearningCurves:
    """Test scores of several kernels on the same splits, for increasing training parts.

    curves: kernel -> curve, all with the same sizes and draws. score: "accuracy" or "R²". tested:
    examples in the test part. redrawn: whether every draw has a test part of its own.
    """

    curves: Mapping[str, Curve]
    score: str
    tested: int
    redrawn: bool
    network: str = ""
    examples: str = "examples"

    @property
    def draws(self) -> int:
        """Draws for each point but, where the test part is fixed, the last one."""
        return max(len(scores) for scores in next(iter(self.curves.values())).scores)

    @property
    def title(self) -> str:
        """What the figure shows."""
        return f"Test {self.score} against the number of training {self.examples}"

    @property
    def reading(self) -> str:
        """How to read it."""
        return (
            f"Each point is the mean test {self.score} over {self._drawn}, its bar one standard "
            f"deviation; the curve further to the left needs fewer {self.examples} for the same "
            f"{self.score}."
        )

    @property
    def _drawn(self) -> str:
        if self.redrawn:
            return f"{self.draws} random splits into a training and a test part"
        return f"{self.draws} random draws of the training part"

    @property
    def summary(self) -> str:
        """What was found, in one sentence."""
        size = next(iter(self.curves.values())).sizes[-1]
        found = " and ".join(
            f"{self.value(curve, -1)} for the {_long_name(name)}"
            for name, curve in self.curves.items()
        )
        return (
            f"Test {self.score} after training on {size:,} {self.examples}: {found}, on "
            f"{self.tested:,} test {self.examples}."
        )

    def value(self, curve: Curve, position: int) -> str:
        percent = self.score == "accuracy"
        mean, spread = curve.mean[position], curve.spread[position]
        text = f"{100 * mean:.1f}" if percent else f"{mean:.3f}"
        if len(curve.scores[position]) > 1:
            text += f" ± {100 * spread:.1f}" if percent else f" ± {spread:.3f}"
        return f"{text} %" if percent else text

    def table(self) -> Table:
        """Mean and standard deviation for every size, and the difference on the same draws."""
        unit = " %" if self.score == "accuracy" else ""
        factor = 100 if unit else 1
        columns = [f"training {self.examples}", "draws"]
        for name in self.curves:
            columns += [f"{name}, {self.score}{unit}", f"{name}, ±"]
        curves = list(self.curves.values())
        paired = len(curves) == 2
        if paired:
            columns += ["difference", "difference, ±"]
        rows = []
        for position, size in enumerate(curves[0].sizes):
            draws = [np.asarray(curve.scores[position]) for curve in curves]
            row: list[Any] = [size, len(draws[0])]
            for scores in [*draws, *([draws[0] - draws[1]] if paired else [])]:
                spread = float(np.std(scores, ddof=1)) if len(scores) > 1 else None
                row.append(factor * float(np.mean(scores)))
                row.append("-" if spread is None else factor * spread)
            rows.append(row)
        return Table(columns, rows)

    def plot(self) -> Figure:
        """The figure; see `learning_curves`."""
        return learning_curves(
            {self.network: self.curves},
            self.title,
            score=self.score,
            examples=self.examples,
            note=f"Mean ± one standard deviation over {self._drawn}.",
        )


def _long_name(kernel: str) -> str:
    return "last-layer kernel" if kernel == "last-layer" else kernel


def measure_learning(
    kernels: Mapping[str, np.ndarray],
    y: np.ndarray,
    test: np.ndarray | None = None,
    draws: int = 5,
    seed: int = 0,
    **words: str,
) -> LearningCurves:
    """Fit on nested parts of increasing size, the ridge chosen by leave-one-out on each.

    kernels: name -> (n, n) matrix of all examples. y: (n,) classes, or floating-point targets.
    test: rows of a fixed test part; without it every draw holds out a third of the examples.
    words: `network` and `examples`, for the figure. Raises `DataError` where classes are too small
    to be split, and `InputError` where there are fewer than 30 examples to learn from.
    """
    task = "regression" if y.dtype.kind == "f" else "classification"
    rows = np.arange(len(y)) if test is None else np.setdiff1d(np.arange(len(y)), test)
    sizes = _sizes(
        len(rows) - (0 if test is not None else int(np.ceil(len(rows) * _TEST_SHARE))), y
    )
    scores: dict[str, list[list[float]]] = {name: [[] for _ in sizes] for name in kernels}
    tested = 0
    for draw in range(draws):
        train, held_out = _split(rows, y, test, seed + draw)
        tested = len(held_out)
        for place, size in enumerate(sizes):
            if test is not None and size == len(rows) and draw > 0:
                continue  # all examples, and the same test part again
            part = train[_subset(y[train], size, seed + draw)]
            for name, K in kernels.items():
                found = _score(K, y, part, held_out, task)
                scores[name][place].append(found)
    score = "accuracy" if task == "classification" else "R²"
    curves = {name: Curve(sizes, found) for name, found in scores.items()}
    return LearningCurves(curves, score, tested, test is None, **words)


def _sizes(full: int, y: np.ndarray) -> list[int]:
    if full < 20:
        raise InputError(
            f"a learning curve needs 30 examples or more, got {len(y)}; use more of the data"
        )
    least = 0 if y.dtype.kind == "f" else len(np.unique(y))
    return [size for size in _SIZES if least <= size < 0.8 * full] + [full]


def _split(
    rows: np.ndarray, y: np.ndarray, test: np.ndarray | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    if test is not None:
        return rows, test
    if y.dtype.kind == "f":
        return random_split(len(rows), _TEST_SHARE, seed)
    return stratified_split(y, _TEST_SHARE, seed)


def _subset(y: np.ndarray, size: int, seed: int) -> np.ndarray:
    if y.dtype.kind != "f":
        return stratified_subset(y, size, seed)
    return np.sort(np.random.default_rng(seed).permutation(len(y))[:size])


def _score(K: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray, task: str) -> float:
    model = KernelClassifier if task == "classification" else KernelRegressor
    fitted = model("precomputed", alpha="loo").fit(K[np.ix_(train, train)], y[train])
    return float(fitted.score(K[np.ix_(test, train)], y[test]))
