"""Quadrature in the angle: Fejér's first rule on [0, π], in float64 and in fixed point.

In u = cos θ the kernels of networks have square roots at ±1; in θ they are analytic on all of
[0, π], and so is sin(θ)^{p−2}, so that a rule of Chebyshev points converges geometrically. Its
points are symmetric about π/2 and avoid the ends, where arccos loses digits.
"""

from __future__ import annotations

import math
from functools import cached_property, lru_cache

import numpy as np

from .multiprecision import Multiprecision


def bandwidth(order: float, digits: float) -> int:
    """How many Chebyshev coefficients cos(order·θ) has on [0, π] above 10^−digits.

    They are Bessel functions J_m(x), x = order·π/2, which fall beyond m = x: with m = x·cosh(a)
    they are below exp(−m(a − tanh a)).
    """
    x = max(order * math.pi / 2, 0.5)
    target = digits * math.log(10)
    low, high = x, 2 * x + 4 * target + 8
    while high - low > 1:
        middle = (low + high) / 2
        a = math.acosh(middle / x)
        low, high = (low, middle) if middle * (a - math.tanh(a)) > target else (middle, high)
    return math.ceil(high)


@lru_cache(maxsize=8)
def float_rule(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Angles φ of Chebyshev points x = −cos φ in (−1, 1), and weights for ∫ f(x) dx."""
    from scipy.fft import dct

    moments = np.zeros(count)
    moments[::2] = 2 / (1 - np.arange(0, count, 2.0) ** 2)
    weights = np.asarray(dct(moments, type=3)) / count
    return math.pi * (np.arange(count) + 0.5) / count, weights


WHOLE = 2**16
"""Of [0, π], in the units in which a rule is given a part of it."""


class FixedRule:
    """Half of the points in (0, π/2) and their weights, as integers of `bits` binary places.

    The other half mirrors it. `cosines` and `sines` are integers, `exact` the cosines as mpf.
    The rule is one for the middle of [0, π], `part`/2^16 of it.
    """

    def __init__(self, count: int, bits: int, part: int = WHOLE) -> None:
        assert count % 2 == 0
        self.count, self.bits, self.part = count, bits, part
        self.context = context = Multiprecision(bits + 16)
        ctx = context.ctx
        half = count // 2
        table = [ctx.cospi(ctx.mpf(m) / (2 * count)) for m in range(count + 1)]
        # cos(πm/2n) for m = 0..4n − 1, a whole period, from its first quarter.
        quarter = np.array([self.fixed(c) for c in table], dtype=object)
        half_period = np.concatenate([quarter, -quarter[-2::-1]])
        self.period = np.concatenate([half_period, half_period[-2:0:-1]])
        self.phi = 2 * np.arange(half) + 1
        share = ctx.mpf(part) / WHOLE
        angles = [ctx.pi / 2 * (1 - share * table[m]) for m in self.phi]
        self.exact = context.cos(np.array(angles, dtype=object))
        self.cosines = self.ints(self.exact)
        self.sines = self.ints(context.sin(np.array(angles, dtype=object)))

    def fixed(self, x: object) -> int:
        """A multiprecision number as an integer of `bits` binary places."""
        ctx = self.context.ctx
        return int(ctx.nint(ctx.ldexp(x, self.bits)))

    def ints(self, values: np.ndarray) -> np.ndarray:
        """Multiprecision numbers as integers."""
        return np.array([self.fixed(v) for v in values], dtype=object)

    def wave(self, m: int) -> np.ndarray:
        """cos(m·φ_j) at the points of this half, as integers."""
        return self.period[(m * self.phi) % len(self.period)]

    @cached_property
    def weights(self) -> np.ndarray:
        """Weights for ∫ dθ over the part of [0, π]."""
        one = 1 << self.bits
        total = np.full(len(self.phi), one // 2, dtype=object)
        for i in range(1, self.count // 2 + 1):
            # The last term of an even count vanishes at these points.
            total = total - self.wave(2 * i) // (4 * i * i - 1)
        pi = self.fixed(self.context.ctx.pi)
        return (total * (2 * pi * self.part)) // (self.count * one * WHOLE)


def middle(power: int, digits: float) -> int:
    """How much of [0, π], in the middle, holds ∫ sin(θ)^power dθ but for 10^−digits of it.

    The result counts parts of which [0, π] has `WHOLE`. In high dimension that is a narrow
    band, and a rule for it needs far fewer points. At a distance x from π/2 the share beyond is
    below √(2π(power + 1))·cos(x)^power.
    """
    room = digits * math.log(10) + 0.5 * math.log(2 * math.pi * (power + 1))
    if power == 0 or room / power > 30:
        return WHOLE
    x = math.acos(math.exp(-room / power))
    return min(WHOLE, math.ceil(WHOLE * x / (math.pi / 2)))


def bell_bandwidth(power: int, part: int, digits: float) -> int:
    """How many Chebyshev coefficients sin(θ)^power has above 10^−digits, on the middle of [0, π].

    With θ = π/2 + d·x it is at most cosh(d·sinh a)^power on the ellipse around [−1, 1] whose
    half-axes are cosh a and sinh a, so that the coefficient of order m is below twice that times
    exp(−m·a), for every a > 0.
    """
    a = np.linspace(0.05, 3.0, 60)
    reach = math.pi / 2 * part / WHOLE * np.sinh(a)
    size = power * (np.logaddexp(reach, -reach) - math.log(2))
    return math.ceil(np.min((size + digits * math.log(10) + math.log(2)) / a))


def fixed_rule(count: int, bits: int, part: int = WHOLE) -> FixedRule:
    """The rule of `count` points, kept for the next spectrum."""
    return (_small if count <= _SMALL else _large)(count, bits, part)


# A spectrum takes a rule for each doubling of points, and again for each doubling of digits: more
# than a few, most of which are small.
_SMALL = 1024
_small = lru_cache(maxsize=24)(FixedRule)
_large = lru_cache(maxsize=4)(FixedRule)
