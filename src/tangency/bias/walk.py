"""A dense network walked on the sphere, in any arithmetic: numbers, digits, series, laws.

On a sphere all inputs have one variance, so Σ and Θ are functions of the cosine t alone. What such
a function is made of is left to the caller: values at points in multiprecision, coefficients
in a basis, or only what is known of its parity. It needs `+` and `*`, with numbers too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..checks import shown
from ..errors import InputError
from ..kernels import algebra
from ..kernels.base import Kernel
from ..kernels.network import NetworkKernel
from ..nets import Sequential
from ..nets.activations import ActivationLayer
from ..nets.meeting import Branching, Concatenate, Product, Sum
from ..nets.operators import Drop, Normalize, Pointwise, Positions, Scale, Weights
from ..nets.plan import Step, plan

Dual = Callable[[ActivationLayer, Any, Any], tuple[Any, Any]]
"""(layer, s, q) -> (k, k̇) of an activation, s a function of t with s(1) = q."""


@dataclass(frozen=True)
class State:
    """Σ and Θ as functions of t (Θ None while it is zero), and the variance q = Σ(1)."""

    sigma: Any
    theta: Any
    q: Any


@dataclass(frozen=True)
class Arithmetic:
    """What a walk computes with.

    dual: (k, k̇) of an activation; `variance` the new q (on the sphere k(q, q, q)).
    """

    dual: Dual
    variance: Callable[[ActivationLayer, Any], Any]


def walk(net: Sequential, state: State, arithmetic: Arithmetic) -> State:
    """Σ and Θ after a network of vectors.

    Raises:
        NetworkError: a layer that works on grids.
        InputError: an operator that is no function of the cosine.
    """
    return _chain(plan(net, (2,)).steps, state, arithmetic)


def _chain(steps: Sequence[Step], state: State, arithmetic: Arithmetic) -> State:
    for step in steps:
        state = _step(step, state, arithmetic)
    return state


def _step(step: Step, state: State, arithmetic: Arithmetic) -> State:
    sigma, theta, q = state.sigma, state.theta, state.q
    match step.operator:
        case Weights() as weights:
            scale, shift = float(weights.weight_std) ** 2 / weights.fan, weights.bias_std
            before = sigma
            sigma, theta, q = sigma * scale, _scaled(theta, scale), q * scale
            if shift := float(shift) ** 2:
                sigma, q = sigma + shift, q + shift
            if weights.trainable:
                own = sigma
                if not weights.usual:
                    factor, constant = map(float, weights.rates)
                    own = before * factor + constant
                theta = own if theta is None else theta + own
            return State(sigma, theta, q)
        case Pointwise(activation):
            k, k_dot = arithmetic.dual(activation, sigma, q)
            tangent = None if theta is None else theta * k_dot
            return State(k, tangent, arithmetic.variance(activation, q))
        case Branching() as operator:
            return _met(operator, [_chain(b, state, arithmetic) for b in step.branches])
        case Scale(factor):
            scale = float(factor) ** 2
            return State(sigma * scale, _scaled(theta, scale), q * scale)
        case Normalize():
            scale = 1 / q if q > 0 else q
            return State(sigma * scale, _scaled(theta, scale), q * scale)
        case Positions():
            return state
        case Drop():
            raise InputError(
                f"{shown(step.layer)} makes K(x, x) another number than K(x, y) has for y → x, so "
                "that the kernel is no function of the cosine; leave it out"
            )
    raise InputError(f"{shown(step.layer)} is not a layer of dense networks")


def _met(operator: Branching, ends: Sequence[State]) -> State:
    """Where branches meet."""
    first, *rest = ends
    if isinstance(operator, Product):
        for other in rest:
            pairs = ((first.theta, other.sigma), (other.theta, first.sigma))
            theta = _total([x * y for x, y in pairs if x is not None])
            first = State(first.sigma * other.sigma, theta, first.q * other.q)
        return first
    if isinstance(operator, Concatenate) and operator.parts is not None:
        first, *rest = (
            State(end.sigma * p, _scaled(end.theta, p), end.q * p)
            for end, p in zip(ends, operator.parts, strict=True)
        )
    elif not isinstance(operator, Sum):
        raise InputError(f"{type(operator).__name__} is not an operator of dense networks")
    for other in rest:
        theta = _total([x for x in (first.theta, other.theta) if x is not None])
        first = State(first.sigma + other.sigma, theta, first.q + other.q)
    return first


def _total(tangents: Sequence[Any]) -> Any:
    return sum(tangents[1:], start=tangents[0]) if tangents else None


def _scaled(theta: Any, scale: Any) -> Any:
    return None if theta is None else theta * scale


def fold(kernel: Kernel, leaf: Callable[[NetworkKernel], Any]) -> Any:
    """The value of a kernel made of sums, products and multiples of network kernels.

    Raises:
        InputError: another kind of kernel.
    """
    if isinstance(kernel, NetworkKernel):
        return leaf(kernel)
    if isinstance(kernel, algebra.Scaled):
        return fold(kernel.kernel, leaf) * kernel.factor
    if isinstance(kernel, algebra.Sum | algebra.Product):
        first, *rest = (fold(part, leaf) for part in kernel.parts)
        for value in rest:
            first = first + value if isinstance(kernel, algebra.Sum) else first * value
        return first
    raise InputError(
        f"the kernel on the sphere is known for NTK, NNGP, their sums, products and multiples; "
        f"got {shown(kernel)}; pass a function h(u) of the cosine instead"
    )
