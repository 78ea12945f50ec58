"""Derivatives of activations against differences, and against the duals."""

from __future__ import annotations

import numpy as np
import pytest

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


@pytest.mark.parametrize("normalized", [True, False])
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_slopes_are_difference_quotients(layer, normalized):
    layer = type(layer)(
        *(getattr(layer, n) for n in ("slope", "degree") if hasattr(layer, n)),
        **({"frequency": layer.frequency} if hasattr(layer, "frequency") else {}),
        normalized=normalized,
    )
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
