from __future__ import annotations

import json
import math

import numpy as np
import pytest

import tangency as tg
from tangency.learn.encode import decode, encode, kernel_problem


def there_and_back(value):
    arrays: dict[str, np.ndarray] = {}
    text = json.dumps(encode("name", value, arrays), allow_nan=False)
    return decode(json.loads(text), arrays)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        0.1,
        math.inf,
        "loo",
        [0.1, 1, math.inf],
        tg.NTK("conv3 relu gap dense", input_shape=(8, 8, 1), engine="reference"),
        tg.NNGP("dense:w=1.5,b=0.1 relu dense", normalize=True, max_memory=10**9),
        2.0 * tg.NTK("dense relu dense") + tg.NNGP("dense erf dense"),
        tg.parse("conv3 relu res(relu conv3) gap dense"),
        tg.Dense(),
    ],
)
def test_values_come_back_equal(value):
    back = there_and_back(value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("value", [np.float32(0.1), np.int64(3), np.bool_(True)])
def test_numpy_scalars_come_back_as_equal_numbers(value):
    assert there_and_back(value) == value


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6.0).reshape(2, 3),
        np.arange(3, dtype=np.float32),
        np.array([True, False]),
        np.array(["a", "bcd"]),
        np.array([b"a", b"bc"]),
        np.array(["long text", "ü"], dtype=object),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
    ],
)
def test_arrays_come_back_equal_and_alike(value):
    back = there_and_back(value)
    np.testing.assert_array_equal(back, value)
    assert back.dtype == value.dtype


@pytest.mark.parametrize(
    "value",
    [
        np.array([1, "a"], dtype=object),
        np.array([None], dtype=object),
        np.array(["nul\0"], dtype=object),
    ],
)
def test_objects_are_refused(value):
    with pytest.raises(TypeError, match=r"name has dtype object.*numbers, booleans or strings"):
        encode("name", value, {})


def test_what_has_no_form_is_named():
    with pytest.raises(TypeError, match=r"name=.*has no form in a file"):
        encode("name", object(), {})


def test_unknown_forms_are_refused():
    with pytest.raises(KeyError):
        decode({"pickle": "gASV"}, {})


@pytest.mark.parametrize("kernel", [None, "precomputed", tg.NTK("dense"), tg.parse("dense")])
def test_kernels_that_can_be_saved(kernel):
    assert kernel_problem(kernel) is None


def test_kernels_that_cannot_be_saved_come_with_a_remedy():
    problem = kernel_problem(np.dot)
    assert problem is not None
    assert "plain function" in problem
    assert "NTK(net)" in problem
    custom = tg.Sequential(tg.Dense(), tg.Activation(np.tanh), tg.Dense())
    for kernel in (custom, tg.NTK(custom)):
        problem = kernel_problem(kernel)
        assert problem is not None
        assert "custom function" in problem


class Linear(tg.kernels.Kernel):
    def __call__(self, X, Y=None):
        return np.asarray(X) @ np.asarray(X if Y is None else Y).T

    def diag(self, X):
        return np.sum(np.asarray(X) ** 2, axis=1)

    def to_dict(self):
        return {"c": 1.0}


@pytest.mark.parametrize("kernel", [Linear(), 2 * Linear() + tg.NTK("dense relu dense")])
def test_a_kernel_of_ones_own_class_is_the_reason_why_a_model_has_no_file(tmp_path, kernel):
    model = tg.KernelRegressor(kernel, alpha=0.1).fit(np.eye(3), [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"of a class of your own, .*\.Linear.*precomputed"):
        model.save(tmp_path / "m.npz")
