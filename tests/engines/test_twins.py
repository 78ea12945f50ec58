"""Which inputs are equal, and what is written where they meet."""

import numpy as np
import pytest

from tangency.engines.prepared import Prepared
from tangency.engines.twins import Twins, row_squares, twins, write


def found(x, y=None):
    groups = twins(Prepared(x), None if y is None else Prepared(y))
    return sorted((rows.tolist(), columns.tolist()) for rows, columns in groups)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(5,), (1,), (300,), (4, 3, 2)])
def test_all_equal_inputs_and_no_others(shape, dtype):
    x = np.random.default_rng(0).normal(size=(40, *shape)).astype(dtype)
    assert found(x) == []
    assert found(x, x[::-1] + 1) == []
    x[[7, 30]] = x[2]
    x[39] = x[38]
    assert found(x) == [([2, 7, 30], [2, 7, 30]), ([38, 39], [38, 39])]
    assert found(x, x[[38, 5, 2]]) == [([2, 7, 30], [2]), ([5], [1]), ([38, 39], [0])]
    assert found(x[:1], x) == [([0], [0])]


def test_inputs_of_one_norm_that_differ():
    """One-hot rows, permutations, signs: all have the same sum of squares."""
    assert found(np.eye(6)) == []
    x = np.array([[1.0, 2, 3], [3, 2, 1], [-1, 2, 3], [1, 2, 3], [2, 3, 1]])
    assert found(x) == [([0, 3], [0, 3])]
    sphere = np.random.default_rng(0).normal(size=(500, 4))
    sphere = (sphere / np.linalg.norm(sphere, axis=1, keepdims=True)).astype(np.float32)
    assert found(sphere) == []


def test_zeros_of_both_signs_are_equal():
    assert found(np.array([[0.0, 1], [-0.0, 1], [0, 2]])) == [([0, 1], [0, 1])]


def test_squares_beyond_the_range_hide_nothing():
    x = np.array([[1e30, 1], [1e30, 2], [1e30, 1]], dtype=np.float32)
    assert found(x) == [([0, 2], [0, 2])]
    x = np.array([[1e-30, 1e-31], [1e-30, 0], [1e-30, 1e-31]], dtype=np.float32)
    assert found(x) == [([0, 2], [0, 2])]


@pytest.mark.parametrize("order", ["F", "C"])
def test_the_memory_order_changes_nothing(order):
    x = np.random.default_rng(0).normal(size=(9, 37))
    assert np.array_equal(
        row_squares(Prepared(np.asarray(x, order=order))), row_squares(Prepared(x))
    )
    assert found(np.asarray(x, order=order), x[4:5]) == [([4], [0])]


def test_what_is_written():
    k, alone = np.zeros((3, 3)), np.array([1.0, 2, 1])
    write(k, [Twins(np.array([0, 2]), np.array([0, 2]))], alone, True)
    assert k.tolist() == [[1, 0, 1], [0, 2, 0], [1, 0, 1]]
    k = np.zeros((3, 2))
    write(k, [Twins(np.array([1]), np.array([0, 1]))], alone, False)
    assert k.tolist() == [[0, 0], [2, 2], [0, 0]]


def test_gradients_pass_what_is_written():
    torch = pytest.importorskip("torch")
    x = torch.ones(2, requires_grad=True)
    k = x[:, None] * x[None, :]
    write(k, [], torch.tensor([5.0, 6.0]), True)
    assert k.detach().tolist() == [[5, 1], [1, 6]]
    k.sum().backward()
    assert x.grad.tolist() == [4, 4]
