"""Inputs that are more than their values, and their way into the one array that engines take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn, Self

import numpy as np
from array_api_compat import array_namespace, device, is_torch_array

from ..engines.prepared import Prepared
from ..errors import InputError
from ..nets.attached import Attached


class Structured:
    """Values X (n, *space, channels), positions of them that are masked, and perhaps edges.

    As a sequence it is one of inputs: `len`, slices and arrays of places or of truth values work as
    for the first axis of an array. It is no array: what takes arrays alone refuses it by name.

    Attributes:
        X: the values, 0 at masked positions.
        mask: (n, *space) of NumPy's booleans, True where a position is masked.
        adjacency: (n, nodes, nodes), or None.
    """

    def __init__(self, X: Any, mask: np.ndarray, adjacency: Any | None = None) -> None:
        self.X, self.mask, self.adjacency = X, mask, adjacency

    def __len__(self) -> int:
        return len(self.mask)

    def __getitem__(self, places: Any) -> Self:
        try:
            chosen = np.arange(len(self))[places]
        except (IndexError, TypeError, ValueError) as error:
            raise (IndexError if isinstance(error, IndexError) else InputError)(
                f"{type(self).__name__} are taken by a place, a slice, or an array of places or "
                f"truth values of their {len(self)} inputs: {error}"
            ) from None
        if chosen.ndim > 1:
            raise InputError(f"{type(self).__name__} have one axis of inputs; take places (k,)")
        chosen = np.atleast_1d(chosen)
        other = object.__new__(type(self))
        edges = None if self.adjacency is None else self.adjacency[chosen]
        Structured.__init__(other, self.X[chosen], self.mask[chosen], edges)
        return other

    def __iter__(self) -> Iterator[Self]:
        return (self[place] for place in range(len(self)))

    @property
    def shape(self) -> tuple[int]:
        """(n,): one axis, that of the inputs, whose values are in `X`."""
        return (len(self),)

    @property
    def sizes(self) -> np.ndarray:
        """How many positions of each input are not masked, (n,)."""
        return np.sum(~self.mask.reshape(len(self), -1), axis=1)

    @property
    def attached(self) -> Attached:
        """What `packed` puts behind the values."""
        return Attached(0 if self.adjacency is None else self.mask.shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes of all that is held."""
        return sum(a.nbytes for a in (self.X, self.mask, self.adjacency) if a is not None)

    def on(self, space: tuple[int, ...]) -> Structured:
        """The same inputs on a larger grid, with masked positions at its ends."""
        old = self.mask.shape[1:]
        if old == space:
            return self
        more = [(0, new - n) for new, n in zip(space, old, strict=True)]
        mask = np.pad(self.mask, [(0, 0), *more], constant_values=True)
        edges = self.adjacency
        if edges is not None:
            edges = _padded(edges, [(0, 0), *more, *more])
        found = object.__new__(type(self))
        Structured.__init__(found, _padded(self.X, [(0, 0), *more, (0, 0)]), mask, edges)
        return found

    def packed(self) -> Any:
        """(n, *space, channels + attached.channels), of the library and dtype of X."""
        xp = array_namespace(self.X)
        kept = xp.asarray(
            ~self.mask[..., None], dtype=self.X.dtype, device=device(self.X), copy=True
        )
        parts = [self.X, kept] + ([] if self.adjacency is None else [self.adjacency])
        return xp.concat(parts, axis=-1)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        refuse_structured(self, "X")
        raise AssertionError


def in_dtype(inputs: Structured, dtype: Any) -> Structured:
    """The same inputs with values and edges of another precision, of NumPy's arrays.

    Raises:
        InputError: values or edges beyond its range.
    """
    if inputs.X.dtype == dtype:
        return inputs
    with np.errstate(over="ignore"):
        X = inputs.X.astype(dtype)
        edges = None if inputs.adjacency is None else inputs.adjacency.astype(dtype)
    for name, values in (("values", X), ("weights of edges", edges)):
        if values is not None and not np.isfinite(values).all():
            raise InputError(
                f"{type(inputs).__name__} holds {name} beyond the range of {np.dtype(dtype)}; "
                "scale them down, or take float64"
            )
    found = object.__new__(type(inputs))
    Structured.__init__(found, X, inputs.mask, edges)
    return found


def refuse_structured(data: Any, name: str, what: str = "this function") -> None:
    """Refuses `Masked` and `Graphs`, of which the values alone are another thing.

    Raises:
        InputError: with what to do.
    """
    inputs = data.inputs if isinstance(data, Prepared) else data
    if isinstance(inputs, Structured):
        kind = type(inputs).__name__
        beside = "masks" if inputs.adjacency is None else "edges"
        raise InputError(
            f"{name} is {kind}, whose {beside} {what} does not know; kernels (NTK, NNGP, gram, "
            "layer_kernels), stores, the estimators on them (KernelRegressor, KernelClassifier, "
            "GaussianProcess) and NystromFeatures take it, and all that takes "
            f'kernel="precomputed" takes K({name}); to use the values alone, pass {name}.X'
        )


def _padded(array: Any, widths: list[tuple[int, int]]) -> Any:
    if not is_torch_array(array):
        return np.pad(array, widths)
    from torch.nn.functional import pad

    return pad(array, [n for pair in reversed(widths) for n in pair])
