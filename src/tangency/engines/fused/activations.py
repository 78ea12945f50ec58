"""Which dual an activation is, with its parameters, for compiled loops."""

from __future__ import annotations

from ...nets.activations import (
    GELU,
    ActivationLayer,
    Cosine,
    Erf,
    Exponential,
    Hermite,
    PiecewiseLinear,
    Polynomial,
    Sine,
)
from . import scalars

KNOWN = (PiecewiseLinear, Erf, GELU, Sine, Cosine, Exponential, Polynomial, Hermite)
"""The activations with a compiled dual."""


def kind_and_parameters(layer: ActivationLayer) -> tuple[int, tuple[float, ...]]:
    """The kind of `scalars.py` and its parameters; the fourth is a degree where there is one."""
    if isinstance(layer, PiecewiseLinear):
        a2, b2 = layer.weights()
        return scalars.PIECEWISE, (float(a2), float(b2))
    if isinstance(layer, Exponential):
        return scalars.EXPONENTIAL, (float(layer.sigma) ** -2, 0.0, 0.0, 0.0)
    if isinstance(layer, Polynomial):
        return scalars.POLYNOMIAL, (0.0, 0.0, 0.0, float(layer.degree))
    if isinstance(layer, Hermite):
        return scalars.HERMITE, (0.0, 0.0, 0.0, float(layer.degree), *layer.weights())
    assert isinstance(layer, Erf | GELU | Sine | Cosine)
    scale = 1 / float(layer.second_moment()) if layer.normalized else 1.0
    if isinstance(layer, Erf | GELU):
        return (scalars.ERF if isinstance(layer, Erf) else scalars.GELU), (scale, 0.0, 0.0, 0.0)
    kind, sign = (scalars.SINE, -1.0) if isinstance(layer, Sine) else (scalars.COSINE, 1.0)
    return kind, (scale, float(layer.frequency) ** 2, sign, 0.0)
