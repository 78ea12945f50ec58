"""The compiled scalar functions against 40 digits, and against the duals of the networks."""

import math

import mpmath
import numpy as np
import pytest
from numba import njit

import tangency as tg
from tangency.engines.fused import expanded, scalars
from tangency.engines.fused.activations import kind_and_parameters
from tangency.engines.fused.elementwise import elementwise_row
from tangency.engines.fused.polynomials import A32, A64, P32, P64, R32, R64

Q = np.array([0.0, 1e-12, 1e-4, 0.3, 1.0, 7.0, 300.0])
C = np.array([-1.0, -1 + 1e-9, -0.97, -0.5, -1e-7, 0.0, 1e-9, 0.3, 0.9, 0.91, 1 - 1e-7, 1.0])

ACTIVATIONS = [
    tg.ReLU(),
    tg.ReLU(normalized=False),
    tg.LeakyReLU(0.2),
    tg.LeakyReLU(-0.5, normalized=False),
    tg.Abs(),
    tg.Erf(),
    tg.Erf(normalized=False),
    tg.GELU(),
    tg.GELU(normalized=False),
    tg.Sine(frequency=0.5),
    tg.Sine(normalized=False),
    tg.Cosine(frequency=2),
    tg.Exponential(0.6),
    tg.Polynomial(1),
    tg.Polynomial(4),
    tg.Hermite(0),
    tg.Hermite(1),
    tg.Hermite(4, normalized=False),
    tg.Hermite(5),
    tg.ABReLU(-0.3, 1.2),
    tg.Erf(0.8, 1.2, 0.1, normalized=False),
    tg.SigmoidLike(),
    tg.Sine(frequency=0.8, amplitude=1.1, phase=0.3),
    tg.Cosine(phase=-0.4, normalized=False),
    tg.RBF(0.3),
    tg.Gaussian(0.9, -0.6, normalized=False),
    tg.Gabor(),
    tg.ExpNormalized(1.3, 0.2),
    tg.Polynomial(3, normalized=False),
    tg.RectifiedMonomial(1),
    tg.RectifiedMonomial(2),
    tg.RectifiedMonomial(5, normalized=False),
    tg.Sign(),
    tg.Monomial(0),
    tg.Monomial(3),
    tg.PolynomialActivation((0.2, 1.0, -0.5, 0.1)),
]


def polynomial(coefficients, z):
    return sum(mpmath.mpf(c) * z**k for k, c in enumerate(coefficients))


@pytest.mark.parametrize(("p", "r", "bound"), [(P32, R32, 1.25e-7), (P64, R64, 1e-15)])
def test_polynomials_against_40_digits(p, r, bound):
    """Errors relative to the value, over the whole interval."""
    with mpmath.workdps(40):
        for k in range(1, 201):
            z = mpmath.mpf(k) / 200
            c, root = 1 - z, mpmath.sqrt(z)
            angle = mpmath.acos(c)
            exact = angle / (mpmath.pi * root)
            assert abs(polynomial(p, z) / exact - 1) < bound
            exact = (mpmath.sqrt(1 - c * c) - c * angle) / (mpmath.pi * z * root)
            assert abs(polynomial(r, z) / exact - 1) < bound


@njit
def call_arcs(z):
    return scalars.arcs(z)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arcs(dtype):
    eps = np.finfo(dtype).eps
    for z in map(dtype, [0.0, 3.9 * eps, 4.1 * eps, 1e-5, 0.01, 0.5, 0.99, 1.0]):
        g, h = call_arcs(z)
        assert isinstance(g, float) or g.dtype == dtype
        exact_z = mpmath.mpf(float(z)) if z >= 4 * eps else mpmath.mpf(0)
        with mpmath.workdps(90):
            c = 1 - exact_z
            angle = mpmath.acos(c)
            assert abs(float(g) - float(angle / mpmath.pi)) <= 2 * eps
            rest = (mpmath.sqrt(1 - c * c) - c * angle) / mpmath.pi
            assert abs(float(h) - float(rest)) <= 4 * eps * float(rest)


@pytest.mark.parametrize(("a", "bound"), [(A32, 1e-9), (A64, 1e-17)])
def test_arctan_of_40_digits(a, bound):
    with mpmath.workdps(40):
        for k in range(1, 201):
            t = mpmath.tan(mpmath.pi / 8) * k / 200
            assert abs(polynomial(a, t * t) * t / mpmath.atan(t) - 1) < bound


@njit
def call_arctan(y, x):
    return scalars.arctan(y, x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arctan(dtype):
    eps, tiny = np.finfo(dtype).eps, 1e-30
    for y in map(dtype, [0.0, tiny, 1e-5, 0.41, 0.42, 0.99, 1.0, 1.01, 2.4, 2.5, 1e5, 1e30]):
        for x in map(dtype, [tiny, 1.0, 1e5]):
            exact = math.atan2(float(y), float(x))
            for sign in (1, -1):
                found = call_arctan(dtype(sign) * y, x)
                assert abs(float(found) - sign * exact) <= 2 * eps * exact


@njit
def call_prepare(kind, q, tiny, p, part):
    return expanded.prepare_part(kind, q, tiny, p, 0, part)


def compiled(layer, s, q1, q2, dtype):
    """(k, k̇) of arrays (n,) by the compiled loops."""
    kind, parameters = kind_and_parameters(layer)
    tiny = np.finfo(dtype).smallest_normal
    p, n = np.array(parameters, dtype=dtype), len(s)
    pairs = expanded.series_blocks(p, 0) if kind == scalars.SERIES else 1
    # All u, one pair after the other, and then all v.
    a, b = (
        np.array(
            [[call_prepare(kind, q, tiny, p, part) for q in variances] for part in range(pairs)]
        )
        .astype(dtype)
        .transpose(2, 0, 1)
        .ravel()
        for variances in (q1, q2)
    )
    k, slope = s.copy(), np.ones_like(s)
    elementwise_row(kind, k, 0, slope, 0, a, 0, b, 0, n * pairs, n, p, 0, True, n)
    return k, slope


def grid(dtype):
    c, q1, q2 = (z.ravel().astype(dtype) for z in np.meshgrid(C, Q, Q, indexing="ij"))
    limit = np.sqrt(q1) * np.sqrt(q2)
    return np.where(np.abs(c) == 1, np.sign(c) * limit, c * limit).astype(dtype), q1, q2


@pytest.mark.slow
@pytest.mark.parametrize("layer", ACTIVATIONS, ids=str)
def test_duals_over_a_grid(layer):
    s, q1, q2 = grid(np.float64)
    found = compiled(layer, s, q1, q2, np.float64)
    exact = layer.dual(s, q1, q2)
    sizes = [layer.dual(q, q, q) for q in (q1, q2)]
    scale = np.sqrt(np.abs(sizes[0][0] * sizes[1][0]))
    assert np.all(np.isfinite(found))
    # Near c = ±1 the slope of k̇, or of k with a jump, is that of arccos.
    norm = np.sqrt(q1 * q2)
    gap = 1 - np.minimum(np.abs(s) / np.where(norm > 0, norm, 1), 1)
    steep = 4e-16 / np.sqrt(np.maximum(gap, 1e-15))
    # cos of large arguments: e^{−a²q} loses a²q units in the last place.
    bound = 3e-13 + steep * isinstance(layer, tg.Sign)
    assert np.max(np.abs(found[0] - exact[0]) - bound * scale) <= 1e-300
    largest = max(1, np.max(np.abs(exact[1])))
    assert np.max(np.abs(found[1] - exact[1]) / (3e-14 + steep)) <= largest


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=str)
def test_duals_in_single_precision(layer):
    s, q1, q2 = grid(np.float32)
    keep = (np.abs(s) < 0.999 * np.sqrt(q1 * q2)) & (np.maximum(q1, q2) < 10)
    s, q1, q2 = s[keep], q1[keep], q2[keep]
    found = compiled(layer, s, q1, q2, np.float32)
    assert found[0].dtype == found[1].dtype == np.float32
    exact = layer.dual(*(z.astype(float) for z in (s, q1, q2)))
    sizes = [layer.dual(*(q.astype(float),) * 3) for q in (q1, q2)]
    scale = np.sqrt(np.abs(sizes[0][0] * sizes[1][0]))
    assert np.max(np.abs(found[0] - exact[0]) - 1e-5 * scale) <= 1e-30
    assert np.max(np.abs(found[1] - exact[1])) <= 1e-5 * max(1, np.max(np.abs(exact[1])))


def test_identical_inputs_have_the_exact_value():
    """c = 1 to the last bit for every activation that depends on the angle."""
    q = np.geomspace(1e-3, 1e3, 50).astype(np.float32)
    for layer in (tg.ReLU(), tg.Abs(), tg.Exponential(0.3), tg.Polynomial(20)):
        k, slope = compiled(layer, q.copy(), q, q, np.float32)
        assert np.max(np.abs(k / q - 1)) <= 4 * np.finfo(np.float32).eps
        end = layer.dual(*[np.ones(1)] * 3)[1][0]
        assert np.max(np.abs(slope / end - 1)) <= 2 * np.finfo(np.float32).eps


def test_small_variances_keep_their_digits():
    """Duals of odd functions vanish with s: their errors must too."""
    s = np.array([1e-9, -1e-12, 1e-20, 0.0])
    q = np.full(4, 1e-8)
    for layer in (tg.Erf(), tg.Sine(), tg.Sine(frequency=3)):
        k, _ = compiled(layer, s, q, q, np.float64)
        exact = layer.dual(s, q, q)[0]
        assert np.all(np.abs(k - exact) <= 1e-14 * np.abs(exact))
