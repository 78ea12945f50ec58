"""The derivatives σ' of activations as functions of one number."""

from __future__ import annotations

import math
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ...nets.activations import (
    GELU,
    ActivationLayer,
    Cosine,
    Erf,
    Hermite,
    PiecewiseLinear,
    Sine,
)
from ...nets.facts import SCALAR, is_a

Values = NDArray[Any]

_KNOWN = (PiecewiseLinear, Erf, GELU, Sine, Cosine, Hermite)


@singledispatch
def slope(layer: ActivationLayer, u: Values) -> Values:
    """Return σ'(u), elementwise. At a kink it is the mean of the slopes on the two sides, which
    is what makes E[σ'(f)σ'(f')] the dual k̇ where a variance is zero.

    Raises `NotImplementedError` for an activation whose derivative is not known.

    >>> from tangency import ReLU
    >>> slope(ReLU(normalized=False), np.array([-1.0, 0.0, 2.0]))
    array([0. , 0.5, 1. ])
    """
    raise NotImplementedError(repr(layer))


def has_slope(layer: ActivationLayer) -> bool:
    """Whether `slope` knows the derivative of this activation."""
    return is_a(layer, _KNOWN, SCALAR)


@slope.register
def _(layer: PiecewiseLinear, u: Values) -> Values:
    a, b = layer._parts()
    scale = (a * a + b * b) ** -0.5 if layer.normalized else 1.0
    return scale * (a + b * np.sign(u))


@slope.register
def _(layer: Erf, u: Values) -> Values:
    return _scale(layer) * (2 / math.sqrt(math.pi)) * np.exp(-u * u)


@slope.register
def _(layer: GELU, u: Values) -> Values:
    return _scale(layer) * (ndtr(u) + u * np.exp(-0.5 * u * u) / math.sqrt(2 * math.pi))


@slope.register
def _(layer: Sine, u: Values) -> Values:
    return _scale(layer) * layer.frequency * np.cos(layer.frequency * u)


@slope.register
def _(layer: Cosine, u: Values) -> Values:
    return -_scale(layer) * layer.frequency * np.sin(layer.frequency * u)


@slope.register
def _(layer: Hermite, u: Values) -> Values:
    if layer.degree == 0:
        return np.zeros_like(u)
    return _scale(layer) * layer.degree * Hermite(layer.degree - 1, normalized=False)(u)


def _scale(layer: Any) -> float:
    return layer.second_moment() ** -0.5 if layer.normalized else 1.0
