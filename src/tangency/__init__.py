"""Exact kernels of infinitely wide neural networks.

    import tangency as tg

    net = tg.parse("conv3 relu gauss2 conv3 relu gap dense")
    tg.NTK(net)(X)  # the neural tangent kernel, (n, n)
    tg.NNGP(net)(X)  # the last-layer kernel

The NTK describes a wide network trained by gradient descent in all its layers, the last-layer
kernel (NNGP, or CKN) the same network with only its last layer trained.

Public are what this package exports, and what `nets`, `kernels`, `learn`, `gram`, `data`, `bias`,
`finite`, `results`, `adapters` and `typing` do. All else is private by convention, and may change.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import InputError, MemoryLimitError, NetworkError, StoreError
from .gram import gram
from .kernels import NNGP, NTK, Graphs, KernelPair, Masked, explain, layer_kernels
from .nets import (
    GELU,
    RBF,
    ABReLU,
    Abs,
    Activation,
    Aggregate,
    AvgPool,
    ClassToken,
    Concatenate,
    Conv,
    ConvLocal,
    ConvTranspose,
    Cosine,
    Dense,
    Dropout,
    Erf,
    Exp,
    ExpNormalized,
    Exponential,
    Flatten,
    Gabor,
    Gaussian,
    GaussianPool,
    GlobalAvgPool,
    GlobalSumPool,
    Hermite,
    Layer,
    LayerNorm,
    LeakyReLU,
    LinearMap,
    Monomial,
    Pad,
    PixelShuffle,
    Polynomial,
    PolynomialActivation,
    Pool,
    PositionalEmbedding,
    Product,
    RectifiedMonomial,
    ReLU,
    Rescale,
    Residual,
    Resize,
    SelfAttention,
    Sequential,
    SigmoidLike,
    Sign,
    Sine,
    Slice,
    Subsample,
    Sum,
    SumPool,
    Upsample,
    ckn,
    cntk,
    densenet,
    from_torch,
    mlp,
    myrtle,
    parse,
    standard,
    transformer,
    unet,
    vit,
    wide_resnet,
)
from .nets.teach import elsewhere as _elsewhere
from .version import __version__

if TYPE_CHECKING:
    from .learn import (
        GaussianProcess,
        KernelClassifier,
        KernelRegressor,
        LayerwiseFeatures,
        NystromFeatures,
        RandomFeatures,
        search,
        tune,
        variants,
    )

# Loaded on first use: scikit-learn alone would double the time of the import.
_LATER = {
    "GaussianProcess": "learn",
    "KernelClassifier": "learn",
    "KernelRegressor": "learn",
    "LayerwiseFeatures": "learn",
    "NystromFeatures": "learn",
    "RandomFeatures": "learn",
    "search": "learn",
    "tune": "learn",
    "variants": "learn",
}
_PACKAGES = (
    *("adapters", "bias", "cli", "data", "engines", "finite", "kernels"),
    *("learn", "matrix", "nets", "report"),
)


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f".{_LATER[name]}", __name__), name)
    if name in _PACKAGES:
        return import_module(f".{name}", __name__)
    hint = "" if name.startswith("_") else _elsewhere(name, __all__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LATER, *_PACKAGES])


__all__ = [
    "GELU",
    "NNGP",
    "NTK",
    "RBF",
    "ABReLU",
    "Abs",
    "Activation",
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
    "GaussianProcess",
    "GlobalAvgPool",
    "GlobalSumPool",
    "Graphs",
    "Hermite",
    "InputError",
    "KernelClassifier",
    "KernelPair",
    "KernelRegressor",
    "Layer",
    "LayerNorm",
    "LayerwiseFeatures",
    "LeakyReLU",
    "LinearMap",
    "Masked",
    "MemoryLimitError",
    "Monomial",
    "NetworkError",
    "NystromFeatures",
    "Pad",
    "PixelShuffle",
    "Polynomial",
    "PolynomialActivation",
    "Pool",
    "PositionalEmbedding",
    "Product",
    "RandomFeatures",
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
    "StoreError",
    "Subsample",
    "Sum",
    "SumPool",
    "Upsample",
    "__version__",
    "ckn",
    "cntk",
    "densenet",
    "explain",
    "from_torch",
    "gram",
    "layer_kernels",
    "mlp",
    "myrtle",
    "parse",
    "search",
    "standard",
    "transformer",
    "tune",
    "unet",
    "variants",
    "vit",
    "wide_resnet",
]
