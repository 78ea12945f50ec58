"""Activations with a closed form: a name, the dual k, its derivative k̇, the scalar function.

For centred Gaussians f, f' with variances q, q' and covariance s, the dual is k = E[σ(f)σ(f')]
and its derivative k̇ = ∂k/∂s = E[σ'(f)σ'(f')]. All formulas take arrays of any Array API library
(NumPy, PyTorch) and broadcast; they stay finite, and so do their gradients, at s = ±√(q q') and
at q = 0. A class also states what theory and engines ask of it (see `ActivationLayer`).
"""

from .base import ActivationLayer
from .gaussian import GELU, Erf
from .hermite import Hermite
from .piecewise import Abs, LeakyReLU, PiecewiseLinear, ReLU, kappa0, kappa1
from .sphere import Exponential, Polynomial
from .waves import Cosine, Sine

__all__ = [
    "GELU",
    "Abs",
    "ActivationLayer",
    "Cosine",
    "Erf",
    "Exponential",
    "Hermite",
    "LeakyReLU",
    "PiecewiseLinear",
    "Polynomial",
    "ReLU",
    "Sine",
    "kappa0",
    "kappa1",
]
