"""Fits that take in one batch of samples after the other, and keep none of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import shown
from ..errors import InputError
from .base import centred
from .grams import resolve_kernel
from .optimized import as_options, refuse
from .regularization import Regularization, make_regularization
from .samples import fit_samples
from .solvers.features import layerwise
from .solvers.options import Features, as_solver
from .solvers.stream import Stream
from .weights import Training, checked, training

Matrix = NDArray[np.float64]


def takes_batches(model: Any) -> bool:
    """Whether a model has `partial_fit`. Raises `InputError` if not."""
    if isinstance(as_solver(model.solver), Features):
        return True
    raise InputError(
        f"partial_fit keeps sums over samples, which are finite for features only; set "
        f'solver="features", or use fit (solver is {model.solver!r})'
    )


def one_alpha(model: Any) -> Regularization:
    """The ridge of a model that is fitted by batches. Raises `InputError` for a choice of them."""
    found = make_regularization(model.alpha, model.training_time)
    if as_options(model.optimize) is not None:
        refuse(model, found)
    if found.chooses or found.alphas is None:
        raise InputError(
            "partial_fit keeps no samples, of which leave-one-out would choose alpha; give one "
            "number, such as alpha_ of a fit to some of the samples"
        )
    return found


def batch(model: Any, X: Any, y: Any, sample_weight: Any, **y_checks: Any) -> Training | None:
    """Check one batch; None where all of its weights are zero."""
    stream: Stream | None = getattr(model, "_stream", None)
    if stream is None and hasattr(model, "dual_coef_"):
        raise InputError(
            f"this {type(model).__name__} was not fitted by partial_fit, or comes from a file, "
            "which keeps no sums; begin with an unfitted one (sklearn.base.clone), and give it "
            "all samples"
        )
    before = getattr(model, "n_features_in_", None)
    names = getattr(model, "feature_names_in_", None)
    X, y = fit_samples(model, X, y, min_samples=1, **y_checks)
    if stream is not None:
        model.n_features_in_ = before
        new = getattr(model, "feature_names_in_", None)
        if names is not None:
            model.feature_names_in_ = names
            if new is not None and not np.array_equal(new, names):
                raise InputError(
                    f"X has the columns {shown(new.tolist())}; the batches before had "
                    f"{shown(names.tolist())}; pass the same in the same order"
                )
        if X.shape[1:] != stream.features.sample_shape:
            raise InputError(
                f"X has samples of shape {X.shape[1:]}; the batches before had "
                f"{stream.features.sample_shape}"
            )
    weights = checked(sample_weight, len(y))
    if weights is None or weights.any():
        return training(X, y, weights, None)
    if stream is None:  # nothing has been fitted, whatever the checks have set
        for name in ("n_features_in_", "feature_names_in_"):
            vars(model).pop(name, None)
    return None


def _changed(model: Any, stream: Stream) -> str | None:
    """A parameter that says now what the map of the first batch was not fitted with."""
    if resolve_kernel(model.kernel) != model.kernel_:
        return "kernel"
    solver = as_solver(model.solver)
    assert isinstance(solver, Features)
    wanted = layerwise(model.kernel_, solver).get_params(deep=False)
    there = stream.features.get_params(deep=False)
    return "solver" if any(wanted[k] != there[k] for k in wanted if k != "device") else None


def take_in(
    model: Any, data: Training, targets: Matrix, regularization: Regularization, *, flat: bool
) -> None:
    """Add a batch with its targets (n, k) to what a model has seen; set all attributes."""
    stream: Stream | None = getattr(model, "_stream", None)
    if stream is None:
        solver = as_solver(model.solver)
        assert isinstance(solver, Features)
        model.kernel_ = resolve_kernel(model.kernel)
        features = layerwise(model.kernel_, solver).fit(data.X)
        stream = Stream.empty(features, centred(targets, bool(model.center), data.weights)[1])
    elif changed := _changed(model, stream):
        raise InputError(
            f"{changed} was changed after the first batch, by which landmarks were chosen; set it "
            "back, or begin with an unfitted model (sklearn.base.clone)"
        )
    elif targets.shape[1] != len(stream.targets):
        raise InputError(
            f"y has {targets.shape[1]} outputs; the batches before had {len(stream.targets)}"
        )
    assert regularization.alphas is not None
    alpha = float(regularization.alphas[0])
    with np.errstate(over="ignore", invalid="ignore"):  # reported by what is called, in words
        stream = stream.after(data.X, targets, data.weights)
        weights, mean = stream.solved(alpha, regularization.time, bool(model.center))
    model._stream, model.features_ = stream, stream.features
    model._set_function(data.X, weights, mean, flat)
    model.solver_, model.n_products_, model.tolerance_ = "features", None, None
    model.alpha_, model.alphas_ = alpha, np.array([alpha])
    model.loo_losses_ = model.loo_error_ = model.loo_score_ = None
    model.rkhs_norms_ = np.linalg.norm(weights, axis=0)
    model.rkhs_norm_ = math.hypot(*model.rkhs_norms_)
