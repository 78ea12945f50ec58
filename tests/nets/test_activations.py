"""Every dual against integrals of the scalar function, and at the edges."""

import itertools
import math

import mpmath
import numpy as np
import pytest
import torch

import tangency as tg
from tangency.nets.activations import PiecewiseLinear, kappa0, kappa1

POINTWISE = [
    tg.ReLU(),
    tg.ReLU(normalized=False),
    tg.LeakyReLU(0.2),
    tg.LeakyReLU(-0.7, normalized=False),
    tg.Abs(),
    tg.Erf(),
    tg.Erf(normalized=False),
    tg.GELU(),
    tg.GELU(normalized=False),
    tg.Sine(),
    tg.Sine(frequency=2.5, normalized=False),
    tg.Cosine(frequency=0.5),
    tg.Cosine(normalized=False),
    tg.Hermite(0),
    tg.Hermite(1),
    tg.Hermite(3),
    tg.Hermite(4, normalized=False),
    tg.Activation("tanh"),
    tg.Activation("silu", normalized=False),
    tg.ABReLU(-0.3, 1.2),
    tg.ABReLU(0.5, 0.0, normalized=False),
    tg.Erf(0.8, 1.2, 0.1),
    tg.Erf(-2.0, 0.3, normalized=False),
    tg.SigmoidLike(),
    tg.Sine(frequency=0.8, amplitude=1.1, phase=0.3, normalized=False),
    tg.Cosine(phase=-0.4),
    tg.RBF(0.8),
    tg.Exp(0.7, 0.5),
    tg.Exp(-0.7, -0.5, normalized=False),
    tg.Gaussian(),
    tg.Gaussian(0.9, -0.6, normalized=False),
    tg.Gabor(),
    tg.Monomial(0),
    tg.Monomial(3),
    tg.Monomial(4, normalized=False),
    tg.PolynomialActivation((0.2, 1.0, -0.5, 0.1)),
    tg.RectifiedMonomial(1),
    tg.RectifiedMonomial(2),
    tg.RectifiedMonomial(5, normalized=False),
    tg.Sign(),
]
ON_PATCHES = [
    tg.Exponential(0.6), tg.Exponential(1.3), tg.Polynomial(1), tg.Polynomial(4),
    tg.ExpNormalized(1.3), tg.ExpNormalized(0.7, 0.2), tg.Polynomial(3, normalized=False),
]  # fmt: skip
ALL = POINTWISE + ON_PATCHES
VARIANCES = [(1.0, 1.0), (0.3, 2.0), (1.7, 1.7), (0.05, 0.4)]
CORRELATIONS = [-0.95, -0.3, 0.0, 0.5, 0.99]

ids = pytest.mark.parametrize


def dual(layer, s, q1, q2, dtype=np.float64):
    return layer.dual(*(np.asarray([v], dtype=dtype) for v in (s, q1, q2)))


def half_line_rule(n=200):
    """Nodes and weights for a standard normal on both half lines apart: kinks at 0 are harmless."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    t = 6.5 * (nodes + 1)
    w = 6.5 * weights * np.exp(-0.5 * t * t) / math.sqrt(2 * math.pi)
    return np.concatenate([t, -t]), np.concatenate([w, w])


def angular_expectation(layer, c, q1, q2):
    """E[σ(f)σ(f')] in polar coordinates of the plane of (f, f'), split where an argument is 0.

    f = √q1·r·cos φ, f' = √q2·r·cos(φ − ψ), cos ψ = c: the kinks of σ at 0 lie on rays.
    """
    psi = math.acos(c)
    cuts = sorted(
        {a % (2 * math.pi) for k in (-1, 1) for a in (k * math.pi / 2, psi + k * math.pi / 2)}
    )
    cuts = [*cuts, cuts[0] + 2 * math.pi]
    nodes, weights = np.polynomial.legendre.leggauss(80)
    radii = 5.0 * (nodes + 1) * 1.3
    radial = 6.5 * weights * radii * np.exp(-0.5 * radii**2) / (2 * math.pi)
    total = 0.0
    for a, b in itertools.pairwise(cuts):
        phi = 0.5 * (b - a) * nodes + 0.5 * (a + b)
        f = math.sqrt(q1) * radii[:, None] * np.cos(phi)[None, :]
        g = math.sqrt(q2) * radii[:, None] * np.cos(phi - psi)[None, :]
        total += radial @ (layer(f) * layer(g)) @ (0.5 * (b - a) * weights)
    return total


@ids("layer", POINTWISE, ids=str)
def test_dual_is_the_expectation_of_the_scalar_function(layer):
    for (q1, q2), c in itertools.product(VARIANCES, CORRELATIONS):
        s = c * math.sqrt(q1 * q2)
        k = dual(layer, s, q1, q2)[0].item()
        scale = math.sqrt(dual(layer, q1, q1, q1)[0].item() * dual(layer, q2, q2, q2)[0].item())
        assert k == pytest.approx(angular_expectation(layer, c, q1, q2), abs=3e-11 * scale)


@ids("layer", [a for a in ALL if a != tg.Sign()], ids=str)
def test_derivative_is_that_of_the_dual(layer):
    """k̇ = ∂k/∂s, by central differences of sixth order."""
    weights = {1: 45 / 60, 2: -9 / 60, 3: 1 / 60}
    for (q1, q2), c in itertools.product(VARIANCES, [-0.9, -0.3, 0.0, 0.5, 0.9]):
        norm = math.sqrt(q1 * q2)
        step = 2e-3 * norm
        difference = sum(
            w
            * (
                dual(layer, c * norm + i * step, q1, q2)[0].item()
                - dual(layer, c * norm - i * step, q1, q2)[0].item()
            )
            for i, w in weights.items()
        )
        k_dot = dual(layer, c * norm, q1, q2)[1].item()
        assert k_dot == pytest.approx(difference / step, rel=1e-9, abs=1e-10)


@ids("layer", [a for a in POINTWISE if getattr(a, "normalized", True)], ids=str)
def test_normalised_activations_have_second_moment_one(layer):
    t, w = half_line_rule()
    assert float(w @ layer(t) ** 2) == pytest.approx(1, abs=1e-12)
    assert dual(layer, 1.0, 1.0, 1.0)[0].item() == pytest.approx(1, abs=1e-13)


@ids("layer", ALL, ids=str)
def test_at_correlation_one_the_dual_is_the_second_moment(layer):
    for q in (0.05, 1.0, 3.0):
        for sign in (1, -1):
            k, k_dot = dual(layer, sign * q, q, q)
            assert np.isfinite([k, k_dot]).all()
        if layer in POINTWISE:
            t, w = half_line_rule()
            moment = float(w @ layer(math.sqrt(q) * t) ** 2)
            assert dual(layer, q, q, q)[0].item() == pytest.approx(moment, rel=1e-11)
            mirror = float(w @ (layer(math.sqrt(q) * t) * layer(-math.sqrt(q) * t)))
            found = dual(layer, -q, q, q)[0].item()
            assert found == pytest.approx(mirror, abs=1e-11 * moment)


def test_kappas_are_the_arc_cosine_kernels():
    """κ₀ and κ₁ by their formulas, and as the expectations over the plane that define them."""
    u = np.linspace(-1, 1, 41)
    angle = np.arccos(u)
    zero, one = kappa0(u), kappa1(u)
    np.testing.assert_allclose(zero, 1 - angle / np.pi, atol=1e-15)
    np.testing.assert_allclose(
        one, (np.sqrt(1 - u**2) + u * (np.pi - angle)) / np.pi, rtol=1e-13, atol=1e-15
    )
    for c in (-0.7, 0.0, 0.4):
        ramp = angular_expectation(tg.ReLU(), c, 1.0, 1.0)
        both = angular_expectation(lambda f: math.sqrt(2) * (f > 0), c, 1.0, 1.0)
        assert float(kappa1(c)) == pytest.approx(ramp, abs=1e-11)
        assert float(kappa0(c)) == pytest.approx(both, abs=1e-11)


def test_kappas_take_what_is_a_cosine():
    assert kappa0([-1, 0, 1]).tolist() == [0.0, 0.5, 1.0]
    assert kappa1(np.float32(1)).dtype == np.float32
    assert kappa0(torch.zeros(2)).tolist() == [0.5, 0.5]
    for bad in (1.1, [np.nan], -2, 1j, [[], [1]], "a"):
        with pytest.raises(tg.InputError, match="cosines"):
            kappa0(bad)


def test_features_of_the_kappas_are_smooth_to_order_one_half_and_one():
    """On the sphere ‖φ₀(x) − φ₀(y)‖ ≤ √‖x − y‖, of no higher power, ‖φ₁(x) − φ₁(y)‖ ≤ ‖x − y‖."""
    chord = np.geomspace(1e-4, 2, 100)
    zero, one = (np.sqrt(2 - 2 * kappa(1 - chord**2 / 2)) for kappa in (kappa0, kappa1))
    assert np.all(zero <= np.sqrt(chord) * (1 + 1e-9))
    assert np.all(one <= chord * (1 + 1e-7))
    assert zero[0] / np.sqrt(chord[0]) == pytest.approx(math.sqrt(2 / math.pi), rel=1e-4)


def test_relu_at_the_edges():
    cases = [(1.0, 1.0, 1.0, 1.0, 1.0), (-1.0, 1.0, 1.0, 0.0, 0.0), (0, 0, 0, 0, 0.5)]
    cases += [(0, 0, 2.0, 0, 0.5), (0, 3.0, 0, 0, 0.5), (0, 1e-320, 1e-320, 0, 0.5)]
    for s, q1, q2, k, k_dot in cases:
        found = dual(tg.ReLU(), s, q1, q2)
        assert found[0].item() == pytest.approx(k, abs=1e-16)
        assert found[1].item() == pytest.approx(k_dot, abs=1e-16)


@ids("layer", ALL, ids=str)
@ids("dtype", [np.float32, np.float64])
def test_zero_and_tiny_and_huge_variances_stay_finite(layer, dtype):
    tiny = float(np.finfo(dtype).tiny)
    for q1, q2 in [(0, 0), (0, 1), (1, 0), (tiny, tiny), (tiny / 8, 1), (1e-12, 1e-12)]:
        for c in (-1, 0, 1):
            s = c * math.sqrt(q1 * q2)
            k, k_dot = dual(layer, s, q1, q2, dtype)
            assert k.dtype == k_dot.dtype == dtype
            assert np.isfinite([k, k_dot]).all()
    if not isinstance(layer, tg.Hermite | tg.Activation | tg.Exp):
        assert np.isfinite(dual(layer, 1e6, 1e6, 1e6, dtype)).all()


@ids("layer", ALL, ids=str)
def test_a_correlation_beyond_one_by_rounding_is_harmless(layer):
    for q in (0.7, 3.1):
        exact = np.array(dual(layer, q, q, q))
        for ulps in (-3, -1, 1, 3):
            found = np.array(dual(layer, q * (1 + ulps * 2.3e-16), q, q))
            # d log k/d log s is the degree, or a²s; of Gabor's k̇ it is 12 at q = 3.1.
            steep = getattr(layer, "degree", 1) + q * getattr(layer, "frequency", 1) ** 2
            steep = 12 if isinstance(layer, tg.Gabor) else steep
            assert np.allclose(found, exact, rtol=2e-15 * steep, atol=1e-15)


@ids("layer", [a for a in ALL if a.homogeneous], ids=str)
def test_homogeneous_activations_scale(layer):
    for factor in (1e-6, 0.5, 1e4):
        k, k_dot = dual(layer, 0.3, 1.0, 0.8)
        scaled, scaled_dot = dual(layer, 0.3 * factor, factor, 0.8 * factor)
        assert scaled.item() == pytest.approx(factor * k.item(), rel=1e-14)
        assert scaled_dot.item() == pytest.approx(k_dot.item(), rel=1e-14)


def test_a_sign_has_no_gradient_and_its_step_has_an_infinite_one():
    """k̇ of `Sign` is E[σ'(f)σ'(f')] = 0; that of the limit of steep functions is ∂k/∂s."""
    for c in (-0.5, 0.0, 0.3):
        k, k_dot = dual(tg.Sign(), c, 1.0, 1.0)
        same, steep = dual(tg.Activation(np.sign), c, 1.0, 1.0)
        assert k.item() == pytest.approx(same.item(), abs=1e-9)
        assert k.item() == pytest.approx(2 / math.pi * math.asin(c), abs=1e-15)
        assert k_dot.item() == 0
        assert steep.item() == pytest.approx(2 / math.pi / math.sqrt(1 - c * c), rel=1e-6)
    K = tg.NTK("dense sign dense")(np.eye(3))
    assert np.array_equal(K, tg.NNGP("dense sign dense")(np.eye(3)))


@ids("degree", [1, 2, 3, 6])
def test_arc_cosine_kernels_of_any_degree(degree):
    """Cho & Saul 2009, equation (4): J_n by derivatives of (π − θ)/sin θ."""
    layer = tg.RectifiedMonomial(degree, normalized=False)
    for c in (-0.9, 0.1, 0.8):
        with mpmath.workdps(30):
            kernel = lambda x: (mpmath.pi - mpmath.acos(x)) / mpmath.sqrt(1 - x * x)  # noqa: E731
            # (1/sin θ)∂/∂θ = −∂/∂cos θ
            value = mpmath.diff(kernel, mpmath.mpf(c), degree)
            exact = float((1 - mpmath.mpf(c) ** 2) ** (degree + 0.5) * value / (2 * mpmath.pi))
        size = dual(layer, 1.0, 1.0, 1.0)[0].item()
        assert dual(layer, c, 1.0, 1.0)[0].item() == pytest.approx(exact, abs=1e-14 * size)
        scaled = dual(layer, 6 * c, 4.0, 9.0)[0].item()
        assert scaled == pytest.approx(exact * 6.0**degree, abs=1e-13 * size * 6.0**degree)


def test_which_activations_are_homogeneous():
    for layer in ALL:
        piecewise = isinstance(layer, PiecewiseLinear) or layer == tg.RectifiedMonomial(1)
        power = layer == tg.Polynomial(3, normalized=False)
        assert layer.homogeneous == (piecewise or (layer in ON_PATCHES and not power))


@ids("layer", POINTWISE, ids=str)
def test_the_dual_is_symmetric(layer):
    first = np.array(dual(layer, 0.2, 0.5, 2.0))
    assert np.allclose(first, dual(layer, 0.2, 2.0, 0.5), rtol=1e-13)


@ids("q", [1e-14, 1e-9, 1e-4])
@ids("layer", [tg.Sine(normalized=False), tg.Erf(normalized=False)], ids=str)
def test_small_variances_keep_their_digits(layer, q):
    """sin and erf are linear near 0: k ≈ σ'(0)²·s, to full relative precision."""
    s = 0.3 * q
    with mpmath.workdps(40):
        if isinstance(layer, tg.Sine):
            exact = mpmath.exp(-mpmath.mpf(q)) * mpmath.sinh(mpmath.mpf(s))
        else:
            exact = 2 / mpmath.pi * mpmath.asin(2 * mpmath.mpf(s) / (1 + 2 * mpmath.mpf(q)))
        exact = float(exact)
    assert dual(layer, s, q, q)[0].item() == pytest.approx(exact, rel=1e-14)
    assert dual(layer, -s, q, q)[0].item() == pytest.approx(-exact, rel=1e-14)
    assert dual(layer, s, q, q, np.float32)[0].item() == pytest.approx(exact, rel=1e-6)


@ids("layer", ON_PATCHES, ids=str)
def test_kernels_on_patches_have_no_scalar_function(layer):
    with pytest.raises(tg.NetworkError, match=r"has no (scalar function|counterpart of finite)"):
        layer(np.ones(2))


def test_kernels_on_patches_are_their_formula():
    c = np.linspace(-1, 1, 9)
    one = np.ones(9)
    assert np.allclose(tg.Exponential(0.6).dual(c, one, one)[0], np.exp((c - 1) / 0.36))
    assert np.allclose(tg.Polynomial(3).dual(2 * c, one, 4 * one)[0], 2 * c**3)


@ids(
    ("make", "message"),
    [
        (lambda: tg.ReLU(normalized=1), "normalized must be True or False, got 1"),
        (lambda: tg.LeakyReLU("a"), "slope must be a number, got 'a'"),
        (lambda: tg.LeakyReLU(float("nan")), "slope must be finite, got nan"),
        (lambda: tg.Exponential(0), "sigma must be greater than 0, got 0"),
        (lambda: tg.Polynomial(0), "degree must be at least 1, got 0"),
        (lambda: tg.Polynomial(1.5), "degree must be a whole number, got 1.5"),
        (lambda: tg.Hermite(31), "degree must be at most 30, got 31"),
        (lambda: tg.Sine(frequency=-1), "frequency must be greater than 0, got -1"),
        (lambda: tg.Activation("tnah"), "no function is called 'tnah'; known: tanh, sigmoid"),
        (lambda: tg.Sine(phase=1e9), "phase must be at most 1e.06 in size"),
        (lambda: tg.Sine(amplitude=0), "amplitude must be at least 1e-09 in size, got 0"),
        (lambda: tg.Erf(0), "a must be at least 1e-09 in size, got 0"),
        (lambda: tg.ABReLU(0, 0), "a and b must not both be 0"),
        (lambda: tg.Exp(1, 20), "b must be at most 16 in size, got 20"),
        (lambda: tg.Gaussian(1, 0.5), "b must be negative, .* got 0.5"),
        (lambda: tg.RBF(-1), "gamma must be greater than 0, got -1"),
        (lambda: tg.ExpNormalized(60, 1), "must be at most exp.100.; got gamma=60, shift=1"),
        (lambda: tg.Monomial(31), "degree must be at most 30 in size, got 31"),
        (lambda: tg.RectifiedMonomial(0), "degree must be at least 1, got 0"),
        (lambda: tg.PolynomialActivation(3), "coefficients must be 1 to 31 numbers"),
        (lambda: tg.PolynomialActivation((0, 0)), "coefficients must not all be 0"),
        (lambda: tg.PolynomialActivation((0, "a")), r"coefficients.1. must be a number"),
        (lambda: tg.Activation(3), "function must be a name or a callable, got 3"),
    ],
)
def test_bad_options(make, message):
    with pytest.raises(tg.NetworkError, match=message):
        make()


def test_columns_of_tables_and_types():
    pandas = pytest.importorskip("pandas")
    column = pandas.Series([-2.0, 1.0])
    assert np.array_equal(tg.LeakyReLU(0.5)(column), tg.LeakyReLU(0.5)(np.array([-2.0, 1.0])))
    with pytest.raises(tg.NetworkError, match="a function of an array of numbers"):
        tg.GELU()(np.float32)


def test_what_an_activation_is_applied_to():
    assert tg.ReLU(normalized=False)(np.longdouble(0.5)).dtype == np.float64
    assert tg.GELU()(np.ones(2, np.longdouble)).tolist() == tg.GELU()(np.ones(2)).tolist()
    with pytest.raises(tg.NetworkError, match="range of float64, got a whole number of"):
        tg.ReLU()(10**400)
    with pytest.raises(tg.NetworkError, match="must give numbers, got 'text'"):
        tg.Activation(lambda u: "text", normalized=False)(np.ones(3))


@pytest.mark.parametrize("value", [np.complex64(1j), np.timedelta64(1, "s")])
def test_numbers_that_are_not_real_are_no_parameters(value):
    with pytest.raises(tg.NetworkError, match="slope must be a number"):
        tg.LeakyReLU(value)
    with pytest.raises(tg.NetworkError, match="variance must be a number"):
        tg.Activation("tanh").complete_series(value)


def test_tensors_that_an_activation_cannot_take():
    torch = pytest.importorskip("torch")
    with pytest.raises(tg.NetworkError, match="an activation is a function of an array of numbers"):
        tg.ReLU()(torch.ones(2, 2).to_sparse())
    with pytest.raises(tg.NetworkError, match="no error function of complex numbers"):
        tg.GELU()(torch.ones(2, dtype=torch.complex64))
    one = torch.tensor(1.0, requires_grad=True)
    assert tg.Activation("tanh").complete_series(one) == tg.Activation("tanh").complete_series(1.0)
