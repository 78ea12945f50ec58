"""`tangency report`: one file, whole or not at all."""

import numpy as np
import pytest
from typer.testing import CliRunner

from made import CONV, small_images
from pages import check
from tangency.cli import app
from tangency.engines.fused.warm import warm_up


def run(*arguments):
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


@pytest.fixture(autouse=True)
def warm():
    warm_up(("float64",))  # the first use says on stderr that it compiles


@pytest.fixture
def without_bias(monkeypatch):
    """Leave out the sections that take long; tests/report tests them."""
    monkeypatch.setattr("tangency.report.build.BIAS", {})
    monkeypatch.setattr("tangency.report.build.FINITE", {})


@pytest.fixture
def small(tmp_path):
    data = small_images()
    path = tmp_path / "<b>small.npz"
    np.savez(path, X=data.X_train, y=data.y_train, class_names=np.array(["<i>", "$x_{"]))
    return path


def test_images(small, tmp_path, without_bias):
    out = tmp_path / "page.html"
    result = run(small, "--net", CONV, "--out", out, "--draws", 2, "--jobs", 1)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    assert result.stdout.splitlines()[-1] == f"report written to {out}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["<b>small.npz", "page.html"]
    root = check(out.read_text(encoding="utf-8"))
    command = root.all("pre")[0].text
    assert command == f"tangency report '{small}' --net '{CONV}' --draws 2 --jobs 1"
    assert "<b>small" in root.all("title")[0].text
    assert "<i>" in root.all("img")[0]["alt"]


def test_tables_and_preprocessing(tmp_path, monkeypatch, without_bias):
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "t.csv"
    random = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{'yes' if a > b else 'no'}" for a, b in random.normal(size=(60, 2))]
    table.write_text("\n".join(["one,two,label", *rows]))
    result = run("t.csv", "--net", "dense relu dense", "--standardize", "--limit", 45)
    assert result.exit_code == 0, result.stderr
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    check(html)
    assert "features standardized to mean 0 and deviation 1" in html
    assert "45 used here" in html
    assert "<code>tangency report t.csv --net &#39;dense relu dense&#39; --limit 45" in html


def test_the_same_command_gives_the_same_page(small, tmp_path, without_bias):
    pages = []
    for _ in range(2):
        assert run(small, "--net", CONV, "--out", tmp_path / "r.html", "--force").exit_code == 0
        pages.append((tmp_path / "r.html").read_bytes())
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["iris"], "Missing option '--net'"),
        (["iris", "--net", "dens"], "did you mean dense"),
        (["iris", "--net", "dense", "--out", "r.pdf"], "r.pdf: the name must end in .html"),
        (["iris", "--net", "dense", "--out", "taken.html"], "taken.html: exists already"),
        (["iris", "--net", "dense", "--draws", "1"], "Invalid value for '--draws'"),
        (["iris", "--net", "dense", "--limit", "1"], "2 examples or more, got a limit of 1"),
        (["iris", "--net", "dense", "--jobs", "0"], "--jobs 0: expected"),
        (["nowhere.npz", "--net", "dense"], "no such file or folder"),
        (["digits", "--net", "conv3 dense"], "put Flatten"),
    ],
)
def test_errors(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken.html").write_text("mine")
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["taken.html"]
    assert (tmp_path / "taken.html").read_text() == "mine"
