"""Inputs of any size, read and checked by blocks of rows, and recognised by their digest."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from ..checks import within_memory
from ..errors import InputError
from ..kernels.inputs import on_one_grid, signals
from ..kernels.packing import Structured, in_dtype
from ..nets.attached import Attached

# Bytes that are read at a time where a whole input set passes by.
_BLOCK = 2**24


class Rows:
    """The rows of an array that may be larger than memory, in one dtype.

    Args:
        data: anything with `shape`, `dtype` and slices of rows that NumPy can read: an ndarray, a
            memory map, an array of Zarr or HDF5; or nested lists.
        dtype: float32 or float64; None: that of a kernel called with such data.
        name: of the data in error messages.

    Raises:
        InputError: data that no kernel can take. Values are looked at when they are read.
    """

    attached: Attached | None = None
    """What inputs have beside their values."""

    def __init__(self, data: Any, dtype: Any = None, name: str = "X") -> None:
        if is_torch_array(data):
            raise InputError(
                f"{name} is a PyTorch tensor; what goes to a store is computed from NumPy data: "
                f"pass {name}.detach().cpu().numpy()"
            )
        if hasattr(data, "toarray"):
            raise InputError(f"{name} is a sparse matrix; pass {name}.toarray()")
        if not (isinstance(getattr(data, "shape", None), tuple) and hasattr(data, "dtype")):
            data = signals(data, None, name)
        self.data = data
        self.name = name
        self.shape = tuple(int(size) for size in data.shape)
        if not 2 <= len(self.shape) <= 5 or 0 in self.shape:
            raise InputError(
                f"{name} must have a row for each input, (n, features) or (n, *space, channels) "
                f"with at most 3 spatial axes; got shape {self.shape}"
            )
        self.dtype = np.dtype(natural_dtype(data.dtype, name) if dtype is None else dtype)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row, as it is passed to a kernel."""
        return int(np.prod(self.shape[1:])) * self.dtype.itemsize

    @within_memory()
    def __getitem__(self, rows: slice) -> np.ndarray:
        """A block of rows, checked; raises `InputError` for NaN, infinity and masked values."""
        block = self.data[rows]
        if np.ma.is_masked(block):
            raise InputError(f"{self.name} is an array with masked values; impute or drop them")
        block = np.asarray(block)
        natural_dtype(block.dtype, self.name)
        with np.errstate(over="ignore"):
            block = np.ascontiguousarray(block, dtype=self.dtype)
        if not all_finite(block):
            bad = ~np.isfinite(block).reshape(len(block), -1).all(axis=1)
            first = (rows.start or 0) + int(np.argmax(bad))
            raise InputError(
                f"{self.name} holds NaN or infinity, in {self.dtype}, in input number "
                f"{first}, and perhaps in others; impute or drop them"
            )
        return block

    def take(self, places: np.ndarray) -> np.ndarray:
        """The rows at some places, in ascending order, read one run after the other."""
        runs = np.split(places, np.flatnonzero(np.diff(places) != 1) + 1)
        return np.concatenate([self[int(run[0]) : int(run[-1]) + 1] for run in runs])

    def digest(self) -> str:
        """SHA-256 of shape, dtype and all values in C order, however the data are laid out."""
        found = hashlib.sha256(f"{self.shape} {self.dtype.name}\n".encode())
        little = self.dtype.newbyteorder("<")
        step = max(1, _BLOCK // max(1, self.row_bytes))
        for start in range(0, len(self), step):
            block = self[start : start + step]
            found.update(block.astype(little, copy=False).data)
        return found.hexdigest()


class StructuredRows(Rows):
    """Those of `Masked` and `Graphs`, whose masks and edges come along.

    Raises:
        InputError: PyTorch's tensors.
    """

    def __init__(self, data: Structured, dtype: Any = None, name: str = "X") -> None:
        super().__init__(data.X, dtype, f"{name}.X")
        self.data, self.attached = data, data.attached

    @property
    def row_bytes(self) -> int:
        positions = int(np.prod(self.shape[1:-1]))
        assert self.attached is not None
        return super().row_bytes + positions * self.attached.channels * self.dtype.itemsize

    @within_memory()
    def __getitem__(self, rows: slice) -> Any:
        """A block of inputs, which were checked when they were made."""
        return in_dtype(self.data[rows], self.dtype)

    def take(self, places: np.ndarray) -> Any:
        return in_dtype(self.data[places], self.dtype)

    def digest(self) -> str:
        """SHA-256 of the kind of inputs, and of values, masks and edges."""
        found = hashlib.sha256(
            f"{type(self.data).__name__} {self.shape} {self.dtype.name}\n".encode()
        )
        for start in range(0, len(self), max(1, _BLOCK // self.row_bytes)):
            block = self[start : start + max(1, _BLOCK // self.row_bytes)]
            for array in (block.X, block.mask, block.adjacency):
                if array is not None:
                    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
                    found.update(np.ascontiguousarray(little).data)
        return found.hexdigest()


def rows_of(X: Any, Y: Any | None, dtype: Any = None) -> tuple[Rows, Rows | None]:
    """Two sets of inputs, those with masks or edges on one grid; the second may be missing.

    Raises:
        InputError: as `Rows`, or one set is an array and the other is not.
    """
    if Y is X:
        Y = None
    if Y is not None and (isinstance(X, Structured) or isinstance(Y, Structured)):
        X, Y = on_one_grid(X, Y)
    makes = [StructuredRows if isinstance(each, Structured) else Rows for each in (X, Y)]
    return makes[0](X, dtype, "X"), None if Y is None else makes[1](Y, dtype, "Y")


def is_in_a_file(X: Any) -> bool:
    """Whether X is an array in a file that is better read a part at a time.

    One of Zarr or HDF5, or a memory map of whole numbers, which become eight bytes each.
    """
    if isinstance(X, np.memmap):
        return X.dtype.kind in "biu"
    known = all(hasattr(X, name) for name in ("shape", "dtype", "chunks", "__getitem__"))
    return known and not hasattr(X, "compute")  # Dask's arrays are none yet


def all_finite(values: np.ndarray) -> bool:
    """Whether there is no NaN and no infinity, in one pass and without an array of its own."""
    with np.errstate(over="ignore", invalid="ignore"):
        # A sum may overflow by itself: then the values are looked at one by one.
        return bool(np.isfinite(np.sum(values))) or bool(np.all(np.isfinite(values)))


def natural_dtype(dtype: Any, name: str = "X") -> np.dtype:
    """The dtype of a kernel of such data.

    Raises:
        InputError: not real numbers.

    >>> natural_dtype(np.uint8), natural_dtype(np.float16)
    (dtype('float64'), dtype('float32'))
    """
    dtype = np.dtype(dtype)
    if dtype.kind in "biu":
        return np.dtype(np.float64)
    if dtype.kind != "f":
        raise InputError(f"{name} has dtype {dtype}; pass an array of real numbers")
    return np.dtype(np.float32 if dtype.itemsize <= 4 else np.float64)
