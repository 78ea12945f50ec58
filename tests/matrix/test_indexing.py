"""A stored matrix is indexed as NumPy indexes it in memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tangency as tg

X = np.random.default_rng(0).standard_normal((13, 3))


@pytest.fixture(scope="module", params=["symmetric", "with Y"])
def both(request, tmp_path_factory):
    Y = None if request.param == "symmetric" else X[:7] + 1
    path = tmp_path_factory.mktemp("store") / "K.zarr"
    K = tg.gram.compute(tg.NTK("dense relu dense"), X, Y, store=path, tile=4)
    return K, np.asarray(K)


positions = st.lists(st.integers(-7, 6), max_size=9)
slices = st.builds(
    slice,
    st.none() | st.integers(-15, 15),
    st.none() | st.integers(-15, 15),
    st.none() | st.sampled_from([1, 2, 5, -1, -3]),
)
rows = st.lists(st.booleans(), min_size=13, max_size=13).map(np.array)
one = st.integers(-7, 6) | slices | positions
pointwise = st.lists(st.tuples(st.integers(-7, 6), st.integers(-7, 6)), max_size=9).map(
    lambda pairs: tuple(np.array(pairs, int).reshape(-1, 2).T)
)
keys = st.one_of(
    one,
    rows,
    st.just(...),
    st.tuples(one),
    st.tuples(st.integers(-7, 6) | slices, one),
    st.tuples(one, st.integers(-7, 6) | slices),
    st.tuples(positions, positions).map(lambda pair: np.ix_(*(np.array(p, int) for p in pair))),
    pointwise,
    st.tuples(st.just(...), one),
    st.tuples(one, st.just(...)),
    st.tuples(st.just(None), one),
    st.tuples(slices, st.just(None), one),
    st.tuples(rows, slices),
    st.tuples(slices, positions.map(tuple)),
    st.tuples(positions.map(tuple), slices | st.just(...)),
    positions.map(lambda p: np.array([p, p], int)),
)


@given(keys)
def test_the_same_as_numpy(both, key):
    K, array = both
    found, expected = K[key], array[key]
    assert np.shape(found) == np.shape(expected)
    assert type(found) is type(expected)
    assert np.array_equal(found, expected)


def test_a_mask_of_elements(both):
    K, array = both
    assert np.array_equal(K[array > 1], array[array > 1])


def test_the_result_is_the_callers_own(both):
    K, array = both
    K[:4, :4][...] = 0
    K[3][...] = 0
    assert np.array_equal(K[...], array)


@pytest.mark.parametrize(
    "key",
    [13, -14, (0, 13), (0, 0, 0), ([13],), ([0], [13]), 1.5, "a", (slice(None), [0.5]), [True]],
)
def test_what_numpy_refuses_is_refused(both, key):
    K, array = both
    with pytest.raises(IndexError) as expected:
        array[key]
    with pytest.raises(expected.type):
        K[key]


def test_tensors_are_indices_as_arrays_are(both):
    torch = pytest.importorskip("torch")
    K, array = both
    assert np.array_equal(K[torch.tensor([2, 0])], array[[2, 0]])
    assert np.array_equal(K[torch.tensor([2, 0]), torch.tensor([1, 3])], array[[2, 0], [1, 3]])
    with pytest.raises(IndexError):
        K[torch.ones(2, 3, requires_grad=True)]
    with pytest.raises(tg.InputError, match="an index must be a dense tensor"):
        K[torch.ones(2, 3).to_sparse()]


@pytest.mark.parametrize("key", [2**63, np.uint64(2**64 - 1), (0, 2**63)])
def test_numbers_beyond_any_index_are_out_of_bounds(both, key):
    with pytest.raises(IndexError, match="out of bounds for a matrix of shape"):
        both[0][key]


def test_a_list_of_unequal_rows_is_no_index(both):
    with pytest.raises(tg.InputError, match="an index cannot be read as an array"):
        both[0][[[1, 2], [3]]]
