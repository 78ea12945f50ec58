"""Curves of approximation: the rates of the paper, what is resolved, and how they show."""

import math

import numpy as np
import pytest

import tangency as tg
from tangency.bias import targets
from tangency.bias.approximation import approximation_curve
from tangency.bias.spectrum import spectrum
from tangency.errors import InputError

NET = "dense relu dense"
KERNELS = {"NTK": tg.NTK(NET), "last-layer": tg.NNGP(NET)}


@pytest.mark.parametrize("dim", [5, 6, 10])
@pytest.mark.parametrize(
    "target",
    [targets.power(), targets.ramp(), targets.cone().even(), targets.cone(1.0).even()],
    ids=lambda t: t.name,
)
def test_fitted_rates_are_those_of_theory(target, dim):
    """μ_k ~ k^-β and ‖f_k‖² ~ k^(-2s-1) give δ^(-s/(β/2 - s)); s = 3/2 for a kink."""
    curve = approximation_curve(target, KERNELS, dim, degree=2000)
    for name, beta in (("NTK", dim), ("last-layer", dim + 2)):
        rate = 1.5 / (beta / 2 - 1.5)
        assert curve[name].rate == pytest.approx(rate)
        assert curve[name].fit.rate == pytest.approx(rate, rel=0.02)
        assert curve[name].lipschitz_rate == pytest.approx(1 / (beta / 2 - 1))
        assert curve[name].fit.rate > curve[name].lipschitz_rate


@pytest.mark.parametrize(("name", "paper"), [("NTK", 2 / 3), ("last-layer", 2 / 5)])
def test_one_derivative_in_l2_gives_no_better_rate_than_the_papers(name, paper):
    """Functions of smoothness just over 1 in L² come as near to the paper's rate as one likes."""
    rates = []
    for smoothness in (1.3, 1.15, 1.05):
        target = targets.rough(smoothness)
        fit = approximation_curve(target, KERNELS, 5, degree=10_000)[name].fit
        rates.append(fit.rate)
    assert rates[0] > rates[1] > rates[2] > paper
    assert rates[2] == pytest.approx(paper, rel=0.15)


def test_the_ntk_needs_a_smaller_ball_for_the_same_error():
    """On the scale of the largest value in the ball, δ√K(x, x)."""
    curve = approximation_curve("|u|", KERNELS, 6, degree=1000)
    sizes = []
    for item in curve.curves.values():
        at = np.interp(-math.log(1e-3), -np.log(item.errors), np.log(item.radii))
        sizes.append(math.exp(at) * math.sqrt(item.diagonal))
    assert sizes[0] < sizes[1] / 5


def test_the_bound_for_lipschitz_functions_is_never_crossed():
    for target in (targets.power(), targets.cone().even(), targets.bump().even()):
        for item in approximation_curve(target, KERNELS, 5, degree=500).curves.values():
            known = np.isfinite(item.bound)
            assert known.any()
            assert (item.errors[known] < item.bound[known]).all()


def test_functions_in_the_space_are_reached_at_their_norm():
    for target in (targets.bump().even(), targets.power(3.0)):
        item = approximation_curve(target, KERNELS["NTK"], 4, degree=800)["NTK"]
        assert item.fit is None
        assert item.norm.status == "converged"
        assert item.radii[-1] == pytest.approx(item.norm.value, rel=0.01)
        assert item.errors[-1] < 1e-4 * item.errors[0]
        assert "exact from δ" in item.describe()


def test_at_the_border_no_power_is_claimed():
    item = approximation_curve("|u|", KERNELS["NTK"], 3, degree=500)["NTK"]
    assert item.fit is None
    assert math.isinf(item.rate)
    assert "faster than any power by theory" in item.describe()


def test_what_the_kernel_cannot_represent_stays():
    """A cone is not even: its odd degrees from 3 on are out of reach without biases."""
    item = approximation_curve("cone", KERNELS["NTK"], 4, degree=300)["NTK"]
    odd = targets.cone().norms(4, 300).values[3::2]
    assert item.floor == pytest.approx(math.sqrt(np.sum(odd**2)))
    assert item.errors.min() >= item.floor
    assert item.fit.rate == pytest.approx(3.0, rel=0.25)
    assert np.isnan(item.bound).all()
    biased = tg.NTK("dense:b=1 relu dense:b=1")
    assert approximation_curve("cone", biased, 4, degree=100)["NTK"].floor == 0.0


def test_given_radii_are_met_and_more_degrees_stay_between_the_bounds():
    radii = [0.3, 1.0, 5.0, 40.0, 200.0]
    few = approximation_curve("|u|", KERNELS["NTK"], 5, radii, degree=40)["NTK"]
    many = approximation_curve("|u|", KERNELS["NTK"], 5, radii, degree=4000)["NTK"]
    assert few.radii.tolist() == radii
    assert (few.lower <= many.errors * (1 + 1e-9)).all()
    assert (many.lower <= few.errors * (1 + 1e-9)).all()
    assert few.resolved.tolist() == [True, True, False, False, False]
    assert many.resolved.all()
    np.testing.assert_allclose(few.errors[:2], many.errors[:2], rtol=5e-3)


def test_the_fit_keeps_to_what_is_resolved():
    item = approximation_curve("|u|", KERNELS["NTK"], 6, degree=300)["NTK"]
    inside = (item.radii >= item.fit.start) & (item.radii <= item.fit.stop)
    assert inside.sum() >= 5
    assert item.resolved[inside].all()
    assert (item.errors[inside] < item.errors[0] / 20).all()
    nothing = approximation_curve("|u|", KERNELS["NTK"], 6, degree=6)["NTK"]
    assert nothing.fit is None
    assert "no power law resolved" in nothing.describe()


def test_kernels_by_their_values_or_spectra():
    h = tg.bias.sphere_kernel(NET, kind="ntk")
    same = approximation_curve("|u|", {"h": h, "s": spectrum(h, 5, 300)}, 5, [1.0, 9.0], degree=300)
    np.testing.assert_allclose(same["h"].errors, same["s"].errors)
    blind = approximation_curve("|u|", lambda u: h(u), 5, [0.2, 1.0], degree=300)
    known = approximation_curve("|u|", h, 5, [0.2, 1.0], degree=300)["NTK"]
    np.testing.assert_allclose(blind.curves["<lambda>"].errors, known.errors, rtol=1e-6)


@pytest.mark.parametrize("radii", [[0.0], [-1.0], [math.nan], [[1.0]], []])
def test_radii_that_are_none(radii):
    with pytest.raises(InputError, match="radii must be finite numbers greater than 0"):
        approximation_curve("|u|", KERNELS, 5, radii)


def test_results_show_themselves():
    curve = approximation_curve("cone", KERNELS, 4, degree=200)
    assert curve.title == "Approximation of a cone on the sphere in dimension 4"
    assert "never below" in curve.summary
    table = curve.table()
    assert {row[0] for row in table.rows} == {"NTK", "last-layer"}
    figure = curve.plot()
    axes = figure.axes[0]
    assert len(axes.get_lines()) >= 2
    assert "NTK (all layers trained)" in axes.get_legend().get_texts()[0].get_text()
    assert approximation_curve("|u|", KERNELS, 4, degree=200).plot(axes) is figure
