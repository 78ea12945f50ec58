"""Limits on memory; normalized kernels and distances by blocks of rows."""

import numpy as np
import pytest

import tangency as tg
from tangency.kernels import blocks
from traced import traced

NET = "dense relu dense"


def kernels(limit):
    """What is called, by name; all of it takes the limit."""
    options = {"max_memory": limit}
    kernel, plain = tg.NTK(NET, **options), tg.NTK(NET, engine="reference", **options)
    both = kernel + tg.NNGP(NET, **options) * tg.NTK("dense erf dense", **options)
    scaled = tg.NTK(NET, normalize=True, **options)
    return {
        "normalized": scaled,
        "normalized, two sets": lambda x: scaled(x, x + 1),
        "sum and product": both,
        "multiple": 2.0 * kernel,
        "in float64 inside": lambda x: tg.NTK("dense sin dense", **options)(100 * x),
        "distance": kernel.distance,
        "distance, two sets": lambda x: kernel.distance(x, x + 1),
        "distance of a sum": both.distance,
        "distance by the reference": plain.distance,
        "reference": tg.NTK(NET, engine="reference", normalize=True, **options),
    }


@pytest.mark.parametrize(
    ("name", "limit", "most"),
    [
        ("normalized", 3.5e8, 1.5),
        ("normalized, two sets", 3.5e8, 1.5),
        ("sum and product", 4.2e8, 3.5),
        ("multiple", 3.5e8, 1.5),
        ("in float64 inside", 3.9e8, 3.5),
        ("distance", 3.9e8, 8),
        ("distance, two sets", 3.9e8, 8),
        ("distance of a sum", 3.9e8, 8),
        ("distance by the reference", 1.5e8, 6),
        ("reference", 1e8, 3.5),
    ],
)
def test_the_limit_is_kept(name, limit, most):
    """Peaks of NumPy's memory, also in units of the result: limits have a constant part in them."""
    x = np.random.default_rng(0).normal(size=(2000, 5)).astype(np.float32)
    call = kernels(limit)[name]
    call(x[:40])
    result, peak = traced(lambda: call(x))
    assert result.dtype == np.float32
    assert result.nbytes < peak < min(limit, most * result.nbytes)


@pytest.mark.parametrize("engine", ["fused", "reference"])
def test_limits_that_are_no_whole_numbers(engine):
    x = np.random.default_rng(0).normal(size=(5, 3))
    kernel = tg.NTK("dense relu dense", engine=engine, max_memory=1e9)
    assert kernel.max_memory == 10**9
    assert isinstance(kernel.max_memory, int)
    assert np.array_equal(kernel(x), tg.NTK("dense relu dense", engine=engine)(x))
    assert kernel.diag(x).shape == (5,)
    assert kernel.distance(x).shape == (5, 5)
    assert tg.gram("dense relu dense", x, engine=engine, max_memory=1e9).ntk.shape == (5, 5)
    for wrong in (float("inf"), float("nan"), -1.5, True):
        with pytest.raises(tg.InputError, match="max_memory must be a number of bytes"):
            tg.NTK("dense relu dense", max_memory=wrong)


def test_a_limit_below_what_is_needed():
    x = np.ones((500, 3))
    with pytest.raises(tg.MemoryLimitError, match="raise max_memory"):
        tg.NTK("dense relu dense", max_memory=1e6).distance(x)
    with pytest.raises(tg.MemoryLimitError, match="raise max_memory"):
        tg.NTK("dense relu dense", max_memory=2.01e6, engine="reference").distance(x)


KERNELS = [
    tg.NTK("dense relu dense"),
    tg.NTK("dense relu dense", normalize=True),
    2.0 * tg.NNGP("dense erf dense") + tg.NTK("dense relu dense"),
    tg.NTK("dense relu dense") * tg.NNGP("dense gelu dense"),
]


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_distances_by_blocks(kernel, monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(23, 4)), rng.normal(size=(9, 4))
    x[7], x[20], y[3] = x[2], x[2] * (1 + 1e-9), x[2]
    whole, cross = kernel.distance(x), kernel.distance(x, y)
    monkeypatch.setattr(blocks, "_BLOCK", blocks._PAIR * 23 * 5)
    parts = kernel.distance(x)
    assert np.array_equal(parts, parts.T)
    assert np.array_equal(np.diag(parts), np.zeros(23))
    assert parts[2, 7] == 0
    assert np.allclose(parts, whole, rtol=1e-9)
    assert np.allclose(kernel.distance(x, y), cross, rtol=1e-9)
    assert kernel.distance(x, y)[2, 3] == 0
    assert kernel.distance(x.astype(np.float32)).dtype == np.float32


def test_normalized_by_blocks(monkeypatch):
    x = np.random.default_rng(0).normal(size=(23, 4))
    x[5] = 0
    kernel = tg.NTK("dense relu dense", normalize=True)
    raw = tg.NTK("dense relu dense")(x)
    root = np.sqrt(np.diag(raw))
    whole, cross = kernel(x), kernel(x, x[:3])
    assert np.allclose(whole * np.outer(root, root), raw)
    assert np.array_equal(whole, whole.T)
    assert np.array_equal(whole[5], np.zeros(23))
    monkeypatch.setattr(blocks, "_NUMBERS", 60)
    assert np.array_equal(kernel(x), whole)
    assert np.array_equal(kernel(x, x[:3]), cross)


def test_a_sum_leaves_what_a_kernel_of_ones_own_returns():
    """It may be the same array each time."""
    kept = np.ones((2, 2))

    class Own(tg.kernels.Kernel):
        def __call__(self, X, Y=None):
            return kept

        def diag(self, X):
            return np.ones(2)

    x = np.eye(2)
    (Own() + tg.NTK("dense relu dense"))(x)
    (2.0 * Own())(x)
    (Own() * Own())(x)
    assert np.array_equal(kept, np.ones((2, 2)))
