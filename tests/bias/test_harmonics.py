from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from tangency.bias.harmonics import (
    legendre,
    multiplicities,
    multiplicity,
    spherical_harmonics,
)
from tangency.errors import InputError, MemoryLimitError

DIMENSIONS, DEGREES = st.integers(2, 7), st.integers(0, 6)


def on_sphere(n, p, seed=0):
    x = np.random.default_rng(seed).standard_normal((n, p))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@given(st.integers(2, 60), st.integers(0, 60))
def test_harmonics_up_to_a_degree_are_the_polynomials_on_the_sphere(p, degree):
    # homogeneous polynomials of degree K and of degree K − 1 in p variables
    polynomials = math.comb(degree + p - 1, p - 1)
    if degree:
        polynomials += math.comb(degree + p - 2, p - 1)
    assert sum(multiplicity(p, k) for k in range(degree + 1)) == polynomials


def test_multiplicities_are_exact_at_any_size():
    assert [multiplicity(2, k) for k in range(4)] == [1, 2, 2, 2]
    big = multiplicity(1000, 10_000)
    assert isinstance(big, int)
    assert big == math.comb(10_999, 999) - math.comb(10_997, 999)


def test_legendre_polynomials_are_the_known_ones_in_two_and_three_dimensions():
    t = np.linspace(-1, 1, 41)
    circle, sphere = legendre(2, 30, t), legendre(3, 30, t)
    for k in range(31):
        np.testing.assert_allclose(circle[k], np.cos(k * np.arccos(t)), atol=1e-12)
        np.testing.assert_allclose(sphere[k], special.eval_legendre(k, t), atol=1e-13)


@given(st.integers(3, 60), st.integers(0, 100))
def test_legendre_polynomials_are_gegenbauers_divided_by_their_value_at_one(p, k):
    t = np.linspace(-1, 1, 11)
    index = (p - 2) / 2
    known = special.eval_gegenbauer(k, index, t) / special.eval_gegenbauer(k, index, 1.0)
    np.testing.assert_allclose(legendre(p, k, t)[k], known, atol=1e-11)


@given(st.integers(2, 40), st.integers(0, 60))
def test_legendre_polynomials_have_parity_and_are_one_at_one(p, degree):
    t = np.linspace(0, 1, 7)
    there, back = legendre(p, degree, t), legendre(p, degree, -t)
    signs = (-1.0) ** np.arange(degree + 1)
    np.testing.assert_array_equal(back, signs[:, None] * there)
    np.testing.assert_allclose(there[:, -1], 1, rtol=1e-12)
    assert np.max(np.abs(there)) <= 1 + 1e-12


def test_legendre_keeps_the_shape_of_its_argument():
    assert legendre(4, 5, np.zeros((2, 3))).shape == (6, 2, 3)
    assert legendre(4, 0, 0.5).shape == (1,)


@given(DIMENSIONS, DEGREES, st.integers(0, 100))
def test_addition_theorem(p, k, seed):
    # With N(p, k) functions it also says that they are orthonormal.
    x, y = on_sphere(5, p, seed), on_sphere(4, p, seed + 1)
    left, right = spherical_harmonics(p, k, x), spherical_harmonics(p, k, y)
    count = multiplicity(p, k)
    assert left.shape == (5, count)
    expected = count * legendre(p, k, x @ y.T)[k]
    np.testing.assert_allclose(left @ right.T, expected, atol=1e-11 * count)


def _places(p):
    """Points near a pole, on it, on the equator and elsewhere."""
    rng = np.random.default_rng(p)
    pole, equator = np.eye(p)[-1], np.append(rng.standard_normal(p - 1), 0.0)
    near = [side * pole + size * equator for side in (1, -1) for size in (1e-9, 1e-3, 0.03, 0.2)]
    points = np.array([pole, -pole, equator, np.eye(p)[0], *near, *on_sphere(6, p, seed=3)])
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("p", "k"),
    [(2, 5), (2, 10**6), (3, 737), (3, 738), (3, 741), (3, 2500), (4, 130), (5, 40), (60, 3)],
)
def test_squares_sum_to_the_multiplicity_at_any_degree(p, k):
    values = spherical_harmonics(p, k, _places(p))
    assert values.shape == (18, multiplicity(p, k))
    sums = np.sum(values**2, axis=1) / multiplicity(p, k)
    # Random rounding of k steps: 3e-14 at k = 700.
    np.testing.assert_allclose(sums, 1, rtol=1.2e-15 * max(10, math.sqrt(k)))


@pytest.mark.parametrize(("p", "k"), [(2, 5000), (3, 900), (3, 1500), (4, 100), (6, 12)])
def test_addition_theorem_at_high_degrees_against_many_digits(p, k):
    x = _places(p)
    values = spherical_harmonics(p, k, x)
    count = multiplicity(p, k)
    with mpmath.workdps(60):
        exact = [[mpmath.mpf(float(v)) for v in row] for row in x]
        exact = [[v / mpmath.sqrt(sum(u * u for u in row)) for v in row] for row in exact]
        for i, j in [(4, 5), (5, 6), (2, 9), (10, 11), (12, 13), (6, 7)]:
            t = mpmath.fsum(a * b for a, b in zip(exact[i], exact[j], strict=True))
            before, now = mpmath.mpf(1), t
            for m in range(1, k):
                before, now = now, ((2 * m + p - 2) * t * now - m * before) / (m + p - 2)
            # Moving a point by its rounding, 1e-16, changes a function of degree k by k·1e-16.
            assert abs(values[i] @ values[j] / count - float(now)) < 1e-15 * (10 + k)


def test_points_and_cosines_rounded_to_float32_are_taken():
    x = on_sphere(200, 5).astype(np.float32) * np.float32(1 + 2e-7)
    exact = x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    expected = spherical_harmonics(5, 4, exact)
    np.testing.assert_allclose(spherical_harmonics(5, 4, x), expected, atol=1e-12)
    np.testing.assert_allclose(spherical_harmonics(5, 4, x.astype(float)), expected, atol=1e-12)
    half = on_sphere(50, 3).astype(np.float16)
    assert np.isfinite(spherical_harmonics(3, 2, half)).all()
    np.testing.assert_array_equal(legendre(3, 4, [1 + 1e-7, -1 - 1e-7]), legendre(3, 4, [1, -1]))
    with pytest.raises(InputError, match=r"norm 1.00001; divide each row"):
        spherical_harmonics(3, 2, np.eye(3) * (1 + 1e-5))
    with pytest.raises(InputError, match=r"got 1.00001; divide the product"):
        legendre(3, 2, 1 + 1e-5)


def test_what_does_not_fit_is_said_before_it_is_computed():
    with pytest.raises(MemoryLimitError, match=r"Y_kj for p = 40, k = 90 needs .* are free"):
        spherical_harmonics(40, 90, np.eye(40))
    with pytest.raises(MemoryLimitError, match=r"legendre.* of 1000000000001 degrees needs"):
        legendre(3, 10**12, np.zeros(100))
    with pytest.raises(InputError, match=r"N\(1000000, 1000000\) has some .* digits"):
        multiplicity(10**6, 10**6)
    with pytest.raises(InputError, match=r"at most 10\^15, got a number of 401 digits"):
        multiplicity(3, 10**400)
    assert multiplicity(2, 10**15) == 2
    assert multiplicities(1000, 60) == tuple(multiplicity(1000, k) for k in range(61))
    assert multiplicities(2, 3) == (1, 2, 2, 2)
    assert multiplicities(7, 0) == (1,)


def test_harmonics_of_all_degrees_are_orthonormal_in_three_dimensions():
    # Exact for these degrees: Gauss-Legendre in height, equal steps around.
    heights, weights = np.polynomial.legendre.leggauss(12)
    around = 2 * np.pi * np.arange(24) / 24
    z, phi = (a.ravel() for a in np.meshgrid(heights, around, indexing="ij"))
    r = np.sqrt(1 - z**2)
    x = np.stack([r * np.cos(phi), r * np.sin(phi), z], axis=1)
    basis = np.concatenate([spherical_harmonics(3, k, x) for k in range(8)], axis=1)
    mass = np.repeat(weights / 2, 24) / 24
    np.testing.assert_allclose(basis.T @ (mass[:, None] * basis), np.eye(64), atol=1e-13)


@given(DIMENSIONS, DEGREES)
def test_harmonics_have_the_parity_of_their_degree(p, k):
    x = on_sphere(6, p)
    there = spherical_harmonics(p, k, x)
    np.testing.assert_allclose(spherical_harmonics(p, k, -x), (-1) ** k * there, atol=1e-12)


@pytest.mark.parametrize("p", [2, 3, 6])
def test_the_poles_are_points_like_any_other(p):
    poles = np.concatenate([np.eye(p), -np.eye(p)])
    values = spherical_harmonics(p, 5, poles)
    np.testing.assert_allclose(np.sum(values**2, axis=1), multiplicity(p, 5), rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: multiplicity(1, 3), "dimension p must be a whole number of at least 2, got 1"),
        (lambda: multiplicity(3, -1), "degree must be a whole number of at least 0, got -1"),
        (lambda: multiplicity(3, 1.5), "degree must be a whole number"),
        (lambda: legendre(3, 2, [0.0, 1.1]), "must lie in .* got 1.1; divide the product"),
        (lambda: legendre(3, 2, [np.nan]), "must lie in .* got nan"),
        (lambda: legendre(3, 2, "a"), "must be numbers"),
        (lambda: spherical_harmonics(3, 1, np.ones((2, 4))), r"shape \(n, 3\); got shape \(2, 4\)"),
        (lambda: spherical_harmonics(3, 1, np.ones((2, 3))), "norm 1.* divide each row"),
        (lambda: spherical_harmonics(3, 1, np.full((2, 3), np.nan)), "one has norm nan"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
