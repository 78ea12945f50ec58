"""Dense networks whose kernel is a function of the angle alone: interpolated, at any depth.

Without biases, and with homogeneous activations, K(x, y) = ‖x‖‖y‖·h(θ), θ the angle between x and
y. For the activations here h is analytic in θ on [0, π] (in c = cos θ it has square roots at both
ends), so that a short Chebyshev series of (h(θ) − h(0))/θ serves for all pairs: it is exact at
θ = 0, and its cost does not grow with depth.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ...nets.meeting import Concatenate, Sum
from ...nets.operators import Pointwise, Scale, Weights
from ...nets.plan import Step
from .jit import jit
from .scalars import arcs, lit

TERMS = 8
"""Terms of a series that one pass adds; series have a multiple of it."""

_MOST = 48


class Series(NamedTuple):
    """h(θ) = h(0) + θ·Σ_k c_k T_k(2θ/π − 1) for Σ and for Θ; coefficients (2, terms)."""

    at_zero: Any
    coefficients: Any


def homogeneous(steps: tuple[Step, ...]) -> bool:
    """All layers multiply the kernel by ‖x‖‖y‖ alone."""
    return all(map(_multiplies, steps))


def _multiplies(step: Step) -> bool:
    match step.operator:
        case Sum() | Concatenate():
            return all(map(homogeneous, step.branches))
        case Weights() as weights:
            return float(weights.bias_std) == 0.0
        case Pointwise(activation):
            return activation.homogeneous
    return isinstance(step.operator, Scale)


def series(values: Any, dtype: Any) -> Series | None:
    """The series for `values`, a function of angles (n,) that gives h for Σ and Θ, (2, n).

    Returns:
        None where more terms are needed than a pass through the layers would cost.
    """
    tolerance = 4 * np.finfo(dtype).eps
    count = 2 * _MOST
    nodes = math.pi * (np.arange(count) + 0.5) / count
    theta = math.pi / 2 * (np.cos(nodes) + 1)
    at_zero = values(np.zeros(1))[:, 0]
    slope = (values(theta) - at_zero[:, None]) / theta
    basis = np.cos(np.outer(np.arange(count), nodes))
    c = 2 / count * (slope @ basis.T)
    c[:, 0] /= 2
    size = np.max(np.abs(slope), axis=1)
    tails = np.cumsum(np.abs(c[:, ::-1]), axis=1)[:, ::-1]
    # Rounding in `values` leaves a floor under the coefficients, which is no reason for more.
    floor = 1e-13 * size[:, None]
    needed = int(np.max(np.sum(tails > np.maximum(tolerance * size[:, None], floor), axis=1)))
    terms = -(-needed // TERMS) * TERMS
    if not 0 < terms <= _MOST:
        return None if terms else Series(at_zero.astype(dtype), np.zeros((2, TERMS), dtype))
    return Series(at_zero.astype(dtype), np.ascontiguousarray(c[:, :terms].astype(dtype)))


@jit
def _clenshaw(x, b1, b2, c, first, n):
    """Eight steps of b_k = c_k + 2x·b_{k+1} − b_{k+2}, from k = first + 7 down to first."""
    c0, c1, c2, c3 = c[first], c[first + 1], c[first + 2], c[first + 3]
    c4, c5, c6, c7 = c[first + 4], c[first + 5], c[first + 6], c[first + 7]
    for k in range(np.uint64(n)):
        y = x[k] + x[k]
        p, q = b1[k], b2[k]
        q = c7 + y * p - q
        p = c6 + y * q - p
        q = c5 + y * p - q
        p = c4 + y * q - p
        q = c3 + y * p - q
        p = c2 + y * q - p
        q = c1 + y * p - q
        p = c0 + y * q - p
        b1[k] = p
        b2[k] = q


@jit
def _angles(theta, x, row, u, uy, slack, n):
    """θ and 2θ/π − 1 from the products ⟨x, y⟩ in `row`."""
    one, two, zero = lit(u, 1.0), lit(u, 2.0), lit(u, 0.0)
    for k in range(np.uint64(n)):
        c = row[k] * (u * uy[k])
        z = one - abs(c)
        z = zero if z < slack else z
        g, _ = arcs(z)
        g = g if c >= zero else one - g
        theta[k] = lit(u, math.pi) * g
        x[k] = two * g - one


@jit
def _combine(out, theta, x, b1, b2, v, vy, at_zero, n):
    # b1 and b2 hold b_0 and b_1; the sum is b_0 − x·b_1, as c_0 has entered b_0 whole.
    for k in range(np.uint64(n)):
        value = b1[k] - x[k] * b2[k]
        out[k] = (v * vy[k]) * (at_zero + theta[k] * value)


@jit
def angle_block(products, s, t, u, v, uy, vy, at_zero, c, slack, first, last, room):
    """A tile of kernel values from one of products ⟨x, y⟩: Σ into s if `first` is 0, Θ into t.

    `last` is 1 for Σ alone. Outputs may lie where the products are, as a row is read before it is
    written. u, v (uy, vy): 1/‖x‖ and ‖x‖ of the rows (columns). room: (4, columns) numbers.
    """
    n = products.shape[1]
    theta, x, b1, b2 = room[0], room[1], room[2], room[3]
    for i in range(products.shape[0]):
        _angles(theta, x, products[i], u[i], uy, slack, n)
        for which in range(first, last):
            for k in range(n):
                b1[k] = 0
                b2[k] = 0
            for term in range(c.shape[1] - 8, -1, -8):
                _clenshaw(x, b1, b2, c[which], term, n)
            out = t if which else s
            _combine(out[i], theta, x, b1, b2, v[i], vy, at_zero[which], n)
