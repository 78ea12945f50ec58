"""A small job and its store, and everything that can be wrong with a store."""

import numpy as np
import pytest

import tangency as tg
from problems import matrix, ntk, samples

__all__ = ["matrix", "ntk", "samples"]

NET = "dense relu dense"


@pytest.fixture
def X():
    return np.random.default_rng(0).standard_normal((23, 3))


@pytest.fixture
def store(tmp_path, X):
    """A finished store of both kernels: 23 inputs, five tiles of 5 from top to bottom."""
    tg.gram.compute(NET, X, store=tmp_path / "K.zarr", tile=5)
    return tmp_path / "K.zarr"
