"""A dense network walked on the sphere, in any arithmetic: numbers, digits, series, laws.

On a sphere all inputs have one variance, so Σ and Θ are functions of the cosine t alone. What such
a function is made of is left to the caller: values at points in extended precision, coefficients
in a basis, or only what is known of its parity. It needs `+` and `*`, with numbers too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..checks import shown
from ..errors import InputError
from ..kernels.algebra import Product, Scaled, Sum
from ..kernels.base import Kernel
from ..kernels.network import NetworkKernel
from ..nets import Dense, Flatten, LayerNorm, Residual
from ..nets.activations import ActivationLayer
from ..nets.base import Layer
from ..nets.structure import Rescale

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


def walk(layers: Iterable[Layer], state: State, arithmetic: Arithmetic) -> State:
    """Σ and Θ after all layers.

    Raises:
        InputError: a layer that works on grids.
    """
    for layer in layers:
        state = _step(layer, state, arithmetic)
    return state


def _step(layer: Layer, state: State, arithmetic: Arithmetic) -> State:
    sigma, theta, q = state.sigma, state.theta, state.q
    if isinstance(layer, Dense):
        scale, shift = float(layer.weight_std) ** 2, float(layer.bias_std) ** 2
        sigma, theta, q = sigma * scale, _scaled(theta, scale), q * scale
        if shift:
            sigma, q = sigma + shift, q + shift
        if layer.trainable:
            theta = sigma if theta is None else theta + sigma
        return State(sigma, theta, q)
    if isinstance(layer, ActivationLayer):
        k, k_dot = arithmetic.dual(layer, sigma, q)
        return State(k, None if theta is None else theta * k_dot, arithmetic.variance(layer, q))
    if isinstance(layer, Residual):
        shortcut = () if layer.shortcut is None else _chain(layer.shortcut)
        a = walk(_chain(layer.body), state, arithmetic)
        b = walk(shortcut, state, arithmetic)
        thetas = [x for x in (a.theta, b.theta) if x is not None]
        theta = sum(thetas[1:], start=thetas[0]) if thetas else None
        return State(a.sigma + b.sigma, theta, a.q + b.q)
    if isinstance(layer, Rescale):
        scale = float(layer.factor) ** 2
        return State(sigma * scale, _scaled(theta, scale), q * scale)
    if isinstance(layer, LayerNorm):
        scale = 1 / q if q > 0 else q
        return State(sigma * scale, _scaled(theta, scale), q * scale)
    if isinstance(layer, Flatten):
        return state
    raise InputError(f"{shown(layer)} is not a layer of dense networks")


def _scaled(theta: Any, scale: Any) -> Any:
    return None if theta is None else theta * scale


def _chain(branch: Any) -> tuple[Layer, ...]:
    return branch.layers if hasattr(branch, "layers") else (branch,)


def fold(kernel: Kernel, leaf: Callable[[NetworkKernel], Any]) -> Any:
    """The value of a kernel made of sums, products and multiples of network kernels.

    Raises:
        InputError: another kind of kernel.
    """
    if isinstance(kernel, NetworkKernel):
        return leaf(kernel)
    if isinstance(kernel, Scaled):
        return fold(kernel.kernel, leaf) * kernel.factor
    if isinstance(kernel, Sum | Product):
        first, *rest = (fold(part, leaf) for part in kernel.parts)
        for value in rest:
            first = first + value if isinstance(kernel, Sum) else first * value
        return first
    raise InputError(
        f"the kernel on the sphere is known for NTK, NNGP, their sums, products and multiples; "
        f"got {shown(kernel)}; pass a function h(u) of the cosine instead"
    )
