"""Sequences and graphs in stores: the same bits as in one call, known again by their digest."""

import numpy as np
import pytest

import tangency as tg

RNG = np.random.default_rng(0)
LENGTHS = (3, 9, 20, 40, 5, 33, 7, 8, 9, 31)
WORDS = tg.Masked([RNG.standard_normal((n, 2)) for n in LENGTHS])
KERNEL = tg.NTK("conv3:b=0.2 relu gap dense")


def test_sequences(tmp_path):
    found = tg.gram.compute(KERNEL, WORDS, store=tmp_path / "K.zarr", tile=4)
    assert np.array_equal(found[:], KERNEL(WORDS))
    again = tg.gram.compute(KERNEL, WORDS, store=tmp_path / "K.zarr", tile=4)
    assert np.array_equal(again[:], found[:])
    other = tg.Masked([RNG.standard_normal((n, 2)) for n in (3, 50)])
    cross = tg.gram.compute(KERNEL, WORDS, other, store=tmp_path / "cross.zarr", tile=4)
    assert np.array_equal(cross[:], KERNEL(WORDS, other))
    half = tg.gram.compute(KERNEL, WORDS, store=tmp_path / "half.zarr", tile=4, dtype="float32")
    assert half.dtype == np.float32
    assert np.allclose(half[:], found[:], rtol=1e-5)


def test_graphs(tmp_path):
    edges = [(RNG.random((n, n)) < 0.4).astype(float) for n in LENGTHS]
    graphs = tg.Graphs([RNG.standard_normal((n, 3)) for n in LENGTHS], edges)
    net = "aggregate dense relu aggregate dense relu gsp dense"
    pair = tg.gram.compute(net, graphs, store=tmp_path / "K.zarr", tile=4)
    both = tg.gram(net, graphs)
    assert np.array_equal(pair.nngp[:], both.nngp)
    assert np.array_equal(pair.ntk[:], both.ntk)
    fewer = tg.Graphs(graphs.X, graphs.adjacency * 2, graphs.mask)
    with pytest.raises(tg.StoreError, match="holds another job: the values in X differ"):
        tg.gram.compute(net, fewer, store=tmp_path / "K.zarr", tile=4)


def test_others_than_those_of_the_store(tmp_path):
    tg.gram.compute(KERNEL, WORDS, store=tmp_path / "K.zarr", tile=4)
    longer = tg.Masked(WORDS.X, WORDS.mask & (np.arange(40) != 30))
    for data in (WORDS[::-1], longer):
        with pytest.raises(tg.StoreError, match="holds another job: the values in X differ"):
            tg.gram.compute(KERNEL, data, store=tmp_path / "K.zarr", tile=4)
    with pytest.raises(tg.InputError, match="X is Masked and Y ndarray; pass both as Masked"):
        tg.gram.compute(KERNEL, WORDS, np.ones((2, 4, 2)), store=tmp_path / "x.zarr")


def test_values_beyond_the_precision_of_the_store(tmp_path):
    edges = np.ones((2, 3, 3))
    words = tg.Masked(np.full((2, 3, 1), 1e60), np.zeros((2, 3), dtype=bool))
    for data, told in (
        (words, "Masked holds values beyond the range of float32; scale them down"),
        (tg.Graphs(np.ones((2, 3, 1)), edges * 1e60), "Graphs holds weights of edges beyond the"),
    ):
        net = KERNEL if isinstance(data, tg.Masked) else tg.NTK("aggregate dense relu gsp dense")
        with pytest.raises(tg.InputError, match=told):
            tg.gram.compute(net, data, store=tmp_path / "half.zarr", dtype="float32")
