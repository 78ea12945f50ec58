"""Networks of finite width, in PyTorch, beside their infinite limit.

    net = tg.parse("conv3 relu gap dense")
    module = tg.finite.build(net, width=256, input_shape=(8, 8, 1))
    linear = tg.finite.linearize(module)  # the same function to first order in its parameters

`build` makes networks, of `layers` and `shaping`; `expansion` linearises them; `empirical` gives
their kernels; `training` trains them, and `lazy` measures how far they then are from the limit.

Needs PyTorch: `pip install "tangency[torch]"`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .requirement import TorchMissingError, require_torch

require_torch()

from .build import FiniteNetwork, build  # noqa: E402
from .expansion import TaylorModel, linearize, taylor  # noqa: E402

if TYPE_CHECKING:
    from ..learn.predictions import KernelPredictions, kernel_predictions
    from .costs import MethodChoice
    from .descent import StepWarning
    from .empirical import empirical_nngp, empirical_ntk, explain_ntk
    from .lazy import LazyTraining, lazy_training
    from .operators import NTKOperator, ntk_operator
    from .training import Training, max_learning_rate, train

# Loaded on first use, as they bring scikit-learn and SciPy's solvers along.
_LATER = {
    "KernelPredictions": ".learn.predictions",
    "LazyTraining": "lazy",
    "MethodChoice": "costs",
    "NTKOperator": "operators",
    "StepWarning": "descent",
    "Training": "training",
    "empirical_nngp": "empirical",
    "empirical_ntk": "empirical",
    "explain_ntk": "empirical",
    "kernel_predictions": ".learn.predictions",
    "lazy_training": "lazy",
    "max_learning_rate": "training",
    "ntk_operator": "operators",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f".{_LATER[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LATER])


__all__ = [
    "FiniteNetwork",
    "KernelPredictions",
    "LazyTraining",
    "MethodChoice",
    "NTKOperator",
    "StepWarning",
    "TaylorModel",
    "TorchMissingError",
    "Training",
    "build",
    "empirical_nngp",
    "empirical_ntk",
    "explain_ntk",
    "kernel_predictions",
    "lazy_training",
    "linearize",
    "max_learning_rate",
    "ntk_operator",
    "taylor",
    "train",
]
