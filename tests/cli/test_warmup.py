"""`tangency warmup`: what it compiles and where that is kept."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from tangency.cli import app
from tangency.engines.fused import blocks


@pytest.mark.slow
def test_all_precisions_and_the_place():
    done = subprocess.run(
        [sys.executable, "-c", "from tangency.cli import app; app()", "warmup"],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for what in ("float32", "float64", "32 digits", "quadrature"):
        assert f"of 4: {what} ready after" in done.stdout
    assert f"cache: {blocks.image_block.stats.cache_path}" in done.stdout


def test_no_place_is_an_error(monkeypatch):
    nowhere = SimpleNamespace(stats=SimpleNamespace(cache_path=None))
    monkeypatch.setattr(blocks, "image_block", nowhere)
    result = CliRunner().invoke(app, ["warmup"])
    assert result.exit_code == 2
    assert result.stderr.startswith("tangency: no cache directory can be written to")
    assert "ready" not in result.stdout
