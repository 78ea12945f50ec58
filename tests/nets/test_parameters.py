"""Parameters and activations are found in layers of one's own, wherever they keep or make them."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

import tangency as tg
from tangency.nets import ActivationLayer
from tangency.nets.meeting import Sum
from tangency.nets.operators import Pointwise, Weights
from tangency.nets.parameters import numbers_only, tensors

X = np.random.default_rng(0).normal(size=(4, 3))


@dataclass(frozen=True, repr=False)
class Many(tg.Layer):
    layers: tuple

    def lower(self, space):
        return tuple(operator for layer in self.layers for operator in layer.lower(space))


@dataclass(frozen=True, repr=False)
class Hidden(tg.Layer):
    """Makes its activation, of a function of NumPy's, where it is lowered."""

    branches: bool = False

    def lower(self, space):
        tanh = tg.Activation(np.tanh)
        if self.branches:
            inner = tg.Sequential(tg.Dense(), tanh, tg.Dense())
            return (Sum((inner, tg.Sequential(tg.Dense()))),)
        return Weights(), Pointwise(tanh), Weights()


def test_tensors_in_tuples_of_layers():
    w = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    net = tg.Sequential(Many((tg.Dense(weight_std=w), tg.Erf(), tg.Dense())))
    assert [*tensors(net)] == [w]
    assert not [*tensors(numbers_only(net))]
    plain = tg.Sequential(tg.Dense(weight_std=w), tg.Erf(), tg.Dense())
    slopes = [torch.autograd.grad(tg.NTK(n)(torch.tensor(X)).sum(), w)[0] for n in (net, plain)]
    assert slopes[0] == slopes[1] != 0
    found, wanted = (tg.NTK(n).paired_distance(X, X + 1e-7) for n in (net, plain))
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("branches", [False, True])
def test_activations_made_where_a_layer_is_lowered(branches):
    net = tg.Sequential(Hidden(branches))
    chain = tg.Sequential(tg.Dense(), tg.Activation(np.tanh), tg.Dense())
    same = tg.Sequential(tg.Residual(chain, shortcut=tg.Dense())) if branches else chain
    found, wanted = (tg.NTK(n).paired_distance(X[:1], X[:1] + 1e-7) for n in (net, same))
    np.testing.assert_array_equal(found, wanted)
    # Errors of spectra are differences from a series with more terms.
    cosines = np.linspace(-1, 1, 5)
    kernels = [tg.bias.sphere_kernel(n, radius=2.0).finer() for n in (net, same)]
    found, wanted = (kernel(cosines) for kernel in kernels)
    np.testing.assert_array_equal(found, wanted)
    assert np.all(found != tg.bias.sphere_kernel(same, radius=2.0)(cosines))


@dataclass(frozen=True, repr=False)
class OfNumPy(ActivationLayer):
    """σ(u) = exp(−u²/2), written for NumPy's arrays alone."""

    def dual(self, s, q1, q2):
        k = 1 / np.sqrt((1 + q1) * (1 + q2) - s * s)
        return k, s * k**3

    def __call__(self, u):
        return np.exp(-u * u / 2)


def test_formulas_for_numpy_alone_are_said_to_be_so():
    kernel = tg.NTK(tg.Sequential(tg.Dense(), OfNumPy(), tg.Dense()))
    assert np.isfinite(kernel(X)).all()
    with pytest.raises(tg.NetworkError, match=r"OfNumPy\.dual cannot compute with the 32 digits"):
        kernel.paired_distance(X, X + 1e-7)
    with pytest.raises(
        tg.NetworkError, match=r"dual cannot compute with tensors .*array_namespace"
    ):
        kernel(torch.tensor(X, requires_grad=True))
    with pytest.raises(tg.NetworkError, match=r"OfNumPy\.__call__ cannot compute with tensors"):
        tg.finite.build(kernel.net, width=4, input_shape=(3,))


@dataclass(frozen=True, repr=False)
class Wide(tg.Layer):
    def lower(self, space):
        return (Weights(fan=2),)


def test_weights_that_share_their_variance_are_not_plain():
    with pytest.raises(tg.InputError, match=r"known for plain dense layers .* holds Wide\(\)"):
        tg.bias.lipschitz_constant(tg.Sequential(Wide(), tg.Erf(), tg.Dense()))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        (r"coefficients\[1\]", lambda a: tg.PolynomialActivation((0.0, a))),
        ("filter", lambda a: tg.Pool([1.0, a])),
        ("matrix", lambda a: tg.LinearMap([[1.0, a]])),
        ("keep", lambda a: tg.Dropout(a)),
        ("s", lambda a: tg.standard(tg.mlp(2), (5, 5), s=a)),
        ("compression", lambda a: tg.densenet(compression=a)),
    ],
)
def test_what_has_no_gradient_takes_no_tensor_that_wants_one(name, make):
    assert make(torch.tensor(0.5)) == make(0.5)
    with pytest.raises(tg.NetworkError, match=name + r" is a tensor that wants a gradient.*item"):
        make(torch.tensor(0.5, requires_grad=True))
