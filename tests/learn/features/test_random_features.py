"""Random features: right on average, with an error that falls as it should."""

from __future__ import annotations

import numpy as np
import pytest

from cases import each
from tangency import NNGP, NTK, InputError, NetworkError, RandomFeatures, mlp

POINTS = np.random.default_rng(0).standard_normal((12, 5))


def approximations(kernel, count, seeds, X=POINTS):
    """Inner products of the features for several seeds, (seeds, n, n)."""
    maps = [RandomFeatures(kernel, count, random_state=s).fit(X) for s in range(seeds)]
    return np.stack([F @ F.T for F in (fitted.transform(X) for fitted in maps)])


def mean_square_error(kernel, count, seeds):
    K = kernel(POINTS)
    return np.mean(np.square(approximations(kernel, count, seeds) - K)) / np.mean(np.square(K))


@pytest.mark.parametrize("kind", [NTK, NNGP])
@each("features_mean")
def test_one_hidden_layer_is_right_on_average(kind, shape, text):
    kernel = kind(text, input_shape=shape)
    values = approximations(kernel, 240, 100)
    sigma = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    gap = np.abs(values.mean(axis=0) - kernel(POINTS))
    # 78 distinct entries at once: 4.5 standard errors is a chance of 1 in 2,000
    assert np.all(gap <= 4.5 * sigma + 1e-12)


@pytest.mark.parametrize("kind", [NTK, NNGP])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_the_error_falls_as_one_over_the_root_of_the_number(kind, depth):
    kernel = kind(mlp(depth))
    counts, seeds = (64, 256, 1024), (48, 24, 8)
    errors = [mean_square_error(kernel, m, s) for m, s in zip(counts, seeds, strict=True)]
    slope = np.polyfit(np.log(counts), np.log(np.sqrt(errors)), 1)[0]
    assert -0.65 < slope < -0.4


@pytest.mark.parametrize("kind", [NTK, NNGP])
@each("features_limit")
@pytest.mark.parametrize("normalize", [False, True])
def test_every_covered_layer_tends_to_its_kernel(kind, shape, text, normalize):
    kernel = kind(text, normalize=normalize)
    few, many = (mean_square_error(kernel, count, 6) for count in (60, 960))
    assert np.sqrt(many) < 0.25
    assert many < few / 6  # one sixteenth, but for the dice


def test_the_diagonal_of_a_hidden_layer_of_relus_is_exact():
    # two groups of five orthogonal pairs
    for text in ("dense relu dense", "dense leaky0.2 dense:w=2"):
        values = approximations(NNGP(text), 20, 3)
        np.testing.assert_allclose(
            np.diagonal(values, axis1=1, axis2=2), np.tile(NNGP(text).diag(POINTS), (3, 1))
        )


def test_normalised_kernels_and_multiples():
    kernel = 3.0 * (0.5 * NTK("dense relu dense relu dense", normalize=True))
    values = approximations(kernel, 400, 2)
    np.testing.assert_allclose(np.diagonal(values, axis1=1, axis2=2), 1.5)
    with_zero = np.concatenate([POINTS, np.zeros((1, 5))])
    assert not approximations(kernel, 400, 1, with_zero)[0, -1].any()


def test_linear_networks_are_exact():
    for kernel in (NTK("dense dense:b=0.3"), NNGP("dense:b=1 dense"), NTK("dense:w=2")):
        values = approximations(kernel, 30, 1)[0]
        np.testing.assert_allclose(values, kernel(POINTS), rtol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "asked", "width", "neurons"),
    [
        (None, 100, 100, 50),
        ("dense relu dense", 101, 100, 50),
        (NTK("dense relu dense relu dense:b=1"), 100, 99, 49),
        (NTK("dense relu dense:frozen"), 100, 100, 100),
        (NNGP("dense relu dense:b=1"), 100, 100, 99),
        (NNGP("dense relu dense res(relu dense)"), 100, 100, 50),
        (NTK("dense dense"), 100, 10, 1),
        (NTK("dense relu dense"), 1, 2, 1),
    ],
)
def test_about_as_many_features_as_asked_for(kernel, asked, width, neurons):
    features = RandomFeatures(kernel, asked, random_state=0).fit(POINTS)
    assert features.n_neurons_ == neurons
    assert features.transform(POINTS).shape == (12, width)
    assert len(features.get_feature_names_out()) == width


def test_a_network_stands_for_its_ntk():
    by_text = RandomFeatures("dense relu dense", 50, random_state=0).fit(POINTS)
    by_network = RandomFeatures(mlp(2), 50, random_state=0).fit(POINTS)
    by_kernel = RandomFeatures(NTK("dense relu dense"), 50, random_state=0).fit(POINTS)
    for other in (by_network, by_kernel):
        np.testing.assert_array_equal(by_text.transform(POINTS), other.transform(POINTS))
    assert by_text.kernel_ == NTK("dense relu dense")


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (NTK("conv3 relu gap dense"), r"vectors, made of Dense.*has Conv\(3\); NystromFeatures"),
        (NNGP("dense exp0.6 dense"), r"Exponential\(0.6\) is no function of one neuron"),
        (NTK("dense res(exp0.6 dense)"), "no function of one neuron"),
        (NTK("dense activation:function=tanh dense"), "derivative of .*tanh.*take the NNGP"),
        (NTK("dense:frozen relu dense:frozen"), "NTK is zero, as no layer"),
    ],
)
def test_networks_that_are_not_covered_are_named(kernel, message):
    with pytest.raises(ValueError, match=message) as caught:
        RandomFeatures(kernel, 2).fit(POINTS)
    assert isinstance(caught.value, NetworkError | InputError)


def test_an_nngp_takes_any_function_of_one_neuron():
    kernel = NNGP("dense activation:function=tanh dense")
    few, many = (mean_square_error(kernel, count, 6) for count in (60, 960))
    assert many < few / 8


@pytest.mark.parametrize("kernel", [NTK("dense") + NNGP("dense"), "precomputed", 3, np.dot])
def test_other_kernels_are_refused(kernel):
    with pytest.raises(InputError, match=r"needs NTK\(net\), NNGP\(net\).*FeatureUnion"):
        RandomFeatures(kernel).fit(POINTS)


def test_images_are_refused():
    with pytest.raises(InputError, match=r"takes vectors.*\(12, 5, 1\); flatten"):
        RandomFeatures().fit(POINTS[..., None])


@pytest.mark.parametrize("scale", [1e-170, 1e160])
def test_layer_normalisation_undoes_any_scale(scale):
    X = np.random.default_rng(0).normal(size=(5, 3))
    features = RandomFeatures("dense layernorm relu dense", n_components=100, random_state=0)
    np.testing.assert_allclose(
        features.fit_transform(scale * X), features.fit_transform(X), rtol=1e-12
    )


def test_what_overflows_on_the_way_says_so_in_words_alone():
    X = np.random.default_rng(0).standard_normal((5, 3)) * 1e200
    with pytest.raises(InputError, match="the features overflowed float64"):
        RandomFeatures("dense gelu dense hermite4 dense", 40, random_state=0).fit_transform(X)
    found = RandomFeatures("dense erf dense", 40, random_state=0).fit_transform(X)
    assert np.isfinite(found).all()
