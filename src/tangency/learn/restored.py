"""Whether what a file says of a fitted model can be so: each attribute by type, shape and value."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..matrix.checked import is_precomputed
from .archive import ModelFileError
from .features import LayerwiseFeatures
from .regularization import make_noise_regularization, make_regularization
from .solvers.options import NAMES, as_solver

Test = Callable[[Any, Any], bool]  # of the value and the model that it is to be an attribute of


def _number(value: Any, least: float = -math.inf) -> bool:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return real and math.isfinite(value) and value >= least


def _count(value: Any, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _real(value: Any, rank: int | None = None, least: float = -math.inf) -> bool:
    """An array of finite float64 numbers, with this many axes."""
    if not (isinstance(value, np.ndarray) and value.dtype == np.float64):
        return False
    if rank is not None and value.ndim != rank:
        return False
    return bool(value.size and np.isfinite(value).all() and value.min() >= least)


def _or_none(test: Test) -> Test:
    return lambda value, model: value is None or test(value, model)


def _outputs(model: Any) -> tuple[int, ...]:
    return model.dual_coef_.shape[1:]


def _n_outputs(model: Any) -> int:
    return math.prod(_outputs(model))


def _per_output(value: Any, model: Any) -> bool:
    """A number, or (k,) numbers, as the targets were."""
    if not _outputs(model):
        return _number(value)
    return _real(value, 1) and value.shape == _outputs(model)


def _samples(value: Any, model: Any) -> bool:
    if value is None:
        return is_precomputed(model.kernel_) or model.features_ is not None
    good = isinstance(value, np.ndarray) and value.dtype in (np.float32, np.float64)
    if not good or value.ndim < 2 or is_precomputed(model.kernel_):
        return False
    return bool(np.isfinite(value).all()) and math.prod(value.shape[1:]) == model.n_features_in_


def _likelihoods(value: Any, model: Any) -> bool:
    # one that is infinite belongs to numbers beyond the range of float64
    good = isinstance(value, np.ndarray) and value.dtype == np.float64
    return good and value.shape == model.noises_.shape and not np.isnan(value).any()


def _losses(value: Any, model: Any) -> bool:
    good = isinstance(value, np.ndarray) and value.dtype == np.float64
    return good and value.shape == model.alphas_.shape and not np.isnan(value).any()


def _grid(value: Any, chosen: float) -> bool:
    return _real(value, 1, 0.0) and bool(np.all(np.diff(value) > 0)) and chosen in value


def _labels(value: Any, model: Any) -> bool:
    if not isinstance(value, np.ndarray) or value.shape != _outputs(model) or len(value) < 2:
        return False
    if value.dtype.kind == "O" and not all(isinstance(each, str) for each in value):
        return False
    good = value.dtype.kind != "f" or bool(np.isfinite(value).all())
    return good and bool(np.array_equal(np.unique(value), value))


def _square(value: Any, model: Any) -> bool:
    n = len(model.dual_coef_)
    return _real(value, 2) and value.shape == (n, n)


def _whitener(value: Any, model: Any) -> bool:
    return isinstance(value, np.ndarray) and (
        value.size == 0 or _real(value, 2)
    ) and value.ndim == 2 and len(value) == len(model.dual_coef_)  # fmt: skip


def _amplitude(value: Any, model: Any) -> bool:
    return _number(value, 0.0) or (_per_output(value, model) and bool(np.all(value >= 0)))


def _names(value: Any, model: Any) -> bool:
    good = isinstance(value, np.ndarray) and value.shape == (model.n_features_in_,)
    return good and all(isinstance(each, str) for each in value)


def _above_zero(value: Any, model: Any) -> bool:
    return _number(value, 0.0) and value > 0


def _fits_model(value: Any, model: Any) -> bool:
    known = isinstance(value, LayerwiseFeatures) and not is_precomputed(model.kernel_)
    if not known or model.solver_ != "features" or value.kernel_ != model.kernel_:
        return False
    return value.size == len(model.dual_coef_) and value.n_features_in_ == model.n_features_in_


def _residuals(value: Any, model: Any) -> bool:
    # of all samples, where coefficients may belong to some, or to features
    return _real(value) and value.shape[1:] == _outputs(model)


def _weights(value: Any, model: Any) -> bool:
    return _real(value, 1, 0.0) and bool(np.all(value > 0))


def _float(value: Any, model: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# In the order in which they are tested: later ones refer to earlier ones.
_FUNCTION: dict[str, tuple[Test, str]] = {
    "dual_coef_": (
        lambda v, m: isinstance(v, np.ndarray) and v.ndim in (1, 2) and _real(v),
        "finite float64 numbers (n,) or (n, k)",
    ),
    "intercept_": (_per_output, "one finite number for each output"),
    "n_features_in_": (lambda v, m: _count(v, 1), "a whole number of at least 1"),
    "X_fit_": (_samples, "finite numbers (n, ...) of n_features_in_ values a sample"),
}
_RIDGE: dict[str, tuple[Test, str]] = {
    "features_": (_or_none(_fits_model), "None or a map of the samples, for each coefficient one"),
    "alpha_": (lambda v, m: _number(v, 0.0), "a finite number of at least 0"),
    "alphas_": (lambda v, m: _grid(v, m.alpha_), "ascending numbers (a,), alpha_ among them"),
    "loo_losses_": (_or_none(_losses), "None or a number for each of alphas_"),
    "loo_score_": (_or_none(_float), "None or a number"),
    "loo_error_": (_or_none(_float), "None or a number"),
    "rkhs_norm_": (_float, "a number"),
    "rkhs_norms_": (
        lambda v, m: isinstance(v, np.ndarray) and v.shape == (_n_outputs(m),),
        "a number for each output",
    ),
    "solver_": (lambda v, m: v in NAMES, f"one of {', '.join(NAMES)}"),
    "n_products_": (_or_none(lambda v, m: _count(v)), "None or a whole number"),
    "tolerance_": (_or_none(_float), "None or a number"),
}
_PROCESS: dict[str, tuple[Test, str]] = {
    "noise_": (lambda v, m: _number(v, 0.0), "a finite number of at least 0"),
    "noises_": (lambda v, m: _grid(v, m.noise_), "ascending numbers (a,), noise_ among them"),
    "amplitude_": (_amplitude, "a number of at least 0, or one for each output"),
    "log_marginal_likelihood_": (_or_none(_float), "None or a number"),
    "log_marginal_likelihoods_": (_or_none(_likelihoods), "None or one for each of noises_"),
    "whitener_": (
        lambda v, m: (v is None) == _trained(m) and (v is None or _whitener(v, m)),
        "finite numbers (n, r) for a posterior, else None",
    ),
    "operator_": (
        lambda v, m: (v is None) != _trained(m) and (v is None or _square(v, m)),
        "finite numbers (n, n) for an ensemble, else None",
    ),
    "prior_gram_": (
        lambda v, m: (v is None) != _trained(m) and (v is None or _square(v, m)),
        "finite numbers (n, n) for an ensemble, else None",
    ),
}
_OWN: dict[str, dict[str, tuple[Test, str]]] = {
    "KernelRegressor": {
        **_RIDGE,
        "loo_residuals_": (_or_none(_residuals), "None or a finite number for each target"),
        "sample_weight_": (_or_none(_weights), "None or a number above zero for each sample"),
        "center_": (_or_none(lambda v, m: isinstance(v, bool)), "None, true or false"),
    },
    "KernelClassifier": {
        **_RIDGE,
        "classes_": (_labels, "different labels in ascending order, one for each output"),
        "temperature_": (_or_none(_above_zero), "None or a finite number above zero"),
    },
    "GaussianProcess": _PROCESS,
}
_OPTIONAL: dict[str, tuple[Test, str]] = {
    "feature_names_in_": (_names, "a text for each of n_features_in_ values"),
}
_LATER: dict[str, Any] = {
    "features_": None,
    "amplitude_": 1.0,
    "temperature_": None,
    "loo_residuals_": None,
    "sample_weight_": None,
    "center_": None,
}  # not in files of earlier versions


def _trained(model: Any) -> bool:
    return model.inference == "ensemble"


def check_names(kind: str, fitted: dict[str, Any]) -> None:
    """Refuse attributes that a model of this class does not have, or the lack of some.

    Raises `KeyError`.
    """
    known = {**_FUNCTION, **_OWN[kind]}
    for name in fitted:
        if name not in known and name not in (*_OPTIONAL, "kernel_"):
            raise KeyError(name)
    for name in known:
        if name not in fitted and name not in _LATER:
            raise KeyError(name)


def check_parameters(model: Any) -> None:
    """Refuse parameters that no fit would have taken. Raises `ValueError`."""
    if hasattr(model, "inference"):
        make_noise_regularization(model.noise, model.training_time, model.inference)
        return
    make_regularization(model.alpha, model.training_time)
    as_solver(model.solver)
    if not (model.store is None or isinstance(model.store, str)):
        raise ValueError(f"store={model.store!r} is no path")


def check_restored(model: Any) -> None:
    """Refuse a model, built from a file, with an attribute that no fit gives.

    Raises `ModelFileError`, which names the attribute, and what it should be.
    """
    kind = type(model).__name__
    for name, value in _LATER.items():
        if name in _OWN[kind] and not hasattr(model, name):
            setattr(model, name, value)
    tests = {**_FUNCTION, **_OWN[kind]}
    tests |= {name: test for name, test in _OPTIONAL.items() if hasattr(model, name)}
    for name, (test, expected) in tests.items():
        value = getattr(model, name)
        if not test(value, model):
            raise ModelFileError(
                f"the model is damaged: {name} is {_shown(value)}; expected {expected}; save it "
                "again"
            )
    _check_together(model)


def _check_together(model: Any) -> None:
    n_fit, samples = len(model.dual_coef_), model.X_fit_
    if model.features_ is not None:
        return  # looked at with the map
    fits = model.n_features_in_ == n_fit if samples is None else len(samples) == n_fit
    if not fits:
        raise ModelFileError(
            f"the model is damaged: {n_fit} coefficients and "
            f"{'a precomputed matrix of ' if samples is None else ''}"
            f"{model.n_features_in_ if samples is None else len(samples)} training samples do not "
            "belong together; save it again"
        )


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        bad = value.dtype.kind == "f" and not np.isfinite(value).all()
        return f"an array {value.shape} of {value.dtype}{' that is not finite' if bad else ''}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
