"""Activations by quadrature against closed forms, and the error they say they have."""

import numpy as np
import pytest

import tangency as tg
from tangency.nets.quadrature import FUNCTIONS


def erf(u):
    from scipy.special import erf as function

    return function(u)


def grids(q1, q2):
    c = np.linspace(-1, 1, 21)
    return c * np.sqrt(q1 * q2), np.full(21, q1), np.full(21, q2)


@pytest.mark.parametrize(
    ("function", "exact"),
    [
        (np.sin, tg.Sine()),
        (np.cos, tg.Cosine()),
        (erf, tg.Erf()),
        (lambda u: u**3 - 3 * u, tg.Hermite(3)),
    ],
    ids=["sin", "cos", "erf", "hermite3"],
)
@pytest.mark.parametrize(("q1", "q2"), [(1.0, 1.0), (0.3, 1.5)])
def test_smooth_functions_agree_with_their_closed_forms(function, exact, q1, q2):
    found = tg.Activation(function).dual(*grids(q1, q2))
    for ours, true in zip(found, exact.dual(*grids(q1, q2)), strict=True):
        assert np.max(np.abs(ours - true)) < 1e-7 * np.max(np.abs(true))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_measured_error_bounds_the_true_one(name):
    """Against the dual with twice the degree; the error at c = 1 bounds those at other c."""
    layer, finer = tg.Activation(name, 60), tg.Activation(name, 250)
    claimed = layer.quadrature_error((1.0,))
    for ours, true in zip(layer.dual(*grids(1.0, 1.0)), finer.dual(*grids(1.0, 1.0)), strict=True):
        # Its own differences of σ are good to about 1e-8.
        assert np.max(np.abs(ours - true)) <= (1.1 * claimed + 1e-8) * np.max(np.abs(true))


def test_the_measured_error_falls_with_the_degree_and_is_large_at_a_kink():
    errors = [tg.Activation("tanh", d).quadrature_error((1.0,)) for d in (10, 20, 40)]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
    kink = tg.Activation(lambda u: np.where(u > 0, u, 0 * u))
    assert kink.quadrature_error((1.0,)) > 1e-4


def test_the_summary_says_the_measured_error():
    layer = tg.Activation("tanh")
    text = tg.Sequential(tg.Dense(), layer, tg.Dense()).summary((3,))
    expected = "activation:function=tanh: quadrature, measured error "
    assert expected + f"{layer.quadrature_error():.1e}" in text


def test_an_activation_without_a_second_moment_is_refused():
    zero = tg.Sequential(tg.Dense(), tg.Activation(lambda u: 0 * u), tg.Dense())
    with pytest.raises(tg.NetworkError, match=r"E\[σ\(g\)²\] = 0.0; it must be finite and"):
        tg.NNGP(zero)(np.ones((1, 2)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpy_and_torch_compute_the_same_function(name):
    torch = pytest.importorskip("torch")
    u = np.linspace(-30, 30, 101)
    layer = tg.Activation(name)
    assert np.allclose(layer(torch.tensor(u)).numpy(), layer(u), rtol=1e-14, atol=1e-14)
