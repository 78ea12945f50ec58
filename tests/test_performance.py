"""docs/performance.md: its figures are those that the benchmarks have written."""

import json
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
RESULTS = ROOT / "benchmarks" / "results"
CASES = {
    "dense, four hidden layers | 784 numbers": "dense-5",
    "three convolutions, `flatten` | 32×32×3": "conv3-flatten-32",
    "two convolutions, pooling by 2 and 5, `flatten` | 28×28×1": "ckn-28",
    "two convolutions, Gaussian pooling, `flatten` | 28×28×1": "ckn-28",
    "Myrtle-5 | 32×32×3": "myrtle5-32",
    "three convolutions, `gap` | 8×8×1": "conv3-gap-8",
    "three convolutions, `gap` | 32×32×3": "conv3-gap-32",
    "ten convolutions, `gap` | 32×32×3": "conv10-gap-32",
    "wide residual network, strided, `gap` | 16×16×3": "wide-resnet-16",
}
UNITS = {"s": 1, "min": 60, "h": 3600}


def table(heading):
    """The rows of the first table under a heading, by their first two cells."""
    part = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+? \| .+?) \| (.*) \|$", part, re.MULTILINE)
    found = {name: [cell.replace(",", "") for cell in cells.split(" | ")] for name, cells in rows}
    return {CASES[name]: cells for name, cells in found.items() if name in CASES}


@pytest.fixture(scope="module")
def cases():
    return json.loads((RESULTS / "peers.json").read_text())["cases"]


def test_beside_the_peer(cases):
    rows = table("Beside neural-tangents")
    assert set(rows) == set(cases)
    for name, cells in rows.items():
        rates = cases[name]["pairs_per_second"]
        wanted = (rates["ours"], rates["peer"], cases[name]["ratio"])
        assert [float(cell) for cell in cells] == pytest.approx(wanted, rel=0.02), name


def test_both_instruction_sets():
    rows = table("AVX2 and AVX-512")
    for k, name in enumerate(("peers_avx2", "peers_avx512")):
        results = json.loads((RESULTS / f"{name}.json").read_text())
        assert results["machine"]["vectors"].startswith(("AVX2", "AVX-512")[k])
        assert set(rows) == set(results["cases"])
        for case, cells in rows.items():
            found = results["cases"][case]
            wanted = (found["pairs_per_second"]["ours"], found["ratio"])
            assert [float(x) for x in cells[2 * k : 2 * k + 2]] == pytest.approx(wanted, rel=0.02)


def test_how_long_a_matrix_takes(cases):
    rows = table("How long a matrix takes")
    assert len(rows) == len(cases)
    for name, (rate, *times) in rows.items():
        # Of a symmetric call, the rate there counts what is returned, twice what is computed.
        pairs = cases[name]["pairs_per_second"]["ours"] / (2 if name == "dense-5" else 1)
        assert float(rate) == pytest.approx(pairs, rel=0.01)
        for n, time in zip((1_000, 10_000), times, strict=True):
            number, unit = time.split()
            seconds = n**2 / 2 / pairs
            assert float(number) * UNITS[unit] == pytest.approx(seconds, rel=0.06, abs=0.005), name


def test_solvers():
    lines = json.loads((RESULTS / "solvers.json").read_text())["lines"]
    part = TEXT.split("\n## Which solver\n")[1]
    rows = re.findall(r"^\| ([\d,]+) \| (.*) \|$", part, re.MULTILINE)
    assert len(rows) == 4
    for n, cells in rows:
        for name, cell in zip(("cholesky", "cg", "nystrom"), cells.split(" | "), strict=True):
            (found,) = (each for each in lines[name] if each["n"] == int(n.replace(",", "")))
            seconds, gigabytes = re.findall(r"[\d.]+", cell)
            assert float(seconds) == pytest.approx(found["seconds"], rel=0.03, abs=0.06)
            assert float(gigabytes) == pytest.approx(found["gigabytes"], abs=0.006)


def test_the_notes_are_there():
    notes = (ROOT / "benchmarks" / "NOTES.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", notes + TEXT)
    for link in links:
        assert (ROOT / "docs" / link).exists(), link  # both folders lie side by side


def test_the_operations_of_a_position_are_counted(monkeypatch):
    """The loops run as plain Python there, on numbers that count: with all that they take."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    count = import_module("count")
    found = [count.operations(count.convolution_and_relu(tangent)) for tangent in (True, False)]
    assert found == [51, 44]
