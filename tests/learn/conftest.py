"""Small made data that several files share."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from tangency import NNGP, NTK


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Matrices of this size only lose by threads, and lose much on a busy machine."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def vectors(rng: np.random.Generator) -> np.ndarray:
    """14 vectors in general position."""
    return rng.standard_normal((14, 5))


@pytest.fixture(params=["NTK", "NNGP"])
def kernel(request: pytest.FixtureRequest) -> NTK | NNGP:
    return {"NTK": NTK, "NNGP": NNGP}[request.param]("dense relu dense relu dense")
