"""Models in one .npz file without pickle: a JSON header, and plain arrays."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from .. import checks
from ..errors import NetworkError
from ..kernels import NTK
from ..kernels.algebra import computed_by
from .archive import ModelFileError, read_archive, write_archive
from .encode import decode, encode, kernel_problem
from .features import LayerwiseFeatures
from .features.saved import map_from_dict
from .optimized import as_options
from .restored import check_names

# what a header can lead to that says other things than a model does
_DAMAGE = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError)
_DAMAGE += (RecursionError, MemoryError)
_CLASSES = ("KernelRegressor", "KernelClassifier", "GaussianProcess")


def save_model(model: Any, path: str | Path) -> Path:
    """Write a fitted estimator to `path`, whole or not at all; return the path.

    Raises `ModelFileError` for parameters or labels that have no form without pickle, and for
    parameters that were changed after the fit.
    """
    arrays: dict[str, np.ndarray] = {}
    params = model.get_params(deep=False)
    if problem := kernel_problem(params["kernel"]):
        raise ModelFileError(f"this {type(model).__name__} cannot be saved: {problem}")
    # kernel_ follows from the parameter `kernel`, but where it was chosen
    left = ("tuned_",) if as_options(params["optimize"]) is not None else ("tuned_", "kernel_")
    fitted = {k: v for k, v in vars(model).items() if _is_fitted_name(k) and k not in left}
    try:
        header = {
            "class": type(model).__name__,
            "params": {k: encode(k, v, arrays) for k, v in params.items()},
            "fitted": {k: encode(k, v, arrays) for k, v in fitted.items()},
        }
    except TypeError as error:
        raise ModelFileError(f"this {type(model).__name__} cannot be saved: {error}") from None
    if header["class"] not in _CLASSES:
        raise ModelFileError(
            f"{header['class']} is not one of {', '.join(_CLASSES)}, which `load` could build again"
        )
    _require_as_fitted(model, header, arrays)
    return write_archive(path, header, arrays)


def _require_as_fitted(model: Any, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Refuse a model that would come back as another one, its parameters being those of no fit."""
    name = f"this {header['class']} cannot be saved: its parameters were changed after the fit"
    remedy = "fit it again before saving it"
    try:
        again = _build(json.loads(json.dumps(header)), arrays)
    except (ModelFileError, *_DAMAGE) as error:
        raise ModelFileError(f"{name} ({_cut(str(error))}); {remedy}") from None
    if _what_it_is(again.kernel_) != _what_it_is(model.kernel_):
        raise ModelFileError(
            f"{name}: it was fitted with {checks.shown(model.kernel_)}, and kernel= is now "
            f"{checks.shown(model.kernel)}; {remedy}"
        )


def _what_it_is(kernel: Any) -> Any:
    """A kernel's values, in a form to be compared; how they are computed is no part of it."""
    return kernel.to_dict() if hasattr(kernel, "to_dict") else kernel


def load(
    path: str | Path,
    *,
    engine: str = "auto",
    max_memory: int | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
) -> Any:
    """Return the estimator, or the feature map, that `save` wrote to `path`, ready to use.

    `engine`, `max_memory`, `n_jobs` and `progress` are those of `NTK`, for every network in its
    kernel; no file holds them. By the engine that it was fitted with, predictions are the same
    bits.

    Raises `FileNotFoundError`, and `ModelFileError` for a file that is damaged, holds something
    else, or was written by a newer version. Nothing in the file is executed. Warns with
    `UserWarning` where `tangency fit` has stored preprocessing too, which is no part of the
    estimator.

    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from tangency.learn import KernelRegressor, load
    >>> X, y = np.eye(3), np.array([1.0, 2.0, 3.0])
    >>> model = KernelRegressor(alpha=0.1).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = load(model.save(pathlib.Path(folder) / "model.npz"))
    >>> again, bool(np.all(again.predict(X) == model.predict(X)))
    (KernelRegressor(alpha=0.1), True)
    """
    path = checks.path(path)
    means: dict[str, Any] = {"engine": engine, "max_memory": max_memory}
    means |= {"n_jobs": n_jobs, "progress": progress}
    NTK("dense", **means)  # refuses what no kernel takes, whether the model has a network or not
    model, arrays = read_model(path)
    compute_by(model, means)
    if steps := _steps(arrays):
        warnings.warn(
            f"{path} was fitted to inputs after {', '.join(steps)}, which is not applied by this "
            "estimator; predict with `tangency predict`, or transform X first by the steps in "
            "tangency.data.saving.read_preprocessing(path)[0]",
            UserWarning,
            stacklevel=2,
        )
    return model


def read_model(path: Path) -> tuple[Any, dict[str, np.ndarray]]:
    """The estimator in a file, and all arrays there; raises as `load` does."""
    header, arrays = read_archive(path)
    try:
        return _build(header, arrays), arrays
    except (ModelFileError, NetworkError) as error:
        raise ModelFileError(f"{path}: {error}") from None
    except _DAMAGE as error:
        raise ModelFileError(
            f"{path} is damaged: its header does not describe a model ({_cut(repr(error))}); save "
            "it again"
        ) from error


def compute_by(model: Any, means: dict[str, Any]) -> None:
    """Have a model compute the networks in its kernel so, which changes no more than rounding."""
    model.kernel = computed_by(model.kernel, **means)
    model.kernel_ = computed_by(model.kernel_, **means)


def _steps(arrays: dict[str, np.ndarray]) -> list[str]:
    """The names of preprocessing steps that were stored beside a model."""
    try:
        found = json.loads(str(arrays["preprocessing"]))["steps"]
        return [str(step["kind"]) for step in found]
    except (KeyError, TypeError, ValueError, RecursionError):
        return []


def _build(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    import tangency.learn as learn

    if header["class"] == LayerwiseFeatures.__name__:
        return map_from_dict(LayerwiseFeatures, header["map"], "", arrays)
    if header["class"] not in _CLASSES:
        raise ModelFileError(f"holds a model of unknown class {header['class']!r}")
    params = {k: decode(v, arrays) for k, v in header["params"].items()}
    model = getattr(learn, header["class"])(**params)
    check_names(header["class"], header["fitted"])
    for name, value in header["fitted"].items():
        setattr(model, name, decode(value, arrays))
    model._restore()
    return model


def _cut(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:197]}..."


def _is_fitted_name(name: str) -> bool:
    """Tell whether an attribute holds a result of `fit`, by scikit-learn's convention."""
    return name.endswith("_") and not name.startswith("_")
