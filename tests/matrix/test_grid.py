"""The grid of tiles covers every pair once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangency.matrix.grid import Grid

sizes = st.integers(1, 30)


@given(sizes, sizes, sizes, st.booleans())
def test_every_pair_is_in_one_tile(n, m, tile, symmetric):
    grid = Grid(n, n if symmetric else m, tile, symmetric)
    count = np.zeros((grid.n, grid.m), int)
    for i, j in grid:
        rows, columns = grid.rows(i), grid.columns(j)
        assert grid.extent(i, j) == count[rows, columns].shape
        count[rows, columns] += 1
        if symmetric and i != j:
            count[columns, rows] += 1
    assert np.all(count == 1)


@given(sizes, sizes, sizes, st.booleans())
def test_numbers_of_tiles_and_pairs(n, m, tile, symmetric):
    grid = Grid(n, n if symmetric else m, tile, symmetric)
    assert len(grid) == len(list(grid))
    assert grid.all_pairs == sum(grid.pairs(i, j) for i, j in grid)
    assert grid.chunk == tuple(min(tile, size) for size in (grid.n, grid.m))


@pytest.mark.parametrize("symmetric", [True, False])
def test_which_places_are_tiles(symmetric):
    grid = Grid(7, 7, 3, symmetric)
    places = [(i, j) for i in range(-1, 5) for j in range(-1, 5)]
    assert [place for place in places if place in grid] == list(grid)
    assert 3 not in grid
    assert (0, 1, 2) not in grid
