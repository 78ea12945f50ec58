"""Derivatives of dense kernels at 1: moments of derivatives of activations, Lipschitz constants."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

import tangency as tg
from tangency.bias.jets import gammas, lipschitz_constant

ROOT = math.sqrt(2 * math.pi)


def softplus(u):
    return np.logaddexp(0, u)


def sigmoid(u):
    return 1 / (1 + np.exp(-u))


def expectation(function):
    return quad(lambda t: function(t) ** 2 * math.exp(-t * t / 2) / ROOT, -30, 30, epsabs=1e-13)[0]


def test_softplus_by_its_derivatives():
    derivatives = (softplus, sigmoid, lambda u: sigmoid(u) * sigmoid(-u))
    expected = [expectation(f) for f in derivatives]
    assert np.allclose(gammas(softplus), expected, rtol=1e-9)
    assert np.allclose(gammas("softplus"), expected, rtol=1e-9)
    raw = tg.Activation("softplus", normalized=False)
    assert np.allclose(gammas(raw), expected, rtol=1e-9)
    assert np.allclose(
        gammas(tg.Activation("softplus")), np.array(expected) / expected[0], rtol=1e-9
    )


def test_the_figures_of_the_paper():
    # The softplus of Bietti & Mairal 2019, integrals without the factor 1/√2π of the Gaussian.
    paper = ROOT * gammas(softplus)
    assert np.array_equal(np.round(paper, 2), [2.31, 0.74, 0.11])
    assert math.sqrt(paper[0] + paper[1]) == pytest.approx(1.75, abs=0.01)
    assert math.sqrt(ROOT) * lipschitz_constant(softplus) == pytest.approx(1.75, abs=0.01)
    assert lipschitz_constant(softplus) == pytest.approx(1.1021, abs=1e-4)
    # Theirs of e^{u−2}, here divided by √E[σ(g)²] = 1/e, which leaves e^{u−1}.
    normalised = tg.Activation(lambda u: np.exp(u - 2))
    assert np.allclose(gammas(normalised), 1, rtol=1e-9)
    assert lipschitz_constant(normalised) == pytest.approx(math.sqrt(3), rel=1e-9)
    assert lipschitz_constant(lambda u: np.exp(u - 1)) == pytest.approx(math.sqrt(3), rel=1e-9)
    assert lipschitz_constant(lambda u: np.exp(u - 2)) == pytest.approx(math.sqrt(3) / math.e)


@pytest.mark.parametrize(
    "activation",
    [
        tg.Erf(),
        tg.Erf(normalized=False),
        tg.GELU(),
        tg.Sine(),
        tg.Cosine(frequency=2.0),
        tg.Hermite(3),
        tg.Exponential(0.6),
        tg.Polynomial(3),
        tg.ReLU(),
        tg.LeakyReLU(0.2),
    ],
)
def test_derivatives_of_the_dual(activation):
    one, step = np.asarray(1.0), 1e-5
    k, k_dot = activation.dual(one, one, one)
    found = gammas(activation)
    assert np.allclose(found[:2], [float(k), float(k_dot)], rtol=1e-9)
    slope = (k_dot - activation.dual(one - step, one, one)[1]) / step
    if math.isinf(found[2]):
        assert slope > 20
    else:
        assert found[2] == pytest.approx(float(slope), rel=1e-3)


def test_kinks():
    assert gammas(tg.ReLU(), 4).tolist() == [1, 1, math.inf, math.inf]
    assert gammas(tg.LeakyReLU(1.0)).tolist() == [1, 1, 0]
    assert lipschitz_constant(tg.ReLU()) == math.inf
    with pytest.raises(tg.InputError, match=r"does not settle for j = 0 .* use a closed form"):
        gammas(np.abs)


@pytest.mark.parametrize("function", [np.abs, lambda u: np.sin(60 * u)])
def test_what_does_not_settle_does_not_do_so_in_other_units(function):
    with pytest.raises(tg.InputError, match="does not settle for j = 0"):
        gammas(lambda u: 1e-9 * function(u))


def test_polynomials_end():
    found = gammas(tg.Hermite(1), 30)
    assert found[:2] == pytest.approx([1, 1])
    assert found[2:].tolist() == 28 * [0]
    assert gammas(tg.Monomial(2, normalized=False), 20)[3:].tolist() == 17 * [0]
    assert gammas(tg.PolynomialActivation((3.0,), normalized=False))[1:].tolist() == [0, 0]


@pytest.mark.parametrize("kind", ["ntk", "nngp"])
def test_a_constant_kernel_is_lipschitz_behind_a_kink_too(kind):
    assert lipschitz_constant("dense relu dense hermite0 dense", kind, sphere=True) == 0


def test_deep_networks_as_their_kernel_says():
    angle = 1e-4
    x, y = np.array([[1.0, 0.0]]), np.array([[math.cos(angle), math.sin(angle)]])
    for text in ("dense erf dense", "dense gelu dense sin dense", "dense exp0.7 dense poly2 dense"):
        for kind, kernel in (("ntk", tg.NTK(text)), ("nngp", tg.NNGP(text))):
            ratio = kernel.paired_distance(x, y)[0] / (2 * math.sin(angle / 2))
            constant = lipschitz_constant(text, kind, sphere=True)
            assert ratio == pytest.approx(constant, rel=1e-5)
            assert ratio <= constant


def test_norms_count_off_the_sphere():
    # A linear network: Φ is √2 times the identity.
    linear = "dense leaky1 dense"
    assert lipschitz_constant(linear, sphere=True) == pytest.approx(math.sqrt(2))
    assert lipschitz_constant(linear) == pytest.approx(math.sqrt(2))
    assert lipschitz_constant("dense relu dense relu dense", "nngp") == 1
    flat = tg.Activation(softplus, normalized=False)
    assert lipschitz_constant(flat) > lipschitz_constant(flat, sphere=True)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("dense:b=1 relu dense", "holds Dense\\(bias_std=1"),
        ("conv3 relu gap dense", "holds Conv"),
        ("dense erf:raw dense erf dense", "gets inputs of variance 0.46"),
    ],
)
def test_what_has_no_known_constant(network, message):
    with pytest.raises(tg.InputError, match=message):
        lipschitz_constant(network)
    with pytest.raises(tg.InputError, match="kind must be ntk or nngp"):
        lipschitz_constant("dense relu dense", "both")


def test_a_kernel_is_no_activation():
    with pytest.raises(ValueError, match="an activation must be a function of numbers, one by one"):
        gammas(tg.NTK("dense relu dense"), 2)


def test_a_kernel_is_no_network_but_has_one():
    with pytest.raises(ValueError, match=r"got NTK\(.*; pass its network, .net"):
        lipschitz_constant(tg.NTK("dense relu dense"))
