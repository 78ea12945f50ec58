"""paper/paper.md: its figures are those of the benchmarks, and what it names is there."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "paper" / "paper.md").read_text(encoding="utf-8")
CASES = {
    "dense, four hidden layers": "dense-5",
    "three convolutions, flatten": "conv3-flatten-32",
    "Myrtle-5": "myrtle5-32",
    "three convolutions, average": "conv3-gap-32",
    "ten convolutions, average": "conv10-gap-32",
}


def results(name):
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())


@pytest.mark.parametrize("row", CASES)
def test_the_table_is_that_of_the_benchmark(row):
    (cells,) = re.findall(rf"^\| {row} \| [\d×]+ \| (.*) \|$", TEXT, re.MULTILINE)
    case = results("peers")["cases"][CASES[row]]
    rates = case["pairs_per_second"]
    found = [float(cell.replace(",", "")) for cell in cells.split(" | ")]
    assert found == pytest.approx([rates["ours"], rates["peer"], case["ratio"]], rel=0.02)


def test_errors_on_mnist():
    kernels = results("mnist")["dense"]["kernels"]
    assert f"{kernels['ntk']['error']} % (NTK) and {kernels['nngp']['error']} %" in TEXT


def test_every_citation_has_an_entry_and_every_entry_is_cited():
    cited = set(re.findall(r"@(\w+)", TEXT))
    entries = re.findall(
        r"^@\w+\{(\w+),", (ROOT / "paper" / "paper.bib").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(cited) == sorted(entries)


def test_files_that_it_names_are_there():
    named = re.findall(r"(?:benchmarks|tests|docs)/[\w/]+\.(?:py|md|png)", TEXT)
    assert len(named) > 5
    for name in named:
        assert (ROOT / name).exists(), name
