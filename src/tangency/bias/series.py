"""Does a series of positive terms converge, and to what? By theory, or by its dyadic blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import zeta

Vector = NDArray[np.float64]
Status = Literal["finite", "converged", "diverged", "unknown"]

# How far the measured exponent must lie from the border before it decides.
_MARGIN = 0.05
_FEWEST = 32
# How far below theory a measured exponent may lie while the terms do not fall yet.
_EARLY = 0.5
# Which part of a sum the last half of the degrees may hold where the rest is taken for nothing,
# and which may be extrapolated from too few degrees to see whether terms fall as theory says.
_NOTHING, _LITTLE = 1e-6, 0.05


@dataclass(frozen=True)
class SeriesSum:
    """Σ_k T_k over all degrees, judged from the terms up to some degree.

    status: "finite" (only finitely many terms are not zero), "converged", "diverged" or "unknown".
    value: the sum with its tail; ∞ where it diverges, NaN where that is unknown. partial: the sum
    of the given terms. tail: the part of `value` beyond them, extrapolated as a power law.
    exponent: the t of T_k ~ k^-t (summed over dyadic blocks, so that vanishing and oscillating
    terms do no harm), NaN where there are too few terms; the series converges for t > 1.
    spread: how much t changed between the last blocks. theory: the t that is known, or None.
    """

    status: Status
    value: float
    partial: float
    tail: float
    exponent: float
    spread: float
    theory: float | None


def sum_series(
    logs: Vector, theory: float | None = None, *, ends: bool = False, shift: float = 0.0
) -> SeriesSum:
    """The sum of exp(logs), (degree + 1,), terms of degrees 0, 1, …, and what lies beyond.

    theory: the known exponent t of T_k ~ k^-t, or None; it decides where it is given, but a sum
    has a value only where the terms have begun to fall as it says. Without it the fitted exponent
    decides where it is away from 1 by more than 0.05 and twice its spread.
    ends: the terms beyond are known to be zero. shift: the tail is taken as (k + shift)^-t.
    """
    partial = _exp(_log_sum(logs))
    last = int(np.max(np.nonzero(np.isfinite(logs))[0], initial=-1))
    exponent, spread = fitted_exponent(logs[: last + 1])
    if ends:
        return SeriesSum("finite", partial, partial, 0.0, exponent, spread, theory)
    known = exponent if theory is None else theory
    margin = 0.0 if theory is not None else max(_MARGIN, 2 * spread)
    if math.isnan(known) or abs(known - 1) < margin:
        return SeriesSum("unknown", math.nan, partial, math.nan, exponent, spread, theory)
    if known <= 1:
        return SeriesSum("diverged", math.inf, partial, math.inf, exponent, spread, theory)
    tail = power_tail(logs[: last + 1], exponent if math.isinf(known) else known, shift)
    if theory is not None and not _falls(logs, exponent, theory, tail):
        return SeriesSum("unknown", math.nan, partial, math.nan, exponent, spread, theory)
    return SeriesSum("converged", partial + tail, partial, tail, exponent, spread, theory)


def _falls(logs: Vector, exponent: float, theory: float, tail: float) -> bool:
    """Whether what lies beyond the terms follows from their decay, where theory knows its limit.

    A function that is nearly a point has terms that grow to high degrees before they fall.
    """
    whole = _log_sum(logs)
    if _block(logs, 0) <= whole + math.log(_NOTHING) or not math.isfinite(whole):
        return True
    if math.isnan(exponent):
        return math.isfinite(theory) and tail <= _LITTLE * (_exp(whole) + tail)
    if math.isinf(theory):
        return exponent > 1 + _MARGIN
    return exponent >= min(1.0, theory - _EARLY)


def fitted_exponent(logs: Vector) -> tuple[float, float]:
    """The t of T_k ~ k^-t from the last three blocks (K/2^(j+1), K/2^j], and its last change.

    NaN and ∞ for fewer than 32 degrees or an empty block. ∞ where the terms die out.
    """
    top = len(logs) - 1
    if top < _FEWEST:
        return math.nan, math.inf
    blocks = [_block(logs, j) for j in range(3)]
    if not all(math.isfinite(b) for b in blocks):
        return math.nan, math.inf
    slopes = [(blocks[j] - blocks[j + 1]) / math.log(2) for j in range(2)]
    return 1 - slopes[0], abs(slopes[0] - slopes[1])


def power_tail(logs: Vector, exponent: float, shift: float = 0.0) -> float:
    """Σ of the terms beyond the last, as c (k + shift)^-t with c from the last block of degrees.

    Even and odd degrees apart, since one of the two may vanish. 0 for t ≤ 1, NaN and no terms.
    """
    if not exponent > 1:
        return 0.0
    # An exponent beyond that is a decay faster than any power, whose tail is far under rounding.
    t = min(exponent, 100.0)
    top = len(logs) - 1
    total = 0.0
    for last in (top, top - 1):
        block = np.arange(last, top // 2, -2)
        seen = _log_sum(logs[block])
        if not math.isfinite(seen):
            continue
        beyond = zeta(t, (last + 2 + shift) / 2)
        here = float(np.sum(((block + shift) / 2) ** -t))
        total += _exp(seen) * float(beyond) / here
    return total


def _block(logs: Vector, j: int) -> float:
    top = len(logs) - 1
    return _log_sum(logs[top // 2 ** (j + 1) + 1 : top // 2**j + 1])


def _exp(log: float) -> float:
    return math.exp(log) if log < 709 else math.inf


def _log_sum(logs: Vector) -> float:
    """log Σ exp(logs), without overflow; -inf for an empty sum."""
    peak = float(np.max(logs, initial=-math.inf))
    if not math.isfinite(peak):
        return peak
    return peak + math.log(float(np.sum(np.exp(logs - peak))))
