"""Kernels behind each layer: those of the network cut there."""

import numpy as np
import pytest

import oracle
import tangency as tg

X = np.random.default_rng(0).normal(size=(7, 6, 2))
NET = tg.parse("conv3:frozen relu conv3:b=0.2 res(relu conv3) avg2 relu flatten dense relu dense")


def test_they_are_those_of_networks_cut_there():
    found = tg.layer_kernels(NET, X)
    assert found.layers == tuple(map(str, NET))
    assert found.nngp.shape == (10, 7, 7)
    for k in range(len(NET)):
        net = NET[: k + 1]
        # The mean over positions of Σ[u, u] is what Flatten makes of a grid.
        if net.output_shape(X.shape[1:]):
            net = tg.Sequential(net, tg.Flatten())
        pair = oracle.gram(net, X)
        np.testing.assert_allclose(found.nngp[k], pair.nngp, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(found.ntk[k], pair.ntk, rtol=1e-12, atol=1e-14)


def test_on_tensors_and_in_single_precision():
    torch = pytest.importorskip("torch")
    expected = tg.layer_kernels(NET, X)
    found = tg.layer_kernels(NET, torch.as_tensor(X))
    np.testing.assert_allclose(found.ntk.numpy(), expected.ntk, rtol=1e-12, atol=1e-14)
    assert str(found.table()) == str(expected.table())
    assert tg.layer_kernels(NET, X.astype(np.float32)).nngp.dtype == np.float32


def test_the_figure_and_the_table():
    found = tg.layer_kernels(NET, X)
    assert len(found.table().rows) == len(NET)
    (axes,) = found.plot().axes
    ntk, nngp = axes.lines
    # Θ is zero before the first trained layer, and has no cosine there.
    assert list(ntk.get_xdata()) == list(range(3, 11))
    assert len(nngp.get_xdata()) == 10
    np.testing.assert_allclose(nngp.get_ydata(), np.median(found.cosines("nngp"), axis=1))
    assert "median cosine" in found.summary
    assert "80 %" in found.reading
    assert axes.get_xticklabels()[3].get_text() == "res(relu conv3)"


def test_what_it_takes():
    with pytest.raises(tg.InputError, match="give at least two, got 1"):
        tg.layer_kernels(NET, X[:1])
    with pytest.raises(tg.InputError, match="kind must be 'nngp' or 'ntk', got 'both'"):
        tg.layer_kernels(NET, X).cosines("both")
    with pytest.raises(tg.NetworkError, match="cannot take"):
        tg.layer_kernels("gap conv3 relu", X)
