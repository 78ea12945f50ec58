"""When float32 is not enough: right values all the same, and a word where float64 is not either."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

import tangency as tg
from tangency.engines import precision
from tangency.engines.prepared import Prepared
from tangency.kernels import InputWarning
from tangency.nets.plan import plan

EPS32 = float(np.finfo(np.float32).eps)


def bytes_like_mnist(n=60):
    """8 × 8 digits as 28 × 28 bytes, nearly equal ones among them."""
    x = np.repeat(np.repeat(load_digits().images[:n] * 15.9, 3, axis=1), 3, axis=2).round()
    x = np.pad(x, ((0, 0), (2, 2), (2, 2)))[:, :, :].reshape(n, -1)
    x[1] = x[0]
    x[1, 300] += 1
    x[2] = x[0]
    return x.astype(np.float32)


@pytest.mark.parametrize("engine", ["fused", "reference"])
@pytest.mark.parametrize(
    "text", ["dense sin dense", "dense erf dense", "dense cos dense relu dense"]
)
def test_bytes_in_float32(text, engine):
    """Against float64: on and off the diagonal, and for images that differ in one grey level."""
    x = bytes_like_mnist()
    # erf takes the root of what is between two images: float32 does for its last layer.
    bound = 2e-4 if "erf" in text else 1e-6
    for kind in (tg.NTK, tg.NNGP):
        kernel = kind(text, engine=engine)
        found, true = kernel(x), kernel(x.astype(float))
        alone = np.sqrt(np.diag(true))
        assert found.dtype == np.float32
        assert np.max(np.abs(found - true) / np.outer(alone, alone)) < bound
        assert np.array_equal(np.diag(found), kernel.diag(x))
        assert found[0, 2] == found[0, 0]
        assert np.max(np.abs(kernel(x, x[:5]) - true[:, :5])) < bound * np.max(true)
    if "sin" in text:
        # K = e^{−‖x−y‖²/2}/2, over E[sin²] at variance 1.
        near = np.exp(-0.5) / (1 - np.exp(-2))
        assert tg.NNGP(text)(x)[0, 1] == pytest.approx(near, rel=1e-6)
        assert tg.NNGP(text).diag(x)[0] == pytest.approx(1 / (1 - np.exp(-2)), rel=1e-6)


def test_float32_stays_where_it_is_enough(monkeypatch):
    """Usual networks on usual data: nothing is computed twice as slowly as it must be."""
    x = np.random.default_rng(0).normal(size=(20, 784)).astype(np.float32)
    images = x.reshape(20, 28, 28, 1)
    for text in (
        "dense relu dense relu dense relu dense relu dense relu dense",
        "dense erf dense",
        "dense gelu dense gelu dense",
        "dense layernorm relu dense",
        "dense:w=0.035 sin dense relu dense",
    ):
        assert not verdict(text, x).double, text
    for text in ("conv3 relu gauss2 conv3 relu gap dense", "conv3 exp0.6 conv3 relu gap dense"):
        assert not verdict(text, images).double, text
        assert not verdict(text, np.exp(5 * images)).double, text  # dark places beside bright ones
    assert verdict("dense sin dense", 30 * x).double
    assert verdict("dense relu dense", 1e20 * x).double
    assert verdict("dense relu dense", 1e-25 * x).double
    assert not verdict("dense relu dense", 0 * x).double


def verdict(text, x, **options):
    sets = [Prepared(x)]
    options = {"normalize": False, **options}
    return precision.verdict(plan(tg.parse(text), x.shape[1:]), True, sets, **options)


def test_bounds_hold():
    """Variances at the end of a network are between those that are told."""
    x = np.random.default_rng(0).normal(size=(30, 6, 6, 2))
    for text in (
        "conv3:w=1.5,b=0.1 relu gauss2 conv3 gelu gap dense",
        "conv3 sin conv3 res(relu conv3:w=2) erf flatten dense",
        "conv3 hermite3:raw avg2 conv3 cos rescale-2 gap dense:b=1",
    ):
        found = precision.bounds(plan(tg.parse(text), (6, 6, 2)), EPS32, Prepared(x))
        assert np.max(tg.NNGP(text).diag(x)) <= found.most * (1 + 1e-12)
        assert found.most < 1e4 * np.max(tg.NNGP(text).diag(x))


def test_branches_that_begin_at_zero_are_not_taken_for_small_inputs():
    x = np.random.default_rng(0).normal(size=(3, 4))
    net = "dense sum( | relu dense:w=0) layernorm relu dense"
    plain = tg.NNGP("dense layernorm relu dense", engine="reference")(x)
    found = tg.NNGP(net, engine="reference")(x)
    np.testing.assert_allclose(found, plain, rtol=1e-12)
    with pytest.raises(tg.InputError, match="some inputs are so small"):
        tg.NNGP(net, engine="reference")(1e-170 * x)


def test_the_loss_that_is_told_is_about_the_one_that_is():
    """float32 on inputs that nearly agree, computed without help."""
    from tangency.engines import dispatch

    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 50)).astype(np.float32)
    y = (x * (1 + 1e-3 * rng.normal(size=x.shape))).astype(np.float32)
    for text, scale in (("dense sin dense", 10.0), ("dense sin dense relu dense", 3.0)):
        steps = plan(tg.parse(text), (50,))
        a, b = (scale * x).astype(np.float32), (scale * y).astype(np.float32)
        found = dispatch.gram(steps, a, b).ntk
        true = dispatch.gram(steps, a.astype(float), b.astype(float)).ntk
        off = np.max(np.abs(found - true)) / np.max(true)
        told = precision.loss(precision.bounds(steps, EPS32, Prepared(a)), EPS32, True)
        assert told / 100 < off < 2 * told


def test_where_float64_is_not_enough_there_is_a_warning():
    x = 1e7 * np.random.default_rng(0).normal(size=(5, 10))
    with pytest.warns(InputWarning, match="nearly equal or parallel") as seen:
        found = tg.NNGP("dense sin dense")(x)
    assert seen[0].filename == __file__
    assert np.allclose(found, np.diag(tg.NNGP("dense sin dense").diag(x)))
    with pytest.warns(InputWarning, match="scale the inputs down"):
        tg.gram("dense sin dense", x.astype(np.float32))
    tg.NTK("dense relu dense")(x)


def test_a_small_part_is_told_with_its_digits():
    x = 1e6 * np.random.default_rng(0).normal(size=(5, 4))
    with pytest.warns(InputWarning, match=r"may cost up to 0\.[2-9]% of the kernel"):
        tg.NNGP("dense sin dense")(x)


def test_explain_says_what_precision():
    x = np.random.default_rng(0).normal(size=(5, 784)).astype(np.float32)
    assert "precision: float64" in tg.explain("dense sin dense", 100 * x)
    assert "precision" not in tg.explain("dense relu dense", x)
