"""What every kernel object can do: evaluate, diagonal, distance, and algebra."""

# Types are checked when called, too.
# pyright: reportUnnecessaryIsInstance=false

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from array_api_compat import array_namespace
from array_api_compat import device as device_of  # pyright: ignore[reportUnknownVariableType]

from ..engines.pairs import Differences, Pairs, differences
from ..errors import InputError
from ..printable import shown
from .blocks import distances

if TYPE_CHECKING:
    from ..typing import Array, Inputs

# Rows of a kernel matrix of which only the diagonal is wanted.
_BLOCK = 16


@dataclass(frozen=True)
class Kernel:
    """A positive semidefinite kernel: frozen data that can be called.

    `k + l`, `k * l` and `2.0 * k` are kernels too.
    """

    def __call__(self, X: Inputs, Y: Inputs | None = None) -> Array:
        """K(x_i, y_j), an (n, m) array in the dtype of the inputs; exactly symmetric without Y."""
        raise InputError(f"{type(self).__name__} has no values: define __call__(self, X, Y=None)")

    def diag(self, X: Inputs) -> Array:
        """K(x_i, x_i), an (n,) array."""
        raise InputError(f"{type(self).__name__} has no diagonal: define diag(self, X)")

    def distance(self, X: Inputs, Y: Inputs | None = None, *, rtol: float = 1e-6) -> Array:
        """‖Φ(x_i) − Φ(y_j)‖ in the RKHS, an (n, m) array in the dtype of the inputs.

        Args:
            X, Y: inputs (n, *space, channels) and (m, *space, channels); no Y is a symmetric call.
            rtol: the relative error of the distances, from 1e-12 to 1.

        K(x,x) + K(y,y) − 2K(x,y) is computed in float64 at first, whatever the inputs' dtype. Pairs
        so near to each other that rounding would spoil it (`engines.rounding.near` has the rule)
        are then computed with 32 digits, which is right down to ‖x − y‖ = 1e-10·‖x‖ and beyond, but
        takes some hundred times longer for each such pair (about 10 milliseconds for 8×8 pixels and
        pooling, a second for 28×28); the memory it takes does not depend on how many there are.
        Identical inputs are at distance 0 exactly. A function that `Activation` was given runs in
        float64 all the same, and of a PyTorch result that is to be differentiated all is float64:
        distances below about 1e-8·‖Φ(x)‖ are rounding there.

        >>> import numpy as np
        >>> from tangency import NNGP
        >>> x = np.array([[0.5, 0.25]])
        >>> NNGP("dense relu dense").distance(x, x + [[0, 2.0**-40]]) / 2.0**-40
        array([[1.]])
        """
        return self._distance(X, Y, False, rtol)

    def paired_distance(self, X: Inputs, Y: Inputs | None, *, rtol: float = 1e-6) -> Array:
        """‖Φ(x_i) − Φ(y_i)‖ for inputs taken two by two, an (n,) array; else as `distance`.

        It is fastest where equal rows of X follow each other.

        Raises:
            InputError: X and Y are not of one shape, or there is no Y.

        >>> import numpy as np
        >>> from tangency import NTK
        >>> x = np.array([[3.0, 4.0], [0.0, 1.0]])
        >>> NTK("dense relu dense").paired_distance(x, 2 * x)
        array([7.07..., 1.41...])
        """
        if Y is None:
            raise InputError(
                "paired_distance takes inputs two by two and needs Y; distance(X) gives the "
                "distances of all pairs of X"
            )
        return self._distance(X, Y, True, rtol)

    def _distance(self, X: Any, Y: Any | None, paired: bool, rtol: float) -> Any:
        if isinstance(rtol, bool) or not isinstance(rtol, int | float) or not 1e-12 <= rtol <= 1:
            raise InputError(f"rtol must be a number from 1e-12 to 1, got {shown(rtol)}")
        return distances(self, X, Y, paired, rtol)

    @property
    def _limit(self) -> int | None:
        """Bytes to work in, if there is a limit."""
        return None

    def _within(self, max_memory: int) -> Kernel:
        """The same kernel with another limit, if it keeps to one."""
        return self

    def _differences(self, X: Any, Y: Any, paired: bool, rtol: float) -> Differences:
        """Squared distances and what goes with them: of all pairs, or of rows taken two by two.

        A kernel of the user's own has only its values, in the dtype it computes in.
        """
        if paired:
            blocks = [slice(i, i + _BLOCK) for i in range(0, len(X), _BLOCK)]
            parts = [self(X[b], Y[b]) for b in blocks]
            xp = array_namespace(*parts)
            cross = xp.concat([xp.linalg.diagonal(part) for part in parts])
            return differences(Pairs(self.diag(X), self.diag(Y), cross))
        cross, first = self(X, Y), self.diag(X)
        second = first if Y is None else self.diag(Y)
        found = differences(Pairs(first[:, None], second[None, :], cross))
        if Y is not None:
            return found
        xp = array_namespace(cross)
        same = xp.eye(cross.shape[0], dtype=xp.bool, device=device_of(cross))
        return found._replace(squared=xp.where(same, xp.zeros_like(cross), found.squared))

    def to_dict(self) -> dict[str, Any]:
        """The kernel as JSON-able data, for `kernel_from_dict`."""
        raise NotImplementedError

    def _require(self, *kinds: type) -> None:
        """Refuses to describe a subclass by the name of its base, or by its own name alone."""
        if type(self) not in kinds:
            raise InputError(
                f"{type(self).__name__} is a class of your own, which its name alone does not tell "
                "from another; give it a to_dict that describes it"
            )

    def __add__(self, other: Any) -> Kernel:
        from .algebra import Sum

        return Sum((self, other)) if isinstance(other, Kernel) else NotImplemented

    def __mul__(self, other: Any) -> Kernel:
        from .algebra import Product, Scaled

        if isinstance(other, Kernel):
            return Product((self, other))
        return Scaled(self, other) if isinstance(other, int | float) else NotImplemented

    __rmul__ = __mul__
