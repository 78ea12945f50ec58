"""`tangency gram --out K.zarr` and `tangency gram-status`."""

import numpy as np
import pytest

import tangency as tg
from commands import run
from tangency.data import load

NET = "dense relu dense"


def gram(path, *options):
    return run("gram", "iris", "--net", NET, "--out", path, *options)


def test_a_store(tmp_path):
    result = gram(tmp_path / "K.zarr", "--tile", "64", "--kernel", "both", "--dtype", "float32")
    assert result.exit_code == 0, result.stderr
    assert "nngp and ntk, 150 x 150" in result.stdout
    assert "done: 6 of 6 tiles, 100.0 % of the pairs" in result.stdout
    X = load("iris", dtype="float32").X_train
    stored = tg.gram.open(tmp_path / "K.zarr")
    assert stored.ntk.tile == 64
    for kind in ("nngp", "ntk"):
        expected = getattr(tg.gram(NET, X), kind)
        assert np.allclose(getattr(stored, kind)[...], expected, rtol=1e-5)


def test_rows_and_columns(tmp_path):
    X = np.random.default_rng(0).normal(size=(7, 3))
    np.savez(tmp_path / "d.npz", x_train=X[:4], x_test=X[4:])
    options = ["--rows", "test", "--columns", "train", "--out", tmp_path / "K.zarr"]
    result = run("gram", tmp_path / "d.npz", "--net", NET, *options)
    assert result.exit_code == 0, result.stderr
    K = tg.gram.open(tmp_path / "K.zarr", "ntk")
    assert np.allclose(K[...], tg.NTK(NET)(X[4:], X[:4]), rtol=1e-12)


def test_the_same_command_goes_on(tmp_path):
    path = tmp_path / "K.zarr"
    assert gram(path, "--tile", "64").exit_code == 0
    (path / "tiles" / "0.1.json").unlink()
    found = run("gram-status", path)
    assert found.exit_code == 0
    assert "done: 5 of 6 tiles, 63.8 % of the pairs" in found.stdout
    assert "running: no; the same call goes on where it stopped" in found.stdout
    assert gram(path).exit_code == 0
    assert "done: 6 of 6 tiles" in run("gram-status", path).stdout


def test_verify(tmp_path):
    path = tmp_path / "K.zarr"
    gram(path, "--tile", "64")
    found = run("gram-status", path, "--verify")
    assert found.exit_code == 0
    assert "6 of 6 tiles are whole" in found.stdout
    chunk = path / "ntk" / "c" / "1" / "2"
    chunk.write_bytes(chunk.read_bytes()[:-9])
    assert run("gram-status", path).exit_code == 0  # which reads the records only
    found = run("gram-status", path, "--verify")
    assert found.exit_code == 1
    assert "5 of 6 tiles are whole" in found.stdout
    assert "tile (1, 2) is damaged: ntk has" in found.stdout
    assert gram(path).exit_code == 0
    assert run("gram-status", path, "--verify").exit_code == 0


def test_an_interruption_says_what_is_left(tmp_path, monkeypatch):
    from tangency.matrix.job import Job

    real = Job.compute_tile

    def interrupted(self, i, j, data):
        if (i, j) == (1, 1):
            raise KeyboardInterrupt
        return real(self, i, j, data)

    monkeypatch.setattr(Job, "compute_tile", interrupted)
    result = gram(tmp_path / "K.zarr", "--tile", "64")
    assert result.exit_code == 130
    message = f"interrupted; {tmp_path / 'K.zarr'} holds 3 of 6 tiles; the same command goes on"
    assert message in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "K.zarr", "--force"], "a store is never replaced"),
        (["--out", "K.zarr", "--max-memory", "1GB"], "use --tile, not --max-memory"),
        (["--out", "K.zarr", "--tile", "0"], "--tile 0: expected a whole number above 0, or auto"),
        (["--out", "K.zarr", "--tile", "x"], "--tile x: expected a whole number above 0, or auto"),
        (["--out", "K.zarr", "--jobs", "0"], "--jobs 0: expected a number of threads"),
        (["--out", "none/K.zarr"], "there is no folder none; create it first"),
        (["--out", "K.npy", "--tile", "64"], "--tile is for stores, but --out is K.npy"),
        (["--out", "mine.zarr"], "mine.zarr is not a store of a kernel matrix"),
        (["--out", "old.zarr", "--tile", "9"], "side of the tiles: 64 there, 9 here"),
        (["--out", "old.zarr", "--limit", "20"], "number of rows: 150 there, 20 here"),
    ],
)
def test_errors(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.zarr").write_text("mine")
    gram("old.zarr", "--tile", "64")
    result = run("gram", "iris", "--net", NET, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.zarr", "old.zarr"]
    assert (tmp_path / "mine.zarr").read_text() == "mine"


def test_status_of_nothing(tmp_path):
    result = run("gram-status", tmp_path / "K.zarr")
    assert result.exit_code == 2
    assert "there is no such store" in result.stderr
