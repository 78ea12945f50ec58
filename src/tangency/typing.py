"""The types of what public functions take and give, for annotations of your own code too.

Several libraries pass: what is taken is stated by what it can do, not by its class. `Any` is left
where anything goes, as in the formula of an activation, which runs on many kinds of numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .engines.prepared import Prepared
from .kernels.coerce import KernelLike, Kernels
from .kernels.packing import Structured
from .nets.coerce import NetworkLike


class SupportsArray(Protocol):
    """Arrays of NumPy and Zarr, tensors of PyTorch, data frames of pandas and Polars."""

    def __array__(self) -> NDArray[Any]: ...

    @property
    def shape(self) -> Any: ...


ArrayLike: TypeAlias = SupportsArray | Sequence[Any]
"""Numbers with axes, of any library, or in nested lists."""

Inputs: TypeAlias = ArrayLike | Prepared | Structured
"""What a kernel takes: (n, *space, channels), or rows where an `input_shape` is stated; `Masked`
and `Graphs`."""

Array: TypeAlias = NDArray[np.floating[Any]] | Any
"""An array of the library that the inputs are of: NumPy's, or else a tensor of PyTorch."""

FilePath: TypeAlias = str | PathLike[str]
"""Where a file or a folder is."""

Seed: TypeAlias = int
"""Of what is drawn at random: the same number, the same draws."""

RandomState: TypeAlias = int | np.random.Generator | np.random.RandomState | None
"""As scikit-learn's estimators take it; None draws anew each time."""

__all__ = [
    "Array",
    "ArrayLike",
    "FilePath",
    "Inputs",
    "KernelLike",
    "Kernels",
    "NetworkLike",
    "RandomState",
    "Seed",
    "SupportsArray",
]
