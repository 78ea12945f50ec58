"""The page about features, its figure and its example say what the code does."""

from __future__ import annotations

import doctest
import json
import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "features.md"


def test_the_examples_of_the_page_run():
    pytest.importorskip("torch")
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried > 10
    assert failed == 0


def test_the_page_names_files_that_are_there():
    text = PAGE.read_text(encoding="utf-8")
    names = re.findall(r"\]\(([^)]+)\)", text) + [
        f"../{name}" for name in re.findall(r"(?:docs|examples|benchmarks)/\w+\.\w+", text)
    ]
    assert len(names) >= 4
    assert [name for name in names if not (PAGE.parent / name).exists()] == []


def test_a_linear_model_on_features_of_many_rows(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["million_rows.py", "20000"])
    runpy.run_path(str(ROOT / "examples" / "million_rows.py"))
    printed = capsys.readouterr().out
    assert "20,000 rows" in printed
    assert float(re.search(r"test R² (\S+)", printed)[1]) > 0.9


def test_the_law_in_the_figure_is_the_one_on_the_page():
    results = json.loads((ROOT / "benchmarks" / "results" / "features.json").read_text())
    slopes = [line["slope"] for line in results["random"]["lines"].values()]
    assert all(-0.7 < slope < -0.45 for slope in slopes)
    nystrom = results["nystrom"]["errors"]
    for best, found, uniform in zip(*(nystrom[k] for k in ("best", "rpcholesky", "uniform"))):  # noqa: B905
        assert best < found < uniform
