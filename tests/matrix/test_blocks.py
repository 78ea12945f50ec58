"""Blocks of inputs: the right rows, kept while there is room."""

import numpy as np
import pytest

from tangency.matrix.blocks import Blocks
from tangency.matrix.grid import Grid
from tangency.matrix.sources import Rows


class Counted:
    """An array that counts how often its rows are read."""

    def __init__(self, n):
        self.values = np.arange(4.0 * n).reshape(n, 4)
        self.shape, self.dtype, self.read = self.values.shape, self.values.dtype, 0

    def __getitem__(self, rows):
        self.read += 1
        return self.values[rows]


def test_rows_and_columns():
    X, Y = Rows(np.arange(10.0).reshape(5, 2)), Rows(np.arange(6.0).reshape(3, 2))
    blocks = Blocks(Grid(5, 3, 2, False), X, Y)
    assert np.array_equal(blocks.row(2).inputs, X[4:5])
    assert np.array_equal(blocks.column(1).inputs, Y[2:3])
    alone = Blocks(Grid(5, 5, 2, True), X)
    assert alone.column(1) is alone.row(1)


@pytest.mark.parametrize(("room", "read"), [(2**20, 4), (0, 8)])
def test_blocks_are_kept_while_there_is_room(room, read):
    data = Counted(8)
    grid = Grid(8, 8, 2, True)
    blocks = Blocks(grid, Rows(data), room=room)
    for i, j in grid:
        rows, columns = blocks.row(i), blocks.column(j)
        assert rows.inputs[0, 0] == 8 * i
        assert columns.inputs[0, 0] == 8 * j
    # Without room the two blocks of a tile stay: row by row, one new block for each tile.
    assert data.read == read
