"""The size of tiles: by cost, memory and number."""

import numpy as np
import pytest

import tangency as tg
from tangency.matrix.sources import Rows
from tangency.matrix.tilesize import pair_seconds, tile_size


class Shape:
    """Inputs of which only the shape is looked at."""

    def __init__(self, *shape, dtype="f4"):
        self.shape, self.dtype = shape, np.dtype(dtype)


def auto(net, *shape, m=None, kinds=1, dtype="f4"):
    return tile_size("auto", tg.NTK(net), Rows(Shape(*shape, dtype=dtype)), m or shape[0], kinds)


DENSE = "dense relu dense relu dense"
CONV = "conv3 relu conv3 relu conv3 relu gap dense"
CKN = "conv3 relu gauss2 conv3 relu gauss5 flatten dense"


@pytest.mark.parametrize(
    ("arguments", "options", "expected"),
    [
        ((DENSE, 60_000, 784), {}, 4096),  # 64 MiB
        ((DENSE, 60_000, 784), {"kinds": 2}, 2816),
        ((DENSE, 60_000, 784), {"kinds": 2, "dtype": "f8"}, 2048),
        ((DENSE, 4_000, 784), {}, 1024),  # at least four from top to bottom
        ((DENSE, 1_000, 784), {}, 512),  # but not too small
        ((DENSE, 300, 784), {}, 300),
        ((DENSE, 1, 784), {}, 1),
        ((DENSE, 10, 784), {"m": 60_000}, 4096),
        ((CONV, 5_000, 32, 32, 3), {}, 32),  # some ten seconds, and a power of two
        ((CKN, 700, 28, 28, 1), {"m": 5_000, "kinds": 2}, 64),
        ((CKN, 5_000, 28, 28, 1), {"kinds": 2}, 64),
        (("conv3 relu " * 10 + "gap dense", 5_000, 32, 32, 3), {}, 32),
        (("conv3 relu " * 10 + "gap dense", 5, 99, 99, 3), {}, 5),
        ((CONV, 60_000, 32, 32, 3), {}, 384),  # 200 from top to bottom
        ((CONV, 20, 32, 32, 3), {}, 20),
        ((CONV, 2_000, 8, 8, 1), {}, 512),
    ],
)
def test_the_rule(arguments, options, expected):
    assert auto(*arguments, **options) == expected


def test_a_size_that_is_given():
    X = Rows(Shape(100, 3))
    assert tile_size(7, tg.NTK(DENSE), X, 100, 1) == 7
    assert tile_size(1000, tg.NTK(DENSE), X, 20, 1) == 100


def test_all_kernels_of_a_sum_count():
    X = Rows(Shape(100, 8, 8, 1))
    one, other = tg.NTK(CONV), tg.NNGP("flatten dense relu dense")
    together = pair_seconds(2 * (one + other) * one, X)
    assert together == pytest.approx(2 * pair_seconds(one, X) + pair_seconds(other, X), rel=1e-2)


def test_the_reference_engine_is_slower():
    X = Rows(Shape(100, 8, 8, 1))
    slow = pair_seconds(tg.NTK(CONV, engine="reference"), X)
    assert slow > 10 * pair_seconds(tg.NTK(CONV), X)


@pytest.mark.parametrize("n", [520, 1_300, 2_050, 5_000, 17_000, 50_000, 61_441])
def test_the_last_tiles_are_not_nearly_empty(n):
    side = auto(DENSE, n, 784)
    across = -(-n // side)
    assert across * side - n < across * 128
