"""Laws that hold for every network, over random ones."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
import tangency as tg
from cases import each
from conditioning import conditioning
from strategies import any_network, duals, inputs, networks
from tangency.engines import driver, tiles
from tangency.engines.engine import Wanted
from tangency.nets.plan import plan

SEEDS = st.integers(0, 2**20)


def scales(matrix):
    """√(K(x,x)K(y,y)), never 0."""
    root = np.sqrt(np.abs(np.diag(matrix)))
    return np.maximum(np.outer(root, root), np.finfo(float).tiny)


def run(net, x, y=None, **options):
    return driver.gram(plan(net, tuple(x.shape[1:])), x, y, **options)


@settings(max_examples=80)
@given(networks(), SEEDS)
def test_symmetric_and_positive_semidefinite(case, seed):
    net, shape = case
    for matrix in run(net, inputs(shape, 8, seed)):
        assert np.array_equal(matrix, matrix.T)
        assert np.isfinite(matrix).all()
        values = np.linalg.eigvalsh(matrix)
        assert values[0] >= -1e-10 * max(abs(values[-1]), np.finfo(float).tiny)


@given(networks(), SEEDS)
def test_swapped_arguments_transpose(case, seed):
    net, shape = case
    x, y = inputs(shape, 6, seed), inputs(shape, 3, seed + 1)
    both = run(net, np.concatenate([x, y]))
    for one, other, whole in zip(run(net, x, y), run(net, y, x), both, strict=True):
        scale = scales(whole)[:6, 6:]
        assert np.max(np.abs(one - other.T) / scale) < 1e-14
        assert np.max(np.abs(one - whole[:6, 6:]) / scale) < 1e-14


@given(networks(), SEEDS)
def test_the_diagonal_alone_is_the_diagonal_of_the_matrix(case, seed):
    net, shape = case
    x = inputs(shape, 7, seed)
    steps = plan(net, shape)
    for matrix, values in zip(driver.gram(steps, x, None), driver.diagonal(steps, x), strict=True):
        assert np.allclose(np.diag(matrix), values, rtol=2e-15, atol=1e-300)


@pytest.mark.slow
@settings(max_examples=60)
@given(networks(), SEEDS, st.sampled_from([1, 40, 3000]))
def test_the_block_size_changes_rounding_only(case, seed, entries):
    """1e-15 relative to √(K(x,x)K(y,y)), with twins, opposites and near-identical inputs."""
    net, shape = case
    x = inputs(shape, 9, seed)
    whole = run(net, x, max_memory=2**34)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "_TILE_ENTRIES", entries)
        parts = run(net, x, max_memory=2**34)
    for one, other in zip(whole, parts, strict=True):
        assert np.max(np.abs(one - other) / scales(one)) <= 1e-15


@given(
    networks(homogeneous=True, activations=lambda: duals().filter(lambda a: a.homogeneous)), SEEDS
)
def test_homogeneity(case, seed):
    """Without biases, and with homogeneous activations, K(λx, μy) = λμK(x, y), λ, μ > 0.

    A LayerNorm makes the kernel invariant instead.
    """
    net, shape = case
    x, y = inputs(shape, 4, seed), inputs(shape, 3, seed + 1)
    power = 0 if normalises(net) else 1
    whole = run(net, np.concatenate([x, y]))
    for one, scaled, both in zip(run(net, x, y), run(net, 4 * x, 0.5 * y), whole, strict=True):
        expected = one if power == 0 else 2 * one
        assert np.max(np.abs(scaled - expected) / scales(both)[:4, 4:]) < 1e-13


def normalises(net):
    """Every path from the input passes a LayerNorm; networks of the strategy have it outside
    of Residuals."""
    return any(isinstance(layer, tg.LayerNorm) for layer in net)


@given(networks(), SEEDS)
def test_single_precision_follows_double(case, seed):
    net, shape = case
    x = inputs(shape, 6, seed)
    if not np.isfinite(run(net, x.astype(np.float32)).ntk).all():
        raise AssertionError("not finite in single precision")
    for one, other in zip(run(net, x), run(net, x.astype(np.float32)), strict=True):
        assert other.dtype == np.float32
        # κ₀ near c = 1 has an infinite slope: √eps there.
        assert np.max(np.abs(one - other) / scales(one)) < 5e-3


@settings(max_examples=40)
@given(networks(), SEEDS)
def test_numpy_and_torch_agree(case, seed):
    torch = pytest.importorskip("torch")
    net, shape = case
    x = np.random.default_rng(seed).normal(size=(5, *shape))
    for one, other in zip(run(net, x), run(net, torch.tensor(x)), strict=True):
        assert other.dtype == torch.float64
        apart = np.max(np.abs(one - other.numpy()) / scales(one))
        # Their scalar products may be a unit in the last place apart, which counts near c = ±1.
        assert apart < 1e-12 or apart < 1e-12 + 8 * conditioning(plan(net, shape), x, None)


@given(networks(), SEEDS)
def test_either_kernel_alone_is_the_one_of_the_pair(case, seed):
    net, shape = case
    x = inputs(shape, 6, seed)
    pair = run(net, x)
    alone = run(net, x, wanted=Wanted(ntk=False))
    assert alone.ntk is None
    assert np.array_equal(alone.nngp, pair.nngp)
    alone = run(net, x, wanted=Wanted(nngp=False))
    assert alone.nngp is None
    assert np.array_equal(alone.ntk, pair.ntk)


@given(networks(), SEEDS)
def test_freezing_all_but_the_last_layer(case, seed):
    """Then Θ is Σ; and the tangent kernel is additive over which layers are trained."""
    net, shape = case
    x = inputs(shape, 6, seed)
    last = tg.Sequential(*map(freeze, net[:-1]), retrain(net[-1]))
    both = run(last, x)
    assert np.array_equal(both.nngp, both.ntk)
    parts = run(tg.Sequential(*net[:-1], freeze(net[-1])), x).ntk + both.ntk
    whole = run(tg.Sequential(*net[:-1], retrain(net[-1])), x).ntk
    assert np.max(np.abs(parts - whole) / scales(whole)) < 1e-14


def freeze(layer, trainable=False):
    from dataclasses import replace

    if isinstance(layer, tg.Sequential):
        return tg.Sequential(*(freeze(part, trainable) for part in layer))
    if hasattr(layer, "chains"):
        return layer.rebuilt([freeze(chain, trainable) for chain in layer.chains()])
    if hasattr(layer, "trainable"):
        return replace(layer, trainable=trainable)
    return layer


def retrain(layer):
    return freeze(layer, trainable=True)


@settings(max_examples=60)
@given(any_network())
def test_any_network_either_has_a_kernel_or_says_why_not(net):
    """No network passes the checks of shapes and then fails in the engine."""
    for shape in ((2,), (4, 1), (3, 4, 1), (3, 3, 3, 1)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # factors of 1e20 overflow
                values = oracle.gram(net, np.ones((2, *shape)))
        except tg.NetworkError:
            continue
        assert values.ntk.shape == (2, 2)


@each("images")
def test_the_block_size_on_real_digits(shape, text, monkeypatch):
    """Real images with twins, near-twins and a blank one."""
    from sklearn.datasets import load_digits

    # Eight units in the last place: tiles of other shapes go to other routines of BLAS, whose sums
    # differ by more with AVX-512 than with AVX2.
    bound = 8 * np.finfo(np.float64).eps

    x = load_digits().images[:10, ..., None] / 16.0
    x = np.concatenate([x, x[:3], x[:2] * (1 + 1e-15), x[:2] + 1e-9, 0 * x[:1]])
    if len(shape) == 1:
        x = np.repeat(x.reshape(len(x), -1), 20, axis=1)
    assert x.shape[1:] == shape
    whole = run(tg.parse(text), x, max_memory=2**34)
    cross = run(tg.parse(text), x, x.copy(), max_memory=2**34)
    for entries in (1, 2**12, 2**15, 2**24):
        monkeypatch.setattr(tiles, "_TILE_ENTRIES", entries)
        parts = run(tg.parse(text), x, max_memory=2**34)
        for one, other, third in zip(whole, parts, cross, strict=True):
            assert np.max(np.abs(one - other) / scales(one)) <= bound
            # Below the diagonal the positions are summed in the other order.
            assert np.max(np.triu(np.abs(one - third)) / scales(one)) <= bound
