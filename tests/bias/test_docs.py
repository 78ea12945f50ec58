"""docs/inductive-bias.md: what it shows is so, and nothing public is left out of it."""

import json
import re
import runpy

import tangency as tg
from manual import DOCS, ROOT, follow_links, run_examples

TEXT = (DOCS / "inductive-bias.md").read_text(encoding="utf-8")


def test_examples():
    run_examples("inductive-bias.md", 4)


def test_every_public_function_is_named():
    functions = [name for name in tg.bias.__all__ if name.islower()]
    assert len(functions) > 20
    missing = [name for name in functions if not re.search(rf"\b{name}\b", TEXT)]
    assert missing == []


def test_pictures_and_links_lead_somewhere():
    follow_links("inductive-bias.md", pictures=5)


def test_the_example_runs(capsys):
    runpy.run_path(str(ROOT / "examples" / "inductive_bias.py"))
    first, second, third, fourth = capsys.readouterr().out.splitlines()
    assert "NTK" in first
    assert "(theory k^-5)" in first
    assert "‖x − y‖^0.50" in second
    assert "last-layer" in third
    assert "(theory k^-7)" in third
    assert "‖x − y‖^1.00" in fourth


def test_residuals_of_features_are_those_that_were_measured():
    results = json.loads((ROOT / "benchmarks" / "results" / "inherited.json").read_text())
    del results["versions"]
    (table,) = re.findall(r"^\| NTK features, by landmarks.*\n\|---.*\n((?:\|.*\n)+)", TEXT, re.M)
    rows = [
        [re.findall(r"[\d.]+", cell) for cell in line.split("|")[2:4]]
        for line in table.splitlines()
    ]
    for found, (residuals, ends) in zip(results.values(), rows, strict=True):
        lines = [found["kernels"]["NTK"][width] for width in ("32", "128", "512")]
        assert residuals == [f"{line['relative_residual']:.3f}" for line in lines]
        assert [float(end) for end in ends] == [float(f"{line['crossing']:.2g}") for line in lines]
