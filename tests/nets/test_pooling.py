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


def test_sums_are_means_times_the_window():
    for padding in ("valid", "same"):
        found = matrix(tg.SumPool(3, 2, padding), 8)
        np.testing.assert_allclose(found, 3 * matrix(tg.AvgPool(3, 2, padding), 8), rtol=1e-15)


@pytest.mark.parametrize(("size", "stride", "n"), [(3, 2, 7), (3, 1, 2), (5, 3, 4), (2, 2, 5)])
def test_means_over_what_is_inside(size, stride, n):
    found = matrix(tg.AvgPool(size, stride, "same", normalize_edges=True), n)
    sums = matrix(tg.SumPool(size, stride, "same"), n)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-15)
    assert np.array_equal(found > 0, sums > 0)
    inside = tg.AvgPool(size, stride, "valid", normalize_edges=True) if size <= n else None
    if inside is not None:
        assert np.array_equal(matrix(inside, n), matrix(tg.AvgPool(size, stride), n))


def test_resizing_is_the_interpolation_of_images():
    """Values of jax.image.resize, method "linear" with and without antialias, and "nearest"."""
    assert np.array_equal(matrix(tg.Resize(4), 2), [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])
    down = matrix(tg.Resize(2), 4)
    np.testing.assert_allclose(down * 7, [[3, 3, 1, 0], [0, 1, 3, 3]], rtol=1e-14)
    aliased = matrix(tg.Resize(2, antialias=False), 4)
    assert np.array_equal(aliased, [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    nearest = matrix(tg.Resize(5, "nearest"), 3)
    assert nearest.argmax(axis=1).tolist() == [0, 0, 1, 2, 2]
    for layer in (tg.Resize(4), tg.Resize(4, "nearest")):
        assert np.array_equal(matrix(layer, 4), np.eye(4))


def test_parts_and_borders_of_a_line():
    line = np.arange(5.0)
    assert (matrix(tg.Slice((1, 5, 2)), 5) @ line).tolist() == [1, 3]
    assert (matrix(tg.Slice((None, None, -2)), 5) @ line).tolist() == [4, 2, 0]
    assert (matrix(tg.Slice(-1), 5) @ line).tolist() == [4]
    modes = {"zeros": "constant", "circular": "wrap", "reflect": "reflect", "edge": "edge"}
    for mode, name in modes.items():
        expected = np.pad(line, (2, 3), mode=name)
        assert (matrix(tg.Pad(((2, 3),), mode), 5) @ line).tolist() == expected.tolist()
    assert (matrix(tg.Upsample(3), 2) @ [1.0, 2.0]).tolist() == [1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tg.Slice(), r"Slice takes one \(start, stop, step\) or position per axis"),
        (lambda: tg.Slice(1, (2, 3)), r"a position for every axis or for none, .* \(2, 3\) keeps"),
        (lambda: tg.Slice((1,)), r"a slice is \(start, stop\) or \(start, stop, step\), got"),
        (lambda: tg.Slice((1, 2, 0)), "the step of a slice must not be 0"),
        (lambda: tg.Slice((1, 2.5)), "an end of a slice must be a whole number"),
        (lambda: tg.Slice(1, axes=(2,)), "one by one or as axes="),
        (lambda: tg.Pad(-1), "size must be at least 0"),
        (lambda: tg.Pad(((1, 2, 3),)), r"size takes pairs \(before, after\)"),
        (lambda: tg.Pad(1, "mirror"), "mode must be one of zeros, circular, reflect, edge"),
        (lambda: tg.Resize((4, 0)), "shape must be at least 1"),
        (lambda: tg.Resize(4, "cubic"), "method must be one of linear, nearest; got 'cubic'"),
        (lambda: tg.AvgPool(2, normalize_edges=1), "normalize_edges must be True or False"),
        (lambda: tg.Upsample(0), "factor must be at least 1"),
    ],
)
def test_options_that_cannot_be(make, message):
    with pytest.raises(tg.NetworkError, match=message):
        make()


def test_transposed_convolutions_have_the_sizes_of_jax():
    def size(n, patch, stride, padding):
        layer = tg.ConvTranspose(patch, stride=stride, padding=padding)
        return tg.Sequential(layer).output_shape((n, 1))[0]

    for n, k, s in [(5, 3, 2), (4, 2, 2), (3, 1, 3), (2, 5, 1), (4, 4, 3)]:
        assert size(n, k, s, "same") == size(n, k, s, "circular") == n * s
        assert size(n, k, s, "valid") == n * s + max(k - s, 0)


def test_places_of_a_slice_are_given_once():
    for axes in ((1,), np.array([1, 2])):
        with pytest.raises(tg.NetworkError, match="one by one or as axes="):
            tg.Slice(1, axes=axes)
