"""Functions of the caller's may write to their arguments, as `u[u < 0] = 0` does."""

from dataclasses import dataclass

import numpy as np
import pytest

import tangency as tg
from tangency import bias
from tangency.bias import targets
from tangency.bias.deformations import Deformation, Rotation
from tangency.kernels import Kernel
from tangency.nets import ActivationLayer
from tangency.nets.identity import _COVARIANCES, _dual_values

X = np.random.default_rng(0).normal(size=(4, 5))


def relu(u):
    u[u < 0] = 0
    return u


def elu(u):
    u[u < 0] = np.expm1(u[u < 0])
    return u


@dataclass(frozen=True, repr=False)
class Plain(ActivationLayer):
    def dual(self, s, q1, q2):
        return q1 * q2 + 2 * s * s, 4 * s

    def __call__(self, u):
        return u * u


@dataclass(frozen=True, repr=False)
class Writing(ActivationLayer):
    def dual(self, s, q1, q2):
        slope = 4 * s
        s *= s
        s *= 2
        s += q1 * q2
        return s, slope

    def __call__(self, u):
        u *= u
        return u


def dense(layer):
    return tg.Sequential(tg.Dense(), layer, tg.Dense())


def residual(layer):
    branch = tg.Residual(tg.Sequential(layer, tg.Dense()))
    return tg.Sequential(tg.Dense(), branch, layer, tg.Dense())


@pytest.mark.parametrize("network", [dense, residual])
@pytest.mark.parametrize("kind", [tg.NTK, tg.NNGP])
def test_duals(network, kind):
    kernel, wanted = kind(network(Writing())), kind(network(Plain()))
    assert np.array_equal(kernel(X), wanted(X))
    assert np.array_equal(kernel(X, X[:2]), wanted(X, X[:2]))
    assert np.array_equal(kernel.diag(X), wanted.diag(X))
    assert np.allclose(kernel.distance(X), wanted.distance(X), rtol=1e-12)
    h, wanted_h = bias.sphere_kernel(kernel), bias.sphere_kernel(wanted)
    assert np.allclose(h(np.linspace(-1, 1, 5)), wanted_h(np.linspace(-1, 1, 5)), rtol=1e-12)


def test_the_values_by_which_formulas_are_compared():
    before = _COVARIANCES.copy()
    assert _dual_values(Writing()) == _dual_values(Plain())
    assert np.array_equal(_COVARIANCES, before)


@pytest.mark.parametrize(("function", "named"), [(relu, tg.ReLU()), (elu, tg.Activation("elu"))])
def test_activations(function, named):
    layer = tg.Activation(function)
    assert np.allclose(tg.NTK(residual(layer))(X), tg.NTK(residual(named))(X), rtol=1e-7)
    given = X.copy()
    assert np.allclose(layer(given), named(given), rtol=1e-8)
    assert np.array_equal(given, X)


def test_finite_networks():
    torch = pytest.importorskip("torch")
    from tangency.finite import build

    x = torch.tensor(X)

    def values(layer):
        return build(residual(layer), 16, (5,), seed=1, dtype=torch.float64)(x).detach().numpy()

    assert np.allclose(values(tg.Activation(relu)), values(tg.ReLU()), rtol=1e-7)
    assert np.array_equal(values(Writing()), values(Plain()))


def test_targets():
    def square(u):
        u += 1
        return u

    even = targets.zonal(square).even()
    assert np.allclose(even(np.linspace(-1, 1, 5)), 1.0)  # ((1 + u) + (1 - u))/2


@dataclass(frozen=True)
class Wide(Deformation):
    dims = 2

    def _tau(self, u):
        u *= 0.1
        return u

    def _gradient(self, u):
        return np.broadcast_to(0.1 * np.eye(2), (len(u), 2, 2))


def test_deformations():
    points = np.array([[1.0, 2.0], [-3.0, 0.5]])
    turn = Rotation(0.1)
    wanted = 0.1 * points + turn.displacement(points)
    assert np.allclose((Wide() + turn).displacement(points), wanted)
    assert np.allclose((turn + Wide()).displacement(points), wanted)
    assert np.array_equal(points, [[1.0, 2.0], [-3.0, 0.5]])
    image = np.arange(64.0).reshape(1, 8, 8, 1)  # a plane, which splines of order 1 keep
    moved = bias.deform(image, Wide(), order=1, antialias=0)[0, 1:-1, 1:-1, 0]
    middle = image.mean()
    assert np.allclose(moved, middle + 0.9 * (image[0, 1:-1, 1:-1, 0] - middle))


class Own(Kernel):
    def __init__(self, shift):
        self.shift = shift

    def __call__(self, X, Y=None):
        same = Y is None
        X += self.shift
        return X @ (X if same else Y + self.shift).T

    def diag(self, X):
        X += self.shift
        return np.square(X).sum(axis=1)


def test_kernels_in_fits():
    x, y, new = X.copy(), np.arange(4.0), X[:2] + 0.5
    given = new.copy()
    model = tg.KernelRegressor(Own(0.5), alpha=0.1).fit(x, y)
    again = [model.predict(new) for _ in range(2)]
    wanted = tg.KernelRegressor(lambda A, B: (A + 0.5) @ (B + 0.5).T, alpha=0.1).fit(x, y)
    assert np.array_equal(new, given)
    assert np.array_equal(model.X_fit_, X)
    assert np.allclose(again, [wanted.predict(new)] * 2, rtol=1e-9)
    gp = tg.GaussianProcess(Own(0.5), noise=0.1).fit(x, y)
    other = tg.GaussianProcess(lambda A, B: (A + 0.5) @ (B + 0.5).T, noise=0.1).fit(x, y)
    assert np.allclose(gp.predict(new, return_std=True), other.predict(new, return_std=True))


def test_kernels_beside_others():
    ntk, x = tg.NTK("dense relu dense"), X.copy()
    kernel = Own(0.5) + ntk
    assert np.allclose(kernel(x), ntk(X) + (X + 0.5) @ (X + 0.5).T)
    assert np.allclose((ntk * Own(0.5)).diag(x), ntk.diag(X) * np.square(X + 0.5).sum(axis=1))
    assert np.array_equal(x, X)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (lambda s: (s[:1], s[:1]), r"it gave shapes \[\(1, 4\), \(1, 4\)\]"),
        (lambda s: (s, s, s), r"it gave shapes \[\(4, 4\), \(4, 4\), \(4, 4\)\]"),
        (lambda s: (s, None), r"it gave \(array"),
        (lambda s: s, r"it gave an array of shape \(4, 4\)"),
        (lambda s: (s + 0j, s), r"real arrays of the shape of s, \(4, 4\), or numbers; it gave"),
    ],
)
def test_what_duals_must_give(result, told):
    class Own(ActivationLayer):
        def dual(self, s, q1, q2):
            return result(s)

    with pytest.raises(tg.NetworkError, match=rf"Own.dual must give k and k̇, .*{told}"):
        tg.NTK(dense(Own()))(X, X)


def test_constants_are_numbers():
    class Line(ActivationLayer):
        def dual(self, s, q1, q2):
            return s, 1.0

        def __call__(self, u):
            return u

    assert np.allclose(tg.NTK(dense(Line()))(X), 2 * tg.NNGP("dense")(X))


def test_finite_networks_refuse_what_is_not_elementwise():
    torch = pytest.importorskip("torch")
    from tangency.finite import build

    layer = tg.Activation(lambda u: u.mean(-1, keepdim=True), normalized=False)
    with pytest.raises(tg.NetworkError, match=r"must give one number for each; it gave .*tensor"):
        build(residual(layer), 16, (5,))(torch.zeros(2, 5))
