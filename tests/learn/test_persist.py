from __future__ import annotations

import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.metrics.pairwise import rbf_kernel

import tangency as tg
from tangency import NTK, GaussianProcess, InputError, KernelClassifier, KernelRegressor
from tangency.learn import CG, ModelFileError, load

X, CODES = load_iris(return_X_y=True)
X, CODES = X[::3] / 4, CODES[::3]
Y = X[:, :2] ** 2
WORDS = np.array(["setosa", "versicolor", "a longer name ü"])

MODELS = {
    "regressor": (KernelRegressor(alpha=0.1), Y[:, 0]),
    "outputs": (KernelRegressor(NTK("dense erf dense"), alpha=[0.1, 1.0]), Y),
    "flow": (KernelRegressor(training_time=3.0, center=False), Y[:, 0]),
    "end": (KernelRegressor(training_time=np.inf, alpha=0.1), Y[:, 0]),
    "array": (KernelRegressor(alpha=np.array([0.1, 1.0])), Y[:, 0]),
    "sum": (KernelClassifier(0.5 * NTK("dense relu dense") + NTK("dense")), CODES),
    "words": (KernelClassifier(alpha=0.1), WORDS[CODES]),
    "objects": (KernelClassifier(alpha=0.1), WORDS.astype(object)[CODES]),
    "booleans": (KernelClassifier(alpha=0.1), CODES == 1),
    "posterior": (GaussianProcess(tg.parse("dense relu dense")), Y),
    "ensemble": (GaussianProcess("dense relu dense", inference="ensemble", noise=0.1), Y[:, 0]),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_comes_back_with_the_same_bits(tmp_path, name):
    model, y = MODELS[name]
    model.fit(X, y)
    path = tmp_path / "model"
    assert model.save(path) == path
    again = load(str(path))
    assert type(again) is type(model)
    assert repr(again) == repr(model)
    np.testing.assert_array_equal(again.predict(X[:7]), model.predict(X[:7]))
    assert again.predict(X[:7]).dtype == model.predict(X[:7]).dtype
    assert again.score(X, y) == model.score(X, y)
    assert set(vars(again)) == set(vars(model))
    if isinstance(model, GaussianProcess):
        for one, other in zip(
            again.predict(X[:7], return_std=True),
            model.predict(X[:7], return_std=True),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)


def test_images_in_float32_and_precomputed_matrices_come_back(tmp_path):
    images = np.random.default_rng(0).random((9, 4, 4, 1)).astype(np.float32)
    kernel = NTK("conv3 relu gap dense", engine="reference")
    model = KernelClassifier(kernel).fit(images, np.arange(9) % 2)
    again = load(model.save(tmp_path / "a.npz"), engine="reference")
    np.testing.assert_array_equal(again.decision_function(images), model.decision_function(images))
    assert again.kernel_ == kernel
    with pytest.raises(ValueError, match=r"fitted on samples of shape \(4, 4, 1\)"):
        again.predict(images[:, :3])
    matrix = kernel(images)
    given = KernelClassifier("precomputed", alpha=0.1).fit(matrix, np.arange(9) % 2)
    back = load(given.save(tmp_path / "b.npz"))
    np.testing.assert_array_equal(back.decision_function(matrix), given.decision_function(matrix))


def test_feature_names_are_kept(tmp_path):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X, columns=list("abcd"))
    again = load(KernelRegressor(alpha=0.1).fit(table, CODES).save(tmp_path / "m"))
    again.predict(table)
    with pytest.raises(ValueError, match="feature names"):
        again.predict(table.rename(columns={"a": "z"}))


def test_a_loaded_model_can_be_fitted_again(tmp_path):
    again = load(KernelClassifier(alpha=[0.1, 1.0]).fit(X, CODES).save(tmp_path / "m"))
    again.fit(X, WORDS[CODES])
    assert set(again.predict(X)) <= set(WORDS)


def test_an_unfitted_model_is_not_saved(tmp_path):
    with pytest.raises(NotFittedError):
        KernelRegressor().save(tmp_path / "m")


def test_a_plain_function_cannot_be_saved(tmp_path):
    model = KernelRegressor(rbf_kernel, alpha=0.1).fit(X, Y)
    with pytest.raises(ModelFileError, match=r"KernelRegressor cannot be saved.*plain function"):
        model.save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_labels_of_odd_types_cannot_be_saved(tmp_path):
    model = KernelClassifier(alpha=0.1).fit(X, CODES)
    model.classes_ = np.array([(1,), (2,), (3,), None], dtype=object)[:3]
    with pytest.raises(ModelFileError, match=r"cannot be saved: classes_ has dtype object"):
        model.save(tmp_path / "m")


def test_a_subclass_cannot_be_saved(tmp_path):
    class Mine(KernelRegressor):
        pass

    with pytest.raises(ModelFileError, match="Mine is not one of KernelRegressor"):
        Mine(alpha=0.1).fit(X, Y).save(tmp_path / "m")


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "m"
    model = KernelRegressor(alpha=0.1).fit(X, Y)
    model.save(path)
    before = path.read_bytes()

    def full(file, **_):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="no space"):
        model.save(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["m"]


def test_the_file_is_plain_arrays_and_a_json_header(tmp_path):
    path = KernelClassifier(alpha=0.1).fit(X, WORDS.astype(object)[CODES]).save(tmp_path / "m")
    with np.load(path, allow_pickle=False) as archive:
        header = json.loads(archive["header"].tobytes())
        assert all(archive[name].dtype != object for name in archive.files)
    assert header["format"] == "tangency-model"
    assert header["format_version"] == 1
    assert header["library_version"] == tg.__version__
    assert header["class"] == "KernelClassifier"


def test_how_to_compute_is_in_no_file_and_can_be_given_to_load(tmp_path):
    means = {"engine": "reference", "max_memory": 10**9, "n_jobs": 1, "progress": True}
    kernel = 2.0 * NTK("dense relu dense", **means) + NTK("dense erf dense", **means)
    model = KernelRegressor(kernel, alpha=0.1, solver=CG(progress=False)).fit(X, Y[:, 0])
    path = model.save(tmp_path / "m")
    with np.load(path) as archive:
        text = archive["header"].tobytes().decode()
    for word in ("reference", "engine", str(10**9), "max_memory", "n_jobs", "progress", "options"):
        assert word not in text
    plain = load(path)
    again = load(path, **means)
    for found, engine, memory, jobs, shows in (
        (plain, "auto", None, None, False),
        (again, "reference", 10**9, 1, True),
    ):
        assert found.kernel == found.kernel_ == kernel
        assert found.solver == CG()
        for part in (found.kernel.parts[0].kernel, found.kernel_.parts[1]):
            assert (part.engine, part.max_memory) == (engine, memory)
            assert (part.n_jobs, part.progress) == (jobs, shows)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_allclose(plain.predict(X), model.predict(X), rtol=1e-9)
    with pytest.raises(InputError, match=r"engine must be one of .*; got 'fast'"):
        load(path, engine="fast")
    given = KernelRegressor("precomputed").fit(kernel(X), Y).save(tmp_path / "n")
    with pytest.raises(InputError, match=r"engine must be one of"):
        load(given, engine="fast")


def rewrite(path, **changes):
    """Change entries of the header, or whole members of the archive."""
    with np.load(path) as archive:
        members = {name: archive[name] for name in archive.files}
    header = json.loads(members["header"].tobytes())
    for key, value in changes.items():
        if key in members:
            members[key] = value
        elif value is None:
            del header[key]
        else:
            header[key] = value
    if "header" not in changes:
        members["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez(path, **members)


@pytest.fixture
def saved(tmp_path):
    return KernelRegressor(alpha=0.1).fit(X[:6], Y[:6, 0]).save(tmp_path / "model.npz")


def test_a_newer_format_says_so(saved):
    rewrite(saved, format_version=2, library_version="9.0")
    with pytest.raises(ModelFileError, match=r"format 2, written by tangency 9\.0.*upgrade"):
        load(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "not a model saved by tangency: its header says otherwise"),
        ({"format_version": "1"}, "format version is '1'"),
        ({"format_version": 0}, "format version is 0"),
        ({"class": "Popen"}, "unknown class 'Popen'"),
        ({"params": None}, "damaged: its header does not describe a model"),
        ({"params": {"size": 3}}, "damaged: its header does not describe a model"),
        ({"params": {"kernel": {"kernel": {"type": "X"}}}}, "damaged"),
        ({"fitted": {"predict": 3}}, "damaged: its header does not describe a model"),
        ({"fitted": {"__class__": 3}}, "damaged: its header does not describe a model"),
        ({"fitted": {}}, "damaged: its header does not describe a model"),
        ({"dual_coef_": np.ones(3)}, "do not belong together"),
        ({"header": np.frombuffer(b"[1]", dtype=np.uint8)}, "its header says otherwise"),
        ({"header": np.frombuffer(b"\xff{", dtype=np.uint8)}, "its header says otherwise"),
    ],
)
def test_headers_that_describe_no_model_are_refused(saved, changes, message):
    rewrite(saved, **changes)
    with pytest.raises(ModelFileError, match=message):
        load(saved)


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "f"
    array = io.BytesIO()
    np.save(array, np.eye(2))
    for content in (b"", b"some text", pickle.dumps({"a": 1}), array.getvalue()):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match="not a model saved by tangency"):
            load(path)
    np.savez(path.with_suffix(".npz"), K=np.eye(2))
    with pytest.raises(ModelFileError, match="it has no header"):
        load(path.with_suffix(".npz"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header", "{}")
    with pytest.raises(ModelFileError, match="not a model saved by tangency"):
        load(path)
    with pytest.raises(ModelFileError, match="not a model"):
        load(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no model file"):
        load(tmp_path / "nothing")


def test_members_that_are_no_arrays_or_pickles_are_refused(saved):
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("note.txt", "hello")
    with pytest.raises(ModelFileError, match="holds other things than arrays"):
        load(saved)
    np.savez(saved, header=np.array([{"format": "tangency-model"}], dtype=object))
    with pytest.raises(ModelFileError, match=r"damaged.*Object arrays cannot be loaded"):
        load(saved)


def test_a_cut_off_file_is_refused(saved):
    content = saved.read_bytes()
    for length in range(0, len(content), 97):
        saved.write_bytes(content[:length])
        with pytest.raises(ModelFileError):
            load(saved)


def test_a_flipped_bit_is_noticed_or_harmless(saved):
    expected = load(saved).predict(X)
    content = saved.read_bytes()
    noticed = 0
    positions = range(0, len(content), 7)
    for position in positions:
        damaged = bytearray(content)
        damaged[position] ^= 0x10
        saved.write_bytes(bytes(damaged))
        try:
            again = load(saved)
        except ModelFileError:
            noticed += 1
            continue
        # dates and attributes of the archive's members may change without harm
        np.testing.assert_array_equal(again.predict(X), expected)
    assert noticed > 0.5 * len(positions)


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        (KernelRegressor(alpha=0.1), {"kernel": "dense erf dense"}, "it was fitted with NTK"),
        (KernelRegressor(alpha=0.1), {"kernel": "precomputed"}, "X_fit_"),
        (KernelRegressor(alpha=0.1), {"alpha": -1}, "alpha=-1"),
        (GaussianProcess(noise=0.1), {"inference": "ensemble"}, "whitener_"),
        (
            GaussianProcess(noise=0.1),
            {"kernel": NTK("dense relu dense")},
            "it was fitted with NNGP",
        ),
    ],
)
def test_parameters_changed_after_the_fit_are_not_saved(tmp_path, model, changes, message):
    model.fit(X[:9], Y[:9, 0])
    model.set_params(**changes)
    with pytest.raises(ModelFileError, match=f"changed after the fit.*{message}.*fit it again"):
        model.save(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


def test_the_means_of_computing_may_change_after_the_fit(tmp_path):
    model = KernelRegressor(NTK("dense relu dense"), alpha=0.1).fit(X[:9], Y[:9, 0])
    model.set_params(kernel=NTK("dense relu dense", n_jobs=1))
    again = load(model.save(tmp_path / "model.npz"))
    np.testing.assert_array_equal(again.predict(X[:9]), model.predict(X[:9]))


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    path = KernelRegressor(alpha=0.1).fit(np.eye(3), [1.0, 2.0, 3.0]).save(tmp_path / "m.npz")
    with monkeypatch.context() as patched:
        patched.setattr(os, "access", lambda *_: False)
        with pytest.raises(PermissionError, match=r"denied.*m\.npz"):
            load(path)
    load(path)
    path.unlink()
    os.mkfifo(path)  # would be waited for
    with pytest.raises(ModelFileError, match="is not a model saved by tangency"):
        load(path)
