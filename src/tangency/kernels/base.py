"""What every kernel object can do: evaluate, diagonal, distance, and algebra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace, device

from ..nets.special import positive_part, safe_sqrt


@dataclass(frozen=True)
class Kernel:
    """A positive semidefinite kernel: frozen data that can be called.

    `k + l`, `k * l` and `2.0 * k` are kernels too.
    """

    def __call__(self, X: Any, Y: Any | None = None) -> Any:
        """K(x_i, y_j), an (n, m) array in the dtype of the inputs; exactly symmetric without Y."""
        raise NotImplementedError

    def diag(self, X: Any) -> Any:
        """K(x_i, x_i), an (n,) array."""
        raise NotImplementedError

    def distance(self, X: Any, Y: Any | None = None) -> Any:
        """‖Φ(x_i) − Φ(y_j)‖ in the RKHS, an (n, m) array, from K(x,x) + K(y,y) − 2K(x,y).

        The difference cancels: distances below about 1e-8·‖Φ(x)‖ (float64) are rounding.
        """
        matrix = self(X, Y)
        xp = array_namespace(matrix)
        first = self.diag(X)
        second = first if Y is None else self.diag(Y)
        squared = positive_part(first[:, None] + second[None, :] - 2 * matrix)
        if Y is None:
            same = xp.eye(matrix.shape[0], dtype=xp.bool, device=device(matrix))
            squared = xp.where(same, xp.zeros_like(squared), squared)
        return safe_sqrt(squared)

    def to_dict(self) -> dict[str, Any]:
        """The kernel as JSON-able data, for `kernel_from_dict`."""
        raise NotImplementedError

    def __add__(self, other: Any) -> Kernel:
        from .algebra import Sum

        return Sum((self, other)) if isinstance(other, Kernel) else NotImplemented

    def __mul__(self, other: Any) -> Kernel:
        from .algebra import Product, Scaled

        if isinstance(other, Kernel):
            return Product((self, other))
        return Scaled(self, other) if isinstance(other, int | float) else NotImplemented

    __rmul__ = __mul__


def normalized(matrix: Any, first: Any, second: Any) -> Any:
    """K(x,y)/√(K(x,x)K(y,y)); 0 where one of the diagonals is 0."""
    xp = array_namespace(matrix)
    norm = safe_sqrt(first)[:, None] * safe_sqrt(second)[None, :]
    positive = norm > 0
    safe = xp.where(positive, norm, xp.ones_like(norm))
    return xp.where(positive, matrix / safe, xp.zeros_like(matrix))
