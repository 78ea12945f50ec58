"""The sections of a report that every network and every data set has."""

from __future__ import annotations

import numpy as np

from ..data import Dataset
from ..data.dataset import shape_text
from ..data.errors import DataError
from ..errors import InputError
from ..kernels import explain
from ..nets import Sequential
from ..results import Table
from .learning import LearningCurves, measure_learning
from .material import Material
from .matrices import KernelMatrices
from .measured import norms_exhibits
from .page import Section, exhibit
from .samples import sample_picture

_SHOWN = 200


def network_section(material: Material) -> Section:
    """The layers with their shapes and costs, and the engine that computes the kernels."""
    shape = material.X.shape[1:]
    engine, table = layer_table(material.net, shape)
    text = [
        f"The network as text: {material.net}. {engine}. Operations are multiply-adds for both "
        "kernels of one pair of inputs.",
    ]
    caption = f"Layers of the network for inputs of shape {shape_text(shape)}"
    return Section("network", "The network", text, tables=[(caption, table)])


def layer_table(net: Sequential, shape: tuple[int, ...]) -> tuple[str, Table]:
    """The sentence on the engine, and the table of layers, both from `explain`."""
    lines = explain(net, shape).splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("layer "))
    names = ("layer", "output", "Σ for a pair", "operations")
    starts = [lines[head].index(name) for name in names[:3]]
    rows = []
    for line in lines[head + 1 :]:
        if not line[-1].isdigit() or ": " in line:
            break
        rest, _, cost = line.rpartition(" ")
        cells = [rest[a:b].rstrip() for a, b in zip(starts, [*starts[1:], None], strict=True)]
        depth = len(cells[0]) - len(cells[0].lstrip())
        rows.append(("\N{NO-BREAK SPACE}" * depth + cells[0].strip(), *cells[1:], cost))
    engine = lines[0].removeprefix("engine: ").strip()
    return f"Engine: {engine}", Table(names, rows)


def data_section(material: Material) -> Section:
    """How many examples of which class, and some of them."""
    data, y = material.data, material.classes
    text = [f"{data.summary()[0].upper()}{data.summary()[1:]}."]
    if len(material.X) < material.total:
        text.append(
            f"Kernel matrices and learning curves on this page use {len(material.X):,} of the "
            f"{material.total:,} {material.examples}, so that it is made quickly."
        )
    if y is not None:
        counts = np.unique(y, return_counts=True)[1]
        low, high = counts.min(), counts.max()
        each = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        text[-1] += f" There are {each} of each class among those {len(y):,}."
    names = [data.label_name(c) for c in np.unique(y)] if y is not None else []
    picture = sample_picture(material.raw, y, names, material.options.seed)
    return Section("data", "The data", text, picture)


def matrices_section(material: Material) -> Section:
    """Both kernel matrices by class, or by quarters of the target."""
    shown = material.subset(_SHOWN)
    labels, names = groups(material.data, material.y, shown)
    result = KernelMatrices(
        {name: K[np.ix_(shown, shown)] for name, K in material.matrices.items()},
        labels,
        names,
        material.examples,
    )
    text = [
        "A kernel says how similar two inputs are to a network of this architecture. Inputs that "
        "are similar to it, it learns to tell apart only slowly."
    ]
    return Section("matrices", "Kernel matrices", text, exhibits=[exhibit(result, "kernel-matrix")])


def groups(data: Dataset, y: np.ndarray | None, rows: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """A group for each of the rows, and the groups' names: classes, or quarters of the target."""
    if y is None:
        return np.zeros(len(rows), dtype=int), ["all"]
    if y.dtype.kind != "f":
        return y[rows], [data.label_name(label) for label in np.unique(y[rows])]
    quarter = np.searchsorted(np.quantile(y[rows], [0.25, 0.5, 0.75]), y[rows])
    words = ("lowest quarter", "second quarter", "third quarter", "highest quarter")
    return quarter, [words[i] for i in np.unique(quarter)]


def learning_section(material: Material) -> tuple[Section, LearningCurves | None]:
    """Learning curves of both kernels, or why there are none."""
    title = "Learning curve"
    if material.y is None:
        return Section("learning", title, missing=["The data have no labels to learn."]), None
    text = [
        "Regression with a kernel is what gradient descent on the infinitely wide network tends "
        "to; here it has a ridge, chosen by leave-one-out on the training part alone. Both kernels "
        "see the same splits."
    ]
    try:
        found = measure_learning(
            material.matrices,
            material.y,
            material.test,
            material.options.draws,
            material.options.seed,
            network=_short(str(material.net)),
            examples=material.examples,
        )
    except (DataError, InputError) as error:
        return Section("learning", title, missing=[f"Not shown: {error}."]), None
    shown = [exhibit(found, "learning-curve"), *norms_exhibits(material)]
    return Section("learning", title, text, exhibits=shown), found


def _short(text: str, longest: int = 60) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
