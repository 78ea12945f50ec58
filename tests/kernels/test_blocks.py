"""Limits on memory, in a process of its own; normalized kernels and distances by blocks of rows."""

import json
import subprocess
import sys

import numpy as np
import pytest

import tangency as tg
from tangency.kernels import blocks

PEAK = """
import json, sys
import numpy as np
import tangency as tg

def peak():
    # ru_maxrss would begin with the memory of the process that started this one.
    words = open("/proc/self/status").read().split()
    return int(words[words.index("VmHWM:") + 1]) * 1024

def all_of(net, limit, n, x):
    options = {"max_memory": limit}
    kernel = tg.NTK(net, **options)
    both = kernel + tg.NNGP(net, **options) * tg.NTK("dense erf dense", **options)
    return {
        "normalized": lambda: tg.NTK(net, normalize=True, **options)(x),
        "normalized, two sets": lambda: tg.NTK(net, normalize=True, **options)(x, x + 1),
        "sum and product": lambda: both(x),
        "multiple": lambda: (2.0 * kernel)(x),
        "distance": lambda: kernel.distance(x),
        "distance, two sets": lambda: kernel.distance(x, x + 1),
        "distance of a sum": lambda: both.distance(x),
        "in float64 inside": lambda: tg.NTK("dense sin dense", **options)(100 * x),
        "reference": lambda: tg.NTK(net, engine="reference", normalize=True, **options)(x),
        "distance by the reference": lambda: tg.NTK(net, engine="reference", **options).distance(x),
    }

net, limit, n, name = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
rng = np.random.default_rng(0)
all_of(net, limit, 40, rng.standard_normal((40, 5), dtype="float32"))[name]()
x = rng.standard_normal((n, 5), dtype="float32")
before = peak()
out = all_of(net, limit, n, x)[name]()
print(json.dumps([peak() - before, out.nbytes]))
"""


@pytest.mark.parametrize(
    ("name", "n", "limit"),
    [
        ("normalized", 6000, 4.5e8),
        ("sum and product", 4000, 4.9e8),
        ("distance", 3000, 4.2e8),
        ("distance of a sum", 2500, 4.2e8),
        ("in float64 inside", 4000, 4.9e8),
        ("reference", 3000, 2e8),
    ],
)
def test_the_limit_is_kept(name, n, limit):
    """What the process grows by: never more than is allowed, and no less than the result."""
    command = [sys.executable, "-c", PEAK, "dense relu dense", str(limit), str(n), name]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    used, result = json.loads(run.stdout)
    assert 0.5 * result < used < limit


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
