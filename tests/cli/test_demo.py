"""`tangency demo` on a few digits, from the command line."""

import pytest
from typer.testing import CliRunner

from tangency.cli import app
from tangency.report import demo
from tangency.report.outputs import FILES


def run(*arguments):
    return CliRunner().invoke(app, ["demo", *map(str, arguments)])


@pytest.fixture
def few(monkeypatch):
    whole = demo.digits
    monkeypatch.setattr(demo, "digits", lambda settings: whole(demo.Settings(images=200)))
    return whole


def test_table_and_files(few, tmp_path):
    out = tmp_path / "results"
    result = run("--out", out, "--images", "30", "--draws", "2")
    assert result.exit_code == 0, result.stderr
    assert "trained on 160 images, tested on 40" in result.stdout
    assert "trained on 30 images, tested on 40" in result.stdout
    assert "it saw 30 of the 160 training images" in " ".join(result.stdout.split())
    assert result.stderr == ""
    for name in FILES:
        assert (out / name).stat().st_size > 100
        assert f"wrote {out / name}" in result.stdout
    again = run("--out", out)
    assert again.exit_code == 2
    assert "results: holds table.csv already; give another folder, or --force" in again.stderr


def test_without_a_folder_nothing_is_written(few, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("--images", "20", "--draws", "2")
    assert result.exit_code == 0, result.stderr
    assert "wrote" not in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--images", "x"], "--images x: expected a whole number, auto or all"),
        (["--images", "5"], "at least 20 training images, got 5"),
        (["--draws", "1"], "Invalid value for '--draws'"),
        (["--out", "missing/results"], "there is no folder missing"),
        (["--out", "file"], "file: is a file; give the name of a folder"),
    ],
)
def test_errors(few, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
