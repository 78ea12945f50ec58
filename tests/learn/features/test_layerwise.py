"""Layerwise features: exact at full rank, close below it, the same on every run."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import cases
import tangency as tg
from tangency import InputError, LayerwiseFeatures, NetworkError
from tangency.kernels.inputs import InputWarning
from tangency.learn import Features, IllConditionedWarning
from tangency.learn.features import chain, layerwise
from tangency.nets import Layer
from tangency.nets.operators import Operator
from tangency.nets.plan import plan

NET = "conv3 relu conv3 relu gap dense"
RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((30, 8, 8, 2))


def gap(features, kernel, X):
    F = features.transform(X)
    exact = kernel(X)
    return np.abs(F @ F.T - exact).max() / max(np.abs(exact).max(), 1e-300)


def relative(features, kernel, X):
    F, exact = features.transform(X), kernel(X)
    return np.linalg.norm(F @ F.T - exact) / np.linalg.norm(exact)


@pytest.mark.parametrize("kind", [tg.NTK, tg.NNGP])
@cases.each("loops")
def test_every_network_is_exact_where_the_landmarks_reach_the_rank(text, shape, kind):
    kernel = kind(text)
    X = np.random.default_rng(1).standard_normal((4, *shape))
    if not chain.covered(plan(tg.parse(text), shape)):
        with pytest.raises(NetworkError, match=r"of ConvLocal.*later layers mix|\(Product\)"):
            LayerwiseFeatures(kernel).fit(X)
        return
    features = LayerwiseFeatures(kernel, 10**6, widths=10**4, random_state=0).fit(X)
    # The square root of κ₀ at correlation 1 magnifies the rounding of a product to its root.
    assert gap(features, kernel, X) < 2e-6
    assert features.error_ < 2e-6


def test_both_kernels_in_one_pass():
    features = LayerwiseFeatures(tg.NTK(NET), 60, random_state=0).fit(IMAGES)
    nngp, ntk = features.transform_pair(IMAGES)
    np.testing.assert_array_equal(ntk, features.transform(IMAGES))
    exact = tg.NNGP(NET)(IMAGES)
    assert np.linalg.norm(nngp @ nngp.T - exact) < 0.05 * np.linalg.norm(exact)
    alone = LayerwiseFeatures(tg.NNGP(NET), 60, random_state=0).fit(IMAGES)
    with pytest.raises(InputError, match=r"fit to NTK\(net\)"):
        alone.transform_pair(IMAGES)


def test_the_error_falls_with_the_width_and_is_what_it_says():
    kernel = tg.NTK(NET)
    digits = load_digits().images[:240, ..., None] / 16
    X, others = digits[:120], digits[120:]
    errors = []
    for width in (8, 32, 128):
        features = LayerwiseFeatures(kernel, 2 * width, widths=width, max_samples=40)
        features.set_params(random_state=0).fit(X)
        errors.append((features.error_, features.centred_error_))
        found = relative(features, kernel, others)
        assert abs(found - features.error_) < 5 * features.error_std_ < features.error_
    errors = np.array(errors)
    assert (errors[1:] < (0.6, 0.9) * errors[:-1]).all()
    assert (errors[:, 1] > errors[:, 0]).all()


@pytest.mark.parametrize("kind", [tg.NTK, tg.NNGP])
@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("dense relu dense", (5,)),
        ("dense erf dense relu dense", (5,)),
        ("conv3 relu avg2 conv3 relu gap dense", (6, 6, 1)),
        ("conv3:b=0.3 gelu gauss2 conv3 res(relu conv3) relu flatten dense", (8, 2)),
    ],
)
def test_a_projection_never_exceeds_the_kernel(kind, text, shape):
    """K - K̂ is positive semidefinite, as variances are exact, behind pooling too."""
    X, kernel = np.random.default_rng(3).standard_normal((60, *shape)), kind(text)
    F = LayerwiseFeatures(kernel, 30, widths=20, random_state=0).fit(X).transform(X)
    lowest = np.linalg.eigvalsh(kernel(X) - F @ F.T).min()
    assert lowest > -1e-7 * kernel.diag(X).max()


@settings(max_examples=15, deadline=None)
@given(scale=st.floats(1e-6, 1e6), method=st.sampled_from(["rpcholesky", "uniform", "leverage"]))
def test_homogeneous_networks_have_homogeneous_features(scale, method):
    def features(factor):
        found = LayerwiseFeatures(tg.NTK(NET), 40, widths=16, method=method, random_state=0)
        return found.fit(factor * IMAGES[:6]).transform(factor * IMAGES[:6])

    one, other = features(1.0), features(scale) / scale
    np.testing.assert_allclose(other @ other.T, one @ one.T, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        ("dense:bias_rate=2 relu dense layernorm dense", (2,)),
        ("conv3:bias_rate=2 relu conv1 layernorm:space relu gap dense", (4, 2)),
    ],
)
def test_where_nothing_is_left_of_a_signal_nothing_is_of_its_tangent(net, shape):
    """A bias that is 0 but learns gives a zero input a tangent, which a norm of 0 makes 0."""
    x = np.random.default_rng(0).normal(size=(5, *shape))
    x[2] = 0
    kernel = tg.NTK(net)
    features = LayerwiseFeatures(kernel, random_state=0).fit(x).transform(x)
    assert np.allclose(features @ features.T, kernel(x), rtol=0, atol=1e-6)
    assert not features[2].any()
    if len(shape) == 1:
        drawn = tg.RandomFeatures(kernel, 64, random_state=0).fit(x).transform(x)
        assert not drawn[2].any()
        assert drawn[3].any()


@pytest.mark.parametrize(
    ("layers", "worst"), [("dense relu", 1e-13), ("dense abs", 1e-12), ("dense:b=0.3 gelu", 1e-9)]
)
def test_rounding_is_not_multiplied_from_layer_to_layer(layers, worst):
    x = np.random.default_rng(0).normal(size=(8, 5))
    kernel = tg.NNGP(f"{20 * f'{layers} '}dense")
    for inputs in (x, as_tensor(x)):
        found = np.asarray(LayerwiseFeatures(kernel, 64).fit(x).transform(inputs))
        exact = kernel(x)
        assert np.abs(found @ found.T - exact).max() < worst * exact.max()


def as_tensor(x):
    return pytest.importorskip("torch").tensor(x)


def test_more_features_than_asked_for_are_projected():
    flat = tg.NTK("conv3 relu flatten dense")
    whole = LayerwiseFeatures(flat, 10**6, widths=32, random_state=0).fit(IMAGES)
    assert whole.transform(IMAGES).shape[1] == 2 * 32 * 64
    for count in (10, 30):
        features = LayerwiseFeatures(flat, count, widths=32, random_state=0).fit(IMAGES)
        assert features.transform(IMAGES).shape == (30, count)
    # as many as there are inputs: nothing is lost on these
    assert features.error_ == pytest.approx(whole.error_, rel=1e-6)


def test_blocks_and_threads_change_no_bits(monkeypatch):
    features = LayerwiseFeatures(tg.NTK(NET), 60, random_state=0).fit(IMAGES)
    wanted = features.transform(IMAGES)
    from tangency.engines.blas import one_blas_thread

    with one_blas_thread():
        np.testing.assert_array_equal(features.transform(IMAGES), wanted)
    monkeypatch.setattr("tangency.learn.features.layerwise._BLOCK", 1)
    np.testing.assert_allclose(features.transform(IMAGES), wanted, rtol=1e-9, atol=1e-12)


def test_multiples_and_normalised_kernels():
    kernel = 3.0 * tg.NTK(NET, normalize=True)
    features = LayerwiseFeatures(kernel, 200, random_state=0).fit(IMAGES)
    assert relative(features, kernel, IMAGES) == pytest.approx(features.error_)
    assert features.error_ < 0.05
    np.testing.assert_allclose(np.square(features.transform(IMAGES)).sum(axis=1), 3.0)


def test_zero_inputs_and_rows_that_repeat():
    X = np.concatenate([np.zeros((2, 6, 6, 1)), np.ones((3, 6, 6, 1)), IMAGES[:3, :6, :6, :1]])
    features = LayerwiseFeatures(tg.NTK(NET), 500, widths=300, random_state=0).fit(X)
    assert gap(features, tg.NTK(NET), X) < 1e-6
    assert not features.transform(X)[:2].any()


@pytest.mark.parametrize("scale", [1e-150, 1e-100, 1e100, 1e150, 1e152])
def test_errors_and_landmarks_at_the_ends_of_the_range(scale):
    X = RNG.standard_normal((200, 4))
    one, other = (
        LayerwiseFeatures("dense relu dense", 60, max_samples=120, random_state=0).fit(factor * X)
        for factor in (1.0, scale)
    )
    for name in ("error_", "error_std_", "centred_error_"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-6)
    np.testing.assert_allclose(other.transform(scale * X) / scale, one.transform(X), atol=1e-6)


@pytest.mark.parametrize("kind", [tg.NTK, tg.NNGP])
@pytest.mark.parametrize("net", ["dense relu dense", "dense relu dense relu dense", NET])
def test_nothing_but_zeros(kind, net):
    X = np.zeros((10, 6, 6, 1) if net == NET else (10, 4))
    features = LayerwiseFeatures(kind(net), 20, random_state=0).fit(X)
    F = features.transform(X)
    assert F.shape[1] >= 1
    assert not F.any()
    assert (features.error_, features.centred_error_) == (0.0, 0.0)
    model = tg.KernelRegressor(kind(net), alpha=0.1, solver=Features(20)).fit(X, np.arange(10.0))
    np.testing.assert_array_equal(model.predict(X), 4.5)
    frozen = tg.Sequential(tg.Dense(trainable=False), tg.ReLU(), tg.Dense(trainable=False))
    assert not LayerwiseFeatures(frozen).fit(np.eye(4)).transform(np.eye(4)).any()  # Θ = 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widths": [4]}, "widths has 1 numbers, and the network 2 activations"),
        ({"widths": 0}, "widths must be"),
        ({"widths": [4, -1]}, "each of widths must be"),
        ({"method": "best"}, "method must be"),
        ({"max_samples": 0}, "max_samples must be"),
        ({"kernel": tg.NTK(NET) + tg.NNGP(NET)}, r"LayerwiseFeatures needs NTK\(net\)"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(InputError, match=message):
        LayerwiseFeatures(**{"kernel": tg.NTK(NET), **options}).fit(IMAGES)


class Twist(Operator):
    """An operator that no interpreter knows."""


class Twisted(Layer):
    token = "twisted"

    def lower(self, space):
        return (Twist(),)


def test_an_unknown_operator_is_refused_by_name():
    net = tg.Sequential(tg.Dense(), Twisted(), tg.Dense())
    with pytest.raises(NetworkError, match=r"no feature map of Twisted.*Twist"):
        LayerwiseFeatures(tg.NTK(net)).fit(np.ones((3, 2)))


def test_a_wide_last_layer_is_never_held_for_all_inputs():
    X = np.random.default_rng(0).standard_normal((320, 16, 16, 1)).astype(np.float32)
    features = LayerwiseFeatures("conv3 relu conv3 relu gap dense", 10**6, widths=(8, 600))
    features.set_params(random_state=0).fit(X[:2])
    tracemalloc.start()
    features.fit(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    held = 320 * 16 * 16 * 600 * 2 * 4  # of Σ and Θ behind the last activation
    assert peak < held / 2


def test_fewer_inputs_are_looked_at_where_they_would_fill_the_memory(monkeypatch):
    looked_at = []
    whole = chain.Fit.whole
    monkeypatch.setattr(
        chain.Fit,
        "whole",
        lambda self, steps, blocks: (
            looked_at.append(sum(len(block.local.sigma) for block in blocks))
            or whole(self, steps, blocks)
        ),
    )
    features = LayerwiseFeatures(NET, 40, widths=(10, 20), random_state=0)
    features.fit(IMAGES)
    monkeypatch.setattr(layerwise, "_HELD", 5 * 64 * 20)
    features.fit(IMAGES)
    assert looked_at == [30, 5]


def test_features_worse_than_none_are_said():
    X = 1e6 * np.random.default_rng(323417387).standard_normal((4, 6))
    X[2] = 0
    net = "dense:b=0.1 erf dense:w=0.001,frozen hermite1 dense:b=1"
    said = r"float32 samples miss the kernel by .* \(error_\)"
    steep = pytest.warns(InputWarning, match="rounding may cost up to")  # of the exact kernel
    with steep, pytest.warns(IllConditionedWarning, match=said):
        rough = LayerwiseFeatures(net, 10**4, widths=100).fit(X.astype(np.float32))
    assert rough.error_ > 1
    with pytest.warns(InputWarning):
        assert LayerwiseFeatures(net, 10**4, widths=100).fit(X).error_ < 1e-6


def test_as_many_features_as_asked_though_fewer_samples_are_looked_at():
    rng = np.random.default_rng(0)
    images = rng.standard_normal((150, 6, 6, 1)).astype(np.float32)
    kernel = tg.NTK("conv3 relu avg2 flatten dense")
    few, all_of = (
        LayerwiseFeatures(kernel, 100, widths=40, max_samples=most, random_state=0).fit(images)
        for most in (30, 150)
    )
    assert few.transform(images[:2]).shape == (2, 100)
    assert few.error_ < 1.3 * all_of.error_
