"""Compiled duals of tables of pairs, beside the activations' own."""

import numpy as np
import pytest

from tangency.engines.fused import duals
from tangency.nets import parse

NAMES = ("relu", "leaky0.2", "abs", "gelu", "erf", "sin", "cos", "exp1", "poly3", "hermite3")


def activation(name):
    return parse(f"dense {name}").layers[1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_they_are_the_duals(name, dtype):
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((n, 4)).astype(dtype) for n in (37, 23))
    x[0], x[1], x[2] = 0, y[5], -y[5]
    y[7] = 0
    s, t = x @ y.T, rng.standard_normal((37, 23)).astype(dtype)
    rows, columns = (np.einsum("ij,ij->i", z, z) for z in (x, y))
    own = activation(name)
    k, slope = own.dual(s, rows[:, None], columns[None, :])
    wide = np.float64
    expected = slope.astype(wide) * (t.astype(wide) + 0.5 * s.astype(wide))
    found = duals.duals(own, columns)
    assert found is not None
    values, tangent = s.copy(), t.copy()
    found(values, tangent, rows, 0.5)
    # κ₀ takes a root of the rounding of s where inputs are equal
    loose = 4 * np.sqrt(np.finfo(dtype).eps)
    np.testing.assert_allclose(values, k, atol=100 * np.finfo(dtype).eps * np.abs(k).max())
    np.testing.assert_allclose(tangent, expected, atol=loose * np.abs(expected).max())
    apart = np.ones((37, 23), dtype=bool)
    apart[1:3, 5] = False
    close = 100 * np.finfo(dtype).eps * np.abs(expected).max()
    np.testing.assert_allclose(tangent[apart], expected[apart], atol=close)
    alone = s.copy()
    found(alone, None, rows, 0.5)
    np.testing.assert_allclose(alone, values, atol=4 * np.finfo(dtype).eps * np.abs(k).max())


def test_what_is_not_compiled_has_none(monkeypatch):
    columns = np.ones(3)
    assert duals.duals(parse("dense silu").layers[1], columns) is None
    monkeypatch.setattr(duals.config, "DISABLE_JIT", 1)
    assert duals.duals(activation("relu"), columns) is None
