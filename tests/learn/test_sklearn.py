"""The estimators among scikit-learn's own: its checks, pipelines, model selection."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from tangency import NNGP, NTK, GaussianProcess, KernelClassifier, KernelRegressor
from tangency.learn import CG

ESTIMATORS = [
    KernelRegressor(),
    KernelRegressor(alpha=0),
    KernelRegressor(alpha=0.1, center=False),
    KernelRegressor("precomputed", alpha=0.1),
    KernelClassifier(),
    KernelClassifier(training_time=10.0),
    KernelClassifier(alpha=0.1, solver="cg"),
    KernelRegressor(alpha=0.1, solver=CG(tol=1e-4, probes=0, rank=10)),
    KernelRegressor(alpha=0.1, solver="nystrom"),
    GaussianProcess(),
    GaussianProcess(noise=0.1),
    GaussianProcess(inference="ensemble"),
]


# scikit-learn itself skips check_array_api_input unless SCIPY_ARRAY_API is set.
def expected_failures(estimator):
    found = {}
    chooses = isinstance(estimator, KernelRegressor) and estimator.alpha is None
    if chooses or hasattr(estimator, "predict_proba"):
        found["check_sample_weight_equivalence_on_dense_data"] = (
            "what is held out, to choose alpha or to calibrate probabilities, is a sample with all "
            "its weight, but one of several copies alone"
        )
    if estimator.get_params().get("kernel") != "precomputed":
        return found
    indefinite = "the check passes a matrix that is not positive semidefinite, hence no kernel: "
    return found | {
        "check_estimators_dtypes": indefinite + "distances, cut to integers",
        "check_positive_only_tag_during_fit": indefinite + "distances less their mean",
    }


@pytest.mark.filterwarnings("ignore::tangency.learn.IllConditionedWarning")
@pytest.mark.filterwarnings("ignore::tangency.learn.SearchWarning")  # samples four times each
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def images():
    data = load_digits()
    return data.images[:120, ..., None] / 16, data.target[:120]


def test_cross_validation_cuts_a_precomputed_matrix_both_ways():
    X, y = load_iris(return_X_y=True)
    direct = cross_val_score(KernelClassifier(NTK("dense relu dense"), alpha=0.1), X, y, cv=3)
    matrix = NTK("dense relu dense")(X)
    given = cross_val_score(KernelClassifier("precomputed", alpha=0.1), matrix, y, cv=3)
    np.testing.assert_array_equal(direct, given)
    assert direct.mean() > 0.9


def test_a_pipeline_and_its_grid_search():
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), KernelClassifier())
    grid = {
        "kernelclassifier__kernel": [NTK("dense relu dense"), NNGP("dense erf dense"), None],
        "kernelclassifier__alpha": ["loo", 0.1],
    }
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.92
    assert set(search.best_params_) == set(grid)


@pytest.mark.parametrize(
    ("estimator", "ridge"),
    [
        (KernelRegressor(NTK("dense relu dense")), {"alpha": ["loo", 0.1, [0.01, 1.0]]}),
        (KernelClassifier(NTK("dense relu dense")), {"alpha": [None, 0.1]}),
        (GaussianProcess(NNGP("dense relu dense")), {"noise": ["ml", 0.1]}),
        (GaussianProcess(NTK("dense relu dense"), inference="ensemble"), {"noise": [0.0, 0.1]}),
    ],
    ids=lambda each: type(each).__name__,
)
@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.filterwarnings("ignore::tangency.learn.IllConditionedWarning")
def test_a_grid_search_inside_the_kernel(estimator, ridge, piped):
    X, y = load_iris(return_X_y=True)
    y = y if isinstance(estimator, KernelClassifier) else X[:, 3]
    X, y = X[::3, :3], y[::3]
    grid = {**ridge, "kernel__net__0__bias_std": [0.0, 1.0]}
    model = estimator
    if piped:
        model = make_pipeline(StandardScaler(), estimator)
        grid = {f"{model.steps[-1][0]}__{name}": values for name, values in grid.items()}
    folds = KFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(model, grid, cv=folds, error_score="raise").fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert len(np.unique(scores)) > 1
    assert search.best_score_ > 0.8
    best = search.best_estimator_[-1] if piped else search.best_estimator_
    chosen = {name.rpartition("__")[2]: value for name, value in search.best_params_.items()}
    assert best.kernel.net[0].bias_std == chosen["bias_std"]
    assert best.kernel_.net[0].bias_std == chosen["bias_std"]
    assert estimator.kernel.net[0].bias_std == 0.0


def test_a_grid_search_over_networks_on_images():
    X, y = images()
    grid = {
        "kernel": [NTK("conv3 relu gap dense"), NNGP("conv3 relu flatten dense")],
        "alpha": [0.01, 0.1],
    }
    search = GridSearchCV(KernelClassifier(), grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_params_["kernel"] == grid["kernel"][1]  # the digits' places matter
    assert search.best_score_ > 0.8


def test_rows_in_a_pipeline_become_images_by_input_shape():
    X, y = images()
    rows = X.reshape(len(X), -1)
    kernel = NTK("conv3 relu flatten dense", input_shape=(8, 8, 1))
    centre = FunctionTransformer(lambda a: a - 0.3)
    scores = cross_val_score(make_pipeline(centre, KernelClassifier(kernel)), rows, y, cv=2)
    on_images = cross_val_score(make_pipeline(centre, KernelClassifier(kernel)), X, y, cv=2)
    np.testing.assert_array_equal(scores, on_images)


@pytest.mark.parametrize(
    "estimator", [KernelRegressor(NTK("dense relu dense")), GaussianProcess("dense relu dense")]
)
def test_regressors_are_scored_by_cross_validation(estimator):
    X = load_iris().data
    scores = cross_val_score(estimator, X[:, :3], X[:, 3], cv=3, error_score="raise")
    assert scores.shape == (3,)


def test_clones_keep_kernels_and_lists():
    model = KernelRegressor(NTK("conv3 relu gap dense", input_shape=(8, 8, 1)), alpha=[0.1, 1.0])
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert copy is not model


def test_several_labels_a_sample_go_through_scikit_learns_wrapper():
    X, y = load_iris(return_X_y=True)
    both = np.column_stack([y == 1, y == 2])
    model = MultiOutputClassifier(KernelClassifier(alpha=0.1)).fit(X, both)
    assert model.score(X, both) > 0.9
    with pytest.raises(ValueError, match="y should be a 1d array"):
        KernelClassifier().fit(X, both)
