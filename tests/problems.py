"""A small problem as fixtures, for the folders that ask for them in their conftest."""

from __future__ import annotations

import numpy as np
import pytest

from tangency import NTK


@pytest.fixture(scope="session")
def samples() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((150, 6))


@pytest.fixture(scope="session")
def ntk() -> NTK:
    return NTK("dense relu dense")


@pytest.fixture(scope="session")
def matrix(ntk, samples) -> np.ndarray:
    return ntk(samples)


@pytest.fixture(scope="session")
def targets(samples) -> np.ndarray:
    rng = np.random.default_rng(4)
    y = np.column_stack([np.sin(samples[:, 0]), samples[:, 1] * samples[:, 2]])
    return y + 0.1 * rng.standard_normal(y.shape)
