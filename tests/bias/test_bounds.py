"""Which bound is drawn over which kernel, and that it is one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tangency as tg
from tangency.bias.bounds import bound

RELU = "dense relu dense"


@given(st.floats(-9, 1), st.floats(0.1, 10), st.integers(0, 99))
def test_the_two_layer_relu_ntk(size, scale, seed):
    rng = np.random.default_rng(seed)
    x = scale * rng.normal(size=(1, 3))
    y = x + 10**size * rng.normal(size=(1, 3))
    theory = bound(tg.NTK(RELU), sphere=False)
    norm = min(np.linalg.norm(x), np.linalg.norm(y))
    limit = theory.value(norm, np.linalg.norm(x - y))
    assert tg.NTK(RELU).paired_distance(x, y)[0] <= limit
    # It is not idle: within a small factor for small steps.
    if size < -3:
        assert tg.NTK(RELU).paired_distance(x, y)[0] >= 0.01 * limit


@pytest.mark.parametrize(
    ("text", "kind", "sphere"),
    [
        (RELU, tg.NNGP, False),
        ("dense relu dense leaky0.1 dense", tg.NNGP, False),
        ("dense exp0.8 dense exp0.8 dense", tg.NTK, False),
        ("dense erf dense gelu dense", tg.NTK, True),
        ("dense sin dense", tg.NNGP, True),
    ],
)
def test_lipschitz_constants(text, kind, sphere):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 50, 3))
    y[:25] = x[:25] + 1e-3 * y[:25]
    if sphere:
        x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))
    theory = bound(kind(text), sphere)
    step = np.linalg.norm(x - y, axis=1)
    found = kind(text).paired_distance(x, y)
    assert np.all(found <= theory.value(np.ones(50), step) * (1 + 1e-9))


@pytest.mark.parametrize(
    ("kernel", "sphere"),
    [
        (tg.NTK("dense relu dense relu dense"), True),
        (tg.NTK(RELU, normalize=True), True),
        (tg.NTK("dense:w=2 relu dense"), True),
        (tg.NTK("dense erf dense"), False),
        (tg.NTK("conv3 relu gap dense"), True),
        (2 * tg.NTK(RELU), True),
    ],
)
def test_where_none_is_known(kernel, sphere):
    assert bound(kernel, sphere) is None


def test_labels():
    assert bound(tg.NNGP(RELU), True).label == "‖x − y‖"
    assert bound(tg.NTK("dense erf dense"), True).label == "1.85 ‖x − y‖"
