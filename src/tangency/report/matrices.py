"""Kernel matrices by class: which examples a kernel takes for alike."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import checks
from ..errors import InputError
from ..figures.style import INK, LABEL, TICK, legend_name, new_figure, put_title
from ..printable import printable
from ..results import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_NAMES, _LONGEST_NAME = 25, 14


@dataclass(frozen=True, eq=False)
class KernelMatrices:
    """Kernel matrices of the same examples, with the labels by which they are sorted.

    kernels: name -> (n, n). labels: (n,). names: one for each distinct label in sorted order.
    """

    kernels: Mapping[str, np.ndarray]
    labels: np.ndarray
    names: Sequence[str]
    examples: str = "examples"

    def __post_init__(self) -> None:
        checks.mapping(self.kernels, "kernels")
        checks.labels(self.labels)
        for name in checks.items(self.names, "names"):
            if not isinstance(name, str | numbers.Real):
                raise InputError(f"each of names must be a text, got {checks.shown(name)}")
        checks.text(self.examples, "examples")

    @property
    def title(self) -> str:
        """What the figure shows."""
        return f"Kernel matrices of {len(self.labels):,} {self.examples}, sorted by class"

    @property
    def reading(self) -> str:
        """How to read it."""
        return (
            "Each point is the cosine similarity of two examples as the kernel sees them: bright "
            "squares along the diagonal are classes that hold together, bright patches away from "
            "it are classes that look similar to the kernel."
        )

    @property
    def summary(self) -> str:
        """What was found, in one sentence."""
        found = [
            f"{name}: {_means_text(cosine_matrix(K, len(self.labels), name), self.labels)}"
            for name, K in self.kernels.items()
        ]
        return f"Cosine similarity, {'; '.join(found)}."

    def table(self) -> Table:
        """For every class and kernel, its mean similarity to itself and to other classes."""
        columns = ["class", self.examples]
        for name in self.kernels:
            columns += [f"{name}, within", f"{name}, to others"]
        cosines = [cosine_matrix(K, len(self.labels), n) for n, K in self.kernels.items()]
        rows = []
        for label, name in zip(np.unique(self.labels), self.names, strict=True):
            own = np.flatnonzero(self.labels == label)
            row: list[str | int | float] = [name, len(own)]
            for matrix in cosines:
                row += _within_and_to_others(matrix, own)
            rows.append(row)
        return Table(columns, rows)

    def plot(self, stacked: bool = False) -> Figure:
        """The figure; see `kernel_matrices`."""
        return kernel_matrices(self.kernels, self.labels, self.names, self.title, stacked)

    def plot_narrow(self) -> Figure:
        """The figure for a narrow page."""
        return self.plot(stacked=True)


def _within_and_to_others(matrix: np.ndarray, own: np.ndarray) -> list[str | float]:
    block = matrix[np.ix_(own, own)]
    pairs = len(own) * (len(own) - 1)
    inside = float((block.sum() - np.trace(block)) / pairs) if pairs else "-"
    others = np.delete(matrix[own], own, axis=1)
    return [inside, float(others.mean()) if others.size else "-"]


def kernel_matrices(
    kernels: Mapping[str, np.ndarray],
    labels: np.ndarray,
    class_names: Sequence[str] | None = None,
    title: str = "Kernel matrices, images sorted by class",
    stacked: bool = False,
) -> Figure:
    """Cosine-normalised kernel matrices side by side on one colour scale, rows sorted by class.

    With `stacked` they are below one another, for a narrow page.

    kernels: name -> (n, n) positive semidefinite matrix. labels: (n,). class_names: one for each
    distinct label in sorted order. Shown is K(x, x') / √(K(x, x) K(x', x')), so that kernels of
    different size can share a scale. Raises `InputError` for shapes that do not fit.
    """
    labels = checks.labels(labels)
    kernels, title = checks.mapping(kernels, "kernels"), checks.text(title, "title")
    stacked = checks.flag(stacked, "stacked")
    if not kernels:
        raise InputError("kernel_matrices needs at least one kernel matrix")
    if len(labels) < 2:
        raise InputError(f"kernel_matrices needs 2 inputs or more, got {len(labels)} labels")
    classes, counts = np.unique(labels, return_counts=True)
    named = classes if class_names is None else checks.items(class_names, "class_names")
    if len(named) != len(classes):
        raise InputError(f"{len(named)} class names for {len(classes)} classes")
    names = [printable(str(name)) for name in named]
    order = np.argsort(labels, kind="stable")
    cosines = {
        name: cosine_matrix(K, len(labels), name)[np.ix_(order, order)]
        for name, K in kernels.items()
    }
    off_diagonal = ~np.eye(len(labels), dtype=bool)
    low = min(float(np.quantile(c[off_diagonal], 0.01)) for c in cosines.values())
    count = len(cosines)
    figure = new_figure(4.4, 4.9 * count + 0.8) if stacked else new_figure(4.7 * count + 1.1, 5.8)
    shape = (count, 1) if stacked else (1, count)
    grid = np.asarray(figure.subplots(*shape)).reshape(-1)
    image = None
    for axes, (name, matrix) in zip(grid, cosines.items(), strict=True):
        image = axes.imshow(matrix, cmap="viridis", vmin=low, vmax=1, interpolation="nearest")
        mark_classes(axes, counts, names)
        axes.set_title(
            f"{legend_name(name)}\n{_means_text(matrix, labels[order])}",
            fontsize=LABEL,
            color=INK,
            pad=6,
            linespacing=1.5,
        )
    assert image is not None
    place: dict[str, Any] = {"location": "bottom"} if stacked else {"shrink": 0.8}
    bar = figure.colorbar(image, ax=list(grid), pad=0.02, extend="min", **place)
    bar.set_label("cosine similarity  K(x, x′) / √(K(x, x) K(x′, x′))", fontsize=LABEL, color=INK)
    bar.ax.tick_params(labelsize=TICK)
    put_title(figure, title)
    return figure


def _means_text(matrix: np.ndarray, labels: np.ndarray) -> str:
    same = labels[:, None] == labels[None, :]
    inside = matrix[same & ~np.eye(len(labels), dtype=bool)]
    if len(labels) < 2:
        return "one input"
    if same.all():
        return f"mean {inside.mean():.3f} between different inputs"
    between = f"{matrix[~same].mean():.3f} between classes"
    if not inside.size:
        return f"mean {between}, of which each has one input"
    return f"mean {inside.mean():.3f} within a class, {between}"


def cosine_matrix(K: np.ndarray, n: int, name: str) -> np.ndarray:
    """K(x, x') / √(K(x, x) K(x', x')) of a kernel matrix, which must be (n, n)."""
    K = checks.array(K, f"kernel {checks.shown(name)}")
    if K.shape != (n, n):
        raise InputError(f"kernel {name!r} has shape {K.shape}, expected {(n, n)} for {n} labels")
    size = np.sqrt(np.diag(K))
    if not np.all(size > 0):
        bad = np.flatnonzero(~(size > 0))
        raise InputError(
            f"kernel {name!r} has zero or negative values on its diagonal, so that there is no "
            f"cosine, at {len(bad):,} of {n:,} inputs, the first is number {bad[0]}; leave out "
            "inputs of zeros, or give the network biases (dense:b=0.1)"
        )
    return K / np.outer(size, size)


def mark_classes(axes: Axes, counts: np.ndarray, names: Sequence[str], y_too: bool = True) -> None:
    """Lines between classes, and their names above and, with `y_too`, at the left."""
    ends = np.cumsum(counts)
    middles = ends - counts / 2 - 0.5
    for end in ends[:-1]:
        axes.axhline(end - 0.5, color="white", linewidth=0.7)
        axes.axvline(end - 0.5, color="white", linewidth=0.7)
    shown = [n if len(n) <= _LONGEST_NAME else f"{n[: _LONGEST_NAME - 1]}…" for n in names]
    if len(shown) > _MOST_NAMES:
        shown = [""] * len(shown)
    turn = 90 if max(map(len, shown)) > 3 else 0
    axes.set_xticks(middles, shown, fontsize=TICK, rotation=turn)
    axes.set_yticks(middles, shown if y_too else [""] * len(shown), fontsize=TICK)
    axes.tick_params(length=0, colors=INK, top=True, labeltop=True, bottom=False, labelbottom=False)
    for tick in [*axes.xaxis.get_major_ticks(), *axes.yaxis.get_major_ticks()]:
        for label in (tick.label1, tick.label2):
            label.set_parse_math(False)  # a name is a name, also with $ in it
    axes.spines[:].set_visible(False)
