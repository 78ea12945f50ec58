from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from tangency.bias.arccosine import NotClosed, Span, log_beta

KAPPA_0 = Span(one=0.5, odd=0.5)
KAPPA_1 = Span(line=0.5, even=0.5)
NTK = Span(line=1.0, even=0.5, mixed=0.5)
DEGREES = [*range(13), 33, 34, 100, 101, 999, 1000, 4444, 9999, 10_000]


def moment(power, p, k):
    """|λ_α(k)| of Bach 2017, λ_α(k) = C_p ∫₀¹ t^α P_k(t)(1−t²)^{(p−3)/2} dt, α = 0 or 1."""
    half = mpf(p - 1) / 2
    scale = mp.gamma(mpf(p) / 2) / (mp.sqrt(mp.pi) * mp.gamma(half))
    if k <= power:
        # P_0 = 1 and P_1 = t: a beta integral.
        return scale * mp.beta(mpf(power + k + 1) / 2, half) / 2
    # Rodrigues' formula by parts: the n-th derivative of (1 − t²)^m at 0 is what remains.
    n, m = k - power - 1, k + half - 1
    if n % 2:
        return mpf(0)
    derivative = mp.factorial(n) * mp.binomial(m, n // 2)
    return scale * mp.gamma(half) / mp.gamma(k + half) / mpf(2) ** k * derivative


@pytest.mark.parametrize("p", [2, 3, 4, 7, 10, 50, 51, 400])
def test_kappas_and_the_ntk_agree_with_gamma_functions_in_fifty_digits(p):
    """μ_k(κ₀) = 2λ₀(k)², μ_k(κ₁) = 2p·λ₁(k)², and the NTK by the recurrence."""
    found = {
        name: span.log_eigenvalues(p, 10_000)
        for name, span in (("0", KAPPA_0), ("1", KAPPA_1), ("ntk", NTK))
    }
    with mp.workdps(50):
        for k in DEGREES:
            zero, one = (lambda j: 2 * moment(0, p, j) ** 2), 2 * p * moment(1, p, k) ** 2
            raised = zero(1)
            if k:
                raised = ((k + p - 2) * zero(k + 1) + k * zero(k - 1)) / (2 * k + p - 2)
            for name, true in (("0", zero(k)), ("1", one), ("ntk", raised + one)):
                value = found[name][k]
                if true == 0:
                    assert value == -np.inf, (name, k)
                elif value > -700:
                    assert abs(mpf(float(np.exp(value))) / true - 1) < 1e-12, (name, k)
                else:
                    # float64 cannot hold the eigenvalue; its logarithm is right to the last digits
                    assert abs(mpf(float(value)) / mp.log(true) - 1) < 1e-15, (name, k)


def test_structural_zeros_are_the_odd_degrees_from_three_on():
    for span in (NTK, KAPPA_1):
        logs = span.log_eigenvalues(5, 101)
        np.testing.assert_array_equal(np.flatnonzero(np.isneginf(logs)), np.arange(3, 102, 2))
    logs = KAPPA_0.log_eigenvalues(5, 101)
    np.testing.assert_array_equal(np.flatnonzero(np.isneginf(logs)), np.arange(2, 102, 2))


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_short_spectra_are_the_beginning_of_long_ones(degree):
    np.testing.assert_array_equal(
        NTK.log_eigenvalues(4, degree), NTK.log_eigenvalues(4, 9)[: degree + 1]
    )


@given(st.floats(0.5, 1e5), st.floats(0.5, 1e5))
def test_log_beta_keeps_its_digits(a, b):
    with mp.workdps(60):
        true = mp.log(mpmath.beta(mpf(a), mpf(b)))
    # log B passes zero near a = 1, b = 1, where only the absolute error counts
    assert abs(float(log_beta(a, b) - true)) < 1e-14 * max(4.0, abs(float(true)))


def test_the_span_is_closed_under_what_two_layers_do_and_says_when_it_is_left():
    assert Span(line=2.0) * KAPPA_0 == Span(line=1.0, mixed=1.0)
    assert KAPPA_0 * Span(line=2.0) == Span(line=1.0, mixed=1.0)
    assert Span(one=1.0, line=1.5, even=1.5) == 3 * KAPPA_1 + 1
    for product in (lambda: KAPPA_1 * KAPPA_0, lambda: Span(line=1.0) * Span(line=1.0)):
        with pytest.raises(NotClosed):
            product()
