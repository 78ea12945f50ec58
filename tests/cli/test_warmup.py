"""`tangency warmup`: what it compiles and where that is kept."""

from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from tangency.cli import app
from tangency.engines.fused import blocks, warm


@pytest.fixture
def compiled(monkeypatch):
    seen = []
    monkeypatch.setattr(warm, "warm_up", lambda dtypes: seen.extend(dtypes))
    return seen


def test_both_precisions_and_the_place(compiled):
    result = CliRunner().invoke(app, ["warmup"])
    assert result.exit_code == 0, result.stderr
    assert compiled == ["float32", "float64"]
    assert "1 of 2: float32 ready after" in result.stdout
    assert f"cache: {blocks.image_block.stats.cache_path}" in result.stdout


def test_no_place_is_an_error(compiled, monkeypatch):
    nowhere = SimpleNamespace(stats=SimpleNamespace(cache_path=None))
    monkeypatch.setattr(blocks, "image_block", nowhere)
    result = CliRunner().invoke(app, ["warmup"])
    assert result.exit_code == 2
    assert result.stderr.startswith("tangency: no cache directory can be written to")
    assert "cache:" not in result.stdout
