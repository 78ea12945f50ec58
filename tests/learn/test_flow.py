from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from tangency.learn.flow import flow_filter, reaches_noise
from tangency.learn.grams import as_train_gram
from tangency.learn.spectrum import Spectrum, decompose


def spectrum_of(values, cutoff=1e-12) -> Spectrum:
    return Spectrum(np.array(values), np.eye(len(values)), cutoff)


@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("time", [0.0, 0.01, 1.0, 30.0])
def test_the_filter_solves_the_differential_equation(kernel, vectors, alpha, time):
    matrix = kernel(vectors)
    targets = np.cos(np.arange(14.0))
    spectrum = decompose(as_train_gram(matrix, "precomputed", None))
    coefficients = spectrum.apply(
        flow_filter(spectrum, alpha, time), spectrum.to_basis(targets[:, None])
    )[:, 0]
    # dc/dt = y - (K + αI)c from c = 0, integrated without any closed form
    system = matrix + alpha * np.eye(14)
    reference = solve_ivp(
        lambda _, c: targets - system @ c,
        (0.0, time),
        np.zeros(14),
        method="LSODA",
        rtol=1e-10,
        atol=1e-12,
    ).y[:, -1]
    np.testing.assert_allclose(coefficients, reference, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("time", [0.1, 2.0])
def test_the_filter_agrees_with_the_matrix_exponential(kernel, vectors, time):
    matrix = kernel(vectors)
    spectrum = decompose(as_train_gram(matrix, "precomputed", None))
    operator = spectrum.apply(flow_filter(spectrum, 0.0, time), spectrum.to_basis(np.eye(14)))
    expected = np.linalg.solve(matrix, np.eye(14) - expm(-time * matrix))
    np.testing.assert_allclose(operator, expected, atol=1e-10)


def test_the_limits_are_zero_ridge_and_interpolation():
    spectrum = spectrum_of([0.0, 0.5, 4.0])
    np.testing.assert_array_equal(flow_filter(spectrum, 0.0, 0.0), 0.0)
    np.testing.assert_array_equal(flow_filter(spectrum, 0.5), [2.0, 1.0, 1 / 4.5])
    # the null direction carries no function, so the solution of minimum norm leaves it out
    np.testing.assert_array_equal(flow_filter(spectrum, 0.0), [0.0, 2.0, 0.25])


def test_a_small_step_is_the_time_itself():
    # 1 - exp(-tλ) would lose all digits of tλ = 1e-18
    weights = flow_filter(spectrum_of([1e-9, 1.0]), 0.0, 1e-9)
    np.testing.assert_allclose(weights, 1e-9, rtol=1e-8)


def test_huge_times_do_not_overflow():
    np.testing.assert_array_equal(flow_filter(spectrum_of([1.0, 1e10]), 0.0, 1e305), [1.0, 1e-10])


positive = st.floats(1e-6, 1e6)


@given(st.lists(positive, min_size=1, max_size=6), positive, positive, st.floats(0, 10))
def test_the_filter_grows_with_time_up_to_ridge(values, early, late, alpha):
    spectrum = spectrum_of(sorted(values))
    first = flow_filter(spectrum, alpha, min(early, late))
    second = flow_filter(spectrum, alpha, max(early, late))
    assert np.all(first <= second)
    assert np.all(second <= flow_filter(spectrum, alpha) * (1 + 1e-15))


def test_noise_matters_only_for_singular_matrices_and_long_times():
    singular = spectrum_of([0.0, 1.0], cutoff=1e-10)
    assert reaches_noise(singular, 0.0, np.inf)
    assert reaches_noise(singular, 1e-11, np.inf)
    assert reaches_noise(singular, 0.0, 1e11)
    assert not reaches_noise(singular, 1e-9, np.inf)
    assert not reaches_noise(singular, 0.0, 1e6)
    assert not reaches_noise(spectrum_of([0.1, 1.0], cutoff=1e-10), 0.0, np.inf)
