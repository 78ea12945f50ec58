"""docs/inductive-bias.md: what it shows is so, and nothing public is left out of it."""

import doctest
import re
import runpy
from pathlib import Path

import tangency as tg

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "inductive-bias.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_examples():
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried >= 4
    assert failed == 0


def test_every_public_function_is_named():
    functions = [name for name in tg.bias.__all__ if name.islower()]
    assert len(functions) > 20
    missing = [name for name in functions if not re.search(rf"\b{name}\b", TEXT)]
    assert missing == []


def test_pictures_and_links_lead_somewhere():
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert sum(link.endswith(".png") for link in links) >= 4
    for link in links:
        path = PAGE.parent / link
        assert path.exists(), link
        assert path.suffix != ".png" or path.stat().st_size < 150_000, link


def test_the_example_runs(capsys):
    runpy.run_path(str(ROOT / "examples" / "inductive_bias.py"))
    first, second, third, fourth = capsys.readouterr().out.splitlines()
    assert "NTK" in first
    assert "(theory k^-5)" in first
    assert "‖x − y‖^0.50" in second
    assert "last-layer" in third
    assert "(theory k^-7)" in third
    assert "‖x − y‖^1.00" in fourth
