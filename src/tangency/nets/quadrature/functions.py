"""Functions that `Activation` knows by name, and how any function is called safely."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from ...errors import NetworkError
from ..facts import EVEN, ODD, Powers
from ..values import own


def _sigmoid(u: Any) -> Any:
    xp = array_namespace(u)
    return 0.5 * (1 + xp.tanh(0.5 * u))


def _softplus(u: Any) -> Any:
    xp = array_namespace(u)
    return xp.where(u > 0, u, xp.zeros_like(u)) + xp.log1p(xp.exp(-xp.abs(u)))


def _elu(u: Any) -> Any:
    xp = array_namespace(u)
    zero = xp.zeros_like(u)
    return xp.where(u > 0, u, xp.expm1(xp.where(u > 0, zero, u)))


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": lambda u: array_namespace(u).tanh(u),
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "silu": lambda u: u * _sigmoid(u),
    "elu": _elu,
    "gaussian": lambda u: array_namespace(u).exp(-0.5 * u * u),
}
"""The functions that `Activation` knows by name, hence in the text form too."""


SERIES = {
    "tanh": ODD,
    "sigmoid": Powers((0, 1), odd=True),
    "softplus": Powers((0, 1), even=True),
    "silu": Powers((0, 1), even=True),
    "gaussian": EVEN,
}
"""Of those without a kink, the powers in the dual."""


def sample(function: Callable[[Any], Any], name: str, u: np.ndarray) -> np.ndarray:
    """σ(u) in float64 for a float64 array, by a function of NumPy arrays or of PyTorch tensors.

    Raises:
        NetworkError: it fails on both, or does not give one real number for each.
    """
    try:
        with np.errstate(all="ignore"):
            values = function(own(u))
    except Exception as error:
        values = _by_torch(function, u)
        if values is None:
            raise NetworkError(
                f"the activation {name!r} failed on a NumPy array ({type(error).__name__}: "
                f"{str(error)[:200]}); it must work elementwise on arrays"
            ) from error
    if getattr(values, "requires_grad", False):
        raise NetworkError(
            f"the activation {name!r} holds a parameter that wants a gradient, which quadrature "
            "cannot give; detach it"
        )
    values = np.asarray(values)
    if values.shape != u.shape or values.dtype.kind not in "biuf":
        raise NetworkError(
            f"the activation {name!r} gave shape {values.shape} and dtype {values.dtype} for a "
            f"float64 array of shape {u.shape}; it must work elementwise and give real numbers"
        )
    return values.astype(np.float64)


def _by_torch(function: Callable[[Any], Any], u: np.ndarray) -> Any:
    """The values on a PyTorch tensor; None where that fails too, or PyTorch is not in use."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    try:
        return function(torch.from_numpy(own(u)))
    except Exception:
        return None
