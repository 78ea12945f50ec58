"""Random rows: orthogonal in groups, with the right moments."""

from __future__ import annotations

import numpy as np
import pytest

from tangency.learn.features import draws
from tangency.learn.features.draws import gaussian_rows, isotropic_rows


@pytest.mark.parametrize("rows", [gaussian_rows, isotropic_rows])
@pytest.mark.parametrize(("count", "size"), [(1, 1), (3, 7), (7, 3), (6, 3)])
def test_groups_are_orthogonal_and_complete(rows, count, size):
    found = rows(np.random.default_rng(0), count, size)
    assert found.shape == (count, size)
    for start in range(0, count, size):
        group = found[start : start + size]
        products = group @ group.T
        np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-12)


def test_large_dimensions_have_small_groups(monkeypatch):
    monkeypatch.setattr(draws, "_WHOLE", 6)
    monkeypatch.setattr(draws, "_GROUP", 2)
    found = isotropic_rows(np.random.default_rng(0), 5, 8)
    products = np.abs(found @ found.T) > 1e-9
    expected = np.kron(np.eye(3), np.ones((2, 2)))[:5, :5].astype(bool)
    np.testing.assert_array_equal(products & expected, np.eye(5, dtype=bool))
    assert products[0, 2]


def test_the_moments_are_those_of_their_laws():
    rng, size = np.random.default_rng(0), 3
    for rows, fourth in ((gaussian_rows, 3.0), (isotropic_rows, 9.0 * 3 / 15)):
        found = rows(rng, 90_000, size)
        # standard errors are about 0.005 and 0.03
        np.testing.assert_allclose(found.mean(axis=0), 0, atol=0.02)
        np.testing.assert_allclose(found.T @ found / len(found), np.eye(size), atol=0.02)
        np.testing.assert_allclose((found**4).mean(axis=0), fourth, atol=0.12)
