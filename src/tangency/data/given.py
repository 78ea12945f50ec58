"""What callers pass as arrays: NumPy's own, tensors, tables of pandas and polars, lists."""

from __future__ import annotations

import warnings
from typing import Any, cast

import numpy as np
from array_api_compat import is_torch_array

from ..checks import is_number, is_whole, plain_array
from ..labels import one_kind
from .errors import DataError


def given_numbers(values: Any, where: str) -> np.ndarray:
    """Numbers as a plain NumPy array, of the type that they have; tables become float64.

    Raises `DataError` for masked values, sparse arrays, ragged lists, text and objects.
    """
    array = _plain(values, where)
    if array.dtype.kind == "O":
        try:
            array = _floats(values, array)
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(
                f"{where}: expected numbers, got Python objects ({error}); turn categories and "
                "text into numbers first"
            ) from None
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"{where}: expected numbers of shape (n, d) or (n, *space, channels), got "
            f"{array.dtype} of shape {array.shape}"
        )
    # Tables of pandas lie in memory by columns, and the order of sums depends on it.
    return np.asarray(array, order="C")


def given_labels(values: Any, where: str) -> np.ndarray:
    """Labels as an array of numbers or of strings; numbers in objects become numbers.

    Raises `DataError` as `given_numbers`, and for missing labels and those of several types.
    """
    one_kind(values, where, error=DataError)
    array = _plain(values, where)
    listed = cast("list[Any]", values) if isinstance(values, list | tuple) else None
    if array.dtype.kind == "f" and listed is not None and all(map(is_whole, listed)):
        raise DataError(
            f"{where}: labels are whole numbers too large for one type of NumPy; give texts instead"
        )
    if array.dtype.kind != "O" and array.dtype.kind != "T":
        return array
    found = list(array.ravel())
    if all(isinstance(label, str) for label in found):
        return np.array(found, dtype=str).reshape(array.shape)
    if all(is_whole(label) or isinstance(label, bool | np.bool_) for label in found):
        return np.array([int(label) for label in found]).reshape(array.shape)
    if all(is_number(label) or isinstance(label, bool) for label in found):
        return np.array(found, dtype=float).reshape(array.shape)
    missing = [i for i, label in enumerate(found) if _missing(label)]
    what = f"label number {missing[0]} is missing" if missing else "labels are of several types"
    raise DataError(f"{where}: {what}; expected numbers, or strings")


def _plain(values: Any, where: str) -> np.ndarray:
    if is_torch_array(values):
        return _from_tensor(values, where)
    if np.ma.isMaskedArray(values):
        if np.ma.is_masked(values):
            raise DataError(f"{where}: some values are masked; fill them in or drop those examples")
        return np.asarray(values.data)
    if hasattr(values, "toarray"):
        raise DataError(f"{where}: got a sparse array; pass .toarray()")
    if hasattr(values, "collect") and hasattr(values, "collect_schema"):
        values = values.collect()  # of a lazy table of polars
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return np.asarray(values)
    except (ValueError, TypeError, RuntimeError, Warning) as error:
        raise DataError(f"{where}: cannot be read as an array: {error}") from None


def _from_tensor(tensor: Any, where: str) -> np.ndarray:
    if str(tensor.layout) != "torch.strided":
        raise DataError(f"{where}: got a sparse tensor; pass .to_dense()")
    return plain_array(tensor, where, error=DataError)


def _floats(values: Any, array: np.ndarray) -> np.ndarray:
    """Columns of several types as float64; what tables miss becomes NaN."""
    if any(isinstance(value, str | bytes) for value in array.ravel()):
        raise TypeError("text among them")
    if hasattr(values, "to_numpy") and hasattr(values, "iloc"):  # pandas, whose NA is no number
        return values.to_numpy(dtype=float, na_value=np.nan)
    return array.astype(np.float64)


def _missing(label: Any) -> bool:
    # pandas' NA has no truth value, so that it is known by its name.
    gone = label is None or type(label).__name__ in ("NAType", "NaTType")
    return gone or (isinstance(label, float) and label != label)
