"""How many derivatives put a function into the RKHS."""

import math

import numpy as np
import pytest

import tangency as tg
from tangency.bias import targets
from tangency.bias.condition import smoothness_condition
from tangency.bias.norms import rkhs_norm
from tangency.errors import InputError

NET = "dense relu dense"
KERNELS = {"NTK": tg.NTK(NET), "last-layer": tg.NNGP(NET)}


@pytest.mark.parametrize("dim", [2, 3, 4, 7, 12])
def test_measured_thresholds_are_those_of_theory(dim):
    check = smoothness_condition(KERNELS, dim)
    for name, beta in (("NTK", dim), ("last-layer", dim + 2)):
        item = check[name]
        assert item.threshold == (beta - 1) / 2
        assert item.derivatives == beta / 2
        assert item.crossing == pytest.approx(item.threshold, abs=0.03)
        inside = check.exponents > item.threshold
        assert np.isfinite([n.value for n in item.norms]).tolist() == inside.tolist()


@pytest.mark.parametrize("dim", [3, 4, 6])
def test_enough_bounded_derivatives_give_a_finite_norm(dim):
    """|u|^a has ⌊a⌋ bounded derivatives; p/2 of them suffice, p/2 + 1 for the last layer."""
    check = smoothness_condition(KERNELS, dim)
    counted = 0
    for item in check.kernels.values():
        for a, norm in zip(check.exponents, item.norms, strict=True):
            if math.floor(a) >= item.derivatives:
                assert math.isfinite(norm.value)
                counted += 1
    assert counted > 10


def test_one_derivative_lies_between_the_two_kernels():
    check = smoothness_condition(KERNELS, 5)
    assert check["last-layer"].crossing - check["NTK"].crossing == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("name", ["NTK", "last-layer"])
def test_the_norm_is_that_of_half_beta_derivatives(name):
    """c ‖(-Δ)^(β/4) f‖ ≤ ‖f - ∫f‖_H ≤ C ‖(-Δ)^(β/4) f‖ for every even f."""
    item = smoothness_condition(KERNELS, 4)[name]
    beta, (low, high) = 2 * item.derivatives, item.constants
    assert 1 < high / low < 4
    for target in (targets.bump().even(), targets.power(3.5), targets.rough(4.0)):
        norms = target.norms(4, 500).values
        norms[0] = 0.0
        norms[1::2] = 0.0
        k = np.arange(501)
        derivatives = math.sqrt(float(np.sum(norms**2 * (k * (k + 2.0)) ** (beta / 2))))
        value = rkhs_norm(norms, KERNELS[name], 4).value
        assert low * derivatives <= value <= high * derivatives


def test_depth_and_bias_do_not_move_the_threshold():
    kernels = {
        "deep": tg.NTK("dense relu dense relu dense"),
        "biased": tg.NTK("dense:b=0.5 relu dense:b=0.5"),
    }
    check = smoothness_condition(kernels, 4, degree=150)
    for item in check.kernels.values():
        assert item.threshold == 1.5
        assert item.crossing == pytest.approx(1.5, abs=0.1)


def test_a_smooth_kernel_holds_none_of_them():
    check = smoothness_condition(tg.NNGP("dense:b=0.5 erf dense"), 3, [1.0, 3.0, 5.0], degree=80)
    item = check["last-layer"]
    assert [norm.value for norm in item.norms] == [math.inf] * 3
    assert item.threshold is None
    assert math.isnan(item.crossing)
    assert check.table().rows[0][2] == "?"
    assert "0 of 3 powers shown are inside" in check.summary


def test_results_show_themselves():
    check = smoothness_condition(KERNELS, 4)
    assert "NTK: finite norm for a > 1.50 fitted, a > 1.5 by theory" in check.summary
    assert len(check.table().rows) <= 20
    figure = check.plot()
    assert len(figure.axes) == 2
    assert check.plot(figure.axes[0]) is figure


def test_exponents_are_checked_and_even_ones_left_out():
    assert smoothness_condition(KERNELS, 3, [1, 2, 3, 1]).exponents.tolist() == [1, 3]
    with pytest.raises(InputError, match="is a polynomial, in every space, for an even a"):
        smoothness_condition(KERNELS, 3, [2.0])
    with pytest.raises(InputError, match="exponents must be finite numbers greater than -1/2"):
        smoothness_condition(KERNELS, 3, [-1.0])
