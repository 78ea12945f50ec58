"""Networks as data: layers, activations, the text form, presets, and plans for engines.

Layers are in `linear`, `pooling`, `filters` and `structure` (Sequential, Residual, LayerNorm),
`branches` (Sum, Product, Concatenate);
`activations` have their duals (κ₀, κ₁) in closed form, `quadrature` computes any other. What a
layer does to Σ and Θ is the table of `operators`. Ready networks: `presets`; the text: `text`.
"""

from .activations import (
    GELU,
    Abs,
    ActivationLayer,
    Cosine,
    Erf,
    Exponential,
    Hermite,
    LeakyReLU,
    Polynomial,
    ReLU,
    Sine,
    kappa0,
    kappa1,
)
from .base import Layer
from .branches import Concatenate, Product, Sum
from .dropout import Dropout
from .facts import Steepness
from .filters import LinearMap, Pool
from .identity import register
from .linear import Conv, Dense
from .pooling import AvgPool, Flatten, GaussianPool, GlobalAvgPool, Subsample
from .presets import ckn, cntk, densenet, mlp, myrtle, wide_resnet
from .quadrature import Activation
from .standard import standard
from .structure import LayerNorm, Rescale, Residual, Sequential
from .text import parse

__all__ = [
    "GELU",
    "Abs",
    "Activation",
    "ActivationLayer",
    "AvgPool",
    "Concatenate",
    "Conv",
    "Cosine",
    "Dense",
    "Dropout",
    "Erf",
    "Exponential",
    "Flatten",
    "GaussianPool",
    "GlobalAvgPool",
    "Hermite",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LinearMap",
    "Polynomial",
    "Pool",
    "Product",
    "ReLU",
    "Rescale",
    "Residual",
    "Sequential",
    "Sine",
    "Steepness",
    "Subsample",
    "Sum",
    "ckn",
    "cntk",
    "densenet",
    "kappa0",
    "kappa1",
    "mlp",
    "myrtle",
    "parse",
    "register",
    "standard",
    "wide_resnet",
]
