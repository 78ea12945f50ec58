"""The grid of tiles covers every pair once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tangency.gram.grid import Grid

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
