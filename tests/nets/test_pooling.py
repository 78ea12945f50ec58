"""Pooling layers as matrices: the readable ones are special cases of `Pool` and `LinearMap`."""

import numpy as np
import pytest

import tangency as tg


def matrix(layer, n):
    return layer.geometry((n,)).matrices[0]


@pytest.mark.parametrize("n", [4, 5, 9])
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (2, 2), (3, 2), (2, 3), (4, 1)])
def test_average_pooling_is_a_pool(n, size, stride):
    pool = tg.Pool([1 / size] * size, stride=stride)
    assert np.array_equal(matrix(tg.AvgPool(size, stride), n), matrix(pool, n))


def test_average_pooling_at_the_edge_counts_zeros():
    assert np.array_equal(matrix(tg.AvgPool(3, 2, "same"), 4) * 3, [[1, 1, 1, 0], [0, 0, 1, 1]])
    assert np.array_equal(
        matrix(tg.AvgPool(3, 1, "same"), 3) * 3, [[1, 1, 0], [1, 1, 1], [0, 1, 1]]
    )


@pytest.mark.parametrize("n", [4, 5, 9, 28])
@pytest.mark.parametrize(("factor", "stride"), [(1, 1), (2, 2), (2, 1), (3, 2), (2, 4)])
def test_gaussian_pooling_is_a_pool(n, factor, stride):
    i = np.arange(-factor, factor + 1)
    weights = np.exp(-(i**2) / factor**2)
    count = n // stride
    first = (n - 1 - (count - 1) * stride) // 2
    pool = tg.Pool(weights / weights.sum(), stride=stride, start=first - factor, size=count)
    found = tg.GaussianPool(factor, stride=stride)
    assert np.allclose(matrix(found, n), matrix(pool, n), atol=1e-16)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_subsampling_is_a_pool(stride):
    assert np.array_equal(matrix(tg.Subsample(stride), 7), matrix(tg.Pool([1], stride=stride), 7))


def test_a_linear_map_is_its_matrix_on_each_axis():
    a = [[1.0, 2.0], [0.5, 0.0], [0.0, 1.0]]
    one, two = tg.LinearMap(a).geometry((2, 2)).matrices
    assert np.array_equal(one, a)
    assert np.array_equal(two, a)
    first, second = tg.LinearMap([a, [[1.0, 1.0, 1.0]]]).geometry((2, 3)).matrices
    assert first.shape == (3, 2)
    assert second.shape == (1, 3)


def test_a_full_filter_that_is_a_product_equals_the_filters_per_axis():
    line, other = np.array([1.0, 2.0]), np.array([0.5, -1.0, 3.0])
    options = {"stride": (2, 1), "start": (-1, 0), "size": (2, 4)}
    full = tg.Pool(np.outer(line, other), **options).geometry((3, 5))
    axes = tg.Pool([line, other], per_axis=True, **options).geometry((3, 5))
    assert full.space_out == axes.space_out == (2, 4)
    assert np.allclose(full.matrix, np.kron(*axes.matrices))


def test_what_selects_needs_no_cross_terms():
    assert tg.Subsample(2).geometry((4, 4)).selects
    assert tg.Pool([[0, 0], [0, 2]]).geometry((4, 4)).selects
    assert not tg.AvgPool(2).geometry((4, 4)).selects
    assert not tg.Pool([[1, 0], [0, 2]]).geometry((4, 4)).selects


def test_a_matrix_that_no_layer_can_hold():
    with pytest.raises(tg.NetworkError, match="matrix has 6,000,000,000 numbers, more than the"):
        tg.LinearMap(np.broadcast_to(np.zeros(()), (6, 10**9)))


def test_a_filter_may_be_a_view_of_memory():
    assert tg.Pool(memoryview(np.ones((2, 3)))) == tg.Pool(np.ones((2, 3)))
