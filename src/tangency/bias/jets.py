"""Derivatives of dense kernels at u = 1: γ_j = E[(σ⁽ʲ⁾(g))²], and Lipschitz constants of Φ."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..checks import choice, flag, shown, whole
from ..errors import InputError
from ..kernels.base import Kernel
from ..nets import Activation, Dense, Sequential
from ..nets.activations import ActivationLayer
from ..nets.base import lowered
from ..nets.coerce import as_network
from ..nets.facts import derivative_moments, powers
from ..nets.operators import Operator, Pointwise, Weights
from ..nets.plan import Step, plan
from ..nets.quadrature import HermiteSeries

# Hermite coefficients that are enough for smooth functions, and as many again to see that.
_DEGREES = (120, 240)
_MOST_ORDERS = 60
_SETTLED = 1e-8
_ROUNDING = 1e-14


def gammas(activation: ActivationLayer | Callable[[Any], Any] | str, orders: int = 3) -> np.ndarray:
    """γ_j = E[(σ⁽ʲ⁾(g))²] for j = 0..orders−1, g standard normal: derivatives of its dual at 1.

    Args:
        activation: a layer (normalised or raw, as it says), the name of a function or any function
            of NumPy arrays, both taken as they are.

    Returns:
        (orders,); infinite from j = 2 on for functions with a kink (ReLU, its relatives).

    Raises:
        InputError: a function so rough that its Hermite series does not settle.

    Source: γ_j = Σ_n a_n²·n!/(n−j)! with the Hermite coefficients a_n = E[σ(g)h_n(g)]; Daniely,
    Frostig & Singer 2016.

    >>> import numpy as np
    >>> [round(float(g), 9) for g in gammas(lambda u: np.exp(u - 1))]
    [1.0, 1.0, 1.0]
    """
    orders = whole(orders, "orders", 1, _MOST_ORDERS)
    if not isinstance(activation, ActivationLayer):
        activation = Activation(activation, normalized=False)
    closed = derivative_moments(activation, orders)
    if closed is not None:
        return closed
    short, long = (_from_hermite(activation, orders, degree) for degree in _DEGREES)
    # In units of σ² itself, of which a series that has hardly begun may hold next to nothing.
    rounding = _ROUNDING * _roughly(activation)
    loose = ~(np.abs(long - short) <= _SETTLED * long + rounding)
    if np.any(loose):
        raise InputError(
            f"E[(σ⁽ʲ⁾(g))²] of {activation!r} does not settle for j = {int(np.argmax(loose))} with "
            f"{_DEGREES[1]} Hermite coefficients: the function has a kink or grows too fast; ask "
            "for lower orders, or use a closed form such as ReLU()"
        )
    return long


def _roughly(layer: ActivationLayer) -> float:
    """E[σ(g)²], by a rule of few nodes."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    return float(weights @ np.square(np.asarray(layer(nodes), dtype=float))) / math.sqrt(2 * np.pi)


def _from_hermite(layer: ActivationLayer, orders: int, degree: int) -> np.ndarray:
    squares = np.square(HermiteSeries(layer, degree).coefficients(np.asarray(1.0)))
    n = np.arange(degree + 1.0)
    known = powers(layer)
    if known is not None:
        # What stands at other powers is rounding, which orders far up would magnify.
        there = np.where(n % 2 == 0, known.even, known.odd)
        there[[m for m in known.some if m <= degree]] = True
        squares = np.where(there, squares, 0.0)
    found: list[float] = []
    falling = np.ones(degree + 1)
    for j in range(orders):
        found.append(float(np.sum(squares * falling)))
        falling = falling * (n - j)
    return np.array(found)


def lipschitz_constant(
    network: Sequential | ActivationLayer | Callable[[Any], Any] | str,
    kind: str = "ntk",
    *,
    sphere: bool = False,
) -> float:
    """The Lipschitz constant of x ↦ Φ(x) for a dense network without biases, from its γ_j.

    Args:
        network: an activation σ (a layer or a function), which stands for `dense σ dense`; or a
            dense network, also in text form, of weight_std 1 and no biases. With more than one
            activation they must be normalised.
        kind: "ntk" or "nngp".
        sphere: of Φ on the unit sphere, the constant √κ'(1). Otherwise of the kernel
            ‖x‖‖y‖κ(cos(x, y)) on all vectors, √max(κ(1), κ'(1)), which is the network's own for
            homogeneous activations.

    Returns:
        The constant, infinite where κ'(1) is: the NTK of a ReLU. For two layers
        κ(1) = γ_0 + γ_1 and κ'(1) = 2γ_1 + γ_2 (NTK), γ_0 and γ_1 (NNGP).

    Source: ‖Φ(x) − Φ(y)‖² = κ(1)(‖x‖ − ‖y‖)² + 2‖x‖‖y‖(κ(1) − κ(u)), where κ(1) − κ(u) is at most
    κ'(1)(1 − u) as all derivatives of κ are positive; Bietti & Mairal 2019, section 3.1. Their
    figures for the softplus, γ ≈ (2.31, 0.74, 0.11) and 1.75, are integrals against e^{−g²/2}
    without its factor 1/√2π: with it, γ ≈ (0.92, 0.29, 0.04) and 1.10. Their √3 for
    σ(u) = e^{u−2} is that of σ divided by √E[σ(g)²], which is e^{u−1}.

    >>> import numpy as np
    >>> round(lipschitz_constant(lambda u: np.exp(u - 1)) ** 2, 9)
    3.0
    >>> lipschitz_constant("dense relu dense", "nngp"), lipschitz_constant("dense relu dense")
    (1.0, inf)
    """
    kind, sphere = choice(kind, "kind", ("ntk", "nngp")), flag(sphere, "sphere")
    value, slope = _jet(_dense_steps(network), kind == "ntk")
    return math.sqrt(slope if sphere else max(value, slope))


def _dense_steps(network: Any) -> tuple[Step, ...]:
    """Steps of a dense network, checked: weight_std 1, no biases, all trained."""
    if isinstance(network, ActivationLayer):
        network = Sequential(Dense(), network, Dense())
    elif not isinstance(network, Sequential | Kernel | str) and callable(network):
        network = Sequential(Dense(), Activation(network, normalized=False), Dense())
    net = as_network(network)
    for layer in net.layers:
        parts = () if isinstance(layer, Sequential) else lowered(layer, ())
        if not all(map(_plain, parts)):
            raise InputError(
                "a Lipschitz constant is known for plain dense layers (weight_std 1, no bias, "
                f"trainable) and activations, but this network holds {shown(layer)}"
            )
    return plan(net, (2,)).steps


def _plain(operator: Operator) -> bool:
    return isinstance(operator, Pointwise) or (isinstance(operator, Weights) and operator.plain)


def _jet(steps: tuple[Step, ...], tangent: bool) -> tuple[float, float]:
    """κ(1) and κ'(1) of the NTK or the NNGP: the recursion with a first derivative."""
    s, ds, t, dt = 1.0, 1.0, 0.0, 0.0
    for step in steps:
        if isinstance(step.operator, Weights):
            t, dt = t + s, dt + ds
            continue
        layer = step.operator.activation  # type: ignore[attr-defined]
        if abs(s - 1) > 1e-9:
            raise InputError(
                f"{layer!r} gets inputs of variance {s:.4g}, not 1; with several activations, "
                "leave them normalised"
            )
        value, first, second = map(float, gammas(layer))
        bend = _times(t * second, ds) if t > 0 else 0.0
        s, ds, t, dt = value, _times(first, ds), t * first, _times(dt, first) + bend
    return (t, dt) if tangent else (s, ds)


def _times(x: float, y: float) -> float:
    """A product where 0·∞ is 0: a kernel that is constant stays so."""
    return 0.0 if x == 0 or y == 0 else x * y
