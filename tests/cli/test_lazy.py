"""`tangency lazy`: a table, and a figure or its numbers."""

import csv
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from made import CONV, small_images
from tangency.cli import app
from tangency.cli.lazy import parse_widths

pytest.importorskip("torch")

QUICK = ("--widths", "4,16", "--seeds", "2", "--steps", "10", "--train", "12", "--test", "6")


def run(*arguments):
    return CliRunner().invoke(app, ["lazy", *map(str, arguments)])


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.npz"
    data = small_images()
    np.savez(path, X=data.X_train, y=data.y_train)
    return path


def test_the_table_and_its_numbers(small, tmp_path):
    out = tmp_path / "lazy.csv"
    result = run(small, "--net", CONV, *QUICK, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert "Finite networks in training" in result.stdout
    assert "From width 4 to 16" in result.stdout
    with out.open() as stream:
        head, *rows = csv.reader(stream)
    assert head[2] == "width 4"
    assert len(rows) == 9
    again = run(small, "--net", CONV, *QUICK, "--seed", 5, "--out", out, "--force")
    assert again.exit_code == 0, again.stderr
    with out.open() as stream:
        assert next(iter(list(csv.reader(stream))[1:])) != rows[0]


def test_images_are_rows_for_a_dense_network(small, tmp_path):
    out = tmp_path / "lazy.png"
    result = run(small, "--net", "dense relu dense", *QUICK, "--out", out, "--alpha", 10)
    assert result.exit_code == 0, result.stderr
    assert "images are taken as vectors of 36 numbers" in result.stdout
    assert "output scale 10" in result.stdout
    assert out.read_bytes().startswith(b"\x89PNG")


def test_classes_and_targets():
    assert run("iris", "--net", "dense erf dense", *QUICK, "--loss", "cross-entropy").exit_code == 0
    result = run("diabetes", "--net", "dense erf dense", *QUICK, "--dtype", "float64")
    assert result.exit_code == 0, result.stderr
    assert "images" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["iris"], "Missing option '--net'"),
        (["iris", "--net", "dense", "--widths", "8,x"], "--widths 8,x: expected different whole"),
        (["iris", "--net", "dense", "--widths", "8,8"], "different"),
        (["iris", "--net", "conv3 gap dense", *QUICK], "use Dense() on vectors"),
        (["digits", "--net", "dense conv3 dense", *QUICK], "cannot take"),
        (["diabetes", "--net", "dense", "--loss", "cross-entropy"], "for classes"),
        (["iris", "--net", "dense layernorm", *QUICK], "add Dense() at the end"),
        (["iris", "--net", "dense", "--out", "lazy.pdf"], "must end in"),
        (["iris", "--net", "dense", "--alpha", "0", *QUICK], "alpha must be"),
    ],
)
def test_errors(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_training_needs_labels(tmp_path):
    path = tmp_path / "bare.npy"
    np.save(path, small_images().X_train)
    result = run(path, "--net", CONV, *QUICK)
    assert result.exit_code == 2
    assert "training needs labels, and there are none" in result.stderr


def test_without_torch_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    result = run("iris", "--net", "dense relu dense")
    assert result.exit_code == 2
    assert 'pip install "tangency[torch]"' in result.stderr


def test_widths():
    assert parse_widths("64,256, 1024") == (64, 256, 1024)


def table(tmp_path, X, y):
    path = tmp_path / "table.csv"
    np.savetxt(path, np.c_[X, y], delimiter=",", header="a,b,y", comments="")
    return path


def test_equal_targets_and_numbers_beyond_float32_are_told_as_what_they_are(tmp_path):
    X = np.random.default_rng(0).standard_normal((20, 2))
    for X_, y, message in (
        (X, np.full(20, 0.1), "the training examples all have the same target"),
        (X * 1e150, X[:, 0], "leave the range of float32"),
        (X * 1e-30, X[:, 0], "training in float32 leaves its range; divide the inputs"),
        (X, X[:, 0] * 1e30, "training in float32 leaves its range; divide the targets"),
    ):
        result = run(table(tmp_path, X_, y), "--net", "dense relu dense", *QUICK)
        assert result.exit_code == 2
        assert message in result.stderr
        assert "overflow" not in result.stderr
