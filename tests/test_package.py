"""The package as a whole: its import, its names."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tangency as tg

SOURCE = Path(tg.__file__).parent
ROOMS = sorted(path.parent for path in SOURCE.rglob("__init__.py"))

HEAVY = ("torch", "matplotlib", "dask", "sklearn", "pandas", "zarr", "jinja2", "typer")


def test_import_loads_nothing_heavy():
    code = "import sys, json, tangency; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "tangency.kernels.network" in loaded  # the list is the real one
    assert loaded.isdisjoint(HEAVY)


def test_every_public_name_exists():
    for name in tg.__all__:
        assert getattr(tg, name) is not None
    assert set(tg.__all__) <= set(dir(tg))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'NKT'"):
        tg.NKT  # noqa: B018


def test_errors_are_value_errors():
    for error in (tg.NetworkError, tg.InputError, tg.MemoryLimitError):
        assert issubclass(error, ValueError)
    assert issubclass(tg.MemoryLimitError, MemoryError)


def opening(room):
    """The docstring of a folder."""
    return ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or ""


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(SOURCE)))
def test_every_folder_says_what_is_in_it(room):
    assert opening(room).partition("\n")[0].endswith(".")


def modules_of(room):
    return {path.stem for path in room.iterdir() if path.suffix == ".py" or path in ROOMS}


def test_the_map_of_a_folder_names_what_is_there():
    maps = {room: opening(room).partition("Where things are:")[2] for room in ROOMS}
    maps = {room: set(re.findall(r"`(\w+)`", text)) for room, text in maps.items() if text}
    assert {room.name for room in maps} == {"bias", "learn"}
    for room, named in maps.items():
        assert named <= modules_of(room)
        if room.name == "bias":  # where the paper is looked for
            assert named == modules_of(room) - {"__init__"}


def test_the_citation_is_of_this_version():
    text = (Path(__file__).parents[1] / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", text, re.MULTILINE) == [tg.__version__]
