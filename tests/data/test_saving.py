"""Preprocessing in a model's file: the same numbers after reading it back."""

import json

import numpy as np
import pytest

from tangency.data import ZCA, DataError, NormalizeImages, Standardize
from tangency.data.saving import add_preprocessing, read_preprocessing

IMAGES = np.random.default_rng(0).normal(size=(30, 3, 3, 2))


@pytest.fixture
def model(tmp_path):
    np.savez(tmp_path / "a.npz", header=np.arange(3))
    return tmp_path / "a.npz"


def test_round_trip_beside_other_arrays(model):
    steps = [NormalizeImages(size="std"), Standardize("feature"), ZCA(0.2)]
    X = IMAGES
    for step in steps:
        X = step.fit_transform(X)
    add_preprocessing(model, steps, {"name": "digits", "scale": None})
    found, metadata = read_preprocessing(model)
    assert metadata == {"name": "digits", "scale": None}
    assert [repr(step) for step in found] == [repr(step) for step in steps]
    again = IMAGES
    for step in found:
        again = step.transform(again)
    assert np.array_equal(again, X)
    with np.load(model) as archive:
        assert archive["header"].tolist() == [0, 1, 2]


def test_no_steps_and_no_preprocessing(model):
    assert read_preprocessing(model) is None
    add_preprocessing(model, [], {})
    assert read_preprocessing(model) == ([], {})


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("{", "its preprocessing is damaged"),
        (json.dumps({"format": 2}), "has format 2, this version reads 1"),
        (
            json.dumps({"format": 1, "steps": [{"kind": "os.system", "parameters": {}}]}),
            r"damaged \(KeyError\('os.system'\)\)",
        ),
        (
            json.dumps({"format": 1, "steps": [{"kind": "ZCA", "parameters": {}}]}),
            r"damaged \(KeyError\(.*preprocessing\.0\.input_shape_",
        ),
    ],
)
def test_damage(tmp_path, header, message):
    np.savez(tmp_path / "a.npz", preprocessing=np.array(header))
    with pytest.raises(DataError, match=message):
        read_preprocessing(tmp_path / "a.npz")
