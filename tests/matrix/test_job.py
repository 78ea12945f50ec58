"""What a job is: all that its values depend on, and nothing else."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

import tangency as tg
from tangency.matrix.blocks import Blocks
from tangency.matrix.compute import make_job
from tangency.matrix.job import engines, kernel_and_kinds, settled
from tangency.matrix.sources import Rows

NET = "dense relu dense"
X = np.random.default_rng(0).standard_normal((7, 3))


def job(kernel=NET, kind=None, X=X, Y=None, n_jobs=None):
    return make_job(*kernel_and_kinds(kernel, kind), X, Y, "none.zarr", 3, None, n_jobs)


def test_tiles_are_values_of_the_kernel():
    found, data = job()
    for i, j in found.grid:
        a, b = X[3 * i : 3 * i + 3], X[3 * j : 3 * j + 3]
        expected = tg.gram(NET, a, None if i == j else b)
        arrays = found.compute_tile(i, j, data)
        assert list(arrays) == ["nngp", "ntk"]
        assert np.array_equal(arrays["ntk"], expected.ntk)
        assert np.array_equal(arrays["nngp"], expected.nngp)


def test_it_travels():
    found, data = job(0.5 * (tg.NTK(NET) + tg.NNGP(NET)), Y=X[:4])
    again = pickle.loads(pickle.dumps(found))
    assert again == found
    assert again.fingerprint == found.fingerprint
    for i, j in found.grid:
        there, here = again.compute_tile(i, j, data), found.compute_tile(i, j, data)
        assert np.array_equal(there["kernel"], here["kernel"])


@pytest.mark.parametrize(
    "other",
    [
        {"kernel": tg.NTK(NET, n_jobs=2)},
        {"kernel": tg.NTK(NET, progress=True)},
        {"kernel": tg.NTK(NET, max_memory=10**9)},
        {"kernel": NET, "kind": "ntk"},
        {"X": np.asfortranarray(X)},
        {"Y": X},
        {"n_jobs": 1},
    ],
)
def test_what_changes_no_value_changes_no_fingerprint(other):
    arguments = {"kernel": tg.NTK(NET), "X": X}
    arguments["Y"] = arguments["X"] if "Y" in other else None
    arguments.update({key: value for key, value in other.items() if key != "Y"})
    assert job(**arguments)[0].fingerprint == job(tg.NTK(NET))[0].fingerprint


@pytest.mark.parametrize(
    "other",
    [
        {"kernel": tg.NNGP(NET)},
        {"kernel": tg.NTK(NET, normalize=True)},
        {"kernel": tg.NTK(NET, engine="reference")},
        {"kernel": 2 * tg.NTK(NET)},
        {"X": X + 1},
        {"X": X[:6]},
        {"X": X.astype("f4")},
        {"Y": X + 0},
    ],
)
def test_what_may_change_a_value_changes_the_fingerprint(other):
    assert job(**{"kernel": tg.NTK(NET), **other})[0].fingerprint != job(tg.NTK(NET))[0].fingerprint


def test_the_fingerprint_of_an_ordinary_job_is_for_good(monkeypatch):
    """Stores that were begun must be known again: a change of this number strands them."""
    monkeypatch.setattr("tangency.version.__version__", "0.1.0")
    data = np.arange(21.0).reshape(7, 3)
    assert (
        job(NET, X=data)[0].fingerprint
        == "bfe61fe33c16176944819d6e1f313e7b33648aa2349386b5fdd2ee042d204361"
    )
    mixed = 0.5 * tg.NTK(NET) + tg.NNGP("dense erf dense", normalize=True)
    assert (
        job(mixed, X=data, Y=data[:4] + 1)[0].fingerprint
        == "4a75e0ee46343215a40b4e1512158137daacf8d754ed143298f60b6a15e6d382"
    )


def test_threads():
    kernel = settled(2 * (tg.NTK(NET, n_jobs=5) + tg.NNGP(NET)), None)
    assert [part.n_jobs for part in kernel.kernel.parts] == [5, None]
    assert [part.n_jobs for part in settled(kernel, 3).kernel.parts] == [3, 3]
    found, _ = job(tg.NTK(NET))
    assert found.with_threads(4).kernel.n_jobs == 4
    assert replace(found.with_threads(4), kernel=found.kernel) == found


def test_engines():
    rows = Rows(X)
    assert engines(tg.NTK(NET), rows) == "fused"
    both = tg.NTK(NET) + tg.NNGP(NET, engine="reference")
    assert engines(both, rows) == "fused,reference"
    # Which of them an engine computes matters: the order is that of the parts.
    turned = tg.NTK(NET, engine="reference") + tg.NNGP(NET)
    assert engines(turned, rows) == "reference,fused"
    assert job(both)[0].fingerprint != job(turned)[0].fingerprint
    assert engines(turned + tg.NNGP(NET), rows) == "reference,fused,fused"
    assert engines(tg.NTK(NET) + 2 * tg.NNGP(NET), rows) == "fused"
    with pytest.raises(tg.NetworkError):
        engines(tg.NTK("conv3:pad=valid relu gap dense"), Rows(np.ones((2, 2, 1))))


def test_both_kernels_need_a_network():
    assert kernel_and_kinds(NET, None) == (tg.NTK(NET), ("nngp", "ntk"))
    assert kernel_and_kinds(tg.parse(NET), "nngp") == (tg.NNGP(NET), ("nngp",))
    assert kernel_and_kinds(tg.NNGP(NET), None) == (tg.NNGP(NET), ("nngp",))
    assert kernel_and_kinds(2 * tg.NNGP(NET), None)[1] == ("kernel",)


def test_blocks_are_what_it_is_given():
    found, data = job()
    assert isinstance(data, Blocks)
    assert data.grid == found.grid
