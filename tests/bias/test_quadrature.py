from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from tangency.bias.harmonics import legendre
from tangency.bias.quadrature import float64_coefficients, funk_hecke, multiprecision_coefficients
from tangency.bias.rules import WHOLE, FixedRule, bandwidth, float_rule, middle
from tangency.bias.zonal import ZonalKernel, sphere_kernel
from tangency.errors import InputError


def monomial(power, p, degree):
    """μ_k of t^m: multiplication by t, m times, on the coefficients of 1."""
    c = np.zeros(degree + power + 2)
    c[0] = 1.0
    for _ in range(power):
        k = np.arange(1, len(c) - 1)
        raised = np.zeros_like(c)
        raised[0] = c[1]
        raised[1:-1] = ((k + p - 2) * c[2:] + k * c[:-2]) / (2 * k + p - 2)
        c = raised
    return c[: degree + 1]


@given(st.integers(2, 30), st.integers(0, 12))
def test_monomials(p, power):
    np.testing.assert_allclose(
        funk_hecke(lambda u: u**power, p, 14), monomial(power, p, 14), atol=2e-15
    )


@given(st.integers(2, 12), st.integers(0, 10))
def test_a_legendre_polynomial_has_one_coefficient(p, k):
    found = funk_hecke(lambda u: legendre(p, k, u)[k], p, 12)
    expected = np.zeros(13)
    expected[k] = 1 / (1 if k == 0 else (2 * k + p - 2) * math.comb(k + p - 3, k - 1) // k)
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_a_jump_is_no_obstacle_where_it_is_named():
    # The step function has coefficients λ₀(k); (½, ¼, 0, −1/16, ...) in three dimensions.
    found = funk_hecke(lambda u: (u > 0).astype(float), 3, 4, breaks=[0.0])
    np.testing.assert_allclose(found, [0.5, 0.25, 0.0, -0.0625, 0.0], atol=1e-15)


@pytest.mark.parametrize("net", ["dense relu dense relu dense", "dense erf dense"])
@pytest.mark.parametrize("kind", ["ntk", "nngp"])
@pytest.mark.parametrize("p", [2, 3, 8, 30])
def test_float64_errors_are_within_their_bound(net, kind, p):
    h = sphere_kernel(net, kind)
    plain, exact = float64_coefficients(h, p, 40), multiprecision_coefficients(h, p, 40, 200)
    assert np.all(np.abs(plain.values - exact.values) <= np.exp(plain.log_errors))
    # and the bound is no empty one
    assert plain.log_errors[0] < math.log(1e-13)


def test_more_digits_change_nothing_beyond_the_claimed_error():
    h = sphere_kernel("dense:b=0.3 relu dense gelu dense")
    few, many = (multiprecision_coefficients(h, 6, 60, bits) for bits in (90, 250))
    assert np.all(np.abs(few.values - many.values) <= 2 * np.exp(few.log_errors))
    assert np.exp(few.log_errors[0]) < 1e-25


def test_an_unnamed_kink_raises_the_error_estimate():
    found = float64_coefficients(ZonalKernel("abs", np.abs), 3, 4)
    true = np.array([0.5, 0, 0.125, 0, -1 / 48])
    error = np.abs(found.values - true)
    assert np.max(error) > 1e-10
    assert np.all(error <= np.exp(found.log_errors))


def test_the_rules_integrate_polynomials_exactly():
    phi, weights = float_rule(20)
    for power in range(20):
        exact = 2 / (power + 1) if power % 2 == 0 else 0.0
        assert weights @ (-np.cos(phi)) ** power == pytest.approx(exact, abs=1e-15)
    rule = FixedRule(20, 160)
    assert 2 * int(np.sum(rule.weights)) / (1 << 160) == pytest.approx(math.pi, rel=1e-15)
    ctx = rule.context.ctx
    # ∫ (θ − π/2)^18 dθ over [0, π], to 45 digits
    angles = [ctx.pi / 2 * ctx.cospi(ctx.mpf(int(m)) / 40) for m in rule.phi]
    total = 2 * sum(ctx.mpf(int(w)) * a**18 for w, a in zip(rule.weights, angles, strict=True))
    exact = 2 * (ctx.pi / 2) ** 19 / 19
    assert abs(ctx.ldexp(total, -160) / exact - 1) < 1e-45


@pytest.mark.parametrize("dim", [40, 300, 5000])
def test_a_narrow_band_holds_what_counts_in_high_dimension(dim):
    with mp.workdps(60):
        found = multiprecision_coefficients(sphere_kernel("dense poly3 dense"), dim, 3, 120)
        part = middle(dim - 2, 36)
        assert part < WHOLE
        edge = mp.pi / 2 * (1 - mpf(part) / WHOLE)
        outside = 2 * mp.quad(lambda x: mp.sin(x) ** (dim - 2), mp.linspace(0, edge, 20))
        whole = mp.sqrt(mp.pi) * mp.gamma(mpf(dim - 1) / 2) / mp.gamma(mpf(dim) / 2)
        assert outside / whole < mpf(10) ** -36
    c = sum(m * monomial(j, dim, 3) for j, m in enumerate(power_series("dense poly3 dense")))
    np.testing.assert_allclose(found.values, c, rtol=1e-12, atol=1e-30)


def power_series(net):
    """Coefficients of a kernel that is a cubic polynomial in the cosine."""
    u = np.array([-1.0, -0.5, 0.5, 1.0])
    return np.linalg.solve(np.vander(u, increasing=True), sphere_kernel(net)(u)).round(12)


@pytest.mark.parametrize(("order", "digits"), [(1, 15), (1, 60), (30, 15), (200, 60), (2000, 30)])
def test_bandwidth_bounds_the_bessel_functions(order, digits):
    count = bandwidth(order, digits)
    with mp.workdps(digits + 20):
        x = mpf(order) * mp.pi / 2
        assert all(abs(mp.besselj(m, x)) < mpf(10) ** -digits for m in (count, count + 7))
        # and wastes little
        assert abs(mp.besselj(int(0.8 * count), x)) > mpf(10) ** -digits


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda u: 1 / (1 - u) * (u < 0) + np.where(u > 0, np.nan, 0), "is not finite at u = "),
        (lambda u: 1.0, r"gave shape \(\) for cosines of shape"),
    ],
)
def test_bad_functions_are_named(function, message):
    with pytest.raises(InputError, match=message):
        funk_hecke(function, 3, 4)
