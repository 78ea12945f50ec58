"""Feature maps among scikit-learn's own: its checks, pipelines, tables, dtypes."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from tangency import NNGP, NTK, InputError, LayerwiseFeatures, NystromFeatures, RandomFeatures
from tangency.learn.features.base import blocks, generator

MAPS = [
    NystromFeatures(n_components=20),
    NystromFeatures(NTK("dense:b=0.5 relu dense"), n_components=5, method="leverage"),
    NystromFeatures(n_components=20, method="uniform", max_samples=15),
    RandomFeatures(n_components=50),
    LayerwiseFeatures(n_components=20),
    RandomFeatures(NNGP("dense erf dense relu dense:b=0.1"), n_components=20),
]
BOTH = pytest.mark.parametrize("transformer", [NystromFeatures, RandomFeatures, LayerwiseFeatures])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(MAPS)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@BOTH
def test_linear_models_learn_on_features(transformer):
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(
        transformer(n_components=60, random_state=0), LogisticRegression(C=10, max_iter=1000)
    )
    assert model.fit(X, y).score(X, y) > 0.95


def test_a_grid_search_over_methods_and_kernels():
    X, y = load_digits(return_X_y=True)
    model = make_pipeline(NystromFeatures(n_components=40, random_state=0), Ridge(alpha=1e-2))
    grid = {
        "nystromfeatures__method": ["rpcholesky", "uniform"],
        "nystromfeatures__kernel": [None, NNGP("dense relu dense relu dense")],
    }
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X[:300] / 16, y[:300])
    assert search.best_score_ > 0.5


def test_features_of_a_sum_of_kernels_side_by_side():
    X = np.random.default_rng(0).standard_normal((30, 4))
    kernels = NTK("dense relu dense"), NNGP("dense erf dense")
    union = FeatureUnion([(str(i), NystromFeatures(k, 30)) for i, k in enumerate(kernels)])
    F = union.fit_transform(X)
    np.testing.assert_allclose(F @ F.T, kernels[0](X) + kernels[1](X), atol=1e-9)


@BOTH
def test_features_have_names_and_tables(transformer):
    features = transformer(n_components=4, random_state=0).fit(load_iris().data)
    prefix = transformer.__name__.lower()
    assert list(features.get_feature_names_out()) == [f"{prefix}{i}" for i in range(4)]


@BOTH
def test_copies_and_pickles_give_the_same_bits(transformer):
    X = load_iris().data
    features = transformer(n_components=10, random_state=3)
    wanted = features.fit_transform(X)
    np.testing.assert_array_equal(clone(features).fit_transform(X), wanted)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(features)).transform(X), wanted)
    other = transformer(n_components=10, random_state=4).fit_transform(X)
    assert not np.array_equal(other, wanted)


@BOTH
def test_float32_stays_and_integers_become_float64(transformer):
    X = np.round(10 * load_iris().data)
    for dtype, expected in ((np.float32, np.float32), (np.int64, np.float64)):
        features = transformer(n_components=10, random_state=0).fit(X.astype(dtype))
        assert features.transform(X.astype(dtype)).dtype == expected
    single = transformer(n_components=10, random_state=0).fit_transform(X.astype(np.float32))
    double = transformer(n_components=10, random_state=0).fit_transform(X)
    gap = np.abs(single @ single.T - double @ double.T).max()
    assert gap < 1e-3 * np.abs(double @ double.T).max()


@BOTH
def test_overflow_is_refused(transformer):
    X = np.random.default_rng(0).standard_normal((20, 3))
    features = transformer(NTK("dense:w=4 relu dense"), 10, random_state=0)
    features.fit(X.astype(np.float32))
    with np.errstate(all="ignore"), pytest.raises(InputError, match="scale the inputs down"):
        features.transform((1e38 * X).astype(np.float32))


@BOTH
@pytest.mark.parametrize("count", [0, -3, 2.5, True, "many"])
def test_the_number_of_components_is_checked(transformer, count):
    with pytest.raises(InputError, match="n_components must be"):
        transformer(n_components=count).fit(load_iris().data)


@BOTH
def test_samples_of_another_dimension_are_refused(transformer):
    features = transformer(n_components=5).fit(load_iris().data)
    with pytest.raises(ValueError, match=r"X has 3 features.*expecting 4"):
        features.transform(load_iris().data[:, :3])
    with pytest.raises(InputError, match=r"samples of shape \(4, 1\).*fitted on.*\(4,\)"):
        features.transform(load_iris().data[..., None])


def test_blocks_cover_all_rows_once():
    for rows, work in ((1, 10), (1000, 2**40), (70_000, 100), (300, 0)):
        covered = np.concatenate([np.arange(rows)[b] for b in blocks(rows, work)])
        np.testing.assert_array_equal(covered, np.arange(rows))
    assert [b.stop - b.start for b in blocks(70_000, 100)] == [41943, 28057]


def test_random_states_of_every_kind():
    assert generator(5).random() == generator(5).random() != generator(6).random()
    assert generator(np.random.RandomState(5)).random() == generator(5).random()
    given = np.random.default_rng(0)
    assert generator(given) is given
    assert generator(None).random() != generator(None).random()


@pytest.mark.parametrize("library", ["pandas", "polars"])
@BOTH
def test_features_of_a_table_are_a_table_where_it_is_asked_for(transformer, library):
    tables = pytest.importorskip(library)
    X = load_iris().data[:20, :2]
    table = tables.DataFrame({"length": X[:, 0], "width": X[:, 1]})
    features = transformer(n_components=4, random_state=0).fit(table)
    wanted = features.transform(table)
    found = features.set_output(transform=library).transform(table)
    assert list(features.feature_names_in_) == ["length", "width"]
    assert list(found.columns) == list(features.get_feature_names_out())
    np.testing.assert_array_equal(found, wanted)
    with pytest.raises(ValueError, match="feature names"):
        features.transform(table[["width", "length"]])
