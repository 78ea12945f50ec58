"""Activations with a closed form: a name, the dual k, its derivative k̇, the scalar function.

For centred Gaussians f, f' with variances q, q' and covariance s, the dual is k = E[σ(f)σ(f')]
and its derivative k̇ = ∂k/∂s = E[σ'(f)σ'(f')]. All formulas take arrays of any Array API library
(NumPy, PyTorch) and broadcast; they stay finite, and so do their gradients, at s = ±√(q q') and
at q = 0. A class also states what theory and engines ask of it (see `ActivationLayer`).
"""

from .angles import RectifiedMonomial, Sign
from .base import ActivationLayer
from .bells import Exp, Gabor, Gaussian
from .gaussian import GELU, Erf, SigmoidLike
from .hermite import Hermite
from .piecewise import ABReLU, Abs, LeakyReLU, PiecewiseLinear, ReLU, kappa0, kappa1
from .powers import Monomial, PolynomialActivation
from .sphere import ExpNormalized, Exponential, Polynomial
from .waves import RBF, Cosine, Sine

__all__ = [
    "GELU",
    "RBF",
    "ABReLU",
    "Abs",
    "ActivationLayer",
    "Cosine",
    "Erf",
    "Exp",
    "ExpNormalized",
    "Exponential",
    "Gabor",
    "Gaussian",
    "Hermite",
    "LeakyReLU",
    "Monomial",
    "PiecewiseLinear",
    "Polynomial",
    "PolynomialActivation",
    "ReLU",
    "RectifiedMonomial",
    "SigmoidLike",
    "Sign",
    "Sine",
    "kappa0",
    "kappa1",
]
