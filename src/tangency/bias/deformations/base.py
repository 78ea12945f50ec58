"""What every deformation can do: be evaluated, measured, scaled, added and composed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...checks import array, number, shown, sizes, whole, within_memory
from ...errors import InputError
from .checks import spatial_shape

_MOST_POINTS = 10**8


@dataclass(frozen=True)
class Deformation:
    """A displacement field τ, as frozen data; it acts on images by L_τ x(u) = x(u − τ(u)).

    Positions u and displacements τ(u) are in pixels of a continuous plane (or line), u from the
    centre of the image, axes in the order of the array: row (downwards), column.

    `t * tau` multiplies the displacement, `a + b` adds displacements, `a @ b` is the field of
    L_a L_b (first b, then a). The theory asks for ‖∇τ‖_∞ ≤ 1/2; below 1, L_τ can be undone.

    Source: Mallat 2012; Bietti & Mairal 2019.

    >>> from tangency.bias.deformations import Rotation, Translation
    >>> tau = Rotation(0.1) + Translation((1, 0))
    >>> tau.displacement([[0, 0]])
    array([[1., 0.]])
    >>> round(tau.gradient_norm((8, 8)), 6)  # 2 sin(0.1 / 2)
    0.099958
    """

    @property
    def dims(self) -> int:
        """How many spatial axes it acts on: 1 (signals) or 2 (images)."""
        raise NotImplementedError

    @property
    def exact(self) -> bool:
        """Both norms have a closed form; if not, they are suprema over the pixels."""
        return False

    def _tau(self, u: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _gradient(self, u: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def displacement(self, points: Any) -> np.ndarray:
        """τ(u) in pixels, (m, dims), at points u (m, dims) in pixels from the centre."""
        return self._tau(self._points(points))

    def jacobian(self, points: Any) -> np.ndarray:
        """∇τ(u), (m, dims, dims): entry (i, a, b) is ∂τ_a/∂u_b at point i."""
        return self._gradient(self._points(points))

    def sup_norm(self, shape: Sequence[int] | int, refine: int = 1) -> float:
        """‖τ‖_∞ in pixels: the largest length |τ(u)| over an image of spatial shape `shape`.

        Where `exact`, u runs over the rectangle (interval) between the centres of the outermost
        pixels. Else it runs over the pixels' centres, the only places that deforming an image
        evaluates; `refine=r` puts r − 1 further points between neighbours.
        """
        return float(np.max(np.linalg.norm(self._tau(self._grid(shape, refine)), axis=-1)))

    def gradient_norm(self, shape: Sequence[int] | int, refine: int = 1) -> float:
        """‖∇τ‖_∞: the largest operator norm of ∇τ(u), u as in `sup_norm`."""
        gradients = self._gradient(self._grid(shape, refine))
        return float(np.max(np.linalg.norm(gradients, 2, axis=(-2, -1))))

    def scale_to(
        self,
        shape: Sequence[int] | int,
        *,
        gradient: float | None = None,
        displacement: float | None = None,
        refine: int = 1,
    ) -> Deformation:
        """t·τ, t ≥ 0, such that ‖∇τ‖_∞ is `gradient`, or ‖τ‖_∞ is `displacement` pixels.

        Raises:
            InputError: not exactly one of the two is given, or that norm of τ is 0.

        >>> from tangency.bias.deformations import Shear
        >>> Shear(1.0).scale_to((8, 8), gradient=0.25).gradient_norm((8, 8))
        0.25
        """
        if (gradient is None) == (displacement is None):
            raise InputError("give one of gradient= and displacement=: the norm to scale to")
        if gradient is not None:
            name, wanted, now = "‖∇τ‖", gradient, self.gradient_norm(shape, refine)
        else:
            name, wanted, now = "‖τ‖", displacement, self.sup_norm(shape, refine)
        wanted = number(wanted, f"the {name} to scale to", least=0.0)
        if now == 0:
            raise InputError(
                f"{shown(self)} has {name} = 0, which cannot be scaled to {wanted:g}; scale its "
                "other norm, or take another deformation"
            )
        return self._times(wanted / now)

    def __mul__(self, factor: float) -> Deformation:
        if not isinstance(factor, int | float | np.number):
            return NotImplemented
        return self._times(number(factor, "the factor of a deformation"))

    __rmul__ = __mul__

    def __neg__(self) -> Deformation:
        return self._times(-1.0)

    def __add__(self, other: Deformation) -> Deformation:
        from .combined import add

        return add(self, other) if isinstance(other, Deformation) else NotImplemented

    def __matmul__(self, other: Deformation) -> Deformation:
        from .combined import compose

        return compose(self, other) if isinstance(other, Deformation) else NotImplemented

    def _times(self, factor: float) -> Deformation:
        from .combined import Multiple

        return Multiple(factor, self)

    def _points(self, points: Any) -> np.ndarray:
        u = array(points, "points")
        if u.ndim != 2 or u.shape[1] != self.dims or not np.all(np.isfinite(u)):
            raise InputError(
                f"points must be finite numbers of shape (m, {self.dims}), in pixels from the "
                f"centre of the image; got shape {u.shape}"
            )
        return u.copy()  # a field of the caller's own may write to it

    def _grid(self, shape: Sequence[int] | int, refine: int) -> np.ndarray:
        return pixel_grid(spatial_shape(shape, self.dims), whole(refine, "refine", 1))


@within_memory()
def pixel_grid(shape: Sequence[int], refine: int = 1) -> np.ndarray:
    """The pixels' centres in row-major order, (m, dims), in pixels from the image's centre.

    `refine=r` puts r − 1 further points between neighbours along every axis.

    >>> pixel_grid((2,)).tolist()
    [[-0.5], [0.5]]
    """
    refine, lengths = whole(refine, "refine", 1), sizes(shape, "shape")
    total = math.prod((n - 1) * refine + 1 for n in lengths)
    if not 0 < total <= _MOST_POINTS or not lengths:
        raise InputError(
            f"shape {shown(shape)} with refine={refine} has {total} points; give one or more sizes "
            f"that make at most {_MOST_POINTS:,}"
        )
    axes = [np.linspace(-(n - 1) / 2, (n - 1) / 2, (n - 1) * refine + 1) for n in lengths]
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=-1)
