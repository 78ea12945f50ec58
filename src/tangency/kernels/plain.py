"""Data of other libraries as plain NumPy arrays or tables, whoever reads them then."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from ..errors import InputError
from .foreign import (
    holds_tensors,
    is_table,
    readable_tensor,
    refuse_masked,
    refuse_no_data,
    refuse_uncomputed,
    refuse_unread,
)
from .packing import refuse_structured

_NUMPYS = ("torch.float16", "torch.float32", "torch.float64")


def plain(data: Any, name: str) -> Any:
    """Return `data` in a form whose values NumPy and scikit-learn read as they are.

    Tensors become arrays, without their gradients, which no fit passes on. Raises `InputError`
    for masked values, for what is not dense, and for what is no data at all.

    >>> plain([[1.0, 2.0]], "X")
    [[1.0, 2.0]]
    """
    refuse_structured(data, name)
    refuse_masked(data, name)
    if is_torch_array(data):
        return _from_tensor(data, name)
    if holds_tensors(data):
        return [plain(each, name) for each in data]
    refuse_uncomputed(data, name)
    refuse_unread(data, name)
    refuse_no_data(data, name)
    if is_table(data):
        _refuse_dates(data, name)
    if isinstance(data, np.ma.MaskedArray):
        return np.asarray(data)  # nothing is masked
    return data


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
