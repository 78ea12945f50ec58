from __future__ import annotations

import warnings

import numpy as np
import pytest

from tangency.errors import InputError
from tangency.learn.conditioning import (
    IllConditionedWarning,
    count_copies,
    rank_cutoff,
    suggested_value,
    warn_singular,
)
from tangency.matrix.checked import require_finite
from tangency.matrix.indefinite import psd_tolerance, raise_not_psd

EPS64 = np.finfo(np.float64).eps
EPS32 = np.finfo(np.float32).eps


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [5, 60, 300])
def test_the_cutoff_lies_above_the_rounding_and_below_the_signal(dtype, size):
    factor = np.random.default_rng(size).standard_normal((size, size // 2))
    exact = factor @ factor.T
    rounded = exact.astype(dtype).astype(np.float64)
    values = np.linalg.eigvalsh(rounded)
    cutoff = rank_cutoff(np.trace(exact), values[-1], size, float(np.finfo(dtype).eps))
    assert np.sum(values > cutoff) == size // 2


@pytest.mark.parametrize("size", [60, 300])
def test_the_cutoff_is_no_larger_than_float32_rounding_can_be(size):
    factor = np.random.default_rng(size).standard_normal((size, size))
    exact = factor @ factor.T
    noise = np.linalg.norm(exact.astype(np.float32) - exact, 2)
    largest = np.linalg.eigvalsh(exact)[-1]
    cutoff = rank_cutoff(np.trace(exact), largest, size, float(EPS32))
    # the bound is for errors that all add up; random ones do so only by a factor of n less
    assert noise < cutoff < 10 * size * noise


@pytest.mark.parametrize("size", [10, 300])
def test_the_psd_tolerance_forgives_float32_but_not_an_indefinite_matrix(size):
    factor = np.random.default_rng(size).standard_normal((size, size // 2))
    exact = factor @ factor.T
    for matrix in (exact, exact.astype(np.float32).astype(np.float64)):
        assert np.linalg.eigvalsh(matrix)[0] > -psd_tolerance(np.trace(exact), size, EPS64)
    distances = -np.square(factor[:, :1] - factor[:, :1].T) + 0.01 * np.eye(size)
    assert np.linalg.eigvalsh(distances)[0] < -psd_tolerance(np.trace(distances), size, EPS32)
    assert psd_tolerance(20.0, 10, EPS32) == pytest.approx(20.0 * np.sqrt(EPS32))


def test_an_indefinite_matrix_is_named_with_its_eigenvalue():
    with pytest.raises(InputError, match=r"3 x 3.*not positive semidefinite.*-0\.5.*diagonal"):
        raise_not_psd(-0.5, 3)
    with pytest.raises(InputError, match="not positive semidefinite, so"):
        raise_not_psd(None, 3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("copies", [0, 3])
def test_the_warning_names_only_remedies_that_apply(dtype, copies):
    with pytest.warns(IllConditionedWarning) as caught:
        warn_singular(
            found="rank 2 of 5",
            cutoff=1e-7,
            dtype=dtype,
            copies=copies,
            consequence="So be it.",
            remedy="set alpha to about {value}",
        )
    text = str(caught[0].message)
    assert "rank 2 of 5" in text
    assert "So be it." in text
    assert "set alpha to about 1e-06" in text
    assert ("float64" in text) == (dtype == "float32")
    assert ("drop the 3 sample(s)" in text) == (copies == 3)


def test_the_suggested_value_is_ten_cutoffs_to_one_digit():
    assert suggested_value(4.4e-11) == "4e-10"
    assert float(suggested_value(0.26)) == 3.0


def test_copies_are_counted_whatever_the_rank_of_the_samples():
    images = np.zeros((4, 2, 2, 1))
    images[3] = 1.0
    assert count_copies(images) == 2
    assert count_copies(np.eye(3)) == 0
    assert count_copies(None) == 0


def test_non_finite_values_are_counted_and_refused():
    values = np.array([1.0, np.nan, np.inf])
    with pytest.raises(InputError, match=r"the result: 2 of 3 values are not finite; do better"):
        require_finite(values, "the result", "do better")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert require_finite(values[:1], "the result", "do better") is not values
