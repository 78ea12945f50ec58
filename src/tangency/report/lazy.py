"""The section of a report on finite networks: how wide is wide enough for the kernel to hold."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import DataError
from ..data.inputs import narrowed
from ..errors import InputError
from .material import Material
from .measured import section
from .page import Section

if TYPE_CHECKING:
    from ..data import Dataset
    from ..nets import Sequential

_TITLE = "Finite networks"
_WIDTHS = (16, 32, 64, 128, 256, 512, 1024)
_TRAIN, _TEST, _STEPS, _SEEDS = 24, 40, 60, 3
# Multiply-adds, about five seconds on one core.
_OPERATIONS = 6e10
_CURVES = 4


def has_torch() -> bool:
    """Whether finite networks can be built; nothing is imported to find out."""
    return find_spec("torch") is not None


def lazy_section(material: Material) -> Section:
    """Finite networks in training, beside their linearisation and their infinite limit."""
    if material.y is None:
        return Section("finite", _TITLE, missing=["The data have no labels to learn."])
    rows = np.random.default_rng(material.options.seed).permutation(len(material.X))
    rows = rows[: _TRAIN + _TEST]
    n = min(_TRAIN, max(2, len(rows) // 2))
    x = material.X[rows]
    y, what = _one_target(material, rows[:n])
    text = [
        f"{_SEEDS} networks of each width are trained on {n} {material.examples} to {what}, by "
        f"{_STEPS} steps of gradient descent, beside their linearisation and the infinite network, "
        "which start from the same function. The kernels of this page are the limit; here is how "
        "near to it networks of a given width are."
    ]

    def measure() -> Any:
        from ..finite.lazy import lazy_training

        inputs = narrowed(x, "float32", material.data.name)
        require_different(y)
        widths = affordable_widths(material.net, inputs, n, material.options.effort)
        seed = material.options.seed
        return lazy_training(
            *(material.net, inputs[:n], y, widths, tuple(range(seed, seed + _SEEDS))),
            X_test=inputs[n:],
            steps=_STEPS,
        )

    return section("finite", _TITLE, text, [("lazy-training", measure)])


def affordable_widths(
    net: Sequential, x: np.ndarray, n: int, effort: float = 1.0
) -> tuple[int, ...]:
    """The four widest of the page's widths whose training costs little.

    Raises `InputError` where not even the two narrowest do.
    """
    budget, chosen = effort * _OPERATIONS, []
    for width in _WIDTHS:
        # A step is a forward and a backward pass, which costs twice as much.
        budget -= 3 * _SEEDS * _STEPS * n * _forward_operations(net, x, width)
        if budget < 0:
            break
        chosen.append(width)
    if len(chosen) < 2:
        raise InputError(
            "networks of this kind take long to train on these inputs; tangency lazy trains them "
            "for as long as you like"
        )
    return tuple(chosen[-_CURVES:])


def _forward_operations(net: Sequential, x: np.ndarray, width: int) -> float:
    """Multiply-adds of a network of this width for one input."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from ..finite import build

    # Tensors without values: the wide networks take seconds to draw, and are not trained.
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        build(net, width, tuple(x.shape[1:]))(torch.as_tensor(x[:1]))
    return counter.get_total_flops() / 2


def _one_target(material: Material, rows: np.ndarray) -> tuple[np.ndarray, str]:
    """(n,) what one output has to learn, and in words."""
    y = np.asarray(material.y)[rows]
    if material.classes is None:
        # Of equal targets the mean may be off by rounding, which would be learnt.
        same = (y == y[0]).all()
        return np.zeros_like(y) if same else y - y.mean(), "predict the target"
    found = np.unique(material.classes)
    first = found[: len(found) // 2]
    names = ", ".join(material.data.label_name(label) for label in first)
    return np.where(np.isin(y, first), 1.0, -1.0), f"tell {names} from the rest"


def training_parts(
    dataset: Dataset, train: int, test: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training inputs and labels, and test inputs, drawn at random from a data set.

    Test inputs come from its test part if it has one. Where examples are few, a third of them at
    most are for testing. Raises `DataError` for data without labels.
    """
    if dataset.y_train is None:
        raise DataError(f"{dataset.name}: training needs labels, and there are none")
    random = np.random.default_rng(seed)
    order = random.permutation(len(dataset.X_train))
    if dataset.X_test is not None:
        others = random.permutation(len(dataset.X_test))[:test]
        rows = order[:train]
        return dataset.X_train[rows], dataset.y_train[rows], dataset.X_test[others]
    rows = order[: min(train, len(order) - min(test, len(order) // 3))]
    others = order[len(rows) : len(rows) + test]
    return dataset.X_train[rows], dataset.y_train[rows], dataset.X_train[others]


def targets(y: np.ndarray, loss: str = "squared") -> np.ndarray:
    """What a network is to learn: targets less their mean; for classes one column each.

    Classes are numbered for cross-entropy instead. Raises `DataError` for a single class, and for
    targets that are all the same.
    """
    if y.dtype.kind == "f":
        require_different(y)
        return y - y.mean(axis=0)
    names, codes = np.unique(y, return_inverse=True)
    if len(names) < 2:
        raise DataError(f"the training examples are all of class {names[0]}; use more of them")
    if loss == "cross_entropy":
        return codes
    columns = np.eye(len(names))[codes]
    return columns - columns.mean(axis=0)


def require_different(y: np.ndarray) -> None:
    """Raises `DataError` for targets, (n,) or (n, k), that are the same for all examples."""
    if (y == y[:1]).all():
        raise DataError(
            "the training examples all have the same target, so that there is nothing to learn; "
            "use more of them, or another label column"
        )
