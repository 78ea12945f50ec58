"""Derivatives of activations against differences, and against the duals."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import tangency as tg
from tangency import (
    GELU,
    Abs,
    Activation,
    Cosine,
    Erf,
    Exponential,
    Hermite,
    LeakyReLU,
    NetworkError,
    ReLU,
    Sine,
)
from tangency.nets import facts

LAYERS = [ReLU(), LeakyReLU(0.2), LeakyReLU(3.0), Abs(), Erf(), GELU(),
          Sine(frequency=1.5), Cosine(frequency=0.7), Hermite(0), Hermite(1),
          Hermite(4)]  # fmt: skip
LAYERS += [
    tg.ABReLU(-0.3, 1.2), tg.Erf(0.8, 1.2, 0.1), tg.SigmoidLike(), tg.RBF(0.8), tg.Exp(0.7, 0.5),
    tg.Sine(frequency=0.8, amplitude=1.1, phase=0.3), tg.Cosine(phase=-0.4), tg.Gaussian(0.9, -0.6),
    tg.Gabor(), tg.Monomial(0), tg.Monomial(3), tg.PolynomialActivation((0.2, 1.0, -0.5, 0.1)),
    tg.RectifiedMonomial(1), tg.RectifiedMonomial(3),
]  # fmt: skip


@pytest.mark.parametrize("normalized", [True, False])
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_slopes_are_difference_quotients(layer, normalized):
    layer = dataclasses.replace(layer, normalized=normalized)
    u, step = np.linspace(-3, 3, 40), 1e-6
    quotient = (layer(u + step) - layer(u - step)) / (2 * step)
    np.testing.assert_allclose(layer.derivative(u), quotient, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_at_zero_they_are_what_the_dual_is_made_of(layer):
    zero = np.asarray(0.0)
    _, k_dot = layer.dual(zero, zero, zero)
    assert layer.derivative(np.zeros(1))[0] ** 2 == pytest.approx(float(k_dot), abs=1e-12)


def test_the_others_are_not_known():
    assert all(facts.derivative(layer) is not None for layer in LAYERS)
    for layer in (Activation("tanh"), Exponential(0.6)):
        assert facts.derivative(layer) is None
        with pytest.raises(NetworkError, match=rf"{type(layer).__name__} has no derivative"):
            layer.derivative(np.zeros(2))
