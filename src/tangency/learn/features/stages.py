"""The layers of a network as maps of features.

Two sets of features belong to every layer: those of Σ, ⟨s(x), s(y)⟩ ≈ Σ(x, y), and those of Θ,
⟨t(x), t(y)⟩ ≈ Θ(x, y). A layer with weights is exact: Σ̃ = w²Σ + b² has the features (w·s, b), and
Θ̃ = w²Θ + Σ̃ the features (w·t, w·s, b). An activation takes m neurons: with gᵢ standard normal
and E[sᵢsᵢᵀ] = I,

    k(Σ) = E[σ(⟨g, s⟩) σ(⟨g, s'⟩)]            features σ(⟨gᵢ, s⟩)/√m
    Θ·k̇(Σ) = E[⟨sᵢ, t⟩⟨sᵢ, t'⟩ σ'(⟨g, s⟩)σ'(⟨g, s'⟩)]  features ⟨sᵢ, t⟩ σ'(⟨gᵢ, s⟩)/√m

each right on average given the features that come in, with a variance in proportion to 1/m.

The variance is kept small in three ways, none of which touches the average. The gᵢ are orthogonal
in groups. For ReLU and its like they have a fixed length, as only directions matter. And for these
and GELU, which are a linear function plus an even one, they come in pairs g, -g: in a group of
orthogonal pairs the linear part of k is then exact, and Σ(x, x) altogether for ReLU.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...engines.blas import product
from ...errors import NetworkError
from ...nets import Dense, Layer, LayerNorm, Rescale, Residual, Sequential
from ...nets.activations import GELU, ActivationLayer, PiecewiseLinear, _SphereKernel
from ...nets.facts import SCALAR, is_a
from ...norms import norm
from .draws import gaussian_rows, isotropic_rows
from .slopes import has_slope, slope

Array = NDArray[Any]


class Sizes(NamedTuple):
    """How many features Σ and Θ have."""

    sigma: int
    theta: int

    def __add__(self, other: Sizes) -> Sizes:  # type: ignore[override]
        return Sizes(self.sigma + other.sigma, self.theta + other.theta)


class Features(NamedTuple):
    """Features (rows, sizes.sigma) of Σ and (rows, sizes.theta) of Θ."""

    sigma: Array
    theta: Array


Stage = Callable[[Features], Features]


@dataclass(frozen=True)
class Draw:
    """What the random choice depends on: the neurons m of each activation, whether Θ is wanted,
    the generator, and the dtype of the result."""

    neurons: int
    tangent: bool
    rng: np.random.Generator
    dtype: Any


def sizes_after(layer: Layer, sizes: Sizes, neurons: int, tangent: bool) -> Sizes:
    """The numbers of features after a layer."""
    if isinstance(layer, Sequential):
        for inner in layer.layers:
            sizes = sizes_after(inner, sizes, neurons, tangent)
        return sizes
    if isinstance(layer, Dense):
        sigma = sizes.sigma + (layer.bias_std > 0)
        return Sizes(sigma, sizes.theta + (sigma if tangent and layer.trainable else 0))
    if isinstance(layer, ActivationLayer):
        return Sizes(neurons, neurons if sizes.theta else 0)
    if isinstance(layer, Residual):
        body, shortcut = (sizes_after(b, sizes, neurons, tangent) for b in branches(layer))
        return body + shortcut
    return sizes


def draw_stage(layer: Layer, sizes: Sizes, draw: Draw) -> Stage:
    """The map of a layer, with the random vectors that it needs."""
    if isinstance(layer, Sequential):
        stages = []
        for inner in layer.layers:
            stages.append(draw_stage(inner, sizes, draw))
            sizes = sizes_after(inner, sizes, draw.neurons, draw.tangent)
        return Chain(tuple(stages))
    if isinstance(layer, Dense):
        return Weights(layer.weight_std, layer.bias_std, draw.tangent and layer.trainable)
    if isinstance(layer, ActivationLayer):
        return Neurons.drawn(layer, sizes, draw)
    if isinstance(layer, Residual):
        body, shortcut = branches(layer)
        return Branches(draw_stage(body, sizes, draw), draw_stage(shortcut, sizes, draw))
    return Scaling(layer.factor) if isinstance(layer, Rescale) else Norm()


def check_covered(layer: Layer, tangent: bool) -> None:
    """Raise `NetworkError` for a layer without random features."""
    if isinstance(layer, Sequential):
        for inner in layer.layers:
            check_covered(inner, tangent)
        return
    if isinstance(layer, Residual):
        for branch in branches(layer):
            check_covered(branch, tangent)
        return
    other = "NystromFeatures approximates the kernel of any network"
    if isinstance(layer, ActivationLayer):
        if isinstance(layer, _SphereKernel):
            raise NetworkError(
                f"RandomFeatures draws neurons, and {layer!r} is no function of one neuron; {other}"
            )
        if tangent and not has_slope(layer):
            raise NetworkError(
                f"RandomFeatures of an NTK needs the derivative of {layer!r}, which it does not "
                f"know; take the NNGP, or another activation; {other}"
            )
    elif not isinstance(layer, Dense | Rescale | LayerNorm):
        raise NetworkError(
            "RandomFeatures covers networks on vectors, made of Dense, activations, LayerNorm, "
            f"Rescale and Residual; this one has {layer!r}; {other}"
        )


def branches(layer: Residual) -> tuple[Sequential, Sequential]:
    """Body and shortcut; no shortcut is the identity."""
    body, shortcut = layer.body, layer.shortcut
    assert isinstance(body, Sequential)
    assert shortcut is None or isinstance(shortcut, Sequential)
    return body, Sequential() if shortcut is None else shortcut


@dataclass(frozen=True, eq=False)
class Chain:
    """One stage after the other."""

    stages: tuple[Stage, ...]

    def __call__(self, features: Features) -> Features:
        for stage in self.stages:
            features = stage(features)
        return features


@dataclass(frozen=True)
class Weights:
    """A layer with weights; exact."""

    weight_std: float
    bias_std: float
    trainable: bool

    def __call__(self, features: Features) -> Features:
        sigma = self.weight_std * features.sigma
        if self.bias_std > 0:
            bias = np.full((len(sigma), 1), self.bias_std, dtype=sigma.dtype)
            sigma = np.concatenate([sigma, bias], axis=1)
        theta = self.weight_std * features.theta
        return Features(sigma, np.concatenate([theta, sigma], axis=1) if self.trainable else theta)


@dataclass(frozen=True, eq=False)
class Neurons:
    """An activation of m random neurons: `inputs` are their weights (m, sizes.sigma), `mixing`
    (m, sizes.theta) the vectors that meet the features of Θ."""

    layer: ActivationLayer
    inputs: Array
    mixing: Array

    @classmethod
    def drawn(cls, layer: ActivationLayer, sizes: Sizes, draw: Draw) -> Neurons:
        """Neurons for features of these sizes."""
        m = draw.neurons
        inputs = _input_weights(layer, m, sizes.sigma, draw.rng).astype(draw.dtype)
        if sizes.theta == 0:
            return cls(layer, inputs, np.zeros((0, 0), dtype=draw.dtype))
        return cls(layer, inputs, isotropic_rows(draw.rng, m, sizes.theta).astype(draw.dtype))

    def __call__(self, features: Features) -> Features:
        scale = 1 / math.sqrt(len(self.inputs))
        before = product(features.sigma, self.inputs.T)
        theta = features.theta
        if theta.shape[1]:
            theta = product(theta, self.mixing.T) * (scale * slope(self.layer, before))
        return Features(scale * self.layer(before), theta)


def _input_weights(layer: ActivationLayer, m: int, size: int, rng: np.random.Generator) -> Array:
    """Weights (m, size) with which the average over neurons is right for this activation."""
    linear, even = layer._parts() if is_a(layer, PiecewiseLinear, SCALAR) else (0.0, 0.0)
    paired = bool(linear and even) or is_a(layer, GELU, SCALAR)
    homogeneous = is_a(layer, PiecewiseLinear, SCALAR)
    rows = isotropic_rows if homogeneous else gaussian_rows
    if not paired:
        return rows(rng, m, size)
    half = rows(rng, (m + 1) // 2, size)
    return np.concatenate([half, -half])[:m]


@dataclass(frozen=True)
class Scaling:
    """Multiplication by a number."""

    factor: float

    def __call__(self, features: Features) -> Features:
        return Features(self.factor * features.sigma, self.factor * features.theta)


@dataclass(frozen=True)
class Norm:
    """Division by √Σ(x, x); zero stays zero."""

    def __call__(self, features: Features) -> Features:
        norm = row_norms(features.sigma)
        return Features(features.sigma / norm, features.theta / norm)


@dataclass(frozen=True, eq=False)
class Branches:
    """A sum of two kernels: the features of both side by side."""

    body: Stage
    shortcut: Stage

    def __call__(self, features: Features) -> Features:
        both = self.body(features), self.shortcut(features)
        return Features(*(np.concatenate(parts, axis=1) for parts in zip(*both, strict=True)))


def row_norms(features: Array) -> Array:
    """The length of every row, (rows, 1), 1 where it is 0."""
    length = norm(features, axis=1)
    return np.where(length > 0, length, 1)
