"""Learning with kernels: ridge regression, classification, gradient flow, Gaussian processes.

Where things are:

- estimators: `estimators`, `classifier`, `gp`, with what they share in `base`
- leave-one-out: `loo`; gradient flow: `flow`; the posterior, the ensemble and the likelihood:
  `process`; the path of networks in training: `predictions`
- ways to solve: `solvers` (conjugate gradients, Nyström, the choice), `cholesky`, `spectrum`
- low rank: `lowrank` (randomly pivoted Cholesky), `leverage`; approximate features: `features`
- the parameters of a network, chosen by gradients: `tuning`, with `priors`; before a fit:
  `optimized`; among networks: `candidates`; likelihoods of many samples:
  `likelihood`
- intervals, probabilities, and how well they hold: `uncertainty`
- weights of samples: `weights`; saving: `persist`
"""

from .candidates import Searched, Trial, search, variants
from .classifier import KernelClassifier
from .conditioning import IllConditionedWarning
from .estimators import KernelRegressor
from .features import LayerwiseFeatures, NystromFeatures, RandomFeatures
from .gp import GaussianProcess
from .grid import SearchWarning
from .likelihood import Likelihood, marginal_likelihood
from .lowrank import LowRank, low_rank
from .persist import ModelFileError, load
from .predictions import KernelPredictions, kernel_predictions
from .priors import Gamma, LogNormal, Prior
from .solvers import CG, Choice, Cholesky, Eigh, Features, Nystrom, choose_solver
from .tuning import Profile, Tuned, tune
from .uncertainty import (
    ClassCalibration,
    ClassScores,
    Intervals,
    IntervalScores,
    RegressionCalibration,
    calibration,
)

__all__ = [
    "CG",
    "Choice",
    "Cholesky",
    "ClassCalibration",
    "ClassScores",
    "Eigh",
    "Features",
    "Gamma",
    "GaussianProcess",
    "IllConditionedWarning",
    "IntervalScores",
    "Intervals",
    "KernelClassifier",
    "KernelPredictions",
    "KernelRegressor",
    "LayerwiseFeatures",
    "Likelihood",
    "LogNormal",
    "LowRank",
    "ModelFileError",
    "Nystrom",
    "NystromFeatures",
    "Prior",
    "Profile",
    "RandomFeatures",
    "RegressionCalibration",
    "SearchWarning",
    "Searched",
    "Trial",
    "Tuned",
    "calibration",
    "choose_solver",
    "kernel_predictions",
    "load",
    "low_rank",
    "marginal_likelihood",
    "search",
    "tune",
    "variants",
]
