"""The blocked engine held to the reference engine: values, bits, sizes, what it refuses."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tangency as tg
from cases import CASES
from strategies import inputs, networks
from tangency.engines.blocked import engine as blocked
from tangency.engines.blocked.covers import uncovered
from tangency.nets.plan import plan

RNG = np.random.default_rng(0)


def on_grids():
    """Each network of the table at its smallest grid, and whatever it needs of it."""
    for case in CASES:
        shapes = sorted(
            {s for found in case.shapes.values() for s in found if len(s) > 1}, key=np.prod
        )
        if shapes and not plan(tg.parse(case.text), shapes[0]).space_out:
            yield pytest.param(case.text, shapes[0], id=f"{shapes[0]}-{case.text}")


def assert_equal(net, *args, rtol=1e-12):
    for kernel in (tg.NTK, tg.NNGP):
        found = kernel(net, engine="blocked")(*args)
        right = kernel(net, engine="reference")(*args)
        assert np.allclose(found, right, rtol=0, atol=rtol * np.abs(right).max()), kernel


@pytest.mark.parametrize(("text", "shape"), list(on_grids()))
def test_every_network_as_by_the_reference_engine(text, shape):
    net = tg.parse(text)
    assert uncovered(plan(net, shape)) is None
    x, y = RNG.standard_normal((4, *shape)), RNG.standard_normal((3, *shape))
    y[1] = x[2]
    assert_equal(net, x)
    assert_equal(net, x, y)
    diagonal = tg.NTK(net, engine="blocked").diag(x)
    assert np.allclose(diagonal, tg.NTK(net, engine="reference").diag(x), rtol=1e-12)


NETS = [
    ("conv3 relu avg2 conv3:b=0.3 gelu gap dense relu dense", (9, 2)),
    ("dense posembed res(layernorm attention) res(layernorm dense erf dense) gap dense", (7, 3)),
    ("conv3 relu conv3:stride=2 relu flatten dense", (6, 5, 1)),
    ("conv2 relu avg2:pad=same conv2 cos gap dense", (3, 2, 3, 2)),
]


@pytest.mark.parametrize(("text", "shape"), NETS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_are_those_of_any_cut(text, shape, dtype, monkeypatch):
    """Tiles, threads, blocks and bands change no bit."""
    x = RNG.standard_normal((23, *shape)).astype(dtype)
    net = tg.parse(text)
    whole = tg.gram(net, x, engine="blocked", n_jobs=1)
    assert whole.ntk.dtype == dtype
    assert all(map(np.array_equal, tg.gram(net, x, engine="blocked", n_jobs=2), whole))
    # Of a symmetric matrix the upper half is computed.
    both = tg.gram(net, x, x[:], engine="blocked", n_jobs=2)
    assert all(np.array_equal(np.triu(a), np.triu(b)) for a, b in zip(both, whole, strict=True))
    part = tg.gram(net, x[3:8], x[11:], engine="blocked")
    assert all(np.array_equal(a, b[3:8, 11:]) for a, b in zip(part, whole, strict=True))
    for name, value in (("BLOCK", 2**11), ("_BAND", 2**12), ("_COLUMNS", 32)):
        monkeypatch.setattr(blocked, name, value)
        blocked.shape_of.cache_clear()
        assert all(map(np.array_equal, tg.gram(net, x, engine="blocked"), whole)), name
    monkeypatch.undo()
    blocked.shape_of.cache_clear()


@pytest.mark.parametrize(("text", "shape"), NETS)
def test_float32(text, shape):
    x = RNG.standard_normal((5, *shape)).astype(np.float32)
    assert_equal(text, x, rtol=2e-5)


PRODUCT = "conv3:b=1 relu prod(conv3 | conv3) gap dense"

SEQUENCES = [
    "conv3:b=0.3 relu conv3 gelu gap dense",
    "conv3 relu conv3:pad=valid,b=0.2 relu flatten dense",
    "conv3:pad=valid relu conv5:pad=valid relu avg2 dense cos gsp dense",
    "dense:b=1 posembed attention layernorm relu dense:b=1 gap dense relu dense",
    "dense attention:abs relu prod(dense | conv3) gap dense",
    "dense:b=1 layernorm:space=true tanh gap dense",
]


@pytest.mark.parametrize("text", SEQUENCES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sequences_of_several_sizes(text, dtype):
    """Pairs on a grid as large as they need, with the marginals of that grid."""
    lengths = (9, 33, 40, 16, 17, 12)
    x = tg.Masked([0.5 * RNG.standard_normal((n, 2)).astype(dtype) for n in lengths])
    y = tg.Masked([0.5 * RNG.standard_normal((n, 2)).astype(dtype) for n in (11, 48, 20)])
    rtol = 1e-12 if dtype == np.float64 else 2e-5
    assert_equal(text, x, rtol=rtol)
    assert_equal(text, x, y, rtol=rtol)
    assert tg.explain(text, x).startswith("engine: blocked (the fused engine cannot: inputs have")


def test_short_sequences_beside_long_ones():
    """Where the second inputs are all longer than the first, or the other way round."""
    short, long = (
        tg.Masked([RNG.standard_normal((length, 2)) for length in (n, n - 1, n)]) for n in (5, 30)
    )
    assert_equal("conv3:b=0.2 relu gap dense", short, long)
    assert_equal("conv3:b=0.2 relu gap dense", long, short)
    assert_equal("conv3:b=0.2 relu gap dense", short[:1], long)


def test_masked_positions_anywhere_and_on_planes():
    x = RNG.standard_normal((5, 4, 5, 2))
    mask = RNG.random((5, 4, 5)) < 0.3
    for text in ("conv3:b=0.5 relu conv3 relu gap dense", "conv3 relu flatten dense:b=1"):
        assert_equal(text, tg.Masked(x, mask))


def test_graphs_of_several_sizes():
    sizes = (3, 20, 7, 17, 5)
    edges = [(RNG.random((n, n)) < 0.4).astype(float) for n in sizes]
    graphs = tg.Graphs([RNG.standard_normal((n, 3)) for n in sizes], edges)
    for text in (
        "aggregate dense relu aggregate dense:b=0.4 relu gsp dense",
        "dense relu sum(aggregate dense | dense) gelu gap dense",
    ):
        assert_equal(text, graphs)
        assert_equal(text, graphs, graphs[1:4])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_by_quadrature_as_series(dtype):
    x = (0.4 * RNG.standard_normal((4, 2, 3, 2, 2))).astype(dtype)
    text = "conv2 tanh conv2 silu gap dense tanh dense"
    assert "tables: series of" in tg.explain(text, x)
    assert_equal(text, x, rtol=1e-10 if dtype == np.float64 else 2e-5)
    assert_equal("conv2 tanh gap dense", 300 * x)  # for which no series is long enough


def test_masks_of_dropout_are_of_each_input_alone():
    x = RNG.standard_normal((3, 6, 2))
    x[2] = x[0]
    net = tg.parse("conv3 relu dropout0.5 conv3 relu gap dense")
    assert_equal(net, x)
    k = tg.NTK(net, engine="blocked")(x)
    assert k[0, 2] < k[0, 0]


def test_tensors_and_gradients():
    x = torch.from_numpy(RNG.standard_normal((3, 5, 2)))
    k = tg.NTK("dense attention relu gap dense", engine="blocked")
    found = k(x)
    assert isinstance(found, torch.Tensor)
    assert np.array_equal(found, k(x.numpy()))
    assert torch.equal(k(x.requires_grad_()), found)


def test_what_it_refuses():
    with pytest.raises(tg.InputError, match="it works on grids, not on vectors"):
        tg.NTK("dense relu dense", engine="blocked")(np.ones((2, 3)))
    with pytest.raises(tg.InputError, match="covariances of all pairs of 2,500 positions"):
        tg.NTK("conv3 relu gap dense", engine="blocked")(np.ones((2, 50, 50, 1)))
    net = tg.Sequential(tg.Conv(3), tg.Activation("elu"), tg.GlobalAvgPool(), tg.Dense())
    with pytest.raises(tg.InputError, match="elu is computed by quadrature, as its series"):
        tg.NTK(net, engine="blocked")(np.ones((2, 4, 1)))


def test_memory():
    x = np.ones((200, 6, 1))
    k = tg.NTK("dense attention relu gap dense", max_memory=2**20)
    with pytest.raises(tg.MemoryLimitError, match="with room to work in, needs"):
        k(x)


@pytest.mark.parametrize("text", ["dense attention:identity relu gap dense", PRODUCT])
@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 1e30), (np.float64, 1e150)])
def test_values_beyond_the_dtype_are_refused(text, dtype, size):
    """In words, and without NumPy's warnings, which are errors here."""
    x = np.full((2, 6, 1), size, dtype=dtype) * np.arange(1, 3)[:, None, None].astype(dtype)
    with pytest.raises(tg.InputError, match=np.dtype(dtype).name):
        tg.NTK(text)(x)


@settings(max_examples=60, deadline=None)
@given(networks(), st.integers(0, 2**20), st.sampled_from([np.float32, np.float64]))
def test_random_networks(case, seed, dtype):
    net, shape = case
    steps = plan(net, shape)
    assume(steps.space and uncovered(steps) is None)
    x = inputs(shape, 5, seed).astype(dtype)
    x[3] = x[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tg.kernels.InputWarning)  # of what float32 cannot tell
        found = tg.gram(net, x, engine="blocked", n_jobs=1)
        right = tg.gram(net, x.astype(np.float64), engine="reference")
    # At c = ±1 the derivative of a ReLU has the root of what is rounded.
    tolerance = 1e-7 if dtype == np.float64 else 5e-3
    for matrix, exact in zip(found, right, strict=True):
        roots = np.sqrt(np.abs(np.diag(exact)))
        scale = np.maximum(np.outer(roots, roots), np.finfo(np.float32).tiny)
        assert np.max(np.abs(matrix - exact) / scale) < tolerance
        assert np.array_equal(matrix, matrix.T)
        assert matrix[0, 3] == matrix[0, 0] == matrix[3, 3]
