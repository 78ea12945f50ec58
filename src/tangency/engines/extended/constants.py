"""Constants to 32 digits, each as the sum of two floats."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np

_PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494")

STEPS = 256
"""Angles are reduced to multiples of π/STEPS."""


def split(value: Decimal) -> tuple[float, float]:
    """The nearest float, and the nearest float to what it misses."""
    high = float(value)
    return high, float(value - Decimal(high))


def _table(values: list[Decimal]) -> np.ndarray:
    return np.array([split(v) for v in values])


def _circle() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """jπ/STEPS, its sine and its cosine for j = 0..STEPS, (STEPS + 1, 2) each."""
    cosine, sine = Decimal(0), Decimal(1)
    for _ in range(int(math.log2(STEPS)) - 1):
        cosine, sine = ((1 + cosine) / 2).sqrt(), ((1 - cosine) / 2).sqrt()
    points = [(Decimal(1), Decimal(0))]
    for _ in range(STEPS):
        x, y = points[-1]
        points.append((x * cosine - y * sine, x * sine + y * cosine))
    angles = [_PI * j / STEPS for j in range(STEPS + 1)]
    return _table(angles), _table([y for _, y in points]), _table([x for x, _ in points])


with localcontext() as context:
    context.prec = 55
    PI = split(_PI)
    LN2 = split(Decimal(2).ln())
    ANGLES, SINES, COSINES = _circle()
    # arcsin(t) = t Σ_n (2n)!/(4ⁿ n!² (2n+1)) t²ⁿ
    ARCSINE = _table(
        [Decimal(math.comb(2 * n, n)) / (Decimal(4) ** n * (2 * n + 1)) for n in range(8)]
    )
    # (e^t − 1)/t = Σ_n tⁿ/(n+1)!
    EXPONENTIAL = _table([1 / Decimal(math.factorial(n + 1)) for n in range(13)])
