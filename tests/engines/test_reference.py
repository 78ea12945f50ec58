"""The reference engine against plain loops, closed forms, and finite sums."""

import numpy as np
import pytest

import naive
import oracle
import tangency as tg
from cases import each
from tangency.engines import driver
from tangency.nets.plan import plan


def inputs(shape, seed=0):
    x = np.random.default_rng(seed).normal(size=(4, *shape))
    x[1].flat[: x[1].size // 2] = 0.0
    x[3] = x[0]
    return x


def close(found, exact, first, second, tolerance):
    """Relative to √(K(x,x)K(y,y)), which is what rounding is relative to."""
    return abs(float(found - exact)) <= tolerance * float(first * second) ** 0.5


@each("loops")
def test_plain_loops(shape, text):
    net, x = tg.parse(text), inputs(shape)
    found = oracle.gram(net, x)
    pairs = [(0, 0), (0, 1), (1, 2), (1, 1), (2, 2), (0, 3)]
    exact = {(i, j): naive.kernel(net, x[i], x[j]) for i, j in pairs}
    exact[3, 3] = exact[0, 0]
    for kind in (0, 1):
        for i, j in pairs:
            scale = exact[i, i][kind], exact[j, j][kind]
            assert close(found[kind][i, j], exact[i, j][kind], *scale, 2e-14)


def test_plain_loops_would_notice_a_wrong_geometry():
    """The same patch put elsewhere, the odd position at the other end, gives another kernel."""
    x = inputs((5, 1))
    one, other = (tg.parse(f"conv[{p}] relu gap dense") for p in ("[-1],[0]", "[0],[1]"))
    assert abs(oracle.NTK(one)(x)[0, 1] - float(naive.kernel(other, x[0], x[1])[1])) > 1e-3


def kappas(c):
    theta = np.arccos(c)
    return 1 - theta / np.pi, (np.sin(theta) + c * (np.pi - theta)) / np.pi


def test_two_layers_of_relu():
    """K = |x||x'|(c κ₀(c) + κ₁(c)) (Bietti & Mairal 2019, section 2.1)."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 6)), rng.normal(size=(20, 6))
    norms = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(y, axis=1)[None, :]
    c = x @ y.T / norms
    zero, one = kappas(c)
    found = oracle.gram("dense relu dense", x, y)
    assert np.max(np.abs(found.ntk - norms * (c * zero + one)) / norms) < 1e-14
    assert np.max(np.abs(found.nngp - norms * one) / norms) < 1e-14


@pytest.mark.parametrize("kind", ["ntk", "nngp"])
def test_a_bias_is_one_more_input(kind):
    """K of `dense:b=R …` at x is K without bias at (x, R), which need not be homogeneous in x."""
    x = np.random.default_rng(3).normal(size=(6, 4))
    more = np.concatenate([x, np.full((6, 1), 0.7)], axis=1)
    found = oracle.gram("dense:b=0.7 relu dense", x, kind=kind)
    np.testing.assert_allclose(found, oracle.gram("dense relu dense", more, kind=kind), rtol=1e-13)


@pytest.mark.parametrize("depth", [1, 2, 3, 5, 12, 50])
def test_deep_relu_on_the_sphere(depth):
    """Σ iterates κ₁; Θ_l = Σ_l + κ₀(Σ_{l−1})·Θ_{l−1} (Jacot et al. 2018, theorem 1)."""
    c = np.linspace(-1, 1, 21)[1:-1]
    x = np.array([[1.0, 0.0]])
    y = np.stack([c, np.sqrt(1 - c**2)], axis=1)
    sigma = theta = c
    for _ in range(depth - 1):
        zero, one = kappas(sigma)
        sigma, theta = one, one + zero * theta
    found = oracle.gram(tg.mlp(depth), x, y)
    assert np.max(np.abs(found.nngp[0] - sigma)) < 1e-14 * depth
    assert np.max(np.abs(found.ntk[0] - theta)) < 1e-14 * depth**2


@pytest.mark.parametrize("depth", [1, 2, 7])
def test_relu_at_identical_and_opposite_inputs(depth):
    """Σ(x, x) = |x|² and Θ(x, x) = depth·|x|², to rounding: nothing is lost near c = 1."""
    x = np.random.default_rng(1).normal(size=(5, 40)) * 10.0 ** np.arange(-2, 3)[:, None]
    square = np.sum(x**2, axis=1)
    both = oracle.gram(tg.mlp(depth), x)
    assert np.max(np.abs(np.diag(both.nngp) / square - 1)) < 1e-14
    assert np.max(np.abs(np.diag(both.ntk) / (depth * square) - 1)) < 1e-14
    if depth == 2:
        opposite = oracle.gram(tg.mlp(2), x, -x)
        assert np.max(np.abs(np.diag(opposite.ntk) / square)) < 1e-15
        assert np.max(np.abs(np.diag(opposite.nngp) / square)) < 1e-15


@pytest.mark.parametrize("features", [3, 784, 10_000, 60_000])
@pytest.mark.parametrize("order", ["C", "F"])
def test_identical_vectors_of_any_length_and_memory_order(features, order):
    """The sums behind ⟨x, x⟩ and |x|² differ in rounding; c must be 1 all the same."""
    x = np.random.default_rng(2).normal(size=(5, features))
    x[4] = x[1]
    exact = 2 * np.sum(x * x, axis=1)
    x = np.asarray(x, order=order)
    found = oracle.NTK("dense relu dense")(x)
    assert np.max(np.abs(np.diag(found) / exact - 1)) < 1e-14
    assert abs(found[1, 4] / exact[1] - 1) < 1e-14
    assert np.max(np.abs(oracle.NTK("dense relu dense").diag(x) / exact - 1)) < 1e-14


def test_all_but_the_last_layer_frozen_is_the_last_layer_kernel():
    x = inputs((4, 4, 1))
    text = "conv3:frozen relu avg2 conv3:b=0.1,frozen relu gap dense:w=1.5,b=0.3"
    both = oracle.gram(text, x)
    assert np.array_equal(both.ntk, both.nngp)


def test_a_network_without_trainable_layers_has_a_zero_tangent_kernel():
    net = "conv3:frozen relu flatten dense:frozen"
    assert np.array_equal(oracle.NTK(net)(inputs((4, 1))), np.zeros((4, 4)))
    assert np.array_equal(oracle.NTK(net).diag(inputs((4, 1))), np.zeros(4))


@pytest.mark.parametrize("text", ["conv3 relu conv3 relu flatten dense", "conv3 relu gap dense"])
def test_only_the_needed_part_of_the_covariance_is_kept(text):
    """No pooling, Flatten on top: 10,000 positions would need 10⁸ numbers a pair in full."""
    steps = plan(tg.parse(text), (100, 100, 1))
    assert steps.need_in.name == ("DIAGONAL" if "flatten" in text else "FULL")


def test_marginals_are_computed_once_for_each_input(monkeypatch):
    from tangency.engines import reference, tiles

    monkeypatch.setattr(tiles, "_TILE_ENTRIES", 16)
    seen = []
    original = reference.marginals
    monkeypatch.setattr(
        reference, "marginals", lambda p, x: seen.append(x.shape[0]) or original(p, x)
    )
    x = np.random.default_rng(0).normal(size=(9, 4, 1))
    oracle.NTK("conv3 relu conv3 relu flatten dense")(x, x[:5] + 1)
    assert sum(seen) == 9 + 5
    seen.clear()
    oracle.NTK("conv3 relu conv3 relu flatten dense")(x)
    assert sum(seen) == 9


def test_an_unknown_layer_is_named():
    class Strange(tg.Layer):
        pass

    net = tg.Sequential(Strange(), tg.Dense())
    with pytest.raises(tg.NetworkError, match="Strange does not say what it is made of"):
        driver.gram(plan(net, (2,)), np.ones((1, 2)), None)
