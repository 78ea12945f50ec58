"""docs/scaling.md: what it shows is so, and its table follows from the measurements."""

import doctest
import json
import re
import shlex

import pytest
from typer.testing import CliRunner

from manual import DOCS, ROOT, run_examples
from tangency.cli import app

PAGE = DOCS / "scaling.md"
TEXT = PAGE.read_text(encoding="utf-8")
CASES = {
    "four hidden layers, dense": "dense-5",
    "three convolutions, `flatten`": "conv3-flatten-32",
    "three convolutions, average pooling": "conv3-gap-32",
    "ten convolutions, average pooling": "conv10-gap-32",
}
UNITS = {"seconds": 1, "minutes": 60, "days": 86400}


def test_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    run_examples("scaling.md", 10, options)


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert links
    assert all((PAGE.parent / link).exists() for link in links)
    for script in re.findall(r"benchmarks/\w+\.py", TEXT):
        assert (ROOT / script).exists()


def test_the_plan_that_is_shown():
    (command, *table) = re.search(r"^    \$ tangency (.*\n(?:    .*\n)*)", TEXT, re.M)[
        1
    ].splitlines()
    result = CliRunner().invoke(app, shlex.split(command))
    assert result.exit_code == 0, result.stderr
    measured = ("speed", "time")
    shown = [line.strip() for line in table if not line.strip().startswith(measured)]
    found = [line for line in result.stdout.splitlines() if not line.startswith(measured)]
    assert found == shown


@pytest.mark.parametrize("name", CASES)
def test_a_million_images(name):
    measured = json.loads((ROOT / "benchmarks" / "results" / "peers.json").read_text())
    case = measured["cases"][CASES[name]]
    # Of a symmetric call, the rate there counts what is returned, twice what is computed.
    rate = case["pairs_per_second"]["ours"] / (2 if CASES[name] == "dense-5" else 1)
    (row,) = re.findall(rf"^\| {name} \| \S+ \|(.*)\|$", TEXT, re.MULTILINE)
    pairs, hours, time = (cell.strip().replace(",", "") for cell in row.split("|"))
    number, unit = time.split()
    core_hours = 2 * 5e11 / rate / 3600
    assert float(pairs) == pytest.approx(rate, rel=0.01)
    assert float(hours) == pytest.approx(core_hours, rel=0.02)
    assert float(number) * UNITS[unit] == pytest.approx(core_hours * 3.6, rel=0.06)
