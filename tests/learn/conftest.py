"""Small made data that several files share."""

from __future__ import annotations

import numpy as np
import pytest

from tangency import NNGP, NTK


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
