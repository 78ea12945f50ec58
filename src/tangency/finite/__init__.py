"""Networks of finite width, in PyTorch, beside their infinite limit.

    net = tg.parse("conv3 relu gap dense")
    module = tg.finite.build(net, width=256, input_shape=(8, 8, 1))
    linear = tg.finite.linearize(module)  # the same function to first order in its parameters

Needs PyTorch: `pip install "tangency[torch]"`.
"""

from importlib import import_module
from typing import Any

from .requirement import TorchMissingError, require_torch

require_torch()

from .build import FiniteNetwork, build  # noqa: E402
from .expansion import TaylorModel, linearize, taylor  # noqa: E402

# Loaded on first use, as they bring scikit-learn and SciPy's solvers along.
_LATER = {
    "empirical_ntk": "empirical",
    "empirical_nngp": "empirical",
    "explain_ntk": "empirical",
    "ntk_operator": "operators",
    "Training": "training",
    "max_learning_rate": "training",
    "train": "training",
    "LazyTraining": "lazy",
    "lazy_training": "lazy",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f".{_LATER[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LATER])


__all__ = [
    "FiniteNetwork",
    "TaylorModel",
    "TorchMissingError",
    "build",
    "linearize",
    "taylor",
]
