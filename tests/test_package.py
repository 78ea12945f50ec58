"""The package as a whole: its import, its names."""

import json
import subprocess
import sys

import pytest

import tangency as tg

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
