"""`tangency fit` and `tangency predict`: the same numbers as from Python, and every refusal."""

import csv
import json

import numpy as np
import pytest

import tangency as tg
from commands import run
from tangency.data import ZCA, DataError, NormalizeImages, Standardize, load
from tangency.data.saving import read_preprocessing
from tangency.learn import load as load_model

NET = "dense relu dense"


def done(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.stderr
    return result


def table(path):
    with path.open() as stream:
        return list(csv.DictReader(stream))


def test_classification_by_name(tmp_path):
    model, out = tmp_path / "m.npz", tmp_path / "p.csv"
    result = done("fit", "iris", "--net", NET, "--test-fraction", "0.3", "--out", model)
    parts = load("iris").split(0.3, seed=0)
    direct = tg.KernelClassifier(tg.NTK(NET), alpha="loo").fit(parts.X_train, parts.y_train)
    score = direct.score(parts.X_test, parts.y_test)
    assert f"fitted to classes: NTK of {NET}" in result.stdout
    assert f"test part: accuracy {score:.4f}" in result.stdout
    assert f"leave-one-out accuracy {direct.loo_score_:.4f}" in result.stdout
    result = done("predict", model, "iris", "--out", out)
    rows = table(out)
    X, y = load("iris").X_train, load("iris").y_train
    assert [int(row["prediction"]) for row in rows] == direct.predict(X).tolist()
    assert [int(row["label"]) for row in rows] == y.tolist()
    assert {row["name"] for row in rows} == {"setosa", "versicolor", "virginica"}
    assert f"data: accuracy {direct.score(X, y):.4f}" in result.stdout
    assert np.array_equal(load_model(model).predict(X), direct.predict(X))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.npz", "p.csv"]


def test_probabilities(tmp_path):
    model, out = tmp_path / "m.npz", tmp_path / "p.csv"
    done("fit", "iris", "--net", NET, "--alpha", "0.1", "--standardize", "--out", model)
    result = done("predict", model, "iris", "--proba", "--out", out)
    X, y = load("iris").X_train, load("iris").y_train
    X = Standardize().fit_transform(X)
    direct = tg.KernelClassifier(tg.NTK(NET), alpha=0.1).fit(X, y)
    rows = table(out)
    names = ["index", "prediction", "name", "label"]
    assert list(rows[0]) == [*names, "probability_0", "probability_1", "probability_2"]
    found = [[float(row[f"probability_{c}"]) for c in range(3)] for row in rows]
    np.testing.assert_array_equal(found, direct.predict_proba(X))
    assert [int(row["prediction"]) for row in rows] == direct.predict(X).tolist()
    assert f"data: accuracy {direct.score(X, y):.4f}" in result.stdout


def test_models_without_probabilities_say_so(tmp_path):
    X, y = load("iris").X_train, load("iris").y_train
    out = tmp_path / "p.csv"
    tg.KernelRegressor(tg.NTK(NET), alpha=0.1).fit(X, y).save(tmp_path / "numbers.npz")
    flow = tg.KernelClassifier(tg.NTK(NET), training_time=1.0).fit(X, y)
    flow.save(tmp_path / "flow.npz")
    for name, message in (
        ("numbers", "predicts numbers, not classes, so it has no probabilities; leave out --proba"),
        ("flow", "holds no temperature_, by which probabilities are calibrated"),
    ):
        result = run("predict", tmp_path / f"{name}.npz", "iris", "--proba", "--out", out)
        assert result.exit_code == 2
        assert message in " ".join(result.stderr.split())
    assert not out.exists()


def test_regression(tmp_path):
    model, out = tmp_path / "m.npz", tmp_path / "p.csv"
    options = ["--kernel", "nngp", "--alpha", "0.1", "--standardize", "--out", model]
    assert "fitted to targets: NNGP" in done("fit", "diabetes", "--net", NET, *options).stdout
    result = done("predict", model, "diabetes", "--out", out)
    X, y = load("diabetes").X_train, load("diabetes").y_train
    X = Standardize().fit_transform(X)
    expected = tg.KernelRegressor(tg.NNGP(NET), alpha=0.1).fit(X, y).predict(X)
    found = [float(row["prediction"]) for row in table(out)]
    assert np.allclose(found, expected, rtol=1e-10)
    error = np.sqrt(np.mean((expected - y) ** 2))
    assert f"root mean squared error {error:.4g}" in result.stdout


def test_images_with_all_preprocessing(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (40, 5, 5, 2)).astype(np.uint8)
    y = np.arange(40) % 2
    X[y == 1, :, :2] //= 3
    np.savez(tmp_path / "d.npz", x_train=X[:30], y_train=y[:30], x_test=X[30:], y_test=y[30:])
    model, net = tmp_path / "m.npz", "conv3 relu flatten dense"
    options = ["--normalize", "--standardize", "--zca", "0.2", "--alpha", "0.01,0.1"]
    result = done("fit", tmp_path / "d.npz", "--net", net, *options, "--out", model)
    train, test = X[:30] / 255, X[30:] / 255
    for step in (NormalizeImages(), Standardize(), ZCA(0.2)):
        step.fit(train)
        train, test = step.transform(train), step.transform(test)
    direct = tg.KernelClassifier(tg.NTK(net), alpha=[0.01, 0.1]).fit(train, y[:30])
    assert f"accuracy {direct.score(test, y[30:]):.4f}" in result.stdout
    done("predict", model, tmp_path / "d.npz", "--out", tmp_path / "p.csv")
    rows = table(tmp_path / "p.csv")
    assert [int(row["prediction"]) for row in rows] == direct.predict(test).tolist()
    done("predict", model, tmp_path / "d.npz", "--part", "train", "--out", tmp_path / "t.csv")
    rows = table(tmp_path / "t.csv")
    assert [int(row["prediction"]) for row in rows] == direct.predict(train).tolist()


def test_solvers_and_a_store(tmp_path):
    parts = load("iris").split(0.3, seed=0)
    direct = tg.KernelClassifier(tg.NTK(NET), alpha=0.1).fit(parts.X_train, parts.y_train)
    options = ["iris", "--net", NET, "--test-fraction", "0.3", "--alpha", "0.1"]
    for solver in ("cholesky", "eigh", "cg"):
        model = tmp_path / f"{solver}.npz"
        store = ["--store", tmp_path / "K.zarr"] if solver == "cg" else []
        result = done("fit", *options, "--solver", solver, *store, "--out", model)
        again = load_model(model)
        assert again.solver_ == again.solver == solver
        expected = direct.decision_function(parts.X_test)
        assert np.allclose(again.decision_function(parts.X_test), expected, atol=1e-6)
        assert ("conjugate gradients: " in result.stdout) == (solver == "cg")
    assert tg.gram.open(tmp_path / "K.zarr").complete
    options[-1] = "0.2"  # another alpha, the same matrix
    done("fit", *options, "--store", tmp_path / "K.zarr", "--out", tmp_path / "b.npz")
    other = ["--kernel", "nngp", "--store", tmp_path / "K.zarr", "--out", tmp_path / "c.npz"]
    result = run("fit", *options, *other)
    assert result.exit_code == 2
    assert "holds another job" in result.stderr
    assert not (tmp_path / "c.npz").exists()


def test_a_solver_that_cannot_do_what_is_asked(tmp_path):
    options = ["--solver", "cholesky", "--out", tmp_path / "m.npz"]
    result = run("fit", "iris", "--net", NET, *options)
    assert result.exit_code == 2
    assert 'solver="cholesky" takes one alpha > 0' in result.stderr


@pytest.fixture
def flowers(tmp_path):
    """A table with names, and a model fitted on it."""
    data = load("iris")
    lines = ["a,b,kind,c,d"]
    for (a, b, c, d), label in zip(data.X_train, data.y_train, strict=True):
        lines.append(f"{a},{b},{data.class_names[label]},{c},{d}")
    (tmp_path / "t.csv").write_text("\n".join(lines))
    options = ["--label-column", "kind", "--alpha", "1", "--out", tmp_path / "m.npz"]
    done("fit", tmp_path / "t.csv", "--net", NET, *options)
    return tmp_path


def test_a_table_with_and_without_its_labels(flowers):
    done("predict", flowers / "m.npz", flowers / "t.csv", "--out", flowers / "p.csv")
    rows = table(flowers / "p.csv")
    assert rows[0] == {"index": "0", "prediction": "setosa", "label": "setosa"}
    lines = [line.split(",") for line in (flowers / "t.csv").read_text().splitlines()]
    bare = "\n".join(",".join([a, b, c, d]) for a, b, _, c, d in lines)
    (flowers / "bare.csv").write_text(bare)
    done("predict", flowers / "m.npz", flowers / "bare.csv", "--out", flowers / "q.csv")
    assert [r["prediction"] for r in table(flowers / "q.csv")] == [r["prediction"] for r in rows]
    assert "label" not in table(flowers / "q.csv")[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3\n", "has 3 columns; the model needs 4 features, with or without a label"),
        ("a,b,d,c\n1,2,3,4\n", "feature 2 is 'd', but the model was fitted with 'c' there"),
        ("1,2,3,4,5\n6,7,8,9,0\n", "no single column named 'kind'"),
        ("a,b,c,d\n1,2,3,\n", "line 2, column 'd' is empty"),
    ],
)
def test_tables_that_do_not_fit_the_model(flowers, text, message):
    (flowers / "x.csv").write_text(text)
    result = run("predict", flowers / "m.npz", flowers / "x.csv", "--out", flowers / "p.csv")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (flowers / "p.csv").exists()


def test_another_scale_is_noticed(flowers):
    (flowers / "x.csv").write_text("a,b,c,d\n5100,3500,1400,200\n")
    result = done("predict", flowers / "m.npz", flowers / "x.csv", "--out", flowers / "p.csv")
    assert "warning: the largest value in x is 5.1e+03, in the training part it was 7.9" in (
        result.stderr
    )
    options = ["--scale", "1000", "--force", "--out", flowers / "p.csv"]
    result = done("predict", flowers / "m.npz", flowers / "x.csv", *options)
    assert result.stderr == ""
    assert table(flowers / "p.csv")[0]["prediction"] == "setosa"


@pytest.fixture
def unnamed(flowers):
    """The same examples as plain arrays, with other labels."""
    np.savez(flowers / "plain.npz", X=load("iris").X_train, y=load("iris").y_train)
    return flowers / "plain.npz"


def test_labels_of_another_kind(flowers, unnamed):
    result = done("predict", flowers / "m.npz", unnamed, "--out", flowers / "p.csv")
    assert "none of its labels is a class of the model" in result.stdout


def test_a_model_saved_from_python(tmp_path):
    X, y = load("iris").X_train, load("iris").y_train
    direct = tg.KernelClassifier(tg.NTK(NET), alpha=1.0).fit(X, y)
    direct.save(tmp_path / "m.npz")
    result = done("predict", tmp_path / "m.npz", "iris", "--out", tmp_path / "p.csv")
    assert "warning" in result.stderr
    assert "it holds no preprocessing" in result.stderr
    found = [int(row["prediction"]) for row in table(tmp_path / "p.csv")]
    assert found == direct.predict(X).tolist()


def test_a_precomputed_model_cannot_predict_from_data(tmp_path):
    tg.KernelClassifier("precomputed", alpha=1.0).fit(np.eye(4), [0, 1, 0, 1]).save(
        tmp_path / "m.npz"
    )
    result = run("predict", tmp_path / "m.npz", "iris", "--out", tmp_path / "p.csv")
    assert result.exit_code == 2
    assert "fitted on a precomputed kernel" in result.stderr


def test_limit_draws_classes_in_proportion(tmp_path):
    result = done("fit", "iris", "--net", NET, "--limit", "30", "--out", tmp_path / "m.npz")
    assert "iris: 30 training examples" in result.stdout
    X, y = load("iris").X_train, load("iris").y_train
    used = [int(y[(row == X).all(axis=1)][0]) for row in load_model(tmp_path / "m.npz").X_fit_]
    assert np.bincount(used).tolist() == [10, 10, 10]
    result = done("fit", "diabetes", "--net", NET, "--limit", "30", "--out", tmp_path / "r.npz")
    assert "diabetes: 30 training examples" in result.stdout


def test_whole_numbers_can_be_targets_and_classes(tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 2))
    np.savez(tmp_path / "d.npz", X=X, y=np.arange(60))
    base = ["fit", tmp_path / "d.npz", "--net", NET, "--out", tmp_path / "m.npz", "--force"]
    result = run(*base)
    assert result.exit_code == 2
    assert "60 different whole numbers for 60 examples; say --task regression" in result.stderr
    assert "fitted to targets" in done(*base, "--task", "regression").stdout
    np.savez(tmp_path / "d.npz", X=X, y=np.arange(60) % 3 * 1.0)
    assert "fitted to targets" in done(*base).stdout
    assert "fitted to classes" in done(*base, "--task", "classification").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["iris", "--alpha", "-1"], "--alpha -1: expected a number that is 0 or more"),
        (["iris", "--zca", "-1"], "regularization must be 0 or more, got -1"),
        (["iris", "--net", "dense rel"], "did you mean relu"),
        (["digits"], "put Flatten()"),
        (["iris", "--test-fraction", "2"], "test_fraction must lie between 0 and 1, got 2"),
        (["iris", "--limit", "1"], "--limit 1: at least 2 examples"),
        (["iris", "--out", "old.npz"], "old.npz: exists already"),
        (["iris", "--out", "m.txt"], "m.txt: the name must end in .npz"),
        (["iris", "--out", "no/m.npz"], "there is no folder no"),
        (["text.npz", "--task", "regression"], "regression needs numbers"),
        (["real.npz", "--task", "classification"], "classes must be whole numbers, got 0.5"),
        (["bare.npz"], "no labels for its 4 examples"),
        (["iris", "--max-memory", "4"], "--max-memory 4: expected a size with its unit"),
        (["iris", "--max-memory", "1KB"], "1000 bytes are allowed"),
        (["iris", "--jobs", "0"], "--jobs 0: expected a number of threads"),
    ],
)
def test_fit_errors(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    X = np.eye(4)
    np.savez("text.npz", X=X, y=np.array(["a", "b", "a", "b"]))
    np.savez("real.npz", X=X, y=np.array([0.5, 1, 2, 3]))
    np.savez("bare.npz", X=X)
    (tmp_path / "old.npz").write_bytes(b"old")
    before = sorted(path.name for path in tmp_path.iterdir())
    defaults = [] if "--net" in arguments else ["--net", NET]
    defaults += [] if "--out" in arguments else ["--out", "m.npz"]
    result = run("fit", *arguments, *defaults)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "there is no model file"), (b"hello", "is not a model saved by tangency")],
)
def test_models_that_are_none(tmp_path, content, message):
    if content:
        (tmp_path / "m.npz").write_bytes(content)
    result = run("predict", tmp_path / "m.npz", "iris", "--out", tmp_path / "p.csv")
    assert result.exit_code == 2
    assert message in result.stderr


def test_data_of_another_shape(flowers):
    result = run("predict", flowers / "m.npz", "wine", "--out", flowers / "p.csv")
    assert result.exit_code == 2
    assert "wine: examples of shape 13, but the model was fitted on 4" in result.stderr


def test_no_test_part(flowers, unnamed):
    options = ["--part", "test", "--out", flowers / "p.csv"]
    result = run("predict", flowers / "m.npz", unnamed, *options)
    assert result.exit_code == 2
    assert "plain has no test part" in result.stderr
    assert not (flowers / "p.csv").exists()


def test_means_of_a_fit_and_of_a_prediction(tmp_path, monkeypatch):
    from tangency.engines import dispatch

    seen, inner = [], dispatch.gram

    def spy(plan, x, y, wanted, computing):
        seen.append((computing.max_memory, computing.n_jobs, computing.progress))
        return inner(plan, x, y, wanted, computing)

    monkeypatch.setattr(dispatch, "gram", spy)
    model, out = tmp_path / "m.npz", tmp_path / "p.csv"
    done("fit", "iris", "--net", NET, "--max-memory", "2GB", "--jobs", "1", "--out", model)
    done("predict", model, "iris", "--max-memory", "1GB", "--jobs", "2", "--out", out)
    assert seen == [(2 * 10**9, 1, False), (10**9, 2, False)]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "b"], "data: its labels are no numbers, so there is no R²"),
        (None, "data: its labels have the shape (2, 2), the predictions (2,), so"),
    ],
)
def test_a_regression_on_data_with_other_labels(tmp_path, labels, message):
    train, data = tmp_path / "train.csv", tmp_path / "data.csv"
    train.write_text("a,b,y\n1,2,0.5\n3,4,1.5\n5,6,0.25\n")
    if labels is None:
        data = tmp_path / "data.npz"
        np.savez(data, X=np.eye(2), y=np.eye(2))
    else:
        data.write_text("a,b,y\n" + "".join(f"1,2,{label}\n" for label in labels))
    done("fit", train, "--net", NET, "--out", tmp_path / "m.npz")
    result = done("predict", tmp_path / "m.npz", data, "--out", tmp_path / "p.csv")
    assert message in result.stdout
    assert len(table(tmp_path / "p.csv")) == 2


def test_a_store_in_a_folder_that_is_missing(tmp_path):
    store = tmp_path / "missing" / "K.zarr"
    result = run("fit", "iris", "--net", NET, "--store", store, "--out", tmp_path / "m.npz")
    assert result.exit_code == 2
    assert "there is no folder" in result.stderr
    assert not store.parent.exists()


def test_a_model_with_preprocessing_says_so_in_python(tmp_path):
    out = tmp_path / "m.npz"
    done("fit", "iris", "--net", NET, "--standardize", "--zca", "0.1", "--out", out)
    with pytest.warns(UserWarning, match="after Standardize, ZCA, which is not applied by this"):
        model = load_model(out)
    X = load("iris").X_train
    for step in read_preprocessing(out)[0]:
        X = step.transform(X)
    done("predict", out, "iris", "--out", tmp_path / "p.csv")
    rows = table(tmp_path / "p.csv")
    assert [int(row["prediction"]) for row in rows] == model.predict(X).tolist()


@pytest.fixture(scope="module")
def preprocessed(tmp_path_factory):
    out = tmp_path_factory.mktemp("models") / "m.npz"
    steps = ("--normalize", "--standardize", "--zca", "0.1")
    done("fit", "iris", "--net", NET, "--limit", "12", *steps, "--out", out)
    return dict(np.load(out))


@pytest.mark.parametrize(
    "place",
    [
        ("format",),
        ("steps",),
        ("steps", 0, "kind"),
        ("steps", 0, "parameters", "center"),
        ("steps", 1, "parameters", "per"),
        ("steps", 2, "parameters", "regularization"),
        ("metadata",),
        ("metadata", "reading"),
        ("metadata", "reading", "input_shape"),
        ("metadata", "reading", "channels"),
        ("metadata", "reading", "dtype"),
        ("metadata", "input_shape"),
        ("metadata", "largest"),
        ("metadata", "class_names"),
        ("metadata", "class_names", 0),
        ("metadata", "feature_names"),
    ],
)
def test_a_crafted_preprocessing_is_refused_in_one_line(preprocessed, tmp_path, place):
    for value in (-1, 1e308, [1.5], [None], {"a": 1}, 10**30):
        header = json.loads(str(preprocessed["preprocessing"]))
        part = header
        for name in place[:-1]:
            part = part[name]
        part[place[-1]] = value
        np.savez(
            tmp_path / "m.npz", **preprocessed | {"preprocessing": np.array(json.dumps(header))}
        )
        result = run("predict", tmp_path / "m.npz", "iris", "--out", tmp_path / "p.csv")
        if result.exit_code == 0 and isinstance(value, int | float):
            assert value > 0, "a number where a number belongs"
            (tmp_path / "p.csv").unlink()
            continue
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.stderr


@pytest.mark.parametrize("name", ["input_shape_", "mean_", "scale_", "whitening_"])
def test_crafted_arrays_of_preprocessing_are_refused(preprocessed, tmp_path, name):
    for key in (key for key in preprocessed if key.endswith(f".{name}")):
        for value in (
            np.zeros(3),
            np.array("x"),
            np.full(4, np.nan),
            np.array(1.0),
            np.zeros((2, 2)),
        ):
            np.savez(tmp_path / "m.npz", **preprocessed | {key: value})
            with pytest.raises(DataError, match=f"its preprocessing is damaged.*{name}"):
                read_preprocessing(tmp_path / "m.npz")
