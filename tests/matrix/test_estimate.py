"""What a matrix will take: counted exactly, or measured."""

import dataclasses
from importlib import import_module
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

import tangency as tg
from tangency import InputError, NetworkError
from tangency.matrix.estimate import _bytes, _duration, _sizes

DENSE = "dense relu dense"
QUICK = {"seconds": 0.01}


@pytest.fixture
def ticking(monkeypatch):
    """A clock in which every computation takes a second."""
    ticks = iter(range(10**6))
    clock = SimpleNamespace(perf_counter=lambda: float(next(ticks)))
    monkeypatch.setattr(import_module("tangency.matrix.estimate"), "time", clock)


@pytest.mark.parametrize("columns", [None, 90])
@pytest.mark.parametrize("kind", [None, "ntk"])
@pytest.mark.parametrize("dtype", ["float32", np.float64])
def test_counts_are_those_of_the_store(tmp_path, columns, kind, dtype):
    estimate = tg.gram.estimate(
        DENSE, (130, 5), columns=columns, kind=kind, dtype=dtype, tile=64, **QUICK
    )
    X = np.random.default_rng(0).normal(size=(130, 5))
    Y = None if columns is None else X[:columns]
    path = tmp_path / "K.zarr"
    tg.gram.compute(DENSE, X, Y, path, kind=kind, dtype=dtype, tile=64)
    status = tg.gram.status(path)
    assert (len(estimate.grid), estimate.pairs) == (status.tiles, status.pairs)
    assert estimate.kinds == (("nngp", "ntk") if kind is None else ("ntk",))
    tiles = [f for f in path.rglob("*") if f.is_file() and f.parent.parent.name == "c"]
    written = sum(f.stat().st_size - 4 for f in tiles if f.parents[2].name in estimate.kinds)
    assert estimate.store_bytes == written
    assert estimate.input_bytes == (130 + (columns or 0)) * 5 * np.dtype(dtype).itemsize
    assert estimate.solver_bytes == (130**2 * 8 if columns is None else None)
    assert estimate.worker_bytes > 2 * 64 * 64 * np.dtype(dtype).itemsize


def test_time_follows_from_speed_and_cores(ticking):
    one = tg.gram.estimate(DENSE, (5000, 8), tile=100, kind="ntk")
    assert one.pairs_per_second == 100  # the first block, of one row and a whole tile of columns
    assert one.seconds == 5000 * 5001 / 2 / 100
    four = tg.gram.estimate(DENSE, (5000, 8), tile=100, kind="ntk", machines=4)
    assert four.seconds == one.seconds / 4
    uneven = tg.gram.estimate(DENSE, (5000, 8), tile=100, kind="ntk", machines=[1, 0.5, 2.5])
    assert uneven.seconds == four.seconds
    assert uneven.speeds == (1.0, 0.5, 2.5)


def test_no_faster_than_one_tile(ticking):
    many = tg.gram.estimate(DENSE, (1000, 8), tile=100, kind="ntk", machines=10**6)
    assert many.seconds == 100 * 100 / 100


def test_a_tile_of_few_columns_is_no_square(ticking):
    many = tg.gram.estimate(DENSE, (1000, 8), columns=10, tile=100, kind="ntk", machines=10**6)
    assert many.seconds == 100 * 10 / many.pairs_per_second


def test_blocks_grow_up_to_a_tile():
    sizes = list(_sizes(500, 500))
    assert sizes[0] == (1, 128)
    assert sizes[-1] == (500, 500)
    pairs = [rows * columns for rows, columns in sizes]
    assert all(a < b <= 2 * a for a, b in pairwise(pairs))
    assert list(_sizes(3, 40)) == [(1, 40), (2, 40), (3, 40)]


def test_every_kernel_and_shape():
    kernel = tg.NTK("conv3 relu gap dense", normalize=True) + 0.5 * tg.NNGP("flatten dense")
    estimate = tg.gram.estimate(kernel, (10**6, 8, 8, 1), machines=100, **QUICK)
    assert estimate.kinds == ("kernel",)
    assert estimate.pairs == 10**6 * (10**6 + 1) // 2
    assert dataclasses.replace(estimate, seconds=1.0) != estimate


def test_the_table():
    grid = tg.gram.estimate(DENSE, (60_000, 784), tile=4000, kind="ntk", **QUICK)
    text = str(
        dataclasses.replace(
            grid, pairs_per_second=12_345_678.0, seconds=7200.0, speeds=(1.0, 1.0), worker_bytes=5
        )
    )
    assert text.splitlines() == [
        "matrix  ntk, 60,000 × 60,000, float64, symmetric",
        "pairs   1,800,030,000",
        "tiles   120 of 4,000 × 4,000",
        "speed   12,300,000 pairs a second on one core, measured",
        "time    2 hours on 2 cores",
        "store   15.4 GB",
        "inputs  376 MB, sent to each worker at most once",
        "memory  5 bytes for each worker, at least",
        "solve   28.8 GB for a direct solver in float64",
    ]


def test_words_for_sizes_and_times():
    assert [_bytes(n) for n in (7, 999, 1000, 1.5e6, 999.6e9, 2e15, 3e18)] == [
        *("7 bytes", "999 bytes", "1 kB", "1.5 MB", "1 TB", "2 PB", "3e+03 PB")
    ]
    times = (0.123, 89, 91, 5399, 5400, 86400, 2 * 86400, 1e9)
    assert [_duration(seconds) for seconds in times] == [
        *("0.12 seconds", "89 seconds", "1.52 minutes", "90 minutes", "1.5 hours", "24 hours"),
        *("2 days", "31.7 years"),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": 5}, "shape must be that of X"),
        ({"shape": (5,)}, "shape must be that of X"),
        ({"shape": (5, 0)}, "shape must be that of X"),
        ({"shape": (5, 2.0)}, "shape must be that of X"),
        ({"machines": 0}, "machines must be a number of cores"),
        ({"machines": []}, "machines must be a number of cores"),
        ({"machines": [1, -1]}, "machines must be a number of cores"),
        ({"machines": [1, float("inf")]}, "machines must be a number of cores"),
        ({"machines": True}, "machines must be a number of cores"),
        ({"machines": "many"}, "machines must be a number of cores"),
        ({"columns": 0}, "columns must be a whole number"),
        ({"dtype": "float16"}, "dtype must be float32 or float64, got 'float16'"),
        ({"dtype": "no"}, "dtype must be float32 or float64, got 'no'"),
        ({"kind": "all"}, "kind must be both, ntk or nngp"),
        ({"tile": 0}, "tile must be"),
        ({"seconds": 0}, "seconds must be a number above 0"),
    ],
)
def test_what_cannot_be_planned(options, message):
    shape = options.pop("shape", (10, 3))
    with pytest.raises(InputError, match=message):
        tg.gram.estimate(DENSE, shape, **options)


def test_a_network_that_does_not_fit():
    with pytest.raises(NetworkError, match="grid"):
        tg.gram.estimate("conv3 relu dense", (10, 4, 4, 1))
