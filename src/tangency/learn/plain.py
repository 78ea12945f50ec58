"""Samples and targets as plain NumPy arrays or tables, before scikit-learn checks them."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from ..checks import cut, is_whole, within_memory
from ..errors import InputError
from ..kernels.foreign import (
    holds_tensors,
    is_table,
    readable_tensor,
    refuse_masked,
    refuse_no_data,
    refuse_uncomputed,
)

_NUMPYS = ("torch.float16", "torch.float32", "torch.float64")


def plain(data: Any, name: str) -> Any:
    """Return `data` in a form whose values scikit-learn reads as they are.

    Tensors become arrays, without their gradients, which no fit passes on. Raises `InputError`
    for masked values, for what is not dense, and for what is no data at all.

    >>> plain([[1.0, 2.0]], "X")
    [[1.0, 2.0]]
    """
    refuse_masked(data, name)
    if is_torch_array(data):
        return _from_tensor(data, name)
    if holds_tensors(data):
        return [plain(each, name) for each in data]
    refuse_uncomputed(data, name)
    refuse_no_data(data, name)
    if is_table(data):
        _refuse_dates(data, name)
    if isinstance(data, np.ma.MaskedArray):
        return np.asarray(data)  # nothing is masked
    return data


def plain_targets(y: Any) -> Any:
    """Return `plain` targets or labels, none of them missing."""
    if hasattr(y, "toarray"):
        raise InputError("y is a sparse matrix; pass y.toarray(), for labels y.toarray().argmax(1)")
    y = None if y is None else plain(y, "y")  # None is worded by scikit-learn
    missing = _missing(y)
    if missing.any():
        raise InputError(
            f"y has no value for {int(missing.sum())} of {len(missing)} samples (the first is "
            f"number {int(np.argmax(missing))}); drop these"
        )
    return _as_numpy(y)


def _as_numpy(y: Any) -> Any:
    """Labels of a column of pandas, or of NumPy's new texts, in NumPy's own types.

    scikit-learn takes whole numbers of nullable columns for floats, which run large ones together.
    """
    dtype = getattr(y, "dtype", None)
    own = getattr(dtype, "numpy_dtype", None)
    nullable = hasattr(y, "to_numpy") and getattr(own, "kind", "O") in "biuf"
    if nullable and not bool(y.isna().any()):
        return y.to_numpy(dtype=own)
    if getattr(dtype, "kind", None) == "T":
        return y.astype(object)
    return _unpacked(y) if getattr(dtype, "kind", None) == "O" else y


def _unpacked(y: Any) -> Any:
    """Whole numbers or truth values in an array of Python objects, of which scikit-learn knows
    nothing; anything else as it is."""
    values = np.asarray(y, dtype=object)
    if values.ndim != 1:
        return y
    if all(isinstance(each, bool | np.bool_) for each in values):
        return values.astype(bool)
    if all(map(is_whole, values)):
        found = np.array(values.tolist())
        return found if found.dtype.kind in "iu" else y
    return y


@within_memory()
def regression_targets(y: np.ndarray) -> np.ndarray:
    """Return targets as float64; raise `InputError` for what is no number, dates among them."""
    if y.dtype.kind in "Mm" or y.dtype.names is not None:
        raise InputError(
            f"y has the dtype {y.dtype}; regression needs numbers, such as days since a first one"
        )
    try:
        return y.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"y must be numbers for regression, got {y.dtype} ({cut(str(error))}); names of "
            "classes are for KernelClassifier"
        ) from None


def _from_tensor(tensor: Any, name: str) -> np.ndarray:
    tensor = readable_tensor(tensor.detach(), name).cpu()
    if tensor.is_floating_point() and str(tensor.dtype) not in _NUMPYS:
        tensor = tensor.float()  # bfloat16 and narrower ones
    return tensor.numpy()


def _refuse_dates(table: Any, name: str) -> None:
    dates = [
        f"{column} ({dtype})"
        for column, dtype in zip(table.columns, table.dtypes, strict=True)
        if any(word in str(dtype).lower() for word in ("date", "time", "duration"))
    ]
    if dates:
        raise InputError(
            f"{name} has columns that are not numbers: {', '.join(dates[:5])}; encode or drop them"
        )


def _missing(y: Any) -> np.ndarray:
    """Which Python objects among labels (n,) stand for nothing: None, NaN, pandas' NA."""
    none = np.zeros(0, dtype=bool)
    if isinstance(y, list | tuple):
        # beside names, a NaN would become one
        names = any(isinstance(each, str) for each in y)
        if not any(_is_missing(each) and (names or not _is_float(each)) for each in y):
            return none
        y = np.array(y, dtype=object)
    elif not hasattr(y, "dtype") or getattr(y.dtype, "kind", "O") not in "OT":
        return none
    values = np.asarray(y, dtype=object)
    if values.ndim != 1:
        return none
    return np.array([_is_missing(each) for each in values], dtype=bool)


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return _is_float(value) and bool(np.isnan(value))


def _is_float(value: Any) -> bool:
    return isinstance(value, float | np.floating)
