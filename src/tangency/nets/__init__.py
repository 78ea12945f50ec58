"""Networks as data: layers, activations, the text form, presets, and plans for engines.

Layers are in `linear`, `transposed`, `pooling`, `resampling`, `cropping`, `filters`, `structure`
(Sequential, Residual, LayerNorm) and `branches` (Sum, Product, Concatenate);
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
from .attention import ClassToken, PositionalEmbedding, SelfAttention
from .base import Layer
from .branches import Concatenate, Product, Sum
from .cropping import Pad, Slice
from .dropout import Dropout
from .facts import Steepness
from .filters import LinearMap, Pool
from .graphs import Aggregate
from .identity import register
from .lift import from_torch
from .linear import Conv, ConvLocal, Dense
from .pooling import (
    AvgPool,
    Flatten,
    GaussianPool,
    GlobalAvgPool,
    GlobalSumPool,
    Subsample,
    SumPool,
)
from .presets import ckn, cntk, densenet, mlp, myrtle, transformer, unet, vit, wide_resnet
from .quadrature import Activation
from .resampling import PixelShuffle, Resize, Upsample
from .standard import standard
from .structure import LayerNorm, Rescale, Residual, Sequential
from .text import parse
from .transposed import ConvTranspose

__all__ = [
    "GELU",
    "RBF",
    "ABReLU",
    "Abs",
    "Activation",
    "ActivationLayer",
    "Aggregate",
    "AvgPool",
    "ClassToken",
    "Concatenate",
    "Conv",
    "ConvLocal",
    "ConvTranspose",
    "Cosine",
    "Dense",
    "Dropout",
    "Erf",
    "Exp",
    "ExpNormalized",
    "Exponential",
    "Flatten",
    "Gabor",
    "Gaussian",
    "GaussianPool",
    "GlobalAvgPool",
    "GlobalSumPool",
    "Hermite",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LinearMap",
    "Monomial",
    "Pad",
    "PixelShuffle",
    "Polynomial",
    "PolynomialActivation",
    "Pool",
    "PositionalEmbedding",
    "Product",
    "ReLU",
    "RectifiedMonomial",
    "Rescale",
    "Residual",
    "Resize",
    "SelfAttention",
    "Sequential",
    "SigmoidLike",
    "Sign",
    "Sine",
    "Slice",
    "Steepness",
    "Subsample",
    "Sum",
    "SumPool",
    "Upsample",
    "ckn",
    "cntk",
    "densenet",
    "from_torch",
    "kappa0",
    "kappa1",
    "mlp",
    "myrtle",
    "parse",
    "register",
    "standard",
    "transformer",
    "unet",
    "vit",
    "wide_resnet",
]
