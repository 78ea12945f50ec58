"""The page of the demo: its comparison of networks, then the inductive bias of one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import load, stratified_subset
from ..figures.learning import Curve, Repeated, accuracy_comparison, learning_curves
from ..results import Table
from .build import BIAS, Step, bias_sections, page
from .demo import AVERAGE, Result, Settings
from .material import Options, prepare
from .matrices import KernelMatrices
from .page import Fact, Page, Section, exhibit
from .sections import network_section
from .table import row_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: How often `demo_page` calls `step`.
STEPS = 1 + len(BIAS)
_SHOWN, _WIDEST = 200, 10.8
_LEAD = (
    "What infinitely wide networks learn from small images of handwritten digits, with all layers "
    "trained (NTK) and with only the last one trained, and why: the inductive bias of the last of "
    "three networks, measured."
)


@dataclass(frozen=True, eq=False)
class FewImages:
    """All models of the demo after training on few images."""

    size: int
    rows: Sequence[Repeated]

    @property
    def title(self) -> str:
        """What the figure shows."""
        draws = len(self.rows[0].scores)
        return f"Test accuracy after training on {self.size:,} digits, mean of {draws} draws"

    @property
    def reading(self) -> str:
        """How to read it."""
        return (
            "The further to the right a point, the more test images are recognized; where bars "
            "overlap, other training images could have turned the order round."
        )

    @property
    def summary(self) -> str:
        """What was found, in one sentence."""
        best = max(self.rows, key=lambda row: row.value)
        kernel = f" with the {best.kernel} kernel" if best.kernel else ""
        return f"The best of them is {best.name}{kernel}: {_percent(best.value, best.error)}."

    def table(self) -> Table:
        """Mean and standard deviation of each model."""
        rows = [(r.name, r.kernel or "-", 100 * r.value, 100 * r.error) for r in self.rows]
        return Table(("model", "kernel", "accuracy %", "±"), rows)

    def plot(self) -> Figure:
        """The figure; see `accuracy_comparison`."""
        return accuracy_comparison(self.rows, self.title)


@dataclass(frozen=True, eq=False)
class NetworkCurves:
    """Learning curves of both kernels for several networks."""

    curves: Mapping[str, Mapping[str, Curve]]

    title = "Test accuracy against the number of training images"
    reading = (
        "Each panel is a network, each line one of its kernels; the curve further to the left "
        "needs fewer images for the same accuracy."
    )

    @property
    def summary(self) -> str:
        """What was found, in one sentence."""
        parts = []
        for network, kernels in self.curves.items():
            found = [f"{100 * c.mean[-1]:.1f} % ({name})" for name, c in kernels.items()]
            parts.append(f"{network} {' and '.join(found)}")
        size = next(iter(next(iter(self.curves.values())).values())).sizes[-1]
        return f"After training on all {size:,} images: {'; '.join(parts)}."

    def table(self) -> Table:
        """Mean and standard deviation over draws, for every network, kernel and size."""
        rows: list[tuple[Any, ...]] = []
        for network, kernels in self.curves.items():
            for kernel, curve in kernels.items():
                for i, size in enumerate(curve.sizes):
                    draws = len(curve.scores[i])
                    spread = 100 * curve.spread[i] if draws > 1 else "-"
                    rows.append((network, kernel, size, draws, 100 * curve.mean[i], spread))
        columns = ("network", "kernel", "training images", "draws", "accuracy %", "±")
        return Table(columns, rows)

    def plot(self) -> Figure:
        """The figure; see `learning_curves`."""
        figure = learning_curves(self.curves, self.title)
        width, height = figure.get_size_inches()
        # Three panels as wide as in a file of their own would shrink to fit the page.
        figure.set_size_inches(min(width, _WIDEST), min(height, 4.3))
        return figure


def demo_page(
    result: Result, settings: Settings, command: str, step: Step = lambda name: None
) -> Page:
    """The demo's results, and what `tangency report` says about its last network, as one page."""
    share = 1.0 if settings.images is None else settings.images / len(load("digits").X_train)
    # As for a kernel matrix, whose work grows with the square.
    options = Options(None, settings.draws, settings.seed, {}, share**2)
    material = prepare(result.data, AVERAGE.text, options)
    step("page: comparison")
    sections = [_comparison(result), network_section(material), _matrices(result)]
    sections += bias_sections(material, step)
    return replace(
        page(material, sections, None, command),
        title="Neural kernels on real digits",
        kicker="digits · tangency demo",
        lead=_LEAD,
        layers=(),
        facts=_facts(result),
    )


def _facts(result: Result) -> list[Fact]:
    first = result.rows[0]
    shape = f"{first.trained_on:,} to train on, {first.total:,} to test on"
    facts = [Fact("Images of digits", f"{first.trained_on + first.total:,}", shape)]
    for row in result.rows:
        if row.model == AVERAGE.name:
            accuracy = _percent(row.accuracy.value, row.accuracy.error)
            kernel = "NTK" if row.kernel == "NTK" else "Last-layer kernel"
            look = "ntk" if row.kernel == "NTK" else "last-layer"
            facts.append(Fact(kernel, accuracy, f"test accuracy, {row.model}", look))
    return facts


def _comparison(result: Result) -> Section:
    first = result.rows[0]
    text = [
        f"Three networks, each with both of its kernels, beside an RBF SVM and a linear model, on "
        f"one split: {first.trained_on:,} images to train on, {first.total:,} to test on. All "
        "parameters are chosen on the training part.",
        "The norm is that of the fitted function in the kernel's space. Times the size, √(mean "
        "K(x, x)), it does not depend on the scale of the kernel and can be compared.",
    ]
    size, few = result.few
    return Section(
        "comparison",
        "The comparison",
        text,
        tables=[("All models, trained on all training images", row_table(result.rows))],
        exhibits=[
            exhibit(FewImages(size, few), "few-images"),
            exhibit(NetworkCurves(result.curves), "learning-curves"),
        ],
    )


def _matrices(result: Result) -> Section:
    y, grams = np.asarray(result.data.y_train), result.grams[-1]
    shown = stratified_subset(y, _SHOWN, seed=0)
    matrices = KernelMatrices(
        {name: K[np.ix_(shown, shown)] for name, K in grams.train.items()},
        y[shown],
        [result.data.label_name(label) for label in np.unique(y[shown])],
        "images",
    )
    text = [f"From here on, the page is about the network called {grams.network.name}."]
    return Section("matrices", "Kernel matrices", text, exhibits=[exhibit(matrices, "matrix")])


def _percent(value: float, error: float) -> str:
    return f"{100 * value:.1f} ± {100 * error:.1f} %"
