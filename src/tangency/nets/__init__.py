"""Networks as data: layers, activations, the text form, presets, and plans for engines.

Layers are in `linear`, `pooling`, `filters` and `structure` (Sequential, Residual, LayerNorm);
`activations` have their duals (κ₀, κ₁) in closed form, `quadrature` computes any other. What a
layer does to Σ and Θ is the table of `operators`. Ready networks: `presets`; the text: `text`.
"""

from .activations import (
    GELU,
    RBF,
    ABReLU,
    Abs,
    ActivationLayer,
    Cosine,
    Erf,
    Exp,
    ExpNormalized,
    Exponential,
    Gabor,
    Gaussian,
    Hermite,
    LeakyReLU,
    Monomial,
    Polynomial,
    PolynomialActivation,
    RectifiedMonomial,
    ReLU,
    SigmoidLike,
    Sign,
    Sine,
    kappa0,
    kappa1,
)
from .base import Layer
from .facts import Steepness
from .filters import LinearMap, Pool
from .identity import register
from .linear import Conv, Dense
from .pooling import AvgPool, Flatten, GaussianPool, GlobalAvgPool, Subsample
from .presets import ckn, cntk, mlp, myrtle, wide_resnet
from .quadrature import Activation
from .structure import LayerNorm, Rescale, Residual, Sequential
from .text import parse

__all__ = [
    "GELU",
    "RBF",
    "ABReLU",
    "Abs",
    "Activation",
    "ActivationLayer",
    "AvgPool",
    "Conv",
    "Cosine",
    "Dense",
    "Erf",
    "Exp",
    "ExpNormalized",
    "Exponential",
    "Flatten",
    "Gabor",
    "Gaussian",
    "GaussianPool",
    "GlobalAvgPool",
    "Hermite",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LinearMap",
    "Monomial",
    "Polynomial",
    "PolynomialActivation",
    "Pool",
    "ReLU",
    "RectifiedMonomial",
    "Rescale",
    "Residual",
    "Sequential",
    "SigmoidLike",
    "Sign",
    "Sine",
    "Steepness",
    "Subsample",
    "ckn",
    "cntk",
    "kappa0",
    "kappa1",
    "mlp",
    "myrtle",
    "parse",
    "register",
    "wide_resnet",
]
