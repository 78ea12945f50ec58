"""Distances of inputs that nearly coincide, against loops in 70 digits."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tangency as tg
from cases import activations, each
from precise import distance
from strategies import networks
from tangency.engines import pairs
from tangency.engines.engine import Computing
from tangency.engines.extended import differences
from tangency.nets.plan import plan

KINDS = ("nngp", "ntk")


def neighbours(shape, size, seed=0):
    """An input and another at the given relative distance."""
    rng = np.random.default_rng(seed)
    x, d = rng.normal(size=shape), rng.normal(size=shape)
    return x, x + size * np.linalg.norm(x) / np.linalg.norm(d) * d


def error(text, shape, size, tangent, normalize=False, seed=0):
    """Relative errors of the distance, with 32 digits and in float64."""
    net = tg.parse(text)
    x, y = neighbours(shape, size, seed)
    true, _ = distance(net, x, y, tangent, normalize)
    steps = plan(net, shape)
    found = differences(steps, x[None], y[None], kind=KINDS[tangent], normalize=normalize)
    plain = pairs.pairs(
        steps, x[None], y[None], kind=KINDS[tangent], computing=Computing("reference")
    )
    values = [np.sqrt(d.squared[0]) for d in (found, pairs.differences(plain, normalize))]
    return [abs(float(v / true - 1)) for v in values]


@pytest.mark.parametrize("tangent", [False, True])
@pytest.mark.parametrize("activation", activations("extended"))
def test_every_activation_at_1e_10(activation, tangent):
    precise, plain = error(f"dense {activation} dense", (3,), 1e-10, tangent)
    assert precise < 1e-9
    assert plain > 1e-3


@pytest.mark.parametrize("tangent", [False, True])
@each("extended_rows")
def test_dense_networks_at_1e_10(shape, text, tangent):
    precise, plain = error(text, shape, 1e-10, tangent)
    assert precise < 1e-9
    assert plain > 1e-3


@pytest.mark.parametrize("tangent", [False, True])
@each("extended")
def test_networks_on_grids_at_1e_6(text, shape, tangent):
    precise, plain = error(text, shape, 1e-6, tangent)
    assert precise < 1e-12
    assert plain > 1e-8


@pytest.mark.parametrize("tangent", [False, True])
def test_normalised_kernels(tangent):
    precise, plain = error("dense:b=0.5 relu dense", (3,), 1e-9, tangent, normalize=True)
    assert precise < 1e-9
    assert plain > 1e-4


@pytest.mark.slow
@settings(max_examples=20)
@given(networks(), st.floats(-6, 0), st.booleans(), st.integers(0, 99))
def test_any_network(case, size, tangent, seed):
    net, shape = case
    assume(int(np.prod(shape[:-1])) <= 6)
    x, y = neighbours(shape, 10**size, seed)
    true, relative = distance(net, x, y, tangent)
    assume(true > 0)
    found = differences(plan(net, shape), x[None], y[None], kind=KINDS[tangent])
    # What rounding with 32 digits leaves of a difference so small against the values.
    assert abs(float(np.sqrt(found.squared[0]) / true - 1)) < 1e-9 + 1e-28 / float(relative)


def test_sizes_and_gaps():
    x, y = (z[None] for z in neighbours((3,), 1e-9))
    found = differences(plan(tg.parse("dense relu dense"), (3,)), x, y, kind="ntk")
    step = y - x
    assert np.allclose(found.gap, -2 * np.sum(step * (x + y)), rtol=1e-6)
    assert np.allclose(found.total, 2 * np.sum(x * x + y * y), rtol=1e-14)


def test_pairs_in_chunks_and_threads_give_the_same_bits(monkeypatch):
    from tangency.engines.extended import pairs as driver

    rng = np.random.default_rng(0)
    x = rng.normal(size=(9, 4, 4, 1))
    y = x + 1e-7 * rng.normal(size=x.shape)
    steps = plan(tg.parse("conv3 relu gap dense"), (4, 4, 1))
    whole = differences(steps, x, y, kind="ntk", n_jobs=1)
    monkeypatch.setattr(driver, "_CHUNK", 1)
    monkeypatch.setattr(driver, "threads", lambda jobs: 3)
    for a, b in zip(whole, differences(steps, x, y, kind="ntk"), strict=True):
        assert np.array_equal(a, b)


def softplus(u):
    return np.logaddexp(0, u)


@pytest.mark.parametrize("function", ["tanh", "softplus", "silu", "gaussian", "sigmoid"])
def test_functions_known_by_name_keep_all_digits(function):
    net = tg.Sequential(tg.Dense(), tg.Activation(function), tg.Dense())
    ratios = []
    for size in (2.0**-14, 2.0**-34):
        x = np.array([[1.0, 0.5, -0.25]])
        y = x + size * np.array([[0.0, 1.0, 0.5]])
        found = differences(plan(net, (3,)), x, y, kind="ntk")
        ratios.append(np.sqrt(found.squared[0]) / size)
    # The feature map is differentiable: the ratio settles to its derivative, up to the step.
    assert abs(ratios[0] / ratios[1] - 1) < 1e-3


def test_a_function_of_the_users_runs_in_float64():
    net = tg.Sequential(tg.Dense(), tg.Activation(softplus), tg.Dense())
    named = tg.Sequential(tg.Dense(), tg.Activation("softplus"), tg.Dense())
    x, y = (z[None] for z in neighbours((3,), 1e-7))
    found, true = (differences(plan(n, (3,)), x, y, kind="ntk") for n in (net, named))
    assert np.allclose(found.squared, true.squared, rtol=1e-6)
