"""Of equal inputs the kernel is that of one with itself, and no kernel is larger than that."""

import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tangency as tg
from cases import each
from conditioning import conditioning
from strategies import duals, inputs, networks, quadratures
from tangency.kernels import InputWarning, Prepared
from tangency.nets.plan import plan

KINDS = [tg.NTK, tg.NNGP]
SCALES = st.sampled_from([1e-6, 1e-3, 1.0, 1e3, 1e6])


@pytest.mark.slow
@settings(max_examples=40)
@given(
    networks(lambda: st.one_of(duals(), duals(), quadratures())),
    SCALES,
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from(["auto", "reference"]),
    st.integers(0, 2**20),
)
def test_cauchy_schwarz(case, scale, dtype, engine, seed):
    """|K(x,y)| ≤ √(K(x,x)K(y,y)) to a few units in the last place, and K(x,y) = K(x,x) for y = x.

    More only where rounding of the covariances alone moves the kernel so far, which it does behind
    kinks, where nearly all positions are nearly parallel. Filters that subtract positions from each
    other leave nothing but rounding where these are equal; they are left out.
    """
    net, shape = case
    if re.search(r"(pool|map)\[[^ ]*-", str(net)):
        return
    x = (inputs(shape, 7, seed) * scale).astype(dtype)
    y = np.concatenate([x[2:4], x[5:6] * dtype(1 + 1e-6), x[6:7]])
    for kind in KINDS:
        kernel = kind(net, engine=engine)
        with warnings.catch_warnings():
            # Inputs of size 1e6 on networks with a sine, say: the bound holds there too.
            warnings.simplefilter("ignore", InputWarning)
            whole, first = kernel(x), kernel.diag(x)
            part, second = kernel(x, y), kernel.diag(y)
        assert np.all(np.isfinite(whole))
        assert np.all(np.isfinite(part))
        assert np.array_equal(np.diag(whole), first)
        # x[1] is x[0], and x[4] too in float32.
        assert whole[0, 1] == whole[1, 0] == first[0] == first[1]
        bound = 32 * np.finfo(dtype).eps
        # Alone, in another number of inputs: quadrature rounds with it.
        assert np.allclose(part[[2, 3], [0, 1]], first[[2, 3]], rtol=bound, atol=1e-37)
        excess = max(beyond(whole, first, first), beyond(part, first, second))
        steps = plan(net, shape)
        assert excess <= bound or excess <= bound + 8 * conditioning(steps, x, None)
        lowest = np.linalg.eigvalsh(whole.astype(float))[0]
        assert lowest >= -(7e-3 if dtype is np.float32 else 1e-7) * np.max(first) - 1e-37


def beyond(k, p, q):
    """By how much |K(x,y)|/√(K(x,x)K(y,y)) is more than 1; what is below the range is left out."""
    bound = np.sqrt(p.astype(float))[:, None] * np.sqrt(q.astype(float))[None, :]
    large = bound > 100 * np.finfo(k.dtype).smallest_normal
    return np.max(np.where(large, np.abs(k) / np.where(large, bound, 1) - 1, 0))


def test_the_law_is_not_kept_by_leaving_everything_out():
    """A kernel that is off by 1e-5 fails it."""
    k = tg.NTK("dense relu dense")(np.random.default_rng(0).normal(size=(4, 3)))
    d = np.diag(k)
    assert beyond(k, d, d) <= 4e-16
    k[0, 1] = np.sqrt(d[0] * d[1]) * (1 + 1e-5)
    assert beyond(k, d, d) > 0.9e-5


@pytest.mark.parametrize("engine", ["fused", "reference"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each("diagonal")
def test_every_way_to_the_diagonal(text, shape, dtype, engine):
    """To the last bit: alone, in a matrix, in both kernels at once, prepared, in tiles."""
    x = np.random.default_rng(0).normal(size=(18, *shape)).astype(dtype)
    x[16] = x[3]
    y = np.concatenate([x[5:9], x[3:4]])
    both, prepared = tg.gram(text, x, engine=engine), Prepared(x)
    for kind, pair in ((tg.NTK, both.ntk), (tg.NNGP, both.nngp)):
        kernel = kind(text, engine=engine)
        alone, k = kernel.diag(x), kernel(x)
        assert np.array_equal(k, k.T)
        assert np.array_equal(np.diag(k), alone)
        assert np.array_equal(np.diag(pair), alone)
        assert np.array_equal(np.diag(kernel(prepared)), alone)
        assert np.array_equal(kernel.diag(prepared), alone)
        assert k[3, 16] == alone[3] == alone[16]
        cross = kernel(prepared, Prepared(y))
        assert np.array_equal(cross[5:9, :4].diagonal(), alone[5:9])
        assert cross[3, 4] == cross[16, 4] == alone[3]
        assert np.array_equal(kernel(x[:3], x[:15])[:, :3].diagonal(), alone[:3])
        one = kind(text, engine=engine, normalize=True)
        assert np.array_equal(np.diag(one(x)), np.ones(18))
        assert one(x)[3, 16] == one(x, y)[3, 4] == 1
        assert np.max(one(x)) <= 1 + 4 * np.finfo(dtype).eps


def test_a_diagonal_that_was_given_away_is_a_copy():
    x = Prepared(np.ones((2, 3)))
    kernel = tg.NTK("dense relu dense")
    for engine in ("fused", "reference"):
        kernel = tg.NTK("dense relu dense", engine=engine)
        kernel.diag(x)[:] = 0
        assert np.array_equal(kernel.diag(x), [6, 6])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_kink_behind_another_activation(dtype):
    """Θ(x, x) from one layer to the next, written out: c = 1, so that k̇ of a ReLU is 1."""
    x = np.random.default_rng(0).normal(size=(50, 10)).astype(dtype)
    q = np.sum(x.astype(float) ** 2, axis=1)
    scale = 2 / (1 - np.exp(-2))
    sine, slope = (scale * 0.5 * (1 + sign * np.exp(-2 * q)) for sign in (-1, 1))
    expected = (q * slope + sine) + sine
    for engine in ("fused", "reference"):
        kernel = tg.NTK("dense sin dense relu dense", engine=engine)
        for found in (np.diag(kernel(x)), np.diag(kernel(x, x.copy()))):
            assert np.max(np.abs(found / expected - 1)) <= 32 * np.finfo(dtype).eps


def test_torch_on_and_off_the_diagonal():
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(9, 10)))
    x[7] = x[2]
    for gradient in (False, True):
        x = x.detach().clone().requires_grad_(gradient)
        kernel = tg.NTK("dense sin dense relu dense", engine="reference")
        k, alone = kernel(x), kernel.diag(x)
        assert torch.equal(torch.diagonal(k), alone)
        assert k[2, 7] == alone[2] == kernel(x, x[7:8].detach())[2, 0]
    # Values are put right, slopes are those of the computation: K(x, x) through both of its sides.
    (given,) = torch.autograd.grad(kernel(x)[0, 0], x)
    (direct,) = torch.autograd.grad(kernel.diag(x)[0], x)
    assert torch.allclose(given, direct, rtol=1e-9)
