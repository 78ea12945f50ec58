"""Scalar pieces of the duals that must stay finite, with finite gradients, at the edges."""

from __future__ import annotations

import math
from typing import Any

from array_api_compat import array_namespace, is_torch_array

from ..errors import NetworkError


def positive_part(x: Any) -> Any:
    """max(x, 0)."""
    xp = array_namespace(x)
    return xp.where(x > 0, x, xp.zeros_like(x))


def unless_rounded(x: Any, kept: Any) -> Any:
    """x where `kept`, and 0 where x is 0 but for rounding.

    Under PyTorch it has the derivatives of x there too. The first vanishes, as x is never
    negative; the second does not.
    """
    zeros = x - x.detach() if is_torch_array(x) else array_namespace(x).zeros_like(x)
    return array_namespace(x).where(kept, x, zeros)


def safe_sqrt(q: Any) -> Any:
    """√q for a variance: 0, with gradient 0, where q is below the smallest normal number."""
    xp = array_namespace(q)
    positive = q >= xp.finfo(q.dtype).smallest_normal
    # Two `where`s: the branch not taken must have a finite derivative too, as 0·∞ is NaN.
    root = xp.sqrt(xp.where(positive, q, xp.ones_like(q)))
    return xp.where(positive, root, xp.zeros_like(q))


def correlation(s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
    """c = s/√(q1 q2) in [−1, 1], and √(q1 q2); c = 0 where a variance is zero.

    c is exactly ±1 where it is so to within rounding (4 units in the last place). Without that,
    one lost bit of c would cost half of all digits of arccos(c), and a kernel would change when a
    sum is taken in another order.
    """
    xp = array_namespace(s)
    norm = safe_sqrt(q1) * safe_sqrt(q2)
    positive = norm > 0
    c = xp.where(positive, s / xp.where(positive, norm, xp.ones_like(norm)), xp.zeros_like(s))
    limit = 1 - 4 * xp.finfo(c.dtype).eps
    # Adding the constant that is missing to ±1 keeps the gradient of c.
    edge = xp.abs(c) >= limit
    rest = xp.where(edge, xp.sign(c) - c, xp.zeros_like(c))
    return c + _constant(rest), norm


def bounded(s: Any, q1: Any, q2: Any) -> Any:
    """s, brought back to ±√(q1 q2) from beyond, where only rounding leads; its gradient is kept."""
    xp = array_namespace(s)
    most = safe_sqrt(q1) * safe_sqrt(q2)
    rest = xp.where(xp.abs(s) > most, xp.sign(s) * most - s, xp.zeros_like(s))
    return s + _constant(rest)


def excess(s: Any, q1: Any, q2: Any, size: Any) -> Any:
    """(q1 q2 − s²)/size, which is not negative, for a `size` of at least q1 and q2.

    No product is larger than q1 or q2: q1 q2 itself may be too large for a float. It is exactly 0
    where it is so to within rounding (4 units in the last place of q1 q2), as in `correlation`:
    the two products may be rounded differently.
    """
    xp = array_namespace(s)
    product = q1 * (q2 / size)
    rest = product - s * (s / size)
    return unless_rounded(rest, rest > 4 * xp.finfo(rest.dtype).eps * product)


def two_by_two(s: Any, q1: Any, q2: Any) -> Any:
    """√((1+2q)(1+2q') − 4s²), the root of det(1 + 2Σ), without two large products that cancel."""
    xp = array_namespace(s)
    size = 1 + 2 * (q1 + q2)
    return xp.sqrt(size) * xp.sqrt(1 + 4 * excess(s, q1, q2, size))


def sine_and_arcsine(c: Any) -> tuple[Any, Any]:
    """√(1−c²) and arcsin(c); at c = ±1 their derivatives, infinite, count as zero.

    In √(1−c²) + c·arcsin(c) the two infinities cancel, so that the dual of a ReLU keeps its true
    derivative; in arcsin(c) alone zero is the mean of the two one-sided slopes along any line of
    inputs through the kink.
    """
    xp = array_namespace(c)
    edge = xp.abs(c) >= 1
    inner = xp.where(edge, xp.zeros_like(c), c)
    sine = xp.where(edge, xp.zeros_like(c), xp.sqrt((1 - inner) * (1 + inner)))
    # π to the digits of the arcsine beside it, which may be more than a float has.
    return sine, xp.where(edge, xp.sign(_constant(c)) * (xp.pi / 2), xp.asin(inner))


def erf(u: Any) -> Any:
    """The error function."""
    if is_torch_array(u):
        import torch

        if u.is_complex():
            raise NetworkError(
                "PyTorch has no error function of complex numbers; pass real ones, or an array of "
                "NumPy"
            )
        return torch.erf(u)
    from scipy.special import erf as scipy_erf

    return scipy_erf(u)


def half_square(frequency: Any, sign: int) -> Any:
    """½(1 + sign·e^{−2a²}): the second moment of the sine (−1) or the cosine (+1) of a·g."""
    exponent = -2 * frequency * frequency
    if not is_torch_array(frequency):
        exponent = float(exponent)
        return -0.5 * math.expm1(exponent) if sign < 0 else 0.5 * (1 + math.exp(exponent))
    xp = array_namespace(frequency)
    return 0.5 * (1 + sign * xp.exp(exponent))


def _constant(x: Any) -> Any:
    """`x` without its gradient (PyTorch); unchanged elsewhere."""
    return x.detach() if is_torch_array(x) else x
