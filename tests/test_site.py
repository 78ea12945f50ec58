"""The documentation site: its reference has every public name, its gallery every figure."""

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import tangency as tg
from tangency.figures.lookup import DRAWINGS

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
TEXT = "".join(path.read_text(encoding="utf-8") for path in sorted(REFERENCE.glob("*.rst")))
LISTED = re.findall(r"^   (tangency\.[\w.]+)$", TEXT, re.MULTILINE)
ROOMS = ("kernels", "nets", "learn", "gram", "data", "bias", "bias.deformations", "finite")
ROOMS = (*ROOMS, "results", "typing", "adapters")
NEEDS = {"finite": "torch", "adapters": "gpytorch"}


def room(name):
    importlib.import_module(f"tangency.{name}")
    return sys.modules[f"tangency.{name}"]


def thing(path):
    """What a dotted name of the reference stands for."""
    where, _, name = path.removeprefix("tangency.").rpartition(".")
    return getattr(room(where) if where else tg, name)


def test_no_name_stands_twice():
    assert len(set(LISTED)) == len(LISTED) > 150


@pytest.mark.parametrize("name", ["", *ROOMS])
def test_every_public_name_is_in_the_reference(name):
    for room_, package in NEEDS.items():
        if name == room_:
            pytest.importorskip(package)
    out = {each for each in NEEDS if each != name}
    listed = {id(thing(path)) for path in LISTED if not any(each in path for each in out)}
    public = room(name) if name else tg
    missing = [
        each
        for each in public.__all__
        if id(found := getattr(public, each)) not in listed
        and not isinstance(found, ModuleType)
        and found is not tg.gram  # whose call is tangency.kernels.gram, which is there
        and each != "__version__"
    ]
    assert missing == []


def test_nothing_private_is_in_the_reference():
    public = {("tangency." + name).rstrip(".") for name in ("", "bias.targets", *ROOMS)}
    for path in LISTED:
        where, _, name = path.rpartition(".")
        assert where in public, path
        if not any(each in path for each in NEEDS) and where != "tangency.bias.targets":
            found = room(where.removeprefix("tangency.")) if where != "tangency" else tg
            assert name in found.__all__, path


def test_the_gallery_has_every_figure():
    text = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "examples" / "gallery").glob("*.py")
    )
    assert set(re.findall(r"The\s+result\s+is\s+an?\s+``(\w+)``", text)) == set(DRAWINGS)


def test_the_pages_of_the_site_are_on_its_first_page():
    home = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    trees = "".join(re.findall(r"```{toctree}\n(.*?)```", home, re.DOTALL)).split()
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    assert pages <= set(trees)
