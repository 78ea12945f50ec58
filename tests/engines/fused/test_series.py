"""Activations by quadrature in the fused engine: series with tables, against the reference."""

import numpy as np
import pytest

import oracle
import tangency as tg
from tangency.engines.fused import series
from tangency.engines.fused.fitting import fit
from tangency.engines.prepared import Prepared
from tangency.nets.plan import plan

FUSED = {"engine": "fused"}


def inputs(shape, size=1.0, seed=0):
    """Directions apart, near, equal, opposite, of other sizes, and zero."""
    x = np.random.default_rng(seed).normal(size=(5, *shape))
    x /= np.sqrt(np.sum(x**2, axis=tuple(range(1, x.ndim)), keepdims=True))
    return size * np.concatenate([x, x[:1] * (1 + 1e-9), -x[1:2], x[2:3] / 30, 0 * x[:1]])


def error(found, exact, one, two):
    return np.max(np.abs(found - exact) / np.sqrt(np.outer(one, two) + 1e-300))


def check(net, x, y, bound):
    exact, found = oracle.gram(net, x, y), tg.gram(net, x, y, **FUSED)
    for name in ("nngp", "ntk"):
        ends = [np.diag(getattr(oracle.gram(net, z), name)) for z in (x, y)]
        assert error(getattr(found, name), getattr(exact, name), *ends) < bound, name


@pytest.mark.parametrize("size", [1e-6, 0.1, 0.7])
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "silu", "gaussian"])
def test_one_layer_against_the_reference(name, size):
    x, y = inputs((4,), size), inputs((4,), 0.9 * size, 1)
    y[0] = x[0]
    check(f"dense {name} dense:b=0.1", x, y, 1e-11)
    single = [z.astype(np.float32) for z in (x, y)]
    check(f"dense {name} dense:b=0.1", *single, 3e-6)


def test_depth_grids_and_other_activations():
    x = inputs((4, 3, 2), 2.0)
    check("conv3 silu gauss2 conv3:b=0.1 softplus gap dense tanh dense", x, x[:3], 1e-11)
    x = inputs((5,), 0.8)
    check("dense sigmoid dense monomial2 dense erf dense silu dense", x, x[:3], 1e-11)


def test_equal_inputs_and_the_diagonal_have_the_same_bits():
    x = inputs((4,))
    kernel = tg.NTK("dense silu dense", **FUSED)
    assert np.array_equal(np.diag(kernel(x)), kernel.diag(x))
    assert np.array_equal(kernel(x), kernel(x).T)


def test_a_dual_of_the_users_own_is_not_taken_for_that_of_the_function():
    class Mine(tg.Activation):
        def dual(self, s, q1, q2):
            return tg.ReLU().dual(s, q1, q2)

    x, net = inputs((4,)), tg.Sequential(tg.Dense(), Mine("tanh"), tg.Dense())
    assert tg.explain(net, x).startswith("engine: reference")
    np.testing.assert_allclose(tg.NTK(net)(x), tg.NTK("dense relu dense")(x), rtol=0, atol=1e-14)


def test_a_function_of_the_users_own():
    def bump(u):
        return np.exp(-u * u / 3) * (1 + u)

    x = inputs((4,))
    net = tg.Sequential(tg.Dense(), tg.Activation(bump), tg.Dense())
    check(net, x, x[:3], 1e-11)
    assert tg.explain(net, x).startswith("engine: fused")


def test_as_many_terms_as_variances_need_and_the_reference_beyond():
    net, degrees = plan(tg.parse("dense tanh dense"), (4,)), []
    for size in (0.05, 0.5, 1.0):
        (found,) = fit(net, [Prepared(inputs((4,), size))]).values()
        degrees.append(found.degree)
    assert degrees == sorted(degrees)
    assert len(set(degrees)) == 3
    assert fit(net, [Prepared(inputs((4,), 30.0))]) is None
    # of several sets the larger variances count
    assert fit(net, [Prepared(inputs((4,), 0.05)), Prepared(inputs((4,), 30.0))]) is None
    x = inputs((4,), 30.0)
    found, exact = tg.gram("dense tanh dense", x, **FUSED), oracle.gram("dense tanh dense", x)
    for one, two in zip(found, exact, strict=True):
        assert np.array_equal(one, two)
    assert np.array_equal(tg.NTK("dense tanh dense", **FUSED).diag(x), np.diag(found.ntk))


def test_what_explain_says():
    x = inputs((4,))
    text = tg.explain("dense tanh dense", x)
    assert "tables: series of activation:function=tanh to degree" in text
    assert "tables: none, as no series" in tg.explain("dense tanh dense", 30 * x)
    assert "tables" not in tg.explain("dense relu dense", x)
    text = tg.explain("dense elu dense", x)
    assert "elu is computed by quadrature, as its series converges too slowly" in text


@pytest.mark.parametrize("function", [np.abs, np.sign, lambda u: u**3, "elu"])
def test_functions_without_a_short_series(function):
    assert series.slow(tg.Activation(function)) is not None


@pytest.mark.parametrize(("name", "step"), [("tanh", 2), ("sigmoid", 2), ("silu", 3)])
def test_powers_that_are_not_there_are_left_out(name, step):
    activation = tg.Activation(name)
    head = series.Tabulated(activation, 64).compiled[1:3]
    assert head == (33 if step == 2 else 34, step)


def test_tables_hold_the_coefficients_of_quadrature():
    """b_j between the nodes of an octave, and what is left out, by 512 terms in plain NumPy."""
    activation, q = tg.Activation("silu"), 0.77
    rows = tg.nets.Activation("silu").series(60).coefficients(np.array([q]))[:, 0]
    table = series._expansion(activation)
    x = (2 * np.sqrt(q) - np.sqrt(0.5) - 1) / (1 - np.sqrt(0.5))
    found = table.coefficients[-table.first] @ x ** np.arange(16)
    expected = rows / np.where(np.arange(61) > 0, np.sqrt(q), 1)
    np.testing.assert_allclose(found[:61], expected, atol=1e-14)
    beyond = [np.sum(rows[d + 1 :] ** 2) / np.sum(rows**2) for d in (8, 16)]
    left = table.left[-table.first]
    assert np.all(left[[0, 2], 0] > beyond)
    assert np.all(left[[0, 2], 0] < 100 * np.array(beyond))
