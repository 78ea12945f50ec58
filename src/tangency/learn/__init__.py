"""Learning with kernels: ridge regression, classification, gradient flow, Gaussian processes."""

from .classifier import KernelClassifier
from .conditioning import IllConditionedWarning
from .estimators import KernelRegressor
from .features import LayerwiseFeatures, NystromFeatures, RandomFeatures
from .gp import GaussianProcess
from .grid import SearchWarning
from .lowrank import LowRank, low_rank
from .persist import ModelFileError, load
from .predictions import KernelPredictions, kernel_predictions
from .solvers import CG, Cholesky, Eigh, Features, Nystrom, choose_solver

__all__ = [
    "CG",
    "Cholesky",
    "Eigh",
    "Features",
    "GaussianProcess",
    "IllConditionedWarning",
    "KernelClassifier",
    "KernelPredictions",
    "KernelRegressor",
    "LayerwiseFeatures",
    "LowRank",
    "ModelFileError",
    "Nystrom",
    "NystromFeatures",
    "RandomFeatures",
    "SearchWarning",
    "choose_solver",
    "kernel_predictions",
    "load",
    "low_rank",
]
