"""Inputs taken two by two: the same numbers as the matrix of all pairs gives."""

import numpy as np
import pytest
from hypothesis import given, settings

import tangency as tg
from strategies import inputs, networks
from tangency.engines import pairs
from tangency.engines.engine import Computing
from tangency.engines.pairs import Pairs, differences
from tangency.nets.plan import plan

KINDS = ("nngp", "ntk")


@settings(max_examples=20)
@given(networks())
def test_rows_of_the_matrix(case):
    net, shape = case
    x, y = inputs(shape, 7, 0), inputs(shape, 7, 1)
    x[5], y[6] = x[4], x[6]
    for tangent, matrix in enumerate(tg.gram(net, x, y, engine="reference")):
        how = Computing("reference")
        found = pairs.pairs(plan(net, shape), x, y, kind=KINDS[tangent], computing=how)
        kernel = (tg.NNGP, tg.NTK)[tangent](net, engine="reference")
        size = np.sqrt(kernel.diag(x) * kernel.diag(y)) + 1e-300
        # Correlations near ±1 keep half of the digits in the NTK.
        assert np.all(np.abs(found.cross - np.diag(matrix)) <= 1e-6 * size)
        assert np.allclose(found.first, kernel.diag(x), rtol=1e-12)
        assert np.allclose(found.second, kernel.diag(y), rtol=1e-12)


@pytest.mark.parametrize("engine", ["auto", "fused", "reference"])
@pytest.mark.parametrize("shape", [(5,), (6, 6, 1), (16, 16, 1)])
def test_engines_agree_whether_or_not_inputs_repeat(engine, shape):
    net = tg.parse(
        "dense relu dense" if len(shape) == 1 else "conv3 relu avg2 conv3 relu gap dense"
    )
    rng = np.random.default_rng(0)
    count = 6 if len(shape) == 3 and shape[0] == 16 else 18
    y = rng.normal(size=(count, *shape))
    few = np.repeat(rng.normal(size=(2, *shape)), count // 2, axis=0)
    for x in (rng.normal(size=y.shape), few):
        found = pairs.pairs(plan(net, shape), x, y, kind="ntk", computing=Computing(engine))
        kernel = tg.NTK(net, engine="reference")
        assert np.allclose(found.cross, np.diag(kernel(x, y)), rtol=1e-12)
        assert np.allclose(found.first, kernel.diag(x), rtol=1e-12)
        assert np.allclose(found.second, kernel.diag(y), rtol=1e-12)


def test_chunks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 7, 3))
    steps = plan(tg.parse("dense relu dense"), (3,))
    whole = pairs.pairs(steps, x, y, kind="ntk")
    monkeypatch.setattr(pairs, "_CHUNK", 1)
    for a, b in zip(whole, pairs.pairs(steps, x, y, kind="ntk"), strict=True):
        assert np.array_equal(a, b)


def test_a_tangent_kernel_that_is_zero():
    steps = plan(tg.parse("dense:frozen relu dense:frozen"), (3,))
    found = pairs.pairs(
        steps, np.ones((2, 3)), np.ones((2, 3)), kind="ntk", computing=Computing("reference")
    )
    assert np.array_equal(np.stack(found), np.zeros((3, 2)))


def test_differences_of_values():
    values = Pairs(np.array([4.0, 4.0, 0.0]), np.array([1.0, 4.0, 1.0]), np.array([1.0, 5.0, 0.0]))
    found = differences(values)
    assert found.squared.tolist() == [3.0, 0.0, 1.0]
    assert found.gap.tolist() == [3.0, 0.0, -1.0]
    assert found.total.tolist() == [5.0, 8.0, 1.0]
    assert differences(values, normalize=True).squared.tolist() == [1.0, 0.0, 1.0]
