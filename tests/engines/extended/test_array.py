"""Arrays with 32 digits: shapes, indexing and linear algebra as NumPy has them."""

import numpy as np
import pytest
from array_api_compat import array_namespace

from tangency.engines.extended import namespace as xp
from tangency.engines.extended.array import Extended, extended

X = np.random.default_rng(0).normal(size=(2, 3, 4))
M = np.random.default_rng(1).normal(size=(4, 5)) * (np.arange(5) != 2)


def close(found, expected):
    assert isinstance(found, Extended)
    assert found.hi.shape == found.lo.shape == expected.shape
    assert np.allclose(found.hi, expected, rtol=1e-15, atol=1e-15)


def test_found_by_the_array_api():
    x = extended(X)
    assert array_namespace(x) is xp
    assert x.shape == X.shape
    assert x.ndim == 3
    assert np.array_equal(np.asarray(x), X)
    assert xp.zeros((2,), dtype=x.dtype).dtype is x.dtype
    assert repr(x.dtype) == "extended"


@pytest.mark.parametrize(
    "function",
    [
        lambda xp, x: x[..., 1],
        lambda xp, x: x[:, None, 1:],
        lambda xp, x: xp.reshape(x, (6, 4)),
        lambda xp, x: xp.moveaxis(x, 0, -1),
        lambda xp, x: xp.take(x, np.array([2, 0, 0]), axis=1),
        lambda xp, x: xp.concat([x, 2 * x], axis=2),
        lambda xp, x: xp.where(x > 0, x, xp.zeros_like(x)),
        lambda xp, x: xp.linalg.diagonal(x[:, :, :3]),
        lambda xp, x: xp.sum(x, axis=-1),
        lambda xp, x: xp.mean(x, axis=(1, 2)),
        lambda xp, x: xp.mean(x, axis=0),
        lambda xp, x: xp.sign(x) * xp.abs(x),
        lambda xp, x: x + x[:, :1, :] * x[0, 0, 0],
        lambda xp, x: 1 - x * 2.0 + 3 / (x * x + 1),
        lambda xp, x: x**3 - x**0,
        lambda xp, x: xp.matrix_transpose(x),
    ],
)
def test_as_numpy(function):
    close(function(xp, extended(X)), function(array_namespace(X), X))


def test_matrix_products():
    close(extended(X) @ M, X @ M)
    close(extended(X) @ extended(M), X @ M)
    close(M.T[:, :4] @ extended(np.swapaxes(X, 1, 2)), M.T[:, :4] @ np.swapaxes(X, 1, 2))
    exact = extended(np.array([[1.0, 1e20, -1e20]])) @ extended(np.ones((3, 1)))
    assert exact.hi.tolist() == [[1.0]]


def test_numpy_does_not_take_it_apart():
    with pytest.raises(TypeError):
        np.sqrt(extended(X))
    assert isinstance(np.float64(2) * extended(X), Extended)


def test_read_only_and_strided_numbers():
    x = np.broadcast_to(np.arange(3.0), (2, 3))
    close(extended(x) + extended(x.T).hi.T, 2 * x)
