"""What the calls and the absurd values are made of: small inputs, models, and a folder of files."""

from __future__ import annotations

import importlib
import io
import operator
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import sparse

import tangency as tg

NET = "dense relu dense"


class Mine(tg.Layer):
    """A layer of the user's own."""

    token = "absurd"


class Silent:
    """Claims to be everything and is nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self


class Hostile:
    """Fails whatever it is asked, with an error of no kind that anybody expects."""

    def _fail(self, *args: Any) -> Any:
        raise RuntimeError("hostile")

    __array__ = __bool__ = __eq__ = __float__ = __index__ = __iter__ = __len__ = _fail
    __hash__ = None  # type: ignore[assignment]


def nested(depth: int) -> list[Any]:
    """A list in a list in a list."""
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


def frozen(array: np.ndarray) -> np.ndarray:
    """The array, read-only."""
    array.flags.writeable = False
    return array


def fitted(estimator: Any, **params: Any) -> Any:
    """An estimator that meets its parameters when it is fitted."""
    model = estimator(**params)
    targets = inputs()["labels" if "Classifier" in estimator.__name__ else "y"]
    model.fit(inputs()["X"], targets)
    return model.transform(inputs()["Z"]) if hasattr(model, "transform") else model


def transformed(estimator: Any, **params: Any) -> Any:
    """Images through a transformer made with these parameters."""
    images = inputs()["images"][..., None]
    return estimator(**params).fit(images).transform(images)


def computed(layer: Any, **options: Any) -> Any:
    """The kernel of a network with this layer in it."""
    made = layer(**options)
    images = inputs()["images"][:2, :, :, None]
    net = tg.Sequential(tg.Conv(3), made, tg.ReLU(), tg.Flatten(), tg.Dense())
    return tg.NTK(net, engine="reference")(images), str(net)


def make_files(folder: Path) -> None:
    """The folder `F` of the calls."""
    X, y = inputs()["X"], inputs()["labels"]
    np.save(folder / "array.npy", X)
    np.save(folder / "objects.npy", np.array([None, 1], dtype=object), allow_pickle=True)
    np.savez(folder / "arrays.npz", X_train=X, y_train=y, X_test=X, y_test=y)
    (folder / "broken.npz").write_bytes(b"PK\x03\x04 and nothing more")
    (folder / "text.txt").write_text("some text\n")
    (folder / "empty").write_bytes(b"")
    rows = [",".join([*map(str, row), str(label)]) for row, label in zip(X, y, strict=True)]
    (folder / "table.csv").write_text("\n".join(rows) + "\n")
    for name in ("cats", "dogs"):
        (folder / "pictures" / name).mkdir(parents=True)
        for i in range(3):
            image = Image.fromarray(np.full((8, 8), 10 * i, np.uint8))
            image.save(folder / "pictures" / name / f"{i}.png")
    (folder / "loop").symlink_to(folder / "loop")
    tg.KernelRegressor(alpha=0.1).fit(X, y).save(folder / "model.npz")
    tg.gram.compute(tg.NTK(NET), X, store=folder / "K.zarr", tile=4, n_jobs=1, progress=False)
    features = tg.LayerwiseFeatures(tg.NTK(NET), 8, random_state=0).fit(X)
    features.transform_to(X, folder / "features.zarr", progress=False)
    tg.gram.compute(
        NET, X, store=folder / "pair.zarr", kind="both", tile=4, n_jobs=1, progress=False
    )


def inputs() -> dict[str, Any]:
    """Arrays that calls share by name; new ones each time, for a call may write into them."""
    random = np.random.default_rng(0)
    X = random.standard_normal((6, 3))
    return {
        "X": X,
        "Z": random.standard_normal((4, 3)),
        "y": random.standard_normal(6),
        "labels": np.array([0, 1, 0, 1, 0, 1]),
        "images": random.random((4, 8, 8)),
        "kinds": np.array([0, 1, 0, 1]),
        "sphere": X / np.linalg.norm(X, axis=1, keepdims=True),
        "points": random.random((5, 2)),
    }


_LATER: dict[str, Callable[[], Any]] = {
    "torch": lambda: importlib.import_module("torch"),
    "pandas": lambda: importlib.import_module("pandas"),
    "polars": lambda: importlib.import_module("polars"),
    "finite": lambda: importlib.import_module("tangency.finite"),
    "report": lambda: importlib.import_module("tangency.report"),
    "bias": lambda: importlib.import_module("tangency.bias"),
    "D": lambda: importlib.import_module("tangency.bias.deformations"),
    "targets": lambda: importlib.import_module("tangency.bias.targets"),
    "learn": lambda: importlib.import_module("tangency.learn"),
    "data": lambda: importlib.import_module("tangency.data"),
    "nets": lambda: importlib.import_module("tangency.nets"),
    "kernels": lambda: importlib.import_module("tangency.kernels"),
    "module": lambda: linear(),
    "T": lambda: importlib.import_module("torch").as_tensor(inputs()["X"]),
}


class Names(dict):
    """The names of one call; what takes long to import is imported when it is named."""

    def __missing__(self, name: str) -> Any:
        if name not in _LATER:
            raise KeyError(name)
        self[name] = _LATER[name]()
        return self[name]


def linear() -> Any:
    """A small torch module from R³ to R."""
    import torch

    torch.manual_seed(0)
    layers = (torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    return torch.nn.Sequential(*layers).double()


def names(folder: Path) -> Names:
    """All that the source of a call may name, made anew."""
    fixed = {
        "np": np,
        "tg": tg,
        "io": io,
        "operator": operator,
        "sparse": sparse,
        "Path": Path,
        "Fraction": Fraction,
        "Decimal": Decimal,
        "date": date,
        "timedelta": timedelta,
        "Mine": Mine,
        "Silent": Silent,
        "Hostile": Hostile,
        "nested": nested,
        "frozen": frozen,
        "fitted": fitted,
        "transformed": transformed,
        "computed": computed,
        "NTK": tg.NTK(NET),
        "F": folder,
        "NET": NET,
    }
    return Names(fixed | inputs())
