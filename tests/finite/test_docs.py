"""docs/lazy-training.md: what it shows is so; and the example runs."""

import doctest
import re
import runpy
from pathlib import Path

import pytest

pytest.importorskip("torch")

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "lazy-training.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_examples():
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried >= 10
    assert failed == 0


def test_pictures_and_links_lead_somewhere():
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert any(link.endswith(".png") for link in links)
    for link in links:
        path = PAGE.parent / link
        assert path.exists(), link
        assert path.suffix != ".png" or path.stat().st_size < 150_000, link


def test_the_example_runs(capsys):
    runpy.run_path(str(ROOT / "examples" / "lazy_training.py"))
    kernel, *functions = capsys.readouterr().out.splitlines()
    assert kernel.startswith("kernel at the start")
    assert len(functions) == 2
    for line in (kernel, *functions):
        assert -0.8 < float(line.rpartition("slope ")[2]) < -0.25
