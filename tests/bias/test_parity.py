from __future__ import annotations

import math

import numpy as np
import pytest

import tangency as tg
from tangency.bias.parity import Reach
from tangency.bias.quadrature import multiprecision_coefficients
from tangency.bias.zonal import sphere_kernel

EVER = math.inf
NONE = -math.inf


@pytest.mark.parametrize(
    ("net", "kind", "even", "odd"),
    [
        ("dense relu dense", "ntk", EVER, 1),
        ("dense relu dense", "nngp", EVER, 1),
        ("dense relu dense:b=1", "ntk", EVER, 1),
        ("dense:b=1 relu dense", "ntk", EVER, EVER),
        ("dense relu dense relu dense", "nngp", EVER, EVER),
        ("dense abs dense abs dense", "ntk", EVER, NONE),
        ("dense erf dense erf dense", "ntk", NONE, EVER),
        ("dense erf dense:b=1 erf dense", "ntk", EVER, EVER),
        ("dense cos dense", "ntk", EVER, NONE),
        ("dense sin dense", "ntk", NONE, EVER),
        ("dense gelu dense", "ntk", EVER, 1),
        ("dense exp0.6 dense", "ntk", EVER, EVER),
        ("dense poly3 dense", "ntk", NONE, 3),
        ("dense:b=1 poly2 dense poly2 dense", "nngp", 4, 3),
        ("dense hermite3 dense", "nngp", NONE, 3),
        ("dense res(relu dense) dense", "nngp", EVER, 1),
        ("dense leaky-1.0 dense", "nngp", EVER, NONE),
        ("dense leaky1.0 dense leaky1.0 dense", "ntk", NONE, 1),
        ("dense layernorm relu dense rescale2", "nngp", EVER, 1),
        ("dense:frozen relu dense:frozen", "ntk", NONE, NONE),
        ("dense:w=0 relu dense", "nngp", NONE, NONE),
        ("dense:w=0,b=1 relu dense", "nngp", 0, NONE),
    ],
)
def test_reach_of_networks_and_their_spectra(net, kind, even, odd):
    kernel = sphere_kernel(net, kind)
    assert kernel.reach == Reach(even, odd)
    found = multiprecision_coefficients(kernel, 4, 12, 160)
    positive = kernel.reach.positive(12)
    # what it calls positive is so beyond the error, what it calls zero is lost in it
    assert np.all(found.relative[positive] < 1e-6)
    assert np.all(found.values[positive] > 0)
    assert np.all(np.abs(found.values[~positive]) <= np.exp(found.log_errors[~positive]))


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "silu", "gaussian", "elu"])
def test_the_parity_of_named_functions(name):
    layer = tg.Activation(name)
    kernel = sphere_kernel(tg.Sequential(tg.Dense(), layer, tg.Dense()), "nngp")
    coefficients = np.abs(layer.series(100).coefficients(np.ones(1))[:12, 0])
    np.testing.assert_array_equal(kernel.reach.positive(11), coefficients > 1e-12)


def test_sums_products_and_multiples():
    ntk, nngp = tg.NTK("dense relu dense"), tg.NNGP("dense poly2 dense")
    assert sphere_kernel(ntk + nngp).reach == Reach(EVER, 1)
    assert sphere_kernel(nngp * nngp).reach == Reach(4, NONE)
    assert sphere_kernel(0.0 * ntk).reach == Reach()
    assert sphere_kernel(ntk * tg.NNGP("dense")).reach == Reach(2, EVER)
