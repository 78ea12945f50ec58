"""Facts of activations: stated for a formula, or not known; never guessed from a base class."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

import tangency as tg
from tangency.bias import lipschitz_constant, spectrum
from tangency.bias.multiprecision import supported
from tangency.engines.fused.engine import uncovered
from tangency.engines.rounding import near
from tangency.nets import facts
from tangency.nets.activations import ActivationLayer, PiecewiseLinear
from tangency.nets.plan import plan

X = np.random.default_rng(0).normal(size=(3, 5))


@dataclass(frozen=True, repr=False)
class Copy(ActivationLayer):
    """A ReLU under another name, of which nothing is stated."""

    def dual(self, s, q1, q2):
        return tg.ReLU().dual(s, q1, q2)

    def __call__(self, u):
        return tg.ReLU()(u)


@dataclass(frozen=True, repr=False)
class Stated(Copy):
    edge = 1.5
    steepness = tg.nets.Steepness(k_dot=math.inf)

    def dual(self, s, q1, q2):
        return tg.ReLU().dual(s, q1, q2)


@dataclass(frozen=True, repr=False)
class Bent(tg.Erf):
    """Inherits the facts of erf, and has another formula."""

    def dual(self, s, q1, q2):
        return tg.ReLU().dual(s, q1, q2)


@dataclass(frozen=True, repr=False)
class Slanted(tg.LeakyReLU):
    """Only a parameter of its own: the formula, and so its facts, are those of the base."""

    def _parts(self):
        return 1.0, self.slope


def sandwich(layer):
    return tg.Sequential(tg.Dense(), layer, tg.Dense())


BUILT_IN = [
    tg.ReLU(), tg.LeakyReLU(0.1), tg.Abs(), tg.Erf(), tg.GELU(), tg.Sine(frequency=2.0),
    tg.Cosine(), tg.Exponential(0.5), tg.Polynomial(2), tg.Hermite(3), tg.ABReLU(0.5, 2.0),
    tg.SigmoidLike(), tg.RBF(), tg.Exp(), tg.Gaussian(), tg.Gabor(), tg.Monomial(3),
    tg.PolynomialActivation((1, 2, 3)), tg.ExpNormalized(),
]  # fmt: skip


@pytest.mark.parametrize("layer", BUILT_IN, ids=str)
def test_every_activation_states_its_facts(layer):
    assert facts.edge(layer) == (1.5 if isinstance(layer, PiecewiseLinear) else math.inf)
    assert isinstance(facts.steepness(layer), tg.nets.Steepness)
    assert facts.smooth(layer) is not isinstance(layer, PiecewiseLinear)


def test_a_fact_counts_for_the_formula_it_was_stated_with():
    assert facts.edge(Copy()) is facts.steepness(Copy()) is None
    assert facts.edge(Bent()) is facts.steepness(Bent()) is None
    assert facts.edge(Stated()) == 1.5
    assert facts.edge(Slanted(0.5)) == 1.5
    assert facts.edge(tg.LeakyReLU(1.0)) == math.inf
    assert not facts.smooth(Copy())
    assert facts.compiled(Slanted(0.5))[0] == "piecewise"
    assert facts.compiled(Bent()) is None
    assert not facts.stated(Copy(), "homogeneous")


@pytest.mark.parametrize("kernel", [tg.NTK, tg.NNGP])
@pytest.mark.parametrize("layer", [Copy(), Stated(), Bent()], ids=["copy", "stated", "bent"])
def test_distances_of_a_copy_are_those_of_the_original(kernel, layer):
    for size in (1e-7, 1e-5, 1e-3, 1e-2):
        y = X + size * np.random.default_rng(1).normal(size=X.shape)
        expected = kernel("dense relu dense").paired_distance(X, y)
        assert np.allclose(kernel(sandwich(layer)).paired_distance(X, y), expected, rtol=1e-6)


def test_what_is_not_stated_is_computed_with_the_most_care():
    limits = [near(plan(sandwich(a), (5,)), "ntk", 1e-6) for a in (Copy(), tg.ReLU(), tg.Sine())]
    assert limits == pytest.approx([1e-2, 1e-4, 1e-8])


def test_laws_are_known_where_they_are_stated():
    for kind, expected in ((tg.NTK, -4.0), (tg.NNGP, -6.0)):
        assert spectrum(kind("dense relu dense"), dim=4, degree=4).law == expected
        assert spectrum(kind(sandwich(Stated())), dim=4, degree=4).law == expected
        for layer in (Copy(), Bent()):
            found = spectrum(kind(sandwich(layer)), dim=4, degree=4)
            assert found.law is None
            assert "exponential" not in found.summary


def test_no_interpreter_takes_a_layer_for_its_base():
    for layer in (Copy(), Bent()):
        net = sandwich(layer)
        assert uncovered(plan(net, (5,))) == f"{layer} has no compiled dual"
        assert not supported(layer)
        assert not facts.smooth(layer)
        assert np.allclose(tg.NTK(net)(X), tg.NTK("dense relu dense")(X), rtol=1e-13)
    assert supported(Slanted(0.5))
    assert uncovered(plan(sandwich(Slanted(0.5)), (5,))) is None
    # E[σ'²] of the ReLU that it is, not of the erf that it inherits from
    assert lipschitz_constant(tg.Erf(), "nngp") != lipschitz_constant("dense relu dense", "nngp")

    class Rough(tg.Sine):
        def __call__(self, u):
            return np.sign(u)

    assert facts.derivative(tg.Sine()) is not None
    assert facts.derivative(Rough()) is None


def test_what_a_class_does_not_have_is_refused_by_name():
    class Empty(ActivationLayer):
        pass

    with pytest.raises(tg.NetworkError, match=r"Empty has no dual.*define dual\(self, s, q1, q2\)"):
        tg.NTK(sandwich(Empty()))(X)
    with pytest.raises(tg.NetworkError, match=r"Empty has no scalar function.*define __call__"):
        Empty()(X)
