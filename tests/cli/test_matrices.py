"""`tangency gram`: the same matrices as from Python."""

import numpy as np
import pytest
from typer.testing import CliRunner

import tangency as tg
from tangency.cli import app
from tangency.data import load

NET = "dense relu dense"


def run(*arguments):
    return CliRunner().invoke(app, ["gram", *map(str, arguments)])


@pytest.mark.parametrize(("kernel", "function"), [("ntk", tg.NTK), ("nngp", tg.NNGP)])
def test_one_kernel(tmp_path, kernel, function):
    result = run("iris", "--net", NET, "--kernel", kernel, "--out", tmp_path / "K.npy")
    assert result.exit_code == 0, result.stderr
    assert f"{kernel} of {NET}, 150 x 150, float64" in result.stdout
    assert np.array_equal(np.load(tmp_path / "K.npy"), function(NET)(load("iris").X_train))
    assert [path.name for path in tmp_path.iterdir()] == ["K.npy"]


def test_both_kernels_in_float32(tmp_path):
    options = ["--kernel", "both", "--dtype", "float32", "--out", tmp_path / "K.npz"]
    assert run("iris", "--net", NET, *options).exit_code == 0
    pair = tg.gram(NET, load("iris", dtype="float32").X_train)
    with np.load(tmp_path / "K.npz") as found:
        assert sorted(found.files) == ["nngp", "ntk", "train_rows"]
        assert found["ntk"].dtype == np.float32
        assert np.array_equal(found["ntk"], pair.ntk)
        assert np.array_equal(found["nngp"], pair.nngp)


def test_limit_keeps_the_proportions_and_says_which_rows(tmp_path):
    options = ["--limit", "30", "--seed", "3", "--jobs", "1", "--max-memory", "4GB"]
    result = run("iris", "--net", NET, *options, "--out", tmp_path / "K.npz")
    assert result.exit_code == 0, result.stderr
    assert "iris: 30 training examples" in result.stdout
    data = load("iris")
    with np.load(tmp_path / "K.npz") as found:
        rows, K = found["train_rows"], found["ntk"]
    assert np.bincount(data.y_train[rows]).tolist() == [10, 10, 10]
    assert np.array_equal(K, tg.NTK(NET)(data.X_train[rows]))


@pytest.mark.parametrize("limit", [4, 6])
def test_limit_without_labels(tmp_path, limit):
    X = np.random.default_rng(0).normal(size=(7, 3))
    np.save(tmp_path / "d.npy", X)
    result = run(tmp_path / "d.npy", "--net", NET, "--limit", limit, "--out", tmp_path / "K.npz")
    assert result.exit_code == 0, result.stderr
    with np.load(tmp_path / "K.npz") as found:
        assert np.array_equal(found["ntk"], tg.NTK(NET)(X[found["train_rows"]]))
        assert found["ntk"].shape == (limit, limit)


def test_parts_without_labels(tmp_path):
    X = np.random.default_rng(0).normal(size=(7, 3))
    np.savez(tmp_path / "d.npz", x_train=X[:4], x_test=X[4:])
    for rows, columns, left, right in [
        ("test", "train", X[4:], X[:4]),
        ("all", None, X, X),
        ("train", "train", X[:4], X[:4]),
    ]:
        options = ["--rows", rows, *(["--columns", columns] if columns else [])]
        result = run(
            tmp_path / "d.npz", "--net", NET, "--out", tmp_path / "K.npy", "--force", *options
        )
        assert result.exit_code == 0, result.stderr
        assert np.allclose(np.load(tmp_path / "K.npy"), tg.NTK(NET)(left, right), rtol=1e-12)


def test_reading_options(tmp_path):
    (tmp_path / "t.csv").write_text("0,51,102,255\n255,0,51,204\n")
    result = run(
        *(tmp_path / "t.csv", "--label-column", "none", "--no-header", "--input-shape", "2x2x1"),
        *("--scale", "255", "--net", "conv2 relu flatten dense", "--out", tmp_path / "K.npy"),
    )
    assert result.exit_code == 0, result.stderr
    X = np.array([[0, 51, 102, 255], [255, 0, 51, 204]]).reshape(2, 2, 2, 1) / 255
    assert np.array_equal(np.load(tmp_path / "K.npy"), tg.NTK("conv2 relu flatten dense")(X))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "K.csv"], "K.csv: the name must end in .npy or .npz or .zarr"),
        (["--out", "K.npy", "--kernel", "both"], "K.npy: the name must end in .npz or .zarr"),
        (["--out", "old.npy"], "old.npy: exists already"),
        (["--out", "K.npy", "--rows", "test"], "iris has no test part"),
        (["--out", "K.npy", "--scale", "x"], "--scale x: expected"),
        (["--out", "K.npy", "--limit", "1"], "--limit 1: at least 2 examples"),
        (["--out", "K.npy", "--max-memory", "4"], "--max-memory 4: expected a size with its unit"),
        (["--out", "K.npy", "--max-memory", "1KB"], "1000 bytes are allowed"),
        (["--out", "K.npy", "--jobs", "0"], "--jobs 0: expected a number of threads"),
        (["--out", "K.npy", "--input-shape", "3x3"], "shape 4 cannot become 3x3"),
    ],
)
def test_errors(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.npy").write_bytes(b"old")
    result = run("iris", "--net", NET, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["old.npy"]
    assert (tmp_path / "old.npy").read_bytes() == b"old"


def test_what_no_float_can_hold_is_refused(tmp_path):
    """Values that fit are right, whatever overflows on the way to them; others end in one line."""
    x = np.random.default_rng(0).normal(size=(6, 4))
    options = ["--net", "dense gelu dense", "--dtype", "float32", "--out", tmp_path / "K.npy"]
    np.save(tmp_path / "fits.npy", 3e9 * x)
    result = run(tmp_path / "fits.npy", *options)
    assert result.exit_code == 0, result.stderr
    exact = tg.NTK("dense gelu dense")((3e9 * x).astype(np.float32).astype(float))
    assert np.max(np.abs(np.load(tmp_path / "K.npy") - exact)) <= 1e-5 * np.max(exact)
    (tmp_path / "K.npy").unlink()
    np.save(tmp_path / "large.npy", 3e22 * x)
    result = run(tmp_path / "large.npy", *options)
    assert result.exit_code != 0
    assert "beyond the range of float32" in result.stderr
    assert not (tmp_path / "K.npy").exists()
