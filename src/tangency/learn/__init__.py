"""Learning with kernels: ridge regression, classification, gradient flow, Gaussian processes."""

from .conditioning import IllConditionedWarning
from .estimators import KernelClassifier, KernelRegressor
from .gp import GaussianProcess
from .persist import ModelFileError, load

__all__ = [
    "GaussianProcess",
    "IllConditionedWarning",
    "KernelClassifier",
    "KernelRegressor",
    "ModelFileError",
    "load",
]
