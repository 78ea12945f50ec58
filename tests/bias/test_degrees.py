"""Quadrature of zonal functions in the angle."""

import math

import numpy as np
import pytest

from tangency.bias.degrees import DegreeNorms, log_multiplicities, project
from tangency.bias.harmonics import legendre, multiplicity
from tangency.errors import InputError


@pytest.mark.parametrize("dim", [2, 3, 4, 9, 60])
def test_multiplicities_are_the_exact_integers(dim):
    exact = [float(multiplicity(dim, k)) for k in range(60)]
    np.testing.assert_allclose(np.exp(log_multiplicities(dim, 59)), exact, rtol=1e-12)


@pytest.mark.parametrize(("dim", "degree"), [(3, 10**5), (100, 10**4), (10**4, 40), (10**6, 9)])
def test_their_logarithms_keep_their_digits_in_any_dimension(dim, degree):
    logs = log_multiplicities(dim, degree)
    for k in (1, 2, degree // 2, degree):
        exact = math.log(multiplicity(dim, k))  # of an integer, correct to the last digits
        assert logs[k] == pytest.approx(exact, rel=4e-15)


@pytest.mark.parametrize("dim", [2, 3, 8])
def test_a_legendre_polynomial_has_one_degree(dim):
    for k in (0, 1, 7):
        found = project(lambda u, k=k: legendre(dim, k, u)[k], dim, 20)
        assert np.count_nonzero(found.values) == 1
        assert found.values[k] == pytest.approx(multiplicity(dim, k) ** -0.5, rel=1e-13)
        assert found.last == k


@pytest.mark.parametrize("dim", [2, 3, 10, 100])
def test_a_smooth_function_is_summed_back(dim):
    found = project(lambda u: np.exp(2 * u), dim, 60)
    moment = project(lambda u: np.exp(4 * u), dim, 0).values[0]
    assert found.energy == pytest.approx(moment, rel=1e-13)
    assert found.ends is (found.last <= 7)


def test_a_kink_that_was_not_named_shows_in_the_noise():
    def kinked(u):
        return np.abs(u - 0.3)

    blind = project(kinked, 3, 100)
    told = project(kinked, 3, 100, (math.acos(0.3),))
    assert told.noise < 1e-14
    assert blind.noise > 1e-9
    error = np.abs(blind.values - told.values).max()
    assert error <= 20 * blind.noise


def test_norms_under_the_noise_are_zero_and_parities_are_kept_apart():
    found = project(lambda u: u**2 + 1e-17 * u**5, 4, 30)
    assert found.last == 2
    assert found.ends
    both = DegreeNorms(np.zeros(6))
    assert np.isfinite(both.only("odd").logs).tolist() == [False, True] * 3
    assert both.only(None) is both
    assert DegreeNorms(np.full(4, -np.inf)).last == -1


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda u: 1 / (u - u), "not finite at u = "),
        (lambda u: 1.0, r"gave shape \(\) for u of shape"),
        (lambda u: math.exp(u), "it must map arrays to arrays"),
    ],
)
def test_functions_that_are_no_functions_of_arrays(function, message):
    with np.errstate(all="ignore"), pytest.raises(InputError, match=message):
        project(function, 3, 5)
