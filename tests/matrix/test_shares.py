"""Tiles for workers: none lost, none twice, near ones together."""

from hypothesis import given
from hypothesis import strategies as st

from tangency.matrix.grid import Grid
from tangency.matrix.shares import Shares, along_the_curve

GRIDS = st.builds(
    lambda n, m, symmetric: Grid(n, n if symmetric else m, 1, symmetric),
    st.integers(1, 9),
    st.integers(1, 9),
    st.booleans(),
)


EVENTS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["take", "end", "fail", "leave"])))


@given(GRIDS, EVENTS)
def test_every_tile_is_given_out_until_it_is_done(grid, events):
    shares = Shares(grid)
    computing, done = {}, []

    def take(worker):
        left = len(shares)
        tile = shares.take(worker)
        assert (tile is None) == (left == 0)
        if tile is not None:
            assert tile not in computing
            assert tile not in done
            assert len(shares) == left - 1
            computing[tile] = worker

    for worker, event in events:
        mine = [tile for tile, who in computing.items() if who == worker]
        if event == "take" or not mine:
            take(worker)
        elif event == "end":
            done.append(mine[0])
            del computing[mine[0]]
        else:
            for tile in mine if event == "leave" else mine[:1]:
                del computing[tile]
                shares.give_back(tile, {worker} if event == "fail" else ())
            if event == "leave":
                shares.leave(worker)
    while len(shares):
        take(4)
    assert sorted([*done, *computing]) == sorted(grid)
    assert shares.take(0) is None


def test_workers_need_few_blocks():
    side, workers = 16, 8
    grid = Grid(side, side, 1, symmetric=True)
    needed = {}
    for order in ("curve", "row by row"):
        shares = Shares(grid)
        rows = iter(grid)
        blocks = [set() for _ in range(workers)]
        for k in range(len(grid)):
            tile = shares.take(k % workers) if order == "curve" else next(rows)
            blocks[k % workers].update(tile)
        needed[order] = sum(map(len, blocks))
    assert needed["row by row"] == side * workers
    assert needed["curve"] < 0.7 * needed["row by row"]


def test_a_failed_tile_goes_elsewhere_first():
    shares = Shares([(0, 0), (0, 1), (1, 1)])
    assert shares.take("a") == (0, 0)
    shares.give_back((0, 0), ["a"])
    assert shares.take("a") == (0, 1)
    assert shares.take("b") == (0, 0)
    shares.give_back((0, 0), ["a", "b"])
    assert shares.take("b") == (1, 1)
    assert len(shares) == 1
    assert shares.take("a") == (0, 0)  # nothing else is left


def test_the_stretch_of_a_lost_worker_is_done_by_others():
    tiles = list(Grid(4, 4, 1, symmetric=False))
    shares = Shares(tiles)
    first = shares.take("a")
    shares.leave("a")
    shares.give_back(first)
    assert [shares.take("b") for _ in tiles] == along_the_curve(tiles)


def test_the_curve_stays_in_few_rows_and_columns():
    order = along_the_curve(Grid(8, 8, 1, symmetric=False))
    assert sorted(order) == list(Grid(8, 8, 1, symmetric=False))
    for start in range(0, 64, 16):
        rows, columns = zip(*order[start : start + 16], strict=True)
        assert len(set(rows)) == len(set(columns)) == 4
