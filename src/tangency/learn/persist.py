"""Models in one .npz file without pickle: a JSON header, and plain arrays."""

from __future__ import annotations

import errno
import json
import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from .. import checks
from ..errors import NetworkError
from ..files import write_arrays
from ..kernels import NTK
from ..kernels.algebra import computed_by
from .encode import decode, encode, kernel_problem
from .restored import ModelFileError, check_names

FORMAT = "tangency-model"
FORMAT_VERSION = 1
_HEADER = "header"
# what a header can lead to that says other things than a model does
_DAMAGE = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError)
_DAMAGE += (RecursionError, MemoryError)
_CLASSES = ("KernelRegressor", "KernelClassifier", "GaussianProcess")


def save_model(model: Any, path: str | Path) -> Path:
    """Write a fitted estimator to `path`, whole or not at all; return the path.

    Raises `ModelFileError` for parameters or labels that have no form without pickle, and for
    parameters that were changed after the fit.
    """
    from ..version import __version__

    arrays: dict[str, np.ndarray] = {}
    params = model.get_params(deep=False)
    if problem := kernel_problem(params["kernel"]):
        raise ModelFileError(f"this {type(model).__name__} cannot be saved: {problem}")
    # kernel_ follows from the parameter `kernel`
    fitted = {k: v for k, v in vars(model).items() if _is_fitted_name(k) and k != "kernel_"}
    try:
        header = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "library_version": __version__,
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
    text = json.dumps(header, allow_nan=False).encode()
    arrays[_HEADER] = np.frombuffer(text, dtype=np.uint8)
    write_arrays(path := checks.path(path), arrays)
    return path


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
    """Return the estimator that `save` wrote to `path`, ready to predict.

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
    header, arrays = _read(path)
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


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return header and arrays of a model file."""
    foreign = f"{path} is not a model saved by tangency"
    if not path.exists():
        raise FileNotFoundError(f"there is no model file {path}")
    if path.is_file() and not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    if not path.is_file() or not zipfile.is_zipfile(path):
        raise ModelFileError(
            f"{foreign}, or it is cut off: it is no complete .npz archive; give the file that "
            "save() wrote, or save it again"
        )
    try:
        # opened here, because np.load leaves it open where the archive is damaged
        _refuse_compressed(path)
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            if _HEADER not in archive.files:
                raise ModelFileError(f"{foreign}: it has no header; give the file save() wrote")
            header = _parse(archive[_HEADER], path)
            arrays = {k: archive[k] for k in archive.files if k != _HEADER}
    except ModelFileError:
        raise
    except Exception as error:  # damaged bytes raise anything in zipfile and NumPy
        raise ModelFileError(f"{path} is damaged ({error}); copy or save it again") from error
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise ModelFileError(f"{foreign}: it holds other things than arrays")
    return header, arrays


def _refuse_compressed(path: Path) -> None:
    """Refuse members that would take more memory than the file has bytes; `save` writes none."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if any(each.compress_type != zipfile.ZIP_STORED for each in members):
        raise ModelFileError(
            f"{path} is not a model saved by tangency: it holds compressed arrays; give the file "
            "that save() wrote"
        )


def _parse(raw: Any, path: Path) -> dict[str, Any]:
    """Return the header, of this format and of a version that can be read."""
    foreign = f"{path} is not a model saved by tangency"
    try:
        header = json.loads(np.asarray(raw).tobytes())
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ModelFileError(f"{foreign}: its header says otherwise; give the file save() wrote")
    version = header.get("format_version")
    if not isinstance(version, int) or version < 1:
        raise ModelFileError(f"{foreign}: its format version is {version!r}")
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"{path} has format {version}, written by tangency "
            f"{header.get('library_version')}; this version reads formats up to {FORMAT_VERSION}; "
            "upgrade tangency"
        )
    return header
