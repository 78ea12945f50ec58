"""Targets: closed forms against 40-digit arithmetic, quadrature and samples on the sphere."""

import math
import pickle

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangency.bias import targets
from tangency.bias.degrees import project
from tangency.bias.harmonics import multiplicity
from tangency.errors import InputError

ALL = [
    targets.power(1.0),
    targets.power(0.5),
    targets.power(3.0),
    targets.ramp(0.0),
    targets.ramp(1.0),
    targets.ramp(1.7),
    targets.cone(),
    targets.bump(),
    targets.cone(1.0).even(),
    targets.ramp(1.0).even(),
]


def sphere(n: int, dim: int) -> np.ndarray:
    X = np.random.default_rng(0).standard_normal((n, dim))
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def exact_norm(a: float, p: int, k: int) -> mpmath.mpf:
    """|∫ (u)_+^a P_k dτ| √N(p, k), the integral by Rodrigues' formula in 40 digits."""
    with mpmath.workdps(40):
        weight = mpmath.gamma(mpmath.mpf(p) / 2) / mpmath.gamma(mpmath.mpf(p - 1) / 2)
        nu = mpmath.mpf(p - 2) / 2

        def integrand(t: mpmath.mpf) -> mpmath.mpf:
            if p == 2:
                legendre = mpmath.chebyt(k, t)
            else:
                legendre = mpmath.gegenbauer(k, nu, t) / mpmath.gegenbauer(k, nu, 1)
            return t**a * legendre * (1 - t * t) ** (mpmath.mpf(p - 3) / 2)

        integral = mpmath.quad(integrand, mpmath.linspace(0, 1, 2 + k // 8))
        count = 1 if k == 0 else 2
        if p > 2 and k > 0:
            count = mpmath.mpf(2 * k + p - 2) / k * mpmath.binomial(k + p - 3, p - 2)
        return abs(weight / mpmath.sqrt(mpmath.pi) * integral) * mpmath.sqrt(count)


@pytest.mark.parametrize("dim", [2, 3, 6])
@pytest.mark.parametrize("a", [0, 1, 1.25])
def test_norms_of_a_ramp_are_integrals(a, dim):
    norms = targets.ramp(a).norms(dim, 24).values
    for k in (0, 1, 2, 3, 6, 13, 24):
        expected = float(exact_norm(a, dim, k))
        assert norms[k] == pytest.approx(expected, rel=1e-11, abs=1e-17), (a, dim, k)


@pytest.mark.parametrize("dim", [2, 5, 50])
@pytest.mark.parametrize("a", [0.3, 1, 2.5])
def test_norms_of_huge_degrees_keep_their_digits(a, dim):
    logs = targets.ramp(a).norms(dim, 100_000).logs
    with mpmath.workdps(40):
        for k in (1_000, 9_998, 100_000):
            b = mpmath.mpf(a)
            value = mpmath.gamma(mpmath.mpf(dim) / 2) * mpmath.gamma(b + 1) * 2 ** (-b - 1)
            value *= mpmath.rgamma((b - k) / 2 + 1) * mpmath.rgamma((b + k + dim) / 2)
            count = 2 if dim == 2 else (2 * k + dim - 2) * mpmath.rf(k + 1, dim - 3)
            count /= 1 if dim == 2 else mpmath.factorial(dim - 2)
            exact = mpmath.log(abs(value)) + mpmath.log(count) / 2
            assert abs(mpmath.expm1(mpmath.mpf(float(logs[k])) - exact)) < 1e-12


@pytest.mark.parametrize("dim", [2, 30, 1000, 10**5])
@pytest.mark.parametrize("a", [0, 1e-9, 0.5, 100.5, 1e4, 1e6 + 0.25])
def test_norms_keep_their_digits_in_any_dimension_and_power(a, dim):
    degree = 400 if dim < 10**5 else 40
    logs = targets.ramp(a).norms(dim, degree).logs
    with mpmath.workdps(60):
        for k in (0, 1, 2, 5, degree // 2 + 1, degree):
            b = mpmath.mpf(a)
            value = mpmath.gamma(mpmath.mpf(dim) / 2) * mpmath.gamma(b + 1) * 2 ** (-b - 1)
            value *= mpmath.rgamma((b - k) / 2 + 1) * mpmath.rgamma((b + k + dim) / 2)
            if value == 0:
                assert logs[k] == -math.inf
                continue
            exact = mpmath.log(abs(value) * mpmath.sqrt(multiplicity(dim, k)))
            # 16 digits of numbers as large as the logarithms that are added up.
            assert abs(logs[k] - float(exact)) < 4e-16 * (dim + k + 2 * abs(float(exact)) + 40)


def test_exponents_beyond_what_float64_tells_apart_are_refused():
    with pytest.raises(InputError, match="at most 10\\^15, got 1e\\+16"):
        targets.power(1e16)
    assert targets.power(1e15).lipschitz == pytest.approx(math.sqrt(1e15 / math.e), rel=1e-9)


def test_vanishing_degrees_are_exact_zeros():
    assert np.isneginf(targets.ramp(1).norms(7, 99).logs[3::2]).all()
    assert np.isneginf(targets.ramp(0).norms(7, 99).logs[2::2]).all()
    assert np.isneginf(targets.power(4).norms(7, 99).logs[5:]).all()
    assert np.isfinite(targets.power(4).norms(7, 99).logs[[0, 2, 4]]).all()


@pytest.mark.parametrize("target", ALL, ids=lambda t: t.name)
@pytest.mark.parametrize("dim", [2, 3, 8])
def test_norms_add_up_to_the_norm_on_samples(target, dim):
    values = target(sphere(40_000, dim)[:, 0])
    expected, error = np.mean(values**2), np.std(values**2) / 200
    assert target.norms(dim, 2_000).energy == pytest.approx(expected, abs=4 * error + 1e-3)


@pytest.mark.parametrize("target", [t for t in ALL if t.closed_form], ids=lambda t: t.name)
@pytest.mark.parametrize("dim", [2, 5, 20])
def test_closed_forms_agree_with_quadrature(target, dim):
    closed = target.norms(dim, 200).values
    found = project(target, dim, 200, target.breaks)
    np.testing.assert_allclose(found.values, closed, rtol=0, atol=2 * found.noise)
    assert found.noise < 1e-14


@pytest.mark.parametrize("target", ALL, ids=lambda t: t.name)
def test_the_stated_smoothness_is_the_decay(target):
    degree = 1_600
    energies = np.exp(2 * target.norms(4, degree).logs)
    blocks = [energies[degree // 2 ** (j + 1) + 1 : degree // 2**j + 1].sum() for j in range(2)]
    if math.isinf(target.smoothness):
        assert blocks[0] < 1e-6 * blocks[1]
    else:
        assert math.log2(blocks[1] / blocks[0]) == pytest.approx(2 * target.smoothness, abs=0.06)


@pytest.mark.parametrize("target", [t for t in ALL if t.lipschitz], ids=lambda t: t.name)
def test_the_stated_lipschitz_constant_holds_and_is_met(target):
    angles = np.linspace(0, math.pi, 20_001)
    values = target(np.cos(angles))
    steepest = np.max(np.abs(np.diff(values)) / np.diff(angles))
    largest = max(steepest, np.max(np.abs(values)))
    assert largest <= target.lipschitz * (1 + 1e-9)
    # An even part may have half the slope: its constant is a bound, not the least one.
    assert largest >= target.lipschitz / 2.01


def test_the_even_part_of_a_ramp_is_half_of_a_power():
    u = np.linspace(-1, 1, 41)
    even = targets.ramp(1.5).even()
    np.testing.assert_allclose(even(u), np.abs(u) ** 1.5 / 2, rtol=1e-15)
    np.testing.assert_allclose(
        even.norms(5, 60).values, targets.power(1.5).norms(5, 60).values / 2, rtol=1e-13
    )
    assert math.isinf(targets.ramp(2).even().smoothness)
    assert targets.ramp(2).smoothness == 2.5


@given(st.floats(0.1, 3), st.integers(2, 12))
def test_even_parts_have_the_norms_of_the_even_degrees(angle, dim):
    whole = targets.cone(angle).norms(dim, 40)
    even = targets.cone(angle).even().norms(dim, 40)
    assert np.isneginf(even.logs[1::2]).all()
    np.testing.assert_allclose(even.values[::2], whole.values[::2], atol=1e-13)


def test_a_rough_target_has_the_norms_it_promises():
    norms = targets.rough(1.5).norms(9, 100).values
    assert norms[10] == pytest.approx(10.0**-2)
    assert not norms[1::2].any()
    with pytest.raises(InputError, match="norms of its degrees only; it has no values"):
        targets.rough()(0.5)


def test_what_a_target_may_be():
    assert targets.as_target("cone").name == "a cone"
    assert targets.as_target(np.cos)(0.0) == 1.0
    with pytest.raises(InputError, match=r"no target is called 'ball'; known are \|u\|, relu"):
        targets.as_target("ball")
    with pytest.raises(InputError, match="a target is a function of u"):
        targets.as_target(3)
    with pytest.raises(InputError, match="neither a function nor a closed form"):
        targets.ZonalTarget("empty")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: targets.power(-0.5), "exponent must be greater than -1/2"),
        (lambda: targets.cone(4.0), "angle must lie between 0 and π"),
        (lambda: targets.bump(float("nan")), "angle must lie between 0 and π"),
        (lambda: targets.rough(0), "smoothness must be a number greater than 0"),
        (lambda: targets.zonal(np.sin, breaks=(0.0,)), "breaks are angles between 0 and π"),
        (lambda: targets.power().norms(1, 5), "dim must be a whole number of at least 2, got 1"),
        (
            lambda: targets.power().norms(3, -1),
            "degree must be .* at least 0, got -1",
        ),
        (
            lambda: targets.power().norms(3, 2.0),
            "degree must be .* at least 0, got 2.0",
        ),
        (lambda: targets.as_target(np.sign).even().even().norms(True, 3), "dim must be a whole"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_an_odd_target_has_no_even_part():
    odd = targets.ZonalTarget("u", function=lambda u: u, parity="odd")
    with pytest.raises(InputError, match="its even part is zero"):
        odd.even()


@pytest.mark.parametrize("parity", ["Even", "none", 0])
def test_a_parity_that_is_none_is_refused(parity):
    """Anything but "even" would drop the even part."""
    with pytest.raises(ValueError, match="parity must be even or odd"):
        targets.ZonalTarget("f", np.cosh, parity=parity)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", 3, "name must be a text, got 3"),
        ("function", 3, "function must be a function, got 3"),
        ("breaks", "a", "breaks must be numbers, got 'a'"),
        ("smoothness", [1], r"smoothness must be a number, got \[1\]"),
        ("lipschitz", 1j, "lipschitz must be a number, got 1j"),
    ],
)
def test_a_target_of_ones_own_is_checked(field, value, message):
    with pytest.raises(InputError, match=message):
        targets.ZonalTarget(**{"name": "f", "function": np.abs, field: value})


@pytest.mark.parametrize("target", [*ALL, targets.rough(1.5)], ids=lambda t: t.name)
def test_targets_travel_between_processes(target) -> None:
    again = pickle.loads(pickle.dumps(target))
    assert np.array_equal(again.norms(3, 20).values, target.norms(3, 20).values)
    if target.function is not None:
        u = np.linspace(-1, 1, 9)
        assert np.array_equal(again(u), target(u))
