"""What a series keeps of one input, for compiled loops: more than the two numbers of the others."""

from __future__ import annotations

import math

from numba.extending import register_jitable

from .scalars import OPTIONS, SERIES, lit, prepare
from .smooth import horner

SERIES_HEAD, SERIES_ENDS = 17, 5
"""Numbers before the coefficients of a series: rows, step, whether they are a table, σ(0), numbers
of a row, the first octave, octaves; then five times how many rows serve up to which correlation.
See `series_number`."""


@register_jitable(**OPTIONS)
def series_blocks(p, at):
    """How many pairs (u, v) of one input a series has."""
    return (int(p[at]) + 2) // 2


@register_jitable(**OPTIONS)
def series_rows(p, at, c):
    """How many rows serve for correlations up to c in size."""
    for end in range(at + SERIES_HEAD - 2 * SERIES_ENDS, at + SERIES_HEAD, 2):
        if c <= p[end + 1]:
            return int(p[end])
    return int(p[at])


@register_jitable(**OPTIONS)
def series_number(p, at, index, q, tiny):
    """What a series keeps of an input of variance q: by which s is multiplied, then coefficients.

    Coefficients are polynomials of q, or of √q within octaves of q (see `series.py`).
    """
    rows, width = int(p[at]), int(p[at + 4])
    table = p[at + 2] != lit(q, 0.0)
    if index == 0:
        return lit(q, 1.0) if not table else lit(q, 0.0) if q < tiny else lit(q, 1.0) / math.sqrt(q)
    if index > rows:
        return lit(q, 0.0)
    first, row = at + SERIES_HEAD, index - 1
    if not table:
        return horner(p, first + row * width, width, q)
    mantissa, octave = math.frexp(q)
    cell = octave - int(p[at + 5])
    # Below the first octave a coefficient is what it is at its lower end, but for a_0, which is
    # σ(0) there: beside small inputs, or none, what it gains counts.
    if q < tiny or cell < 0:
        if index == 1:
            return p[at + 3]
        mantissa, cell = 0.5, 0
    cell = min(cell, int(p[at + 6]) - 1)
    low, high = math.sqrt(0.5), 1.0
    x = lit(q, (2 * math.sqrt(mantissa) - low - high) / (high - low))
    return horner(p, first + (cell * rows + row) * width, width, x)


@register_jitable(**OPTIONS)
def prepare_part(kind, q, tiny, p, at, part):
    """(u, v) of one input, one of several pairs for a series."""
    if kind == SERIES:
        u = series_number(p, at, 2 * part, q, tiny)
        return u, series_number(p, at, 2 * part + 1, q, tiny)
    return prepare(kind, q, tiny)
