"""What theory says about ‖Φ(x) − Φ(y)‖ for a kernel: a bound to draw over what is measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError, NetworkError
from ..kernels.base import Kernel
from ..kernels.network import NTK, NetworkKernel
from ..nets import Dense, ReLU, Sequential
from ..nets.facts import stated
from ..nets.plan import activations, plan
from .jets import lipschitz_constant

_TWO_LAYER_RELU = Sequential(Dense(), ReLU(), Dense())


@dataclass(frozen=True)
class Bound:
    """An upper bound on ‖Φ(x) − Φ(y)‖: root·√(min(‖x‖, ‖y‖)·‖x − y‖) + slope·‖x − y‖.

    Attributes:
        label: the formula, for a legend.
    """

    label: str
    slope: float
    root: float = 0.0

    def value(self, norm: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """The bound, from min(‖x‖, ‖y‖) and ‖x − y‖, arrays that broadcast."""
        return self.root * np.sqrt(norm * distance) + self.slope * distance


def bound(kernel: Kernel, sphere: bool) -> Bound | None:
    """The bound that holds for a kernel, on the unit sphere or everywhere; None if none is known.

    The NTK of `dense relu dense` has √(min(‖x‖, ‖y‖)·‖x − y‖) + 2‖x − y‖; dense networks without
    biases have their Lipschitz constant where it is finite, off the sphere only if their
    activations are homogeneous.

    Source: Bietti & Mairal 2019, smoothness of the two-layer NTK; `lipschitz_constant`.

    >>> from tangency import NTK
    >>> bound(NTK("dense relu dense"), sphere=True).label
    '√(min(‖x‖, ‖y‖) ‖x − y‖) + 2 ‖x − y‖'
    """
    if not isinstance(kernel, NetworkKernel) or kernel.normalize:
        return None
    tangent = isinstance(kernel, NTK)
    if tangent and kernel.net == _TWO_LAYER_RELU:
        return Bound("√(min(‖x‖, ‖y‖) ‖x − y‖) + 2 ‖x − y‖", slope=2.0, root=1.0)
    try:
        found = activations(plan(kernel.net, (2,)).steps)
    except NetworkError:
        return None
    homogeneous = all(stated(layer, "homogeneous") for layer in found)
    if not (sphere or homogeneous):
        return None
    try:
        constant = lipschitz_constant(kernel.net, "ntk" if tangent else "nngp", sphere=sphere)
    except InputError:
        return None
    if not np.isfinite(constant):
        return None
    factor = "" if f"{constant:.3g}" == "1" else f"{constant:.3g} "
    return Bound(f"{factor}‖x − y‖", constant)
