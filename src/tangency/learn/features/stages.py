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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace, is_numpy_array
from numpy.typing import NDArray

from ...engines.blas import product
from ...errors import NetworkError
from ...nets import Layer, Sequential, facts
from ...nets.activations import ActivationLayer
from ...nets.base import lowered
from ...nets.meeting import Concatenate, Sum
from ...nets.operators import Normalize, Operator, Pointwise, Scale, Weights
from ...nets.plan import Step
from ...norms import norm
from .draws import gaussian_rows, isotropic_rows

Array = NDArray[Any]


class Sizes(NamedTuple):
    """How many features Σ and Θ have."""

    sigma: int
    theta: int


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


def sizes_after(steps: Sequence[Step], sizes: Sizes, neurons: int, tangent: bool) -> Sizes:
    """The numbers of features after some steps of a network on vectors."""
    for step in steps:
        sizes = _size_after(step, sizes, neurons, tangent)
    return sizes


def _size_after(step: Step, sizes: Sizes, neurons: int, tangent: bool) -> Sizes:
    match step.operator:
        case Weights() as weights:
            sigma = sizes.sigma + (weights.bias_std > 0)
            own = sigma if weights.usual else sizes.sigma + 1
            return Sizes(sigma, sizes.theta + (own if tangent and weights.trainable else 0))
        case Pointwise():
            return Sizes(neurons, neurons if sizes.theta else 0)
        case Sum() | Concatenate():
            found = [sizes_after(b, sizes, neurons, tangent) for b in step.branches]
            return Sizes(sum(each.sigma for each in found), sum(each.theta for each in found))
    return sizes


def draw_stages(steps: Sequence[Step], sizes: Sizes, draw: Draw) -> Stage:
    """The map of some steps, with the random vectors that they need."""
    stages = []
    for step in steps:
        stages.append(_draw_stage(step, sizes, draw))
        sizes = _size_after(step, sizes, draw.neurons, draw.tangent)
    return Chain(tuple(stages))


def _draw_stage(step: Step, sizes: Sizes, draw: Draw) -> Stage:
    match step.operator:
        case Weights() as weights:
            trained = draw.tangent and weights.trainable
            factor = weights.weight_std / math.sqrt(weights.fan)
            rates = None if weights.usual else tuple(math.sqrt(rate) for rate in weights.rates)
            return WeightsStage(factor, weights.bias_std, trained, rates)
        case Pointwise(activation):
            return Neurons.drawn(activation, sizes, draw)
        case Sum():
            return Branches(tuple(draw_stages(b, sizes, draw) for b in step.branches))
        case Concatenate(parts=parts) if parts is not None:
            stages = [draw_stages(b, sizes, draw) for b in step.branches]
            pairs = zip(stages, parts, strict=True)
            return Branches(tuple(Chain((each, Scaling(math.sqrt(p)))) for each, p in pairs))
        case Scale(factor):
            return Scaling(factor)
        case Normalize():
            return Norm()
    raise AssertionError("check_covered() lets no other pass")


def check_covered(net: Sequential, tangent: bool) -> None:
    """Raise `NetworkError` for a layer without random features."""
    for layer in net.layers:
        for operator in lowered(layer, ()):
            _check_operator(layer, operator, tangent)


def _check_operator(layer: Layer, operator: Operator, tangent: bool) -> None:
    other = "NystromFeatures approximates the kernel of any network"
    match operator:
        case Sum(branches) | Concatenate(branches):
            for branch in branches:
                check_covered(branch, tangent)
        case Pointwise(activation):
            if facts.limit_of(activation) is not None:
                raise NetworkError(
                    f"RandomFeatures draws neurons, and {activation!r} is no function of one "
                    f"neuron; {other}"
                )
            if tangent and facts.derivative(activation) is None:
                raise NetworkError(
                    f"RandomFeatures of an NTK needs the derivative of {activation!r}, which it "
                    f"does not know; take the NNGP, or another activation; {other}"
                )
        case Weights() | Scale() | Normalize():
            pass
        case _:
            raise NetworkError(
                "RandomFeatures covers networks on vectors, made of Dense, activations, "
                "LayerNorm, Rescale, Residual, Sum and Concatenate; this one has "
                f"{layer!r}; {other}"
            )


@dataclass(frozen=True, eq=False)
class Chain:
    """One stage after the other."""

    stages: tuple[Stage, ...]

    def __call__(self, features: Features) -> Features:
        for stage in self.stages:
            features = stage(features)
        return features


@dataclass(frozen=True)
class WeightsStage:
    """A layer with weights; exact. rates: the roots of learning rates of its own."""

    weight_std: float
    bias_std: float
    trainable: bool
    rates: tuple[float, ...] | None = None

    def __call__(self, features: Features) -> Features:
        sigma = self.weight_std * features.sigma
        if self.bias_std > 0:
            bias = np.full((len(sigma), 1), self.bias_std, dtype=sigma.dtype)
            sigma = np.concatenate([sigma, bias], axis=1)
        theta = self.weight_std * features.theta
        if not self.trainable:
            return Features(sigma, theta)
        own = [sigma]
        if self.rates is not None:
            column = np.full((len(sigma), 1), self.rates[1], dtype=sigma.dtype)
            own = [self.rates[0] * features.sigma, column]
        return Features(sigma, np.concatenate([theta, *own], axis=1))


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
            slope = facts.derivative(self.layer)
            assert slope is not None, "check_covered() lets no other pass"
            theta = product(theta, self.mixing.T) * (scale * slope(before))
        return Features(scale * self.layer(before), theta)


def _input_weights(layer: ActivationLayer, m: int, size: int, rng: np.random.Generator) -> Array:
    """Weights (m, size) with which the average over neurons is right for this activation."""
    found = facts.neurons(layer)
    rows = isotropic_rows if found.homogeneous else gaussian_rows
    if not found.linear_plus_even:
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
    """Division by √Σ(x, x); where that is zero, Σ and Θ are."""

    def __call__(self, features: Features) -> Features:
        sigma, xp = features.sigma, array_namespace(features.sigma)
        norm = row_norms(sigma)
        empty = xp.all(sigma == 0, axis=1, keepdims=True)
        return Features(sigma / norm, xp.where(empty, 0.0 * norm, features.theta / norm))


@dataclass(frozen=True, eq=False)
class Branches:
    """A sum of kernels: the features of all side by side."""

    stages: tuple[Stage, ...]

    def __call__(self, features: Features) -> Features:
        found = [stage(features) for stage in self.stages]
        return Features(*(np.concatenate(parts, axis=1) for parts in zip(*found, strict=True)))


def row_norms(features: Array) -> Array:
    """The length of every row, (rows, 1), 1 where it is 0."""
    if is_numpy_array(features):
        length = norm(features, axis=1)
        return np.where(length > 0, length, 1)
    xp = array_namespace(features)
    largest = xp.max(xp.abs(features.detach()), axis=1, keepdims=True)
    scale = xp.where(largest > 0, largest, xp.ones_like(largest))
    length = scale * xp.linalg.vector_norm(features / scale, axis=1, keepdims=True)
    return xp.where(length > 0, length, xp.ones_like(length))
