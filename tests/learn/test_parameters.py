"""Parameters of a kernel, set through the estimator that holds it."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tangency as tg

X, Y = (part[:60] for part in load_diabetes(return_X_y=True))
NET = tg.parse("dense relu dense")


def test_a_search_over_the_kernel_is_a_search_over_kernels():
    stds = [0.1, 1.0, 3.0]
    pipeline = make_pipeline(StandardScaler(), tg.KernelRegressor(tg.NTK(NET), alpha=1.0))
    grid = {"kernelregressor__kernel__net__0__bias_std": stds}
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, Y)
    kernels = [tg.NTK(tg.Sequential(tg.Dense(bias_std=b), *NET[1:])) for b in stds]
    same = GridSearchCV(pipeline, {"kernelregressor__kernel": kernels}, cv=3).fit(X, Y)
    assert np.array_equal(
        search.cv_results_["mean_test_score"], same.cv_results_["mean_test_score"]
    )
    assert len(set(search.cv_results_["mean_test_score"])) == 3


def test_every_kind_of_kernel_is_reached():
    kernel = 2.0 * tg.NTK("dense leaky0.1 res(dense relu dense) dense") + tg.NNGP(NET)
    model = tg.KernelRegressor(kernel)
    assert model.get_params()["kernel__parts__0__factor"] == 2.0
    assert model.get_params()["kernel__parts__0__kernel__net__1__slope"] == 0.1
    assert "kernel__parts" not in model.get_params(deep=False)
    model.set_params(
        alpha=0.5,
        kernel__parts__0__kernel__net__1__slope=0.3,
        kernel__parts__0__kernel__net__2__body__0__weight_std=1.5,
        kernel__parts__1__normalize=True,
    )
    assert model.alpha == 0.5
    assert model.kernel == 2.0 * tg.NTK(
        "dense leaky0.3 res(dense:w=1.5 relu dense) dense"
    ) + tg.NNGP(NET, normalize=True)
    # Kernels are frozen: the one that was given is as it was.
    assert kernel.parts[1] == tg.NNGP(NET)


def test_an_exchanged_part_takes_what_is_set_inside_it():
    model = tg.KernelClassifier(tg.NTK(NET))
    model.set_params(kernel=tg.NNGP("dense erf dense"), kernel__net__0__bias_std=0.2)
    assert model.kernel == tg.NNGP("dense:b=0.2 erf dense")
    model.set_params(kernel__net="dense abs dense", kernel__normalize=True)
    assert model.kernel == tg.NNGP("dense abs dense", normalize=True)


@pytest.mark.parametrize(
    "estimator",
    [
        tg.KernelClassifier(tg.NTK(NET)),
        tg.GaussianProcess(tg.NTK(NET)),
        tg.NystromFeatures(tg.NTK(NET)),
        tg.LayerwiseFeatures(tg.NTK(NET)),
        tg.RandomFeatures(tg.NTK(NET)),
    ],
    ids=lambda e: type(e).__name__,
)
def test_all_that_hold_a_kernel(estimator):
    changed = clone(estimator).set_params(kernel__engine="reference", kernel__normalize=True)
    assert changed.kernel == tg.NTK(NET, normalize=True)
    assert changed.kernel.engine == "reference"
    assert estimator.kernel == tg.NTK(NET)


def test_names_that_are_none_are_told():
    model = tg.KernelRegressor(tg.NTK(NET))
    with pytest.raises(
        tg.InputError, match=r"has no parameter 'width'; it has net, input_shape, n"
    ):
        model.set_params(kernel__width=3)
    with pytest.raises(tg.InputError, match=r"has no parameter '7'; it has 0, 1, 2"):
        model.set_params(kernel__net__7__bias_std=3)
    with pytest.raises(tg.InputError, match=r"'precomputed' has no parameter 'net'; it has none"):
        tg.KernelRegressor("precomputed").set_params(kernel__net=NET)
    with pytest.raises(tg.NetworkError, match="bias_std must be at least 0"):
        model.set_params(kernel__net__0__bias_std=-1.0)
    with pytest.raises(tg.InputError, match="deep must be True or False, got 3"):
        model.get_params(deep=3)
    with pytest.raises(ValueError, match="Invalid parameter 'beta'"):
        model.set_params(beta=1)


def test_parameters_inside_branches():
    net = "conv3 sum(conv1 | conv3 relu conv3) cat(conv1 | ):widths=1x2 gap dense"
    model = tg.KernelRegressor(tg.NTK(net))
    model.set_params(
        kernel__net__1__branches__0__0__bias_std=0.5,
        kernel__net__2__branches__0__0__weight_std=2.0,
        kernel__net__2__widths=(1.0, 3.0),
    )
    changed = "conv3 sum(conv1:b=0.5 | conv3 relu conv3) cat(conv1:w=2 | ):widths=1x3 gap dense"
    assert model.kernel == tg.NTK(changed)
