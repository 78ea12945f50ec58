"""docs/notation.md: every name on it can be imported, every test is there, every link leads on."""

import ast
import importlib
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "notation.md"
TEXT = PAGE.read_text(encoding="utf-8")
CELLS = re.compile(r"(?<!\\)\|")


def rows():
    """(what, formula, names, tests) of each row of the tables with tests."""
    for line in TEXT.splitlines():
        cells = [cell.strip() for cell in CELLS.split(line)[1:-1]]
        if len(cells) == 4 and not set(cells[0]) <= set("-") and cells[1] != "formula":
            yield cells


ROWS = list(rows())


def quoted(text):
    return re.findall(r"`([^`]+)`", text)


def resolve(name):
    """What a dotted name stands for; raises where there is none."""
    first, *parts = name.split(".")
    thing, path = importlib.import_module(first), first
    for part in parts:
        path = f"{path}.{part}"
        thing = getattr(thing, part) if hasattr(thing, part) else importlib.import_module(path)
    return thing


@cache
def functions_of(path):
    found = set()
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{f.name}" for f in node.body if isinstance(f, ast.FunctionDef)}
    return found


def test_the_tables_are_read():
    assert len(ROWS) > 45
    assert len({what for what, *_ in ROWS}) == len(ROWS)
    assert len(re.findall(r"`tests/[^`]+::", TEXT)) == sum(len(quoted(row[3])) for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_every_statement_has_its_function_and_its_test(row):
    what, formula, names, tests = row
    assert what
    assert formula
    assert quoted(names)
    for name in quoted(names):
        assert name.startswith("tangency.")
        assert resolve(name) is not None
    assert quoted(tests)
    for test in quoted(tests):
        path, _, function = test.partition("::")
        assert function in functions_of(path), test
        assert function.rpartition("::")[2].startswith("test_")


def test_a_name_that_is_none_is_noticed():
    for name in ("tangency.nets.kappa2", "tangency.bias.spectra", "tangency.nothing.NTK"):
        with pytest.raises((ImportError, AttributeError)):
            resolve(name)


def test_other_names_on_the_page_can_be_imported():
    rooms = "bias|engines|gram|kernels|learn|nets"
    names = [
        token[: re.search(r"[^\w.]|$", token).start()]
        for token in quoted(TEXT)
        if re.match(rf"({rooms})\.", token)
    ]
    assert len(names) > 6
    for name in names:
        assert resolve(f"tangency.{name}") is not None


def test_links_lead_somewhere_and_the_page_is_linked():
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert links
    for link in links:
        assert (PAGE.parent / link).exists(), link
    for page in ("README.md", "CONTRIBUTING.md", "docs/mathematics.md", "docs/inductive-bias.md"):
        assert "notation.md" in (ROOT / page).read_text(encoding="utf-8"), page
