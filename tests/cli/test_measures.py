"""`tangency spectrum`, `smoothness`, `stability`: a table, and one figure or its numbers."""

import csv

import numpy as np
import pytest

import tangency as tg
from commands import run
from made import CONV, small_images


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.npz"
    np.savez(path, X=small_images().X_train)
    return path


def numbers(path):
    with path.open() as stream:
        head, *rows = csv.reader(stream)
    return head, rows


def test_spectrum(tmp_path):
    from tangency.bias.spectrum import spectrum

    out = tmp_path / "s.csv"
    net = "dense relu dense"
    result = run("spectrum", "--net", net, "--dim", 4, "--degree", 20, "--out", out)
    assert result.exit_code == 0, result.stderr
    found = spectrum({"NTK": tg.NTK(net), "last-layer": tg.NNGP(net)}, 4, 20)
    assert str(found.table()) in result.stdout
    assert found.summary in result.stdout
    assert out.read_text() == found.table().to_csv()
    assert result.stdout.splitlines()[-1] == f"wrote {out}"


def test_spectrum_of_a_convolutional_network_is_that_of_a_dense_one():
    result = run("spectrum", "--net", CONV, "--dim", 3, "--degree", 5)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("not a dense network; shown is dense relu dense\n")
    assert "wrote" not in result.stdout


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_figures(tmp_path, suffix, start):
    out = tmp_path / f"s{suffix}"
    result = run("spectrum", "--net", "dense relu dense", "--degree", 5, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert out.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [out]


def test_smoothness(small, tmp_path):
    out = tmp_path / "s.csv"
    net = "flatten dense relu dense"
    result = run("smoothness", small, "--net", net, "--examples", 3, "--out", out, "--seed", 1)
    assert result.exit_code == 0, result.stderr
    assert "40 training examples, shape 6x6x1, no labels" in result.stdout
    head, rows = numbers(out)
    ntk, last = (head.index(f"{name} mean") for name in ("NTK", "last-layer"))
    low, high = np.array(rows[0], float), np.array(rows[6], float)
    step = np.log(high[0] / low[0])
    assert np.log(high[ntk] / low[ntk]) / step == pytest.approx(0.5, abs=0.05)
    assert np.log(high[last] / low[last]) / step == pytest.approx(1, abs=0.05)


def test_stability(small, tmp_path):
    out = tmp_path / "s.csv"
    options = ("--net", CONV, "--images", 2, "--draws", 2, "--jobs", 1, "--out", out)
    result = run("stability", small, *options)
    assert result.exit_code == 0, result.stderr
    assert "2 images, 2 draws" in result.stdout
    head, rows = numbers(out)
    assert head[0] == "‖∇τ‖"
    distances = np.array(rows, float)[:, 2]
    assert np.all(np.diff(distances) > 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["spectrum"], "Missing option '--net'"),
        (["spectrum", "--net", "dense", "--dim", "1"], "Invalid value for '--dim'"),
        (["spectrum", "--net", "dense", "--out", "s.pdf"], "must end in .png or .svg or .csv"),
        (["smoothness", "iris", "--net", "conv3 gap dense"], "use Dense() on vectors"),
        (["smoothness", "iris", "--net", "dense", "--examples", "0"], "'--examples'"),
        (["stability", "iris", "--net", "dense relu dense"], "expected images"),
        (["stability", "digits", "--net", CONV, "--draws", "0"], "'--draws'"),
        (["stability", "nowhere", "--net", CONV], "nowhere"),
    ],
)
def test_errors(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_figure_that_exists_is_kept(tmp_path):
    out = tmp_path / "s.png"
    out.write_text("mine")
    arguments = ("spectrum", "--net", "dense relu dense", "--degree", 3, "--out", out)
    assert "exists already" in run(*arguments).stderr
    assert out.read_text() == "mine"
    assert run(*arguments, "--force").exit_code == 0
    assert out.read_bytes().startswith(b"\x89PNG")
