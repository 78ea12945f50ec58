"""The orthonormal basis of spherical harmonics of one degree, at points of norm 1.

Separation of the last coordinate: Y = c·P_m^{(p+2j)}(t)·ρ^j·Y_j(ξ), t = x_p, ρ² = 1 − t², ξ the
direction of the other coordinates, m = k − j, Y_j a basis of degree j on S^{p−2}. The factor
Z_jm = c·P_m·ρ^j, of mean square 1/N(p−1, j), begins at tiny ρ^j and grows with m: it is held as a
number and a power of two, so that neither end leaves the range of float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

_STEPS, _LIFT = 16, 300
"""Every so many steps, numbers above 2^300 are divided by it; a step adds at most a factor √q."""


def basis(x: np.ndarray, degree: int) -> np.ndarray:
    """Y_k1, ..., Y_kN of degree k at points x (n, p) of norm 1, as (n, N(p, k))."""
    separated = []
    while x.shape[1] > 2:
        x, t, rho = _separated(x)
        separated.append((t, rho))
    if not separated:
        return _waves(x, range(degree, degree + 1))[0]
    lower = _waves(x, range(degree + 1))
    for p, (t, rho) in enumerate(separated[:0:-1], 3):
        lower = _all_degrees(_zonal(p, degree, t, rho), lower)
    blocks = []
    for m, z in enumerate(_zonal(len(separated) + 2, degree, *separated[0])):
        blocks.append(z[degree - m][:, None] * lower.pop())
    return np.concatenate(blocks[::-1], axis=1)


def _all_degrees(zonal: Iterator[np.ndarray], lower: list[np.ndarray]) -> list[np.ndarray]:
    """The bases of all degrees on a sphere from those on its equator."""
    blocks: list[list[np.ndarray]] = [[] for _ in lower]
    for m, z in enumerate(zonal):
        for j, row in enumerate(z):
            blocks[j + m].append(row[:, None] * lower[j])
    return [np.concatenate(block[::-1], axis=1) for block in blocks]


def _separated(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ξ of norm 1, t and ρ. At the poles, where no direction is left, ξ is any."""
    rest = x[:, :-1]
    rho = np.linalg.norm(rest, axis=1)
    first = np.eye(1, rest.shape[1])
    xi = np.where(rho[:, None] > 0, rest / np.where(rho > 0, rho, 1.0)[:, None], first)
    return xi, x[:, -1], rho


def _waves(x: np.ndarray, degrees: range) -> list[np.ndarray]:
    """√2·cos(kθ), √2·sin(kθ) for every degree; 1 for k = 0. (n, 2) and (n, 1)."""
    # The angle from the nearest axis, as multiples of π/2 are exact in i^(quarters·k) only.
    quarters = np.rint(np.arctan2(x[:, 1], x[:, 0]) * 2 / math.pi).astype(np.int64)
    turns = np.array([1, 1j, -1, -1j])
    near = (x[:, 0] + 1j * x[:, 1]) * turns[-quarters % 4]
    theta = np.arctan2(near.imag, near.real)
    found = []
    for k in degrees:
        w = math.sqrt(2) * np.exp(1j * k * theta) * turns[k % 4 * quarters % 4]
        found.append(np.stack([w.real, w.imag], axis=1) if k else np.ones((len(x), 1)))
    return found


def _zonal(p: int, degree: int, t: np.ndarray, rho: np.ndarray) -> Iterator[np.ndarray]:
    """For m = 0..degree, Z_jm with j = 0..degree − m, as (degree + 1 − m, n).

    By differences of the recurrence of Legendre polynomials (Reinsch's form of Clenshaw's
    algorithm), since t itself says little about 1 − t near the poles; odd m change sign with t.
    """
    sign, gap = np.where(t < 0, -1.0, 1.0), rho * rho / (1 + np.abs(t))
    now, exponent = _first(p, degree, rho)
    now = now * np.exp(np.arange(degree + 1)[:, None] * _lacking(gap, rho))
    step = np.zeros_like(now)
    q = (p + 2.0 * np.arange(degree + 1))[:, None]
    for m in range(degree + 1):
        yield np.ldexp(now, exponent) * sign**m
        now, step, exponent, q = now[:-1], step[:-1], exponent[:-1], q[:-1]
        # c_{m+1}/c_m, c_m² being N(q, m) times what does not depend on m.
        ratio = np.sqrt((2 * m + q) * (m + q - 2) / ((2 * m + q - 2) * (m + 1)))
        step = ratio * ((m * step - (2 * m + q - 2) * gap * now) / (m + q - 2))
        now = ratio * now + step
        if m % _STEPS == _STEPS - 1:
            lift = np.where(np.abs(now) > 2.0**_LIFT, _LIFT, 0).astype(np.int32)
            now, step = np.ldexp(now, -lift), np.ldexp(step, -lift)
            exponent = exponent + lift


def _lacking(gap: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """What log ρ lacks of the ρ that belongs to the rounded 1 − |t|, which ρ^j has j times."""
    g, square = np.longdouble(gap), np.longdouble(rho) ** 2
    ratio = np.divide(g * (2 - g), square, out=np.ones_like(g), where=square > 0)
    return np.asarray((ratio - 1) / 2, dtype=np.float64)


def _first(p: int, degree: int, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Z_j0 = ρ^j·√Π_{i<j} (p + 2i)/(p − 1 + 2i), as numbers in [½, 1) and powers of two."""
    numbers = np.empty((degree + 1, len(rho)))
    exponents = np.empty((degree + 1, len(rho)), dtype=np.int32)
    number, exponent = np.frexp(np.ones_like(rho))
    for j in range(degree + 1):
        numbers[j], exponents[j] = number, exponent
        number, more = np.frexp(number * rho * math.sqrt((p + 2 * j) / (p - 1 + 2 * j)))
        exponent = exponent + more
    return numbers, exponents
