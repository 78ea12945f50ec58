"""Arithmetic and elementary functions with 32 digits, against 50 digits."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from tangency.engines.extended import namespace as xp
from tangency.engines.extended.array import Extended, extended

UNIT = mpf(2) ** -104


def numbers(low, high, count=200, seed=0):
    """Numbers of all 32 digits, spread evenly."""
    rng = np.random.default_rng(seed)
    with mp.workdps(50):
        low, high = mpf(low), mpf(high)
        values = [low + (high - low) * (mpf(a) + mpf(b) / 2**52) for a, b in rng.random((count, 2))]
        return made(values)


def made(values):
    hi = np.array([float(v) for v in values])
    return Extended(hi, np.array([float(v - mpf(h)) for v, h in zip(values, hi, strict=True)]))


def exact(x):
    """The values as mpf."""
    return [mpf(float(h)) + mpf(float(low)) for h, low in zip(x.hi, x.lo, strict=True)]


def worst(found, true, *arguments):
    """The largest relative error, in units of 2⁻¹⁰⁴."""
    with mp.workdps(50):
        columns = [exact(a) for a in arguments]
        pairs = zip(exact(found), *columns, strict=True)
        return max(abs((f - true(*a)) / true(*a)) for f, *a in pairs) / UNIT


BINARY = {
    "add": (lambda x, y: x + y, 2),
    "multiply": (lambda x, y: x * y, 1),
    "divide": (lambda x, y: x / y, 1),
}


@pytest.mark.parametrize("name", BINARY)
def test_arithmetic(name):
    function, units = BINARY[name]
    x, y = numbers(0.1, 5), numbers(2, 3, seed=1)
    assert worst(function(x, y), function, x, y) < units
    assert worst(function(y, -x), function, y, -x) < 40 * units


UNARY = [
    ("sqrt", 0, 9, 1),
    ("sqrt", 0, 1e-200, 1),
    ("exp", -1, 1, 2),
    ("exp", -600, 600, 1000),
    ("expm1", -1, 1, 4),
    ("expm1", -1e-9, 1e-9, 4),
    ("log1p", -0.9, 20, 4),
    ("log1p", -1e-9, 1e-9, 4),
    ("tanh", -3, 3, 4),
    ("tanh", -1e-9, 1e-9, 4),
    ("asin", -1, 1, 2),
    ("asin", 1 - 1e-12, 1, 2),
    ("asin", -1e-9, 1e-9, 2),
]


@pytest.mark.parametrize(("name", "low", "high", "units"), UNARY)
def test_functions(name, low, high, units):
    x = numbers(low, high)
    assert worst(getattr(xp, name)(x), getattr(mpmath, name), x) < units


def test_arctangents_in_every_quadrant():
    y, x = numbers(-3, 3), numbers(-5, 2, seed=1)
    assert worst(xp.atan2(y, x), mpmath.atan2, y, x) < 4


def test_functions_at_their_edges():
    zero, one = extended(np.zeros(1)), extended(np.ones(1))
    with mp.workdps(50):
        assert abs(exact(xp.asin(one))[0] - mp.pi / 2) < UNIT
        assert exact(xp.pi[None])[0] == exact(2 * xp.asin(one))[0]
    for function in (xp.sqrt, xp.asin, xp.expm1, xp.log1p, xp.tanh):
        assert exact(function(zero)) == [0]
    assert xp.atan2(zero, zero).hi[0] == 0
    assert xp.exp(extended(np.array([-1e4, 1e4]))).hi.tolist() == [0, np.inf]
    assert xp.tanh(extended(np.array([-1e4, 1e4]))).hi.tolist() == [-1, 1]
    assert np.isnan(xp.sqrt(-one).hi[0])
    assert np.isnan(xp.asin(2 * one).hi[0])


FLOATS = st.floats(-1e100, 1e100, allow_subnormal=False).filter(lambda v: abs(v) > 1e-100 or v == 0)


@given(FLOATS, FLOATS)
def test_sums_and_products_of_floats_are_exact(a, b):
    x, y = extended(np.array([a])), extended(np.array([b]))
    with mp.workdps(500):
        assert exact(x * y) == [mpf(a) * mpf(b)]
        true = mpf(a) + mpf(b)
        assert abs(exact(x + y)[0] - true) <= UNIT * abs(true) / 2


@given(FLOATS, FLOATS)
def test_order(a, b):
    x, y = made([mpf(a) + mpf(b) * mpf(2) ** -60]), made([mpf(a)])
    assert (x < y)[0] == (b < 0 and (exact(x)[0] != mpf(a)))
    assert (x > y)[0] == (y < x)[0]
    assert (x <= y)[0] == (not (x > y)[0])
    assert (x >= y)[0] == (not (x < y)[0])
