"""RKHS distances: laws, identical and nearly identical inputs, dtypes, combinations of kernels."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tangency as tg
from precise import distance
from strategies import inputs, networks

VECTOR, GRID = "dense relu dense", "conv3 relu avg2 conv3 relu gap dense"
KINDS = [tg.NTK, tg.NNGP]


def data(shape, n=5, seed=0):
    return np.random.default_rng(seed).normal(size=(n, *shape))


CASES = [
    (tg.NTK(VECTOR), (4,)),
    (tg.NNGP(GRID), (4, 4, 1)),
    (tg.NTK(GRID, normalize=True), (4, 4, 1)),
    (tg.NTK(VECTOR) + 2 * tg.NNGP(VECTOR), (4,)),
    (tg.NTK(VECTOR) * tg.NNGP("dense erf dense"), (4,)),
    (tg.NTK(tg.Sequential(tg.Dense(), tg.Activation("tanh"), tg.Dense())), (4,)),
]


@pytest.mark.parametrize(("kernel", "shape"), CASES)
def test_far_inputs_as_from_kernel_values(kernel, shape):
    x, y = data(shape), data(shape, seed=1)
    matrix, first, second = kernel(x, y), kernel.diag(x), kernel.diag(y)
    expected = np.sqrt(first[:, None] + second[None, :] - 2 * matrix)
    assert np.allclose(kernel.distance(x, y), expected, rtol=1e-9)
    assert np.allclose(kernel.paired_distance(x, y), np.diag(expected), rtol=1e-9)


@pytest.mark.parametrize(("kernel", "shape"), CASES)
def test_symmetric_calls(kernel, shape):
    x = data(shape)
    x[3] = x[0] * (1 + 1e-7 * np.arange(x[0].size).reshape(shape))
    found = kernel.distance(x)
    assert np.array_equal(found, found.T)
    assert np.array_equal(np.diag(found), np.zeros(5))
    assert np.allclose(found, kernel.distance(x, x.copy()), rtol=1e-9)
    assert found[0, 3] > 0


@pytest.mark.parametrize(("kernel", "shape"), CASES)
def test_identical_inputs_are_at_distance_zero(kernel, shape):
    x = data(shape)
    assert np.array_equal(kernel.paired_distance(x, x.copy()), np.zeros(5))
    assert kernel.distance(x, np.concatenate([x[2:3], x[2:3] + 1]))[2, 0] == 0


@settings(max_examples=20)
@given(networks(), st.booleans())
def test_a_distance(case, tangent):
    net, shape = case
    kernel = KINDS[tangent](net)
    x = inputs(shape, 7, 0)
    found = kernel.distance(x)
    assert np.array_equal(found, found.T)
    assert np.all(found >= 0)
    size = np.sqrt(kernel.diag(x).max()) + 1e-300
    slack = found[:, :, None] + found[None, :, :] - found[:, None, :]
    assert np.all(slack >= -2e-6 * found[:, None, :] - 1e-14 * size)


@settings(max_examples=20)
@given(networks(homogeneous=True), st.booleans())
def test_homogeneous_kernels_have_homogeneous_distances(case, tangent):
    net, shape = case
    assume(all(getattr(layer, "homogeneous", True) for layer in net.layers))
    assume("layernorm" not in str(net))
    assume("(" not in str(net))
    kernel = KINDS[tangent](net)
    x = inputs(shape, 7, 0)
    assert np.allclose(kernel.distance(4 * x), 4 * kernel.distance(x), rtol=1e-6, atol=1e-200)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("text", "shape", "size"), [(VECTOR, (3,), 1e-10), (GRID, (4, 4, 1), 1e-6)]
)
def test_nearly_identical_inputs(kind, text, shape, size):
    kernel = kind(text)
    x, d = data(shape, 3), data(shape, 3, 1)
    y = x + size * d
    true = [float(distance(kernel.net, a, b, kind is tg.NTK)[0]) for a, b in zip(x, y, strict=True)]
    assert np.allclose(kernel.paired_distance(x, y), true, rtol=1e-9)
    assert np.allclose(np.diag(kernel.distance(x, y)), true, rtol=1e-9)
    assert np.allclose(np.diag(kernel.distance(np.concatenate([x, y]))[:3, 3:]), true, rtol=1e-9)


def test_an_input_of_zeros_whose_bias_learns():
    """Σ is 0 behind the first layer and Θ is not, so that σ'(0) counts."""
    x, y = np.zeros((1, 2)), np.array([[0.3, -0.2]])
    for name in ("silu", "softplus", "tanh"):
        # Near enough for 32 digits, and far enough for what float64 keeps of the difference.
        kernel = tg.NTK(f"dense:w=0.1,bias_rate=0.5 {name} dense:b=1 gelu dense:w=0.01,b=1")
        exact = kernel.diag(x) + kernel.diag(y) - 2 * kernel(x, y)[0]
        assert kernel.distance(x, y)[0, 0] ** 2 == pytest.approx(exact[0], rel=1e-6)


def test_combinations_of_kernels_near_each_other():
    net, other = tg.parse(VECTOR), tg.parse("dense erf dense")
    x = data((3,), 1)
    y = x + 1e-9 * data((3,), 1, 1)
    a = float(distance(net, x[0], y[0], True)[0])
    b = float(distance(other, x[0], y[0], False)[0])
    total = tg.NTK(net) + 3.0 * tg.NNGP(other)
    assert np.allclose(total.paired_distance(x, y), np.sqrt(a * a + 3 * b * b), rtol=1e-9)
    product = tg.NNGP(other) * tg.NNGP(other)
    # ‖Φ⊗Φ(x) − Φ⊗Φ(y)‖² = k(x,x)² + k(y,y)² − 2k(x,y)², with 70 digits.
    import mpmath

    from precise import DIGITS, kernel

    with mpmath.mp.workdps(DIGITS):
        xx, yy, xy = (
            kernel(other, p, q, False) for p, q in ((x[0], x[0]), (y[0], y[0]), (x[0], y[0]))
        )
        true = float(mpmath.sqrt(xx**2 + yy**2 - 2 * xy**2))
    assert np.allclose(product.paired_distance(x, y), true, rtol=1e-7)
    assert np.allclose(product.distance(x, y), true, rtol=1e-7)


@pytest.mark.parametrize("kind", [tg.NTK, tg.NNGP])
def test_functions_are_as_smooth_as_features(kind):
    """|f(x) − f(y)| ≤ ‖f‖·‖Φ(x) − Φ(y)‖, with equality for f = K(x, ·) − K(y, ·)."""
    kernel, rng = kind("dense relu dense"), np.random.default_rng(0)
    x, y, centres = rng.normal(size=(3, 8, 4))
    distance = kernel.paired_distance(x, y)
    for c in rng.normal(size=(20, 8)):
        norm = np.sqrt(c @ kernel(centres) @ c)
        moved = np.abs((kernel(x, centres) - kernel(y, centres)) @ c)
        assert np.all(moved <= norm * distance * (1 + 1e-9))
    both = np.stack([x[0], y[0]])
    difference = np.array([1.0, -1.0])
    norm = np.sqrt(difference @ kernel(both) @ difference)
    moved = difference @ kernel(both) @ difference
    assert moved == pytest.approx(norm * distance[0], rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_float32_is_computed_in_float64(kind):
    x = data((4,)).astype(np.float32)
    y = x + np.float32(1e-3)
    kernel = kind(VECTOR)
    wide = kernel.paired_distance(x.astype(float), y.astype(float))
    narrow = kernel.paired_distance(x, y)
    assert narrow.dtype == kernel.distance(x, y).dtype == kernel.distance(x).dtype == np.float32
    assert np.array_equal(narrow, wide.astype(np.float32))


def test_tensors():
    x, y = torch.from_numpy(data((4,))), torch.from_numpy(data((4,)) + 1e-9)
    kernel = tg.NTK(VECTOR)
    found = kernel.paired_distance(x, y)
    assert isinstance(found, torch.Tensor)
    assert found.dtype == torch.float64
    assert np.array_equal(found.numpy(), kernel.paired_distance(x.numpy(), y.numpy()))
    assert np.array_equal(kernel.distance(x, y).numpy(), kernel.distance(x.numpy(), y.numpy()))
    assert kernel.distance(x.float()).dtype == torch.float32


@pytest.mark.parametrize("paired", [False, True])
def test_tensors_with_gradients(paired):
    x, y = torch.from_numpy(data((3,), 2)), torch.from_numpy(data((3,), 2, 1))
    kernel = tg.NTK(VECTOR)
    function = kernel.paired_distance if paired else kernel.distance
    x.requires_grad_(True)
    found = function(x, y)
    assert np.allclose(found.detach().numpy(), function(x.detach(), y).numpy(), rtol=1e-9)
    assert torch.autograd.gradcheck(lambda z: function(z, y), (x,))
    assert function(x.float(), y.float()).dtype == torch.float32


def test_what_is_no_pair():
    kernel = tg.NTK(VECTOR)
    with pytest.raises(tg.InputError, match="X has 5 of them and Y 4; pass as many"):
        kernel.paired_distance(data((3,)), data((3,), 4))
    with pytest.raises(tg.InputError, match="X has inputs of shape"):
        kernel.paired_distance(data((3,)), data((2,)))
    for rtol in (0, 1e-13, 2, "small", True, float("nan")):
        with pytest.raises(tg.InputError, match="rtol must be a number from 1e-12 to 1"):
            kernel.distance(data((3,)), rtol=rtol)


def test_how_precise_is_a_choice(monkeypatch):
    from tangency.engines import extended

    calls = []
    original = extended.differences

    def counted(plan, x, y, **options):
        calls.append(len(x))
        return original(plan, x, y, **options)

    monkeypatch.setattr(extended, "differences", counted)
    x = data((4, 4, 1), 3)
    y = x + 1e-3 * data((4, 4, 1), 3, 1)
    kernel = tg.NTK(GRID)
    rough = kernel.paired_distance(x, y, rtol=1e-2)
    assert calls == []
    fine = kernel.paired_distance(x, y)
    assert calls == [3]
    assert np.allclose(rough, fine, rtol=1e-2)
    assert kernel.paired_distance(x, x.copy()).tolist() == [0, 0, 0]
    assert calls == [3]


def test_numbers_too_large_for_32_digits_stay_in_float64():
    x = 1e148 * data((3,), 2)
    y = x * (1 + 1e-3)
    found = tg.NNGP(VECTOR).paired_distance(x, y, rtol=1e-3)
    assert np.allclose(found, np.linalg.norm(x - y, axis=1), rtol=1e-3)


class Linear(tg.kernels.Kernel):
    """A kernel of the user's own: values only."""

    def __call__(self, X, Y=None):
        return X @ (X if Y is None else Y).T

    def diag(self, X):
        return np.sum(X * X, axis=1)


def test_a_kernel_of_the_users():
    x, y = data((3,), 40), data((3,), 40, 1)
    kernel = Linear()
    for k, factor in ((kernel, 1.0), (4.0 * kernel, 2.0)):
        assert np.allclose(
            k.paired_distance(x, y), factor * np.linalg.norm(x - y, axis=1), rtol=1e-9
        )
        expected = factor * np.linalg.norm(x[:, None] - x[None], axis=-1)
        assert np.allclose(k.distance(x), expected, atol=1e-7)
        assert np.array_equal(np.diag(k.distance(x)), np.zeros(40))


def test_copies_give_the_same(tmp_path):
    kernel = tg.NTK(GRID, input_shape=(4, 4, 1))
    x = data((16,), 3)
    assert np.array_equal(kernel.distance(x), copy.deepcopy(kernel).distance(x))


def test_distances_that_no_float32_holds_are_refused():
    X = (np.random.default_rng(0).standard_normal((4, 3)) * 1e15).astype(np.float32)
    kernel = tg.NNGP("dense hermite4 dense")
    for call in (lambda: kernel.distance(X), lambda: kernel.paired_distance(X[:2], X[2:])):
        with pytest.raises(tg.InputError, match=r"beyond the range of float32 .*; pass float64"):
            call()
    assert np.isfinite(kernel.distance(X.astype(float))).all()


@pytest.mark.parametrize("size", [1e-150, 1e150])
def test_distances_without_digits_are_refused(size):
    x = np.array([[1.0, 2.0], [3.0, -1.0]])
    y = x + 1e-8
    for normalize in (False, True):
        k = tg.NTK("dense relu dense", normalize=normalize)
        with pytest.raises(tg.InputError, match="distance has no digits; divide the inputs by"):
            k.paired_distance(x * size, y * size)
    # Farther apart they have digits, and on the way there too.
    k = tg.NTK("dense relu dense")
    assert np.allclose(k.paired_distance(x * size, -x * size) / size, k.paired_distance(x, -x))
    near = size ** (14 / 15)
    assert np.allclose(k.paired_distance(x * near, y * near) / near, k.paired_distance(x, y))


def test_squares_that_are_no_normal_numbers_are_refused_and_equal_inputs_are_not():
    x = np.array([[1.0, 2.0], [3.0, -1.0], [0.0, 0.0]])
    y = x * np.array([[1.0, 1 + 1e-4]])
    k = tg.NTK("dense relu dense")
    for measured in (k.paired_distance, k.distance):

        def call(s, measured=measured):
            return measured(x * s, y * s, rtol=1e-2)

        with pytest.raises(tg.InputError, match="distance has no digits; divide the inputs by"):
            call(1e-152)
        assert np.allclose(call(1e-140) / 1e-140, call(1.0), rtol=1e-2)
    assert np.all(np.diag(k.distance(x * 1e-150)) == 0)
    assert np.all(k.paired_distance(x * 1e-152, x * 1e-152) == 0)
