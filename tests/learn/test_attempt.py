"""A fit that fails leaves a model as it was, and mixes no two fits."""

import numpy as np
import pytest

import tangency as tg
from tangency import InputError, MemoryLimitError
from tangency.learn import (
    Features,
    GaussianProcess,
    KernelClassifier,
    KernelRegressor,
    LayerwiseFeatures,
    NystromFeatures,
    RandomFeatures,
)

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((30, 3)), RNG.standard_normal(30)
NET, OTHER = "dense relu dense", 4 * tg.NTK("dense erf dense", normalize=True)
NAN = np.full(30, np.nan)
MODELS = {
    "regressor": (KernelRegressor(NET, alpha=0.1), {}, Y, NAN),
    "classifier": (KernelClassifier(NET, alpha=0.1), {}, Y > 0, np.full(30, "one")),
    "process": (GaussianProcess(NET, noise=0.1), {}, Y, NAN),
    "features": (KernelRegressor(NET, alpha=0.1, solver=Features(20)), {}, Y, NAN),
    "layerwise": (LayerwiseFeatures(NET, 20, random_state=0), {"widths": [1, 2, 3]}, None, None),
    "nystrom": (NystromFeatures(NET, 20, random_state=0), {"max_samples": 0}, None, None),
    "random": (RandomFeatures(NET, 20, random_state=0), {"random_state": "x"}, None, None),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_failed_fit_changes_nothing(name):
    model, wrong, good, bad = MODELS[name]
    first = model.get_params(deep=False)
    model.fit(X, good)
    compute = model.predict if hasattr(model, "predict") else model.transform
    before, fitted = compute(X), set(vars(model))
    model.set_params(kernel=OTHER, **wrong)
    with pytest.raises(InputError):
        model.fit(X, bad)
    np.testing.assert_array_equal(compute(X), before)
    assert set(vars(model)) == fitted
    model.set_params(**first)


def test_a_first_fit_that_fails_leaves_a_model_that_is_not_fitted():
    model = LayerwiseFeatures(NET, widths=[1, 2])
    for _ in range(2):
        with pytest.raises(InputError, match="widths has 2 numbers"):
            model.fit(X)
        with pytest.raises(AttributeError, match="not fitted"):
            model.transform(X)


@pytest.mark.parametrize("scale", [1e160, 2e153])
def test_a_batch_counts_once_or_not_at_all(scale):
    """Features overflow in the second block of the batch; or the sums over samples do."""
    model = KernelRegressor(NET, alpha=0.1, solver=Features(20))
    model.partial_fit(X, Y)
    before = model.predict(X)
    batch = np.concatenate([np.tile(X, (10, 1)), scale * X])
    with pytest.raises(InputError, match="overflowed"):
        model.partial_fit(batch, np.zeros(330))
    np.testing.assert_array_equal(model.predict(X), before)
    model.partial_fit(X, Y)
    once = KernelRegressor(NET, alpha=0.1, solver=Features(20)).partial_fit(X, Y)
    np.testing.assert_array_equal(once.partial_fit(X, Y).predict(X), model.predict(X))


def test_no_memory_is_said_in_words():
    many = np.broadcast_to(np.zeros((), np.int8), 2**44)
    model = KernelClassifier(NET, alpha=0.1, solver="features")
    with pytest.raises(MemoryLimitError):
        model.partial_fit(X, Y > 0, classes=many)
