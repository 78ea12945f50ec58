"""Does a series converge: known sums, borders, and honest doubt."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import zeta

from tangency.bias.series import fitted_exponent, sum_series


def powers(exponent: float, degree: int = 2000) -> np.ndarray:
    k = np.arange(degree + 1)
    return np.where(k > 0, -exponent * np.log(np.maximum(k, 1)), -np.inf)


@given(st.floats(1.2, 6))
def test_the_tail_completes_the_zeta_function(exponent):
    found = sum_series(powers(exponent))
    assert found.status == "converged"
    assert found.exponent == pytest.approx(exponent, abs=0.01)
    assert abs(found.value - zeta(exponent)) <= 0.01 * found.tail + 1e-12
    known = sum_series(powers(exponent), exponent)
    assert known.value == pytest.approx(zeta(exponent), rel=1e-12)


@given(st.floats(-3, 0.9))
def test_slow_terms_diverge(exponent):
    found = sum_series(powers(exponent))
    assert (found.status, found.value) == ("diverged", math.inf)


def test_near_the_border_only_theory_decides():
    assert sum_series(powers(1.02)).status == "unknown"
    assert math.isnan(sum_series(powers(1.02)).value)
    assert sum_series(powers(1.02), 1.02).status == "converged"
    assert sum_series(powers(1.0), 1.0).status == "diverged"
    assert sum_series(powers(1.0), 1.0).exponent == pytest.approx(1, abs=1e-3)


def test_terms_that_vanish_or_oscillate_do_no_harm():
    k = np.arange(2001)
    odd = np.where(k % 2 == 1, powers(2.0), -np.inf)
    waves = powers(2.0) + np.log(np.maximum(np.cos(k * 0.7) ** 2, 1e-300))
    assert fitted_exponent(odd)[0] == pytest.approx(2, abs=0.01)
    assert fitted_exponent(waves)[0] == pytest.approx(2, abs=0.03)


def test_few_terms_decide_nothing_unless_they_are_all():
    assert sum_series(powers(3.0, 20)).status == "unknown"
    found = sum_series(powers(3.0, 20), ends=True)
    assert (found.status, found.tail) == ("finite", 0.0)
    assert found.value == pytest.approx(sum(k**-3 for k in range(1, 21)))
    assert sum_series(np.full(5, -np.inf), ends=True).value == 0.0


def test_huge_terms_do_not_overflow():
    assert sum_series(powers(-200.0)).value == math.inf
    assert sum_series(800 + powers(3.0)).partial == math.inf
