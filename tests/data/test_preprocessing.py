"""Preprocessing: the statistics it promises, learnt from the training part alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tangency.data import ZCA, DataError, NormalizeImages, Standardize, load

IMAGES = np.random.default_rng(0).normal(3, 2, size=(40, 4, 5, 2)) * [1.0, 10.0]
STEPS = [Standardize(), Standardize("feature"), NormalizeImages(), ZCA()]


def test_standardize_per_feature_and_per_channel():
    by_feature = Standardize("feature").fit_transform(IMAGES)
    assert np.allclose(by_feature.mean(axis=0), 0, atol=1e-12)
    assert np.allclose(by_feature.std(axis=0), 1)
    by_channel = Standardize().fit(IMAGES)
    assert by_channel.mean_.shape == (2,)
    result = by_channel.transform(IMAGES)
    assert np.allclose(result.mean(axis=(0, 1, 2)), 0, atol=1e-12)
    assert np.allclose(result.std(axis=(0, 1, 2)), 1)
    assert not np.allclose(result.std(axis=0), 1, atol=0.01)


def test_standardize_leaves_constant_features_at_zero():
    X = np.column_stack([np.arange(5.0), np.full(5, 7.0)])
    assert np.array_equal(Standardize().fit_transform(X)[:, 1], np.zeros(5))


def test_normalize_to_unit_norm_or_standard_deviation():
    unit = NormalizeImages().fit_transform(IMAGES)
    assert np.allclose(unit.mean(axis=(1, 2, 3)), 0, atol=1e-12)
    assert np.allclose(np.linalg.norm(unit.reshape(40, -1), axis=1), 1)
    assert np.allclose(NormalizeImages(size="std").fit_transform(IMAGES).std(axis=(1, 2, 3)), 1)
    plain = NormalizeImages(center=False).fit_transform(IMAGES)
    direction = IMAGES.reshape(40, -1) / np.linalg.norm(IMAGES.reshape(40, -1), axis=1)[:, None]
    assert np.allclose(plain.reshape(40, -1), direction)
    centred = NormalizeImages(size=None).fit_transform(IMAGES)
    assert np.allclose(centred, IMAGES - IMAGES.mean(axis=(1, 2, 3), keepdims=True))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e8])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_images_become_zero(value, dtype):
    X = np.full((2, 3, 3, 1), value, dtype=dtype)
    assert np.array_equal(NormalizeImages().fit_transform(X), np.zeros_like(X))


def test_zca_whitens_and_stays_near_the_image():
    X = np.random.default_rng(1).normal(size=(500, 6)) @ np.random.default_rng(2).normal(
        size=(6, 6)
    )
    step = ZCA(regularization=0)
    white = step.fit_transform(X)
    assert np.allclose(np.cov(white.T, bias=True), np.eye(6))
    assert np.allclose(step.whitening_, step.whitening_.T)
    assert np.all(np.linalg.eigvalsh(step.whitening_) > 0)


def test_zca_regularization_does_not_depend_on_the_scale_of_the_data():
    X = IMAGES[:, :2, :2]
    assert np.allclose(ZCA(0.1).fit_transform(X), ZCA(0.1).fit_transform(1000 * X))


def test_zca_on_fewer_images_than_pixels():
    X = load("digits").X_train[:30]
    with pytest.raises(DataError, match=r"30 examples with 64 values is singular.*a larger one"):
        ZCA(regularization=0).fit(X)
    assert np.isfinite(ZCA().fit_transform(X)).all()


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_what_is_learnt_comes_from_the_training_part_alone(step):
    train, test = IMAGES[:30], IMAGES[30:]
    fitted = clone(step).fit(train)
    alone = fitted.transform(test[:1])
    assert np.allclose(fitted.transform(test)[:1], alone, rtol=1e-12, atol=1e-12)
    spoilt = np.concatenate([test[:1], 1e3 * test[1:]])
    assert np.allclose(fitted.transform(spoilt)[:1], alone, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_shapes_types_and_originals_are_kept(step):
    X = IMAGES.astype(np.float32)
    before = X.copy()
    result = clone(step).fit_transform(X)
    assert result.shape == X.shape
    assert result.dtype == np.float32
    assert np.array_equal(X, before)
    whole = clone(step).fit_transform(np.arange(24).reshape(6, 4) ** 2 % 7)
    assert whole.dtype == np.float64


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_errors(step):
    step = clone(step)
    name = type(step).__name__
    with pytest.raises(NotFittedError):
        step.transform(IMAGES)
    step.fit(IMAGES)
    with pytest.raises(DataError, match=f"{name} was fitted on examples of shape 4x5x2, got 5x4x2"):
        step.transform(np.swapaxes(IMAGES, 1, 2))
    with pytest.raises(DataError, match=f"{name}: 1 of 4 values are not finite"):
        step.fit(np.array([[1, 2], [3, np.nan]]))
    with pytest.raises(DataError, match=f"{name}: expected numbers of shape"):
        step.fit(np.array([["a"]]))


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Standardize("pixel"), "per must be 'auto', 'feature' or 'channel', got 'pixel'"),
        (NormalizeImages(size="max"), "size must be 'norm', 'std' or None, got 'max'"),
        (ZCA(-1), "regularization must be 0 or more, got -1"),
    ],
)
def test_parameters(step, message):
    with pytest.raises(DataError, match=message):
        step.fit(IMAGES)


def test_zca_of_equal_examples():
    with pytest.raises(DataError, match="every example is the same"):
        ZCA().fit(np.ones((5, 3)))


def test_in_a_pipeline():
    steps = make_pipeline(NormalizeImages(), Standardize(), ZCA())
    assert steps.fit(IMAGES[:30]).transform(IMAGES[30:]).shape == (10, 4, 5, 2)


@given(X=arrays(np.float64, (6, 3), elements=st.floats(-1e3, 1e3)), factor=st.floats(0.01, 100))
def test_normalized_images_do_not_depend_on_brightness_or_contrast(X, factor):
    X = X + np.array([0.0, 1e4, -1e4])  # no image is near constant
    plain = NormalizeImages().fit_transform(X)
    assert np.allclose(NormalizeImages().fit_transform(factor * X + 3), plain, atol=1e-9)


@pytest.mark.parametrize(
    ("scale", "dtype"),
    [(1e-25, "f4"), (1e25, "f4"), (1e-200, "f8"), (1e200, "f8"), (1e-300, "f8"), (1e300, "f8")],
)
@pytest.mark.parametrize(
    "step", [NormalizeImages(), NormalizeImages(size="std"), Standardize(), ZCA()]
)
def test_the_units_of_the_inputs_do_not_matter(step, scale, dtype):
    X = np.random.default_rng(0).normal(size=(30, 4)).astype(dtype)
    X[:, 2] = 1.5  # a feature that never changes is only centred
    scaled = step.fit_transform(X * X.dtype.type(scale))
    assert scaled.dtype == dtype
    np.testing.assert_allclose(scaled, step.fit_transform(X), rtol=1e-5, atol=1e-6)


def test_standardised_as_before_where_squares_have_room():
    X = np.random.default_rng(0).normal(size=(30, 4)) * [1e-9, 1, 1e9, 0]
    step, other = Standardize().fit(X), StandardScaler().fit(X)
    assert np.array_equal(step.mean_, other.mean_)
    assert np.array_equal(step.scale_, other.scale_)


@pytest.mark.parametrize("step", [Standardize(), NormalizeImages(), ZCA()], ids=repr)
def test_a_table_has_the_columns_of_the_fit_in_their_order(step):
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(9, 3)), columns=["a", "b", "c"])
    step = clone(step)
    right = step.fit(table).transform(table)
    with pytest.raises(DataError, match=r"must be in the same order as they were in fit"):
        step.transform(table[["c", "a", "b"]])
    with pytest.raises(DataError, match=r"unseen at fit time:\n- z"):
        step.transform(table.rename(columns={"a": "z"}))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        assert np.array_equal(step.transform(table.to_numpy()), right)
    for unnamed in (table.to_numpy(), table.set_axis(["a", 1, "b"], axis=1)):
        assert np.array_equal(step.fit(unnamed).transform(table), right)
        assert not hasattr(step, "feature_names_in_")


@pytest.mark.parametrize("size", ["norm", "std", None])
def test_images_of_the_largest_floats(size):
    image = np.where(np.arange(1000) < 500, 2.0, 3.0)[None]
    step = NormalizeImages(size=size)
    large, plain = 2.0**124, step.fit_transform(image)
    found = step.fit_transform((large * image).astype(np.float32))
    assert np.allclose(found if size else found / large, plain, rtol=1e-6)


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("step", [Standardize(), NormalizeImages(), ZCA()], ids=repr)
def test_tables_come_back_with_their_names(step, library):
    tables = pytest.importorskip(library)
    X = np.random.default_rng(0).standard_normal((9, 2))
    table = tables.DataFrame({"width": X[:, 0], "height": X[:, 1]})
    step = clone(step).set_output(transform=library)
    found = step.fit_transform(table)
    assert list(step.get_feature_names_out()) == list(found.columns) == ["width", "height"]
    assert step.n_features_in_ == 2
    np.testing.assert_array_equal(found, type(step)().fit(X).transform(X))


def test_columns_without_names_are_numbered_and_images_stay_arrays():
    rows, images = np.random.default_rng(0).standard_normal((2, 6, 4))
    assert list(Standardize().fit(rows).get_feature_names_out()) == ["x0", "x1", "x2", "x3"]
    step = Standardize().set_output(transform="pandas").fit(images.reshape(6, 2, 2, 1))
    assert not hasattr(step, "get_feature_names_out")
    assert step.transform(images.reshape(6, 2, 2, 1)).shape == (6, 2, 2, 1)
    assert step.n_features_in_ == 4
    with pytest.raises(NotFittedError):
        Standardize().get_feature_names_out()


@pytest.mark.parametrize("names", ["abc", 3, np.zeros((2, 2)), [1, 2, 3], np.zeros(3), [["a"], []]])
def test_what_is_no_list_of_names_is_refused(names):
    fitted = Standardize().fit(np.eye(3))
    with pytest.raises(DataError, match="must be a list of the names of the columns"):
        fitted.get_feature_names_out(names)
    with pytest.raises(DataError, match="length equal to number of features"):
        fitted.get_feature_names_out(["a", "b"])
