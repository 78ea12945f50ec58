"""A set of inputs with what engines derive from it alone, so that tiles can share it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ..nets.attached import Attached

_Derived = TypeVar("_Derived")


class Prepared:
    """Inputs whose norms and marginals are computed once, for many kernel matrices.

    Every kernel and `gram` take it in place of an array; results are those for the array. It pays
    where one set of inputs is a side of several matrices, as a block of rows is in a matrix of
    tiles. The array must not be changed afterwards.

    Args:
        inputs: (n, *space, channels), or what else the kernel takes as X.

    >>> import numpy as np
    >>> from tangency import NTK
    >>> from tangency.kernels import Prepared
    >>> k, x = NTK("dense relu dense"), Prepared(np.eye(3))
    >>> bool(np.all(k(x, np.ones((2, 3))) == k(np.eye(3), np.ones((2, 3)))))
    True
    """

    attached: Attached | None = None
    """What lies in the channels behind those of the values; None for nothing."""

    def __init__(self, inputs: Any) -> None:
        self.inputs = inputs
        self._derived: dict[Hashable, Any] = {}

    def __len__(self) -> int:
        return len(self.inputs)

    def derive(self, key: Hashable, make: Callable[[], _Derived]) -> _Derived:
        """`make()`, called only the first time for this key.

        Two threads may both call it; they get the same values.
        """
        if key not in self._derived:
            self._derived[key] = make()
        return self._derived[key]

    @property
    def nbytes(self) -> int:
        """Bytes of the inputs and of all that is kept beside them."""
        return sum({id(array): array.nbytes for array in _arrays(self)}.values())

    def __getstate__(self) -> dict[str, Any]:
        """What is derived stays behind: another process has it sooner than it could be sent."""
        return {"inputs": self.inputs, "attached": self.attached, "_derived": {}}

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(*space, channels) of one input, without what is attached to it."""
        *space, channels = self.inputs.shape[1:]
        return (*space, channels - (self.attached.channels if self.attached else 0))


def prepared_with(inputs: Any, attached: Attached | None) -> Prepared:
    """Inputs as `Prepared`, in whose last channels lies what is attached to them."""
    given = Prepared(inputs)
    given.attached = attached
    return given


def prepared(inputs: Any) -> Prepared:
    """Inputs as `Prepared`, which they may be already."""
    return inputs if isinstance(inputs, Prepared) else Prepared(inputs)


def _arrays(part: Any) -> Iterator[Any]:
    """The arrays that hold memory of their own; of views, those they look at."""
    if isinstance(part, Prepared):
        yield from _arrays(part.inputs)
        yield from _arrays(list(part._derived.values()))
    elif isinstance(part, list | tuple):
        for each in part:
            yield from _arrays(each)
    elif hasattr(part, "nbytes"):
        base = getattr(part, "base", None)
        yield part if getattr(base, "nbytes", None) is None else base
