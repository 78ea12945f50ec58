"""Sets by name; OpenML through a fetcher that stands in for the network."""

from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
from scipy.sparse import csr_array

from tangency.data import DataError, load


@pytest.mark.parametrize(
    ("name", "shape", "task"),
    [
        ("digits", (1797, 8, 8, 1), "classification"),
        ("breast_cancer", (569, 30), "classification"),
        ("wine", (178, 13), "classification"),
        ("iris", (150, 4), "classification"),
        ("diabetes", (442, 10), "regression"),
    ],
)
def test_bundled_sets(name, shape, task):
    found = load(name)
    assert found.X_train.shape == shape
    assert found.task == task
    assert found.name == name


def test_digits_lie_between_0_and_1_and_keep_their_pixels():
    from sklearn.datasets import load_digits

    found = load("digits")
    assert found.X_train.min() == 0
    assert found.X_train.max() == 1
    assert np.array_equal(found.X_train[..., 0] * 16, load_digits().images)
    assert load("digits", scale=None).X_train.max() == 16


def answer(**fields):
    given = {"data": np.eye(3), "target": np.array(["5", "0", "4"], dtype=object)}
    return SimpleNamespace(**(given | {"feature_names": ["a", "b", "c"]} | fields))


def fetched(monkeypatch, reply):
    calls = []

    def fetch(**options):
        calls.append(options)
        if isinstance(reply, Exception):
            raise reply
        return reply

    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch)
    return calls


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ("openml:mnist_784", {"name": "mnist_784"}),
        ("openml:adult@2", {"name": "adult", "version": 2}),
        ("openml:554", {"data_id": 554}),
    ],
)
def test_openml_asks_for_numbers(monkeypatch, source, key):
    calls = fetched(monkeypatch, answer())
    found = load(source)
    assert {name: calls[0][name] for name in key} == key
    assert calls[0]["as_frame"] is False
    assert found.y_train.tolist() == ["5", "0", "4"]
    assert found.feature_names == ("a", "b", "c")


def test_openml_pixels_get_a_shape_and_a_scale(monkeypatch):
    fetched(monkeypatch, answer(data=np.full((3, 4), 255)))
    found = load("openml:tiny", input_shape=(2, 2, 1), scale=255)
    assert found.X_train.shape == (3, 2, 2, 1)
    assert (found.X_train == 1).all()


def test_openml_sparse_tables_are_written_out(monkeypatch):
    fetched(monkeypatch, answer(data=csr_array(np.eye(3))))
    assert np.array_equal(load("openml:sparse").X_train, np.eye(3))


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (URLError("no route"), r"OpenML could not be reached .*no route.*check the network"),
        (TimeoutError("too slow"), "could not be reached .*too slow"),
        (ValueError("not found"), "has no such set.*not found"),
        (answer(data=np.array([["a"]] * 3, dtype=object)), "some features are text"),
        (answer(data=np.array([[np.nan]] * 3)), "3 of 3 values are not finite"),
    ],
)
def test_openml_errors(monkeypatch, reply, message):
    fetched(monkeypatch, reply)
    with pytest.raises(DataError, match=message):
        load("openml:thing")


@pytest.mark.parametrize(
    ("source", "message"), [("openml:", "needs a name"), ("openml:a@b", "must be a whole number")]
)
def test_openml_names(source, message):
    with pytest.raises(DataError, match=message):
        load(source)
