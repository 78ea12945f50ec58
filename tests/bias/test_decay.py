from __future__ import annotations

import math

import numpy as np
import pytest

import tangency as tg
from tangency.bias.decay import fit_decay
from tangency.bias.zonal import sphere_kernel
from tangency.errors import InputError


@pytest.mark.parametrize(
    ("net", "ntk", "nngp"),
    [
        ("dense relu dense", -7, -9),
        ("dense:b=1 relu dense relu dense relu dense", -7, -9),
        ("dense res(relu dense relu dense) relu dense", -7, -9),
        ("dense relu dense erf dense", -7, -9),
        # nothing to train below the activation: the tangent kernel is the last-layer kernel
        ("dense:frozen relu dense", -9, -9),
        ("dense leaky1.0 dense", "finite", "finite"),
        ("dense erf dense", "exponential", "exponential"),
        ("dense exp0.6 dense", "exponential", "exponential"),
        ("dense poly3 dense", "finite", "finite"),
    ],
)
def test_laws_of_networks(net, ntk, nngp):
    assert sphere_kernel(net, "ntk").law(7) == ntk
    assert sphere_kernel(net, "nngp").law(7) == nngp


def test_laws_of_quadratures_functions_and_combinations():
    def law(function):
        return sphere_kernel(tg.Sequential(tg.Dense(), tg.Activation(function), tg.Dense())).law(3)

    assert law("tanh") == "faster than any power"
    assert law("elu") is None
    assert law(np.tanh) is None
    both = tg.NTK("dense relu dense") + tg.NNGP("dense relu dense")
    assert sphere_kernel(both).law(5) == -5
    assert sphere_kernel(tg.NNGP("dense erf dense") * tg.NNGP("dense relu dense")).law(5) == -7


@pytest.mark.parametrize("dim", [2, 5, 10])
def test_a_power_of_the_shifted_degree_is_fitted_exactly(dim):
    k = np.arange(101)
    logs = -4.5 * np.log(np.maximum(k + (dim - 2) / 2, 1e-9))
    logs[1::2] *= 1.2
    fit = fit_decay(logs, np.ones(101, dtype=bool), dim, 20, 100)
    assert fit.even == pytest.approx(-4.5)
    assert fit.odd == pytest.approx(-5.4)
    assert fit.steepest == fit.odd


def test_parities_without_two_degrees_have_no_slope():
    good = np.arange(31) % 2 == 0
    fit = fit_decay(np.zeros(31), good, 3, 5, 30)
    assert fit.odd is None
    assert fit.even == pytest.approx(0.0)
    assert fit_decay(np.zeros(31), ~good & good, 3, 29, 30).steepest is None


@pytest.mark.parametrize(("low", "high"), [(0, 5), (5, 5), (5, 31)])
def test_degrees_outside_are_named(low, high):
    message = f"1 <= low < high <= 30, got {low} and {high}"
    with pytest.raises(InputError, match=message):
        fit_decay(np.zeros(31), np.ones(31, dtype=bool), 3, low, high)


def test_the_order_of_the_edge_is_that_of_the_function():
    # 1 − h near u = 1: the first power that is not whole, from three points of a geometric row
    for kind, nu in (("ntk", 0.5), ("nngp", 1.5)):
        h = sphere_kernel("dense relu dense relu dense", kind)
        gaps = np.array([1e-2, 1e-4, 1e-6])
        values = h(1 - gaps) - h.at_one
        slope = (h(1 - 1e-7) - h.at_one) / 1e-7 if nu > 1 else 0.0
        rest = np.abs(values - slope * gaps)
        order = math.log(rest[0] / rest[1]) / math.log(gaps[0] / gaps[1])
        assert order == pytest.approx(nu, abs=0.1)
