"""Norms against the standard library's, which scales as well."""

import math

import numpy as np
import pytest

from tangency.norms import binary_scale, norm


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("place", [0.05, 0.5, 0.95])
def test_norms_in_all_of_the_range(dtype, place):
    info = np.finfo(dtype)
    exponent = int(info.minexp + place * (info.maxexp - info.minexp))
    values = np.ldexp(np.random.default_rng(0).normal(size=(5, 7)), exponent).astype(dtype)
    found = norm(values, axis=1)
    assert found.dtype == dtype
    expected = [[math.hypot(*map(float, row))] for row in values]
    np.testing.assert_allclose(found, expected, rtol=4 * info.eps)
    np.testing.assert_allclose(norm(values), math.hypot(*map(float, values.flat)), rtol=1e-6)


def test_zeros_and_ordinary_numbers():
    values = np.random.default_rng(0).normal(size=(4, 3))
    values[1] = 0
    assert np.array_equal(norm(values, axis=1), np.linalg.norm(values, axis=1, keepdims=True))
    assert binary_scale(values, axis=1)[1] == 1
    assert norm(np.zeros(3)) == 0
