"""Parameters and fitted attributes as JSON values and plain arrays, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from ..errors import InputError
from ..kernels import Kernel, kernel_from_dict
from ..nets import Layer, Sequential
from ..nets.identity import described, from_description, unsaved
from .features import LayerwiseFeatures
from .features.saved import map_from_dict, map_to_dict
from .priors import PRIORS
from .solvers.options import Solver, solver_from_dict

Arrays = dict[str, np.ndarray]


def kernel_problem(kernel: Any) -> str | None:
    """Return why this `kernel` parameter cannot be saved, with the remedy; None if it can."""
    from ..matrix.job import foreign_classes

    if isinstance(kernel, Kernel):
        if own := foreign_classes(kernel):
            return (
                f"its kernel is of a class of your own, {', '.join(own)}, which a file cannot "
                'name; fit with kernel="precomputed" and your own matrices, or pickle the model'
            )
        try:
            kernel.to_dict()
        except InputError as error:
            return str(error)
        return None
    if isinstance(kernel, Layer):
        problem = unsaved(kernel)
        return problem and f"its network holds {problem[0]}; {problem[1]}"
    if kernel is None or isinstance(kernel, str):
        return None
    return (
        f"its kernel {kernel!r} is a plain function, which no file can hold without pickle; use a "
        'kernel object such as NTK(net), or kernel="precomputed" with your own matrices'
    )


def encode(name: str, value: Any, arrays: Arrays) -> Any:
    """Return a JSON value for `value`; an array goes into `arrays` under `name`.

    How a kernel is computed, its engine, memory, threads and progress, is left out: it belongs to
    the machine and the moment.

    Raises `TypeError` for what has no form without pickle.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Solver):
        return {"solver": value.to_dict()}
    if isinstance(value, Kernel):
        return {"kernel": value.to_dict()}
    if isinstance(value, Layer):
        data = described(value)
        return {
            "layer" if not isinstance(value, Sequential) else "network": data.pop("net"),
            **data,
        }
    if isinstance(value, LayerwiseFeatures):
        return {"features": map_to_dict(value, f"{name}.", arrays), "prefix": f"{name}."}
    if isinstance(value, np.ndarray):
        arrays[name], texts = _plain(name, value)
        return {"array": name, "texts": texts}
    if type(value) in PRIORS.values():
        return {"prior": type(value).__name__, **vars(value)}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        items = value.items()
        return {"mapping": {k: encode(f"{name}.{k}", each, arrays) for k, each in items}}
    if isinstance(value, list | tuple):
        return [encode(name, each, arrays) for each in value]
    raise TypeError(f"{name}={value!r} has no form in a file; expected numbers, texts or arrays")


def decode(value: Any, arrays: Arrays) -> Any:
    """Return what `encode` was given. Raises `KeyError` for anything it did not write."""
    if isinstance(value, list):
        return [decode(each, arrays) for each in value]
    if not isinstance(value, dict):
        return value
    if "float" in value:
        return float(value["float"])
    if "mapping" in value:
        return {key: decode(each, arrays) for key, each in value["mapping"].items()}
    if "prior" in value:
        return PRIORS[value["prior"]](**{k: v for k, v in value.items() if k != "prior"})
    if "kernel" in value:
        # Files of earlier versions have "options", how it was computed when it was fitted.
        return kernel_from_dict(value["kernel"])
    if "solver" in value:
        return solver_from_dict(value["solver"])
    if "features" in value:
        return map_from_dict(LayerwiseFeatures, value["features"], value["prefix"], arrays)
    if "network" in value:
        return from_description({**value, "net": value["network"]})
    if "layer" in value:
        return from_description({**value, "net": value["layer"]}).layers[0]
    array = arrays[value["array"]]
    return array.astype(object) if value["texts"] else array


def _plain(name: str, array: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return an array that needs no pickle, and whether it held Python strings."""
    if array.dtype.kind in "biufcSUmM":
        return array, False
    if array.dtype.kind in "OT" and all(isinstance(each, str) for each in array.flat):
        texts = array.astype(np.str_)
        if bool(np.all(texts.astype(object) == array.astype(object))):
            return texts, True
    raise TypeError(
        f"{name} has dtype {array.dtype} and holds {type(array.flat[0]).__name__} objects; labels "
        "must be numbers, booleans or strings (strings without trailing NUL characters)"
    )
