"""Model files with one thing changed: refused in one line, or a model that predicts or says why.

`python tests/learn/test_mutated.py 5000` tries more of them than the tests do.
"""

from __future__ import annotations

import copy
import io
import json
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tangency import NTK, GaussianProcess, KernelClassifier, KernelRegressor
from tangency.learn import CG, ModelFileError, Nystrom, load

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((9, 3)), RNG.standard_normal((9, 2))
IMAGES = RNG.random((9, 3, 3, 1)).astype(np.float32)
WORDS = np.array(["a", "b", "c"])[np.arange(9) % 3]
MODELS = {
    "regressor": (KernelRegressor(alpha=[0.1, 1.0]), X, Y[:, 0]),
    "outputs": (KernelRegressor("dense erf dense", solver=CG(rank=5), alpha=0.1), X, Y),
    "nystrom": (KernelRegressor(NTK("dense relu dense"), solver=Nystrom(4)), X, Y[:, 0]),
    "classifier": (KernelClassifier(NTK("conv3 relu gap dense"), alpha=0.1), IMAGES, WORDS),
    "precomputed": (KernelClassifier("precomputed", alpha=0.1), X @ X.T, WORDS),
    "posterior": (GaussianProcess("dense relu dense"), X, Y),
    "ensemble": (GaussianProcess(inference="ensemble", training_time=2.0), X, Y[:, 0]),
}
ODD = [None, True, -1, 0, 7, 1.5, 1e300, "x", "cg", [], [1, 2], {}, {"float": "nan"}, 10**400]
ODD += [{"float": "inf"}, {"array": "dual_coef_", "texts": False}, {"array": "classes_"}, "\x1b[2J"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return written(tmp_path_factory.mktemp("models"))


def written(folder):
    """The header and the arrays of a file of each model."""
    found = {}
    for name, (model, samples, y) in MODELS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = model.fit(samples, y).save(folder / name)
        with np.load(path) as archive:
            arrays = {k: archive[k] for k in archive.files}
        found[name] = json.loads(arrays.pop("header").tobytes()), arrays
    return found


def put(path, header, arrays):
    text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez(path, header=text, **arrays)
    return path


def places(tree, at=()):
    """The keys that lead to every value of a header."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        yield (*at, key)
        if isinstance(value, dict | list):
            yield from places(value, (*at, key))


def with_header(rng, header):
    """One value of the header replaced, taken away, or exchanged for another one's."""
    header = copy.deepcopy(header)
    every = [at for at in places(header) if at[0] in ("params", "fitted", "class")]
    where = every[rng.integers(len(every))]
    inner = header
    for key in where[:-1]:
        inner = inner[key]
    how = rng.integers(4)
    if how == 0 and isinstance(inner, dict):
        del inner[where[-1]]
    elif how == 1:
        other = header
        for key in every[rng.integers(len(every))]:
            other = other[key]
        inner[where[-1]] = copy.deepcopy(other)
    else:
        inner[where[-1]] = ODD[rng.integers(len(ODD))]
    return header


def with_array(rng, arrays):
    """One array of another shape, type or content, or gone."""
    arrays = dict(arrays)
    name = list(arrays)[rng.integers(len(arrays))]
    array = arrays[name]
    changes = [
        lambda a: a[:-1],
        lambda a: np.concatenate([a, a[:1]]),
        lambda a: a[..., None],
        lambda a: a.reshape(-1),
        lambda a: a[:0],
        lambda a: a[0],
        lambda a: a.astype(np.complex128) if a.dtype.kind == "f" else a.astype("S"),
        lambda a: a.astype(np.float16) if a.dtype.kind == "f" else a[::-1],
        lambda a: a.astype("datetime64[s]") if a.dtype.kind == "f" else a.astype("U1"),
        lambda a: np.full_like(a, np.nan) if a.dtype.kind == "f" else np.repeat(a[:1], len(a)),
        lambda a: np.full_like(a, np.inf) if a.dtype.kind == "f" else a,
        lambda a: -a if a.dtype.kind == "f" else a,
        lambda a: a.T,
        lambda a: a.astype(np.int64) if a.dtype.kind == "f" else a,
    ]
    arrays[name] = np.asarray(changes[rng.integers(len(changes))](array))
    if rng.integers(15) == 0:
        del arrays[name]
    return arrays


def attempt(path, samples):
    """Load a file and use the model: "refused", "used", or "said" for a typed error of use."""
    model, refusal = None, ""
    try:
        model = load(path)
    except ModelFileError as error:
        refusal = str(error)
    if model is None:
        assert "\n" not in refusal
        assert "\x1b" not in refusal
        assert 0 < len(refusal) < 1500
        return "refused"
    try:
        found = model.predict(samples)
        if isinstance(model, GaussianProcess):
            model.predict(samples, return_std=True)
    except ValueError:  # of which all the library's errors are
        return "said"
    assert len(found) == len(samples)
    if found.dtype.kind == "f":
        assert np.isfinite(found).all()
    return "used"


def try_many(files, path, count, seed=0):
    rng, outcomes = np.random.default_rng(seed), {"refused": 0, "used": 0, "said": 0}
    names = list(MODELS)
    for k in range(count):
        name = names[k % len(names)]
        header, arrays = files[name]
        if rng.integers(2):
            header = with_header(rng, header)
        else:
            arrays = with_array(rng, arrays)
        put(path, header, arrays)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            outcomes[attempt(path, MODELS[name][1])] += 1
    return outcomes


def test_a_mutated_file_is_refused_or_harmless(files, tmp_path):
    outcomes = try_many(files, tmp_path / "m.npz", 350)
    assert outcomes["refused"] > 150


@pytest.mark.parametrize(
    ("name", "attribute", "change", "message"),
    [
        ("classifier", "classes_", lambda a: a[:2], r"classes_ is an array \(2,\).*one for each"),
        ("classifier", "classes_", lambda a: a[::-1], "classes_ is .* in ascending order"),
        ("regressor", "dual_coef_", lambda a: a.astype("S"), r"dual_coef_ is .* finite float64"),
        ("regressor", "dual_coef_", lambda a: a * np.nan, "dual_coef_ is an .* that is not finite"),
        (
            "regressor",
            "dual_coef_",
            lambda a: a[:5],
            "5 coefficients and 9 training samples do not",
        ),
        (
            "regressor",
            "X_fit_",
            lambda a: a[:, :2],
            r"X_fit_ is an array \(9, 2\) .* n_features_in_",
        ),
        ("outputs", "intercept_", lambda a: a[:1], "intercept_ is .* one finite number for each"),
        ("regressor", "alphas_", lambda a: a + 1, "alphas_ is .* alpha_ among them"),
        ("posterior", "whitener_", lambda a: a[:4], r"whitener_ is .* finite numbers \(n, r\)"),
        ("posterior", "amplitude_", lambda a: -a, "amplitude_ is .* at least 0"),
        ("ensemble", "operator_", lambda a: a[:4], r"operator_ is .* finite numbers \(n, n\)"),
    ],
)
def test_what_is_wrong_is_named(files, tmp_path, name, attribute, change, message):
    header, arrays = files[name]
    changed = {**arrays, attribute: change(arrays[attribute])}
    with pytest.raises(ModelFileError, match=rf"m\.npz: the model is damaged: {message}") as told:
        load(put(tmp_path / "m.npz", header, changed))
    assert "save it again" in str(told.value)


@pytest.mark.parametrize(
    ("name", "where", "value"),
    [
        ("regressor", ("params", "alpha"), -3),
        ("regressor", ("params", "solver"), "magic"),
        ("regressor", ("params", "store"), 3),
        ("regressor", ("fitted", "extra_"), 3),
        ("posterior", ("params", "inference"), "magic"),
        ("posterior", ("params", "kernel"), "dense rleu dense"),
        ("posterior", ("params", "kernel"), {"layer": ""}),
    ],
)
def test_parameters_that_no_fit_takes_are_refused(files, tmp_path, name, where, value):
    header, arrays = files[name]
    header = copy.deepcopy(header)
    inner = header
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    with pytest.raises(ModelFileError, match=r"m\.npz"):
        load(put(tmp_path / "m.npz", header, arrays))


def test_how_a_kernel_was_computed_is_read_past_in_files_of_earlier_versions(files, tmp_path):
    header, arrays = files["nystrom"]
    header = copy.deepcopy(header)
    plain = load(put(tmp_path / "plain.npz", header, arrays))
    X = np.random.default_rng(0).standard_normal((3, plain.n_features_in_))
    for options in (
        {"engine": "reference", "max_memory": 10**9, "progress": True},
        {"engine": "none that is known", "progress": "yes"},
        {},
    ):
        header["params"]["kernel"]["options"] = options
        model = load(put(tmp_path / "m.npz", header, arrays))
        assert (model.kernel_.engine, model.kernel_.max_memory) == ("auto", None)
        assert model.kernel_.progress is False
        np.testing.assert_array_equal(model.predict(X), plain.predict(X))


def test_a_file_of_an_earlier_version_has_no_amplitude(files, tmp_path):
    header, arrays = files["posterior"]
    header = copy.deepcopy(header)
    del header["fitted"]["amplitude_"]
    left = {k: v for k, v in arrays.items() if k != "amplitude_"}
    assert load(put(tmp_path / "m.npz", header, left)).amplitude_ == 1.0


def test_a_file_of_an_earlier_version_says_by_its_parameter_whether_it_is_centred(files, tmp_path):
    header, arrays = files["regressor"]
    header = copy.deepcopy(header)
    assert header["fitted"].pop("center_") == header["params"]["center"]
    assert load(put(tmp_path / "m.npz", header, arrays)).center_ is None


def test_what_would_take_more_memory_than_the_file_has_bytes_is_refused(files, tmp_path):
    header, arrays = files["regressor"]
    text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez_compressed(tmp_path / "m.npz", header=text, **arrays)
    with pytest.raises(ModelFileError, match="holds compressed arrays"):
        load(tmp_path / "m.npz")
    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        huge, {"descr": "<f8", "fortran_order": False, "shape": (10**15,)}
    )
    put(tmp_path / "n.npz", header, {k: v for k, v in arrays.items() if k != "dual_coef_"})
    with zipfile.ZipFile(tmp_path / "n.npz", "a") as archive:
        archive.writestr("dual_coef_.npy", huge.getvalue())
    with pytest.raises(ModelFileError, match="is damaged"):
        load(tmp_path / "n.npz")


def test_a_header_that_is_deeply_nested_is_refused(tmp_path):
    text = np.frombuffer(b"[" * 100_000, dtype=np.uint8)
    np.savez(tmp_path / "m.npz", header=text)
    with pytest.raises(ModelFileError, match="its header says otherwise"):
        load(tmp_path / "m.npz")


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        print(try_many(written(Path(folder)), Path(folder) / "m.npz", int(sys.argv[1]), 1))
