"""Two jobs: every difference is named once."""

import numpy as np
import pytest

import tangency as tg
from tangency.matrix.compute import make_job
from tangency.matrix.differences import differences
from tangency.matrix.job import kernel_and_kinds

X = np.random.default_rng(0).standard_normal((6, 3))
Y = X[:4] + 1
NET = "dense relu dense"


def described(kernel=NET, kind=None, X=X, Y=None, tile=2, dtype=None, store="none.zarr"):
    kernel, kinds = kernel_and_kinds(kernel, kind)
    return make_job(kernel, kinds, X, Y, store, tile, dtype, None)[0].description()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"Y": X}, []),
        ({"X": X + 0}, []),
        ({"X": X + 1}, ["the values in X differ"]),
        ({"X": X[:5]}, ["number of rows: 6 there, 5 here"]),
        ({"X": X.reshape(6, 3, 1)[:, :, [0, 0]].reshape(6, 6)}, ["shape of one input: [3] there"]),
        ({"dtype": "float32"}, ["dtype: float64 there, float32 here"]),
        ({"tile": 3}, ["side of the tiles: 2 there, 3 here"]),
        ({"kind": "ntk"}, ["kernels: nngp and ntk there, ntk here"]),
        ({"kernel": "dense erf dense"}, ["kernel: NTK('dense relu dense') there, NTK('dense erf"]),
        ({"Y": Y}, ["number of columns: 6 there, 4 here", "computed"]),
    ],
)
def test_what_differs(change, expected):
    found = differences(described(), described(**change))
    assert len(found) == len(expected)
    for text, start in zip(found, expected, strict=True):
        assert text.startswith(start)


def test_kernels_are_named_as_they_are_written():
    a, b = tg.NTK(NET, normalize=True), tg.NNGP(NET, input_shape=(3,))
    [text] = differences(described(a * b), described(2 * (a + b)))
    first = "NTK('dense relu dense', normalize=True)"
    second = "NNGP('dense relu dense', input_shape=(3,))"
    assert text.startswith(f"kernel: ({first} * {second}) there, 2.0 * ({first} + {second}) here")


def test_kernels_of_the_users_own_are_named_by_their_description():
    there, here = {"type": "rbf", "factor": 1.0}, {"type": "rbf", "factor": 2.0}
    assert differences({"kernel": there}, {"kernel": here}) == [
        f"kernel: {there} there, {here} here"
    ]
    [text] = differences(
        {"kernel": {"type": "Sum", "parts": [there, here]}},
        {"kernel": {"type": "Sum", "parts": [there, there]}},
    )
    assert text == f"kernel: ({there} + {here}) there, ({there} + {there}) here"


def test_long_descriptions_are_shown_where_they_differ():
    numbers = list(range(1000, 3000))
    there = {"kernel": {"type": "own", "at": numbers}}
    here = {"kernel": {"type": "own", "at": [*numbers[:900], -7, *numbers[900:]]}}
    [text] = differences(there, here)
    assert len(text) < 1100
    assert "1899, 1900, 1901" in text
    assert "1899, -7, 1900" in text


def test_with_y_and_another_y():
    assert differences(described(Y=Y), described(Y=Y + 1)) == ["the values in Y differ"]
    assert differences(described(Y=Y), described(X=X + 1, Y=Y)) == ["the values in X differ"]


@pytest.mark.parametrize(
    "kernel",
    [
        {"type": "NTK", "net": 1, "input_shape": 5},
        {"type": "Sum", "parts": 3},
        {"type": "Product", "parts": [{"type": "Sum", "parts": None}]},
    ],
)
def test_what_only_looks_like_a_kernel(kernel):
    (found,) = differences({"kernel": kernel}, {"kernel": {}})
    assert found == f"kernel: {kernel} there, {{}} here"


def test_nothing_reaches_a_terminal():
    (found,) = differences({"kernel": "\x1b[31m red \u202e"}, {"kernel": "b"})
    assert found == "kernel: \\x1b[31m red \\u202e there, b here"
