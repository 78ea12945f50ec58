"""Checks of arguments: what passes comes out in one form, what does not is told in a line."""

import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tangency import checks
from tangency.errors import InputError, MemoryLimitError, NetworkError


@pytest.mark.parametrize(
    "value", [2, 2.0, np.float32(2), np.int8(2), Fraction(4, 2), np.array(2), np.array(2.0)]
)
def test_numbers_of_every_kind_are_floats(value):
    found = checks.number(value, "x", above=0, most=2)
    assert (type(found), found) == (float, 2.0)


def test_tensors_of_one_number_are_numbers():
    torch = pytest.importorskip("torch")
    assert checks.number(torch.tensor(0.5, requires_grad=True), "x") == 0.5
    assert checks.whole(torch.tensor(3), "n") == 3
    for tensor in (torch.tensor(0.5, device="meta"), torch.ones(2), torch.tensor(True)):
        with pytest.raises(InputError, match="x must be a finite number, got"):
            checks.number(tensor, "x")


@pytest.mark.parametrize(
    ("value", "bounds", "message"),
    [
        (True, {}, "x must be a finite number, got True"),
        ("2", {}, "x must be a finite number, got '2'"),
        (1j, {}, "x must be a finite number, got 1j"),
        (Decimal(1), {}, r"x must be a finite number, got Decimal\('1'\)"),
        (np.timedelta64(1), {}, "x must be a finite number, got"),
        (np.ones(1), {}, r"x must be a finite number, got array\(\[1.\]\)"),
        (math.inf, {}, "x must be a finite number, got inf"),
        (10**400, {}, "x must be a finite number, got a whole number of 401 digits"),
        (math.nan, {"finite": False}, "x must be a number, got nan"),
        (0, {"above": 0}, "x must be a finite number greater than 0, got 0"),
        (-1, {"least": 0, "most": 1}, "x must be a finite number of at least 0 and at most 1, got"),
    ],
)
def test_no_numbers(value, bounds, message):
    with pytest.raises(InputError, match=message):
        checks.number(value, "x", **bounds)


@pytest.mark.parametrize("value", [3, np.int16(3), np.uint64(3), np.array(3)])
def test_whole_numbers_are_integers(value):
    found = checks.whole(value, "n", 3, 3)
    assert (type(found), found) == (int, 3)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2.0, "n must be a whole number of at least 1, got 2.0"),
        (True, "got True"),
        (np.bool_(True), "got np.True_"),
        (np.timedelta64(3), "got np.timedelta64"),
        (0, "n must be a whole number of at least 1, got 0"),
        (11, "n must be a whole number of at least 1 and at most 10, got 11"),
        (10**5000, "and at most 10, got a whole number of 5001 digits"),
    ],
    ids=range(7),
)
def test_no_whole_numbers(value, message):
    with pytest.raises(NetworkError, match=message):
        checks.whole(value, "n", 1, 10, error=NetworkError)


def test_words_flags_and_functions():
    assert checks.choice("b", "which", ("a", "b", "c")) == "b"
    assert checks.flag(np.bool_(True), "yes") is True
    assert checks.function(len, "f") is len
    for array in (np.zeros(3), np.array("a"), [["a"]]):
        with pytest.raises(InputError, match="which must be one of a, b, c; got"):
            checks.choice(array, "which", ("a", "b", "c"))
        with pytest.raises(InputError, match="yes must be True or False, got"):
            checks.flag(array, "yes")
    with pytest.raises(InputError, match="which must be a or b, got 'c'"):
        checks.choice("c", "which", {"a": 1, "b": 2})
    with pytest.raises(InputError, match="f must be a function, got 3"):
        checks.function(3, "f")
    with pytest.raises(InputError, match="title must be a text, got None"):
        checks.text(None, "title")


def test_paths(tmp_path):
    assert checks.path(str(tmp_path)) == checks.path(tmp_path) == tmp_path
    for value in (None, 3, b"abc", "", ["a"], Path):
        with pytest.raises(InputError, match="store must be the path of a file or folder, got"):
            checks.path(value, "store")
    with pytest.raises(InputError, match="without NUL characters"):
        checks.path("a\0b")
    with pytest.raises(InputError, match="longer than a file system takes"):
        checks.path(tmp_path / ("x" * 256))
    assert checks.path(tmp_path / ("x" * 255)).name == "x" * 255


def test_sequences_and_mappings():
    assert checks.items(np.arange(3), "rows") == checks.items(range(3), "rows") == [0, 1, 2]
    assert checks.sizes(4, "shape") == checks.sizes(np.array(4), "shape") == (4,)
    assert checks.sizes([4, np.int64(5)], "shape") == (4, 5)
    assert checks.mapping({"a": 1}, "kernels") == {"a": 1}
    for value in ("abc", b"abc", {"a": 1}, 3, np.array(3)):
        with pytest.raises(InputError, match="rows must be a sequence, got"):
            checks.items(value, "rows")
    with pytest.raises(InputError, match="a size in shape must be a whole number of at least 1"):
        checks.sizes((3, 0), "shape")
    with pytest.raises(InputError, match="kernels must be given by name, as a dictionary; got 3"):
        checks.mapping(3, "kernels")


@pytest.mark.parametrize(
    "value",
    [
        [1, 2.5],
        np.array([1, 2.5], dtype=object),
        np.array([1, 2.5], dtype=">f8"),
        np.ma.masked_array([1, 2.5]),
        (Fraction(1), np.float32(2.5)),
    ],
)
def test_real_numbers_are_float64(value):
    found = checks.array(value, "x")
    assert (found.dtype, found.tolist()) == (np.float64, [1.0, 2.5])


def test_floating_point_may_keep_its_type():
    assert checks.real_array(np.ones(2, np.float32), "x").dtype == np.float32
    assert checks.real_array(np.ones(2, np.uint8), "x").dtype == np.float64


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("1", "x must be numbers, got '1'"),
        (["1", "2"], "x must be numbers, got"),
        ([1, None], "x must be numbers, got"),
        ([[1], [1, 2]], "x cannot be read as an array"),
        ([1j], "x must be real numbers, got"),
        (np.zeros(2, "M8[s]"), "x must be numbers, got"),
        (np.ma.masked_array([1.0, 2.0], [0, 1]), "masked values; impute or drop them"),
    ],
)
def test_no_real_numbers(value, message):
    with pytest.raises(InputError, match=message):
        checks.array(value, "x")


def test_an_array_beyond_memory_is_told_its_size():
    huge = np.broadcast_to(np.zeros((), np.int8), (10**7, 10**8))
    with pytest.raises(MemoryLimitError, match=r"x of shape \(10000000, 100000000\) needs 8,000"):
        checks.array(huge, "x")


def test_tensors_of_every_kind():
    torch = pytest.importorskip("torch")
    for tensor in (
        torch.ones(2, requires_grad=True),
        torch.ones(2, dtype=torch.bfloat16),
        torch._neg_view(-torch.ones(2)),
        torch.tensor([1 - 1j, 1 - 1j]).conj().imag,
    ):
        assert checks.array(tensor, "x").tolist() == [1.0, 1.0]
    for tensor in (torch.ones(2).to_sparse(), torch.ones(2, device="meta")):
        with pytest.raises(InputError, match="x must be a dense tensor with its data in memory"):
            checks.array(tensor, "x")


def test_labels_can_be_sorted():
    assert checks.labels(["b", "a"]).tolist() == ["b", "a"]
    assert checks.labels(np.array(["b", "a"], dtype=object)).dtype.kind == "U"
    for value in ([], [[1]], [1, "a", None], np.zeros(2, "M8[s]")):
        with pytest.raises(InputError, match=r"labels must be numbers or texts of shape \(n,\)"):
            checks.labels(value)


class Wordless:
    def __repr__(self):
        raise RuntimeError("no words")


def test_what_came_is_shown_in_a_line():
    assert checks.shown(np.zeros((3, 4))) == "an array of shape (3, 4) and dtype float64"
    assert checks.shown(np.zeros(2)) == "array([0., 0.])"
    assert checks.shown(Wordless()) == "<Wordless>"
    assert checks.shown("\x1b\ud800\n") == r"'\x1b\ud800\n'"
    deep = []
    for _ in range(3000):
        deep = [deep]
    assert checks.shown(deep) == "<list>"
    for value in ("a" * 10_000, list(range(10_000)), {n: n for n in range(100)}):
        assert len(checks.shown(value)) <= 80
        assert "…" in checks.shown(value)


def test_axes():
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    assert checks.axes(axes) is axes
    assert checks.axes(None) is None
    with pytest.raises(InputError, match=r"axes of Matplotlib as plt.subplots\(\)\[1\] gives"):
        checks.axes(np.array([axes]))


@pytest.mark.parametrize("value", [np.timedelta64(1, "s"), True, np.True_, 1.0, "1", None])
def test_what_is_no_whole_number(value):
    assert not checks.is_whole(value)
    assert checks.is_whole(np.uint8(3))
    assert checks.is_whole(3)


@pytest.mark.parametrize(
    ("value", "found"),
    [(Fraction(1, 2), 0.5), (10**400, math.inf), (-(10**400), -math.inf), (True, None), (1j, None)],
)
def test_real_numbers_of_any_size(value, found):
    assert checks.real(value) == found


def test_a_number_of_threads():
    assert [checks.jobs(n) for n in (None, np.int8(-1), 3)] == [None, -1, 3]
    for value in (0, 1.0, "2", True):
        with pytest.raises(InputError, match="n_jobs must be a whole number other than 0, or None"):
            checks.jobs(value)


def test_items_beyond_memory_are_refused():
    class Endless(list):
        def __iter__(self):
            raise MemoryError

    with pytest.raises(MemoryLimitError, match="x has more items than fit in memory"):
        checks.items(Endless([1]), "x")


def test_what_names_a_dtype():
    assert checks.dtype_of("<f4") == np.float32
    deep = []
    for _ in range(5000):
        deep = [deep]
    assert [checks.dtype_of(value) for value in ("real", 3, deep, [("a",)])] == [None] * 4
