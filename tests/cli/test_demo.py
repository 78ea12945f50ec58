"""`tangency demo` on a few digits, from the command line."""

import tempfile

import pytest
from typer.testing import CliRunner

from tangency.cli import app
from tangency.engines.fused.warm import warm_up
from tangency.report.outputs import FILES


def run(*arguments):
    return CliRunner().invoke(app, ["demo", *map(str, arguments)])


@pytest.fixture(autouse=True)
def warm():
    warm_up(("float64",))  # the first use says on stderr that it compiles


@pytest.mark.slow
def test_table_and_files(tmp_path):
    out = tmp_path / "results"
    result = run("--out", out, "--images", "150", "--draws", "2")
    assert result.exit_code == 0, result.stderr
    assert "trained on 120 images, tested on 30" in result.stdout
    assert "a quick look: only 150 of the 1,797 digits" in result.stdout
    assert result.stderr == ""
    for name in FILES:
        assert (out / name).stat().st_size > 100
        assert f"wrote {out / name}" in result.stdout
    assert f"page with all figures: {out / 'report.html'}" in result.stdout
    again = run("--out", out)
    assert again.exit_code == 2
    assert "results: holds table.csv already; give another folder, or --force" in again.stderr


@pytest.mark.slow
def test_without_a_folder_the_page_is_temporary(tmp_path, monkeypatch):
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    result = run("--images", "100", "--draws", "2")
    assert result.exit_code == 0, result.stderr
    assert list(here.iterdir()) == []
    (page,) = temporary.glob("*/*")
    assert f"page with figures: {page} (--out DIR keeps it" in result.stdout
    assert "tangency demo --images 100 --draws 2</code>" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--images", "x"], "Invalid value for '--images'"),
        (["--images", "99"], "the demo needs 100 to 1,797 images, got 99"),
        (["--draws", "1"], "Invalid value for '--draws'"),
        (["--out", "missing/results"], "there is no folder missing"),
        (["--out", "file"], "file: is a file; give the name of a folder"),
    ],
)
def test_errors(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
