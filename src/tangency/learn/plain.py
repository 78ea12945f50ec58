"""Targets as plain NumPy arrays, before scikit-learn checks them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import cut, is_whole, within_memory
from ..errors import InputError
from ..kernels.plain import plain
from ..labels import one_kind


def plain_targets(y: Any) -> Any:
    """Return `plain` targets or labels, none of them missing or of another kind."""
    if hasattr(y, "toarray"):
        raise InputError("y is a sparse matrix; pass y.toarray(), for labels y.toarray().argmax(1)")
    y = None if y is None else plain(y, "y")  # None is worded by scikit-learn
    missing = _missing(y)
    if missing.any():
        raise InputError(
            f"y has no value for {int(missing.sum())} of {len(missing)} samples (the first is "
            f"number {int(np.argmax(missing))}); drop these"
        )
    one_kind(y, "y")
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
