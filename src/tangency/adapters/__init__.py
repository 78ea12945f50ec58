"""Kernels of networks as kernels of other libraries' Gaussian processes.

`SklearnKernel` goes where `sklearn.gaussian_process.kernels` go, `GPyTorchKernel` where
`gpytorch.kernels` go. Each is loaded on first use; GPyTorch has to be installed beside this
library. Other kernel methods of scikit-learn take a kernel of this library as it is, or its matrix.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .gpytorch import GPyTorchKernel
    from .scikit_learn import SklearnKernel

_WHERE = {"GPyTorchKernel": "gpytorch", "SklearnKernel": "scikit_learn"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f".{_WHERE[name]}", __name__), name)
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] not in ("gpytorch", "torch"):
            raise
        raise ModuleNotFoundError(
            f"{name} needs GPyTorch: pip install gpytorch", name=error.name
        ) from None


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])


__all__ = ["GPyTorchKernel", "SklearnKernel"]
