from __future__ import annotations

import numpy as np
import pytest
from mpmath import mp, mpf

import naive
import tangency as tg
from tangency.bias.multiprecision import Multiprecision, multiprecision_dual, supported
from tangency.nets.activations import ActivationLayer

LAYERS = [
    tg.ReLU(),
    tg.ReLU(normalized=False),
    tg.LeakyReLU(0.1),
    tg.LeakyReLU(-0.5, normalized=False),
    tg.Abs(),
    tg.Erf(),
    tg.Erf(normalized=False),
    tg.GELU(),
    tg.Sine(),
    tg.Sine(frequency=2.0, normalized=False),
    tg.Cosine(frequency=0.5),
    tg.Hermite(3),
    tg.Hermite(4, normalized=False),
    tg.Exponential(0.6),
    tg.Polynomial(1),
    tg.Polynomial(4),
    tg.Activation("tanh"),
    tg.ABReLU(-0.25, 1.5),
    tg.Erf(0.5, 1.25, 0.125),
    tg.SigmoidLike(),
    tg.Sine(frequency=0.75, amplitude=1.5, phase=0.25, normalized=False),
    tg.Cosine(phase=0.5),
    tg.RBF(0.75),
    tg.Exp(0.5, 0.75),
    tg.Gaussian(2.0, -0.5),
    tg.Gabor(),
    tg.Monomial(3),
    tg.PolynomialActivation((0.25, 1.0, -0.5)),
    tg.RectifiedMonomial(1),
    tg.RectifiedMonomial(3),
    tg.Sign(),
    tg.ExpNormalized(1.25, -0.5),
    tg.Polynomial(3, normalized=False),
]
COSINES = np.array([-1.0, -0.99, -0.5, 0.0, 0.25, 0.875, 1.0])


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
@pytest.mark.parametrize("q", [0.0, 0.25, 1.0, 2.5])
def test_duals_agree_with_those_of_the_layers(layer, q):
    context = Multiprecision(200)
    s = q * COSINES
    extended = np.array([context.number(x) for x in s], dtype=object)
    k, k_dot = multiprecision_dual(layer, extended, context.number(q), context)
    variance = np.full(len(s), q)
    true, true_dot = layer.dual(s, variance, variance)
    np.testing.assert_allclose(k.astype(float), true, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(k_dot.astype(float), true_dot, rtol=1e-13, atol=1e-14)


# Two float64 constants enter LeakyReLU(0.1); where they are exact, its digits can be seen.
# `naive` knows no amplitude, phase or constant, nor powers that are not divided by norms.
OTHERS = {tg.LeakyReLU(0.1), *LAYERS[LAYERS.index(tg.ABReLU(-0.25, 1.5)) :]}
EXACT = [x for x in LAYERS if type(x).__name__ in naive.DUALS and x not in OTHERS]


@pytest.mark.parametrize("layer", EXACT, ids=repr)
def test_duals_hold_their_digits(layer):
    context = Multiprecision(200)
    # away from the ends, whose rounding in 53 bits has nothing to do with the formulas
    s, q = [-0.7, 0.0, 0.3, 0.9], 1.25
    extended = np.array([context.number(x) for x in s], dtype=object)
    found = multiprecision_dual(layer, extended, context.number(q), context)
    scale = None
    with mp.workdps(50):
        for i, x in enumerate(s):
            true = naive.DUALS[type(layer).__name__](layer, mpf(x), mpf(q), mpf(q))
            for ours, theirs in zip(found, true, strict=True):
                # the normalisation is a float64 constant, common to all values
                if theirs == 0:
                    assert abs(ours[i]) < 1e-45
                    continue
                ratio = mpf(ours[i]) / theirs
                scale = ratio if scale is None else scale
                assert abs(ratio / scale - 1) < 1e-45
        assert abs(scale - 1) < 4e-16


def test_every_activation_of_the_library_has_a_dual_here():
    def kinds(cls):
        for sub in cls.__subclasses__():
            yield sub
            yield from kinds(sub)

    public = {
        kind
        for kind in kinds(ActivationLayer)
        if kind.token and kind.__module__.startswith("tangency.nets")
    }
    assert public == {type(layer) for layer in LAYERS}
    assert all(map(supported, LAYERS))


def test_an_unknown_activation_is_not_supported():
    class Mystery(ActivationLayer):
        pass

    assert not supported(Mystery())


def test_the_context_is_its_own():
    before = mp.prec
    context = Multiprecision(333)
    assert context.prec == 333
    assert mp.prec == before
