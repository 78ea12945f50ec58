"""Copies between tiles and the parts of a matrix that are asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangency.matrix.gather import groups, put_transposed


@given(st.lists(st.integers(0, 20), max_size=12), st.integers(1, 7))
def test_every_position_goes_to_its_place(positions, tile):
    chosen, out = np.array(positions, int), np.full(len(positions), -1)
    for block, (to, inside) in groups(chosen, tile).items():
        out[to] = np.arange(block * tile, (block + 1) * tile)[inside]
    assert out.tolist() == positions


@pytest.mark.parametrize("shape", [(1, 1), (64, 64), (65, 130), (200, 3)])
def test_transposed(shape):
    values, out = np.random.default_rng(0).standard_normal(shape), np.zeros(shape[::-1])
    put_transposed(out, values)
    assert np.array_equal(out, values.T)
