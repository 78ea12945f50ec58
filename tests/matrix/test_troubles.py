"""When another try is of no use."""

import pytest

from tangency import StoreError
from tangency.matrix.grid import Grid
from tangency.matrix.troubles import FAILURES, LOSSES, Troubles

GRID = Grid(2500, 2500, 1000, symmetric=True)


def test_errors_of_a_tile_and_where():
    troubles = Troubles(GRID)
    assert troubles.failed((0, 1), "a", ValueError("x")) == ["a"]
    assert troubles.failed((0, 2), "a", ValueError("x")) == ["a"]
    assert troubles.failed((0, 1), "b", ValueError("x")) == ["a", "b"]
    message = r"tile \(0, 1\), from row 0 and column 1,000 on, failed 3 times, at last on c: Val"
    with pytest.raises(StoreError, match=message) as found:
        troubles.failed((0, 1), "c", ValueError("y"))
    assert FAILURES == 3
    assert str(found.value.__cause__) == "y"


def test_errors_of_the_store_are_final():
    error = StoreError("no room")
    with pytest.raises(StoreError) as found:
        Troubles(GRID).failed((0, 0), "a", error)
    assert found.value is error


def test_lost_workers():
    troubles = Troubles(GRID)
    for _ in range(LOSSES - 1):
        troubles.lost((1, 1))
        troubles.lost((1, 2))
    with pytest.raises(StoreError, match=r"tile \(1, 1\).* was at 8 workers that were lost; if"):
        troubles.lost((1, 1))
