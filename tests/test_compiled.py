"""The cache of compiled code: where it may fail without harm, and when it is out of date."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from tangency import compiled as jit

FOLDER = Path(jit.__file__).parent / "engines" / "fused"

SMALL = """
    import sys
    import numpy as np
    from tangency.engines.fused.rows import scale
    x = np.ones(4)
    scale(x, 0, 3.0, 4)
    assert x.sum() == 12
    print(scale.stats.cache_path, sum(scale.stats.cache_hits.values()))
"""


def child(**environment):
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SMALL)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout.rsplit(maxsplit=1)


def test_a_missing_directory_is_made(tmp_path):
    place = tmp_path / "not" / "there"
    path, hits = child(NUMBA_CACHE_DIR=str(place))
    assert path.startswith(str(place))
    assert hits == "0"
    assert child(NUMBA_CACHE_DIR=str(place))[1] == "1"
    assert list(place.rglob("*.nbc"))


def test_a_directory_that_cannot_be_made(tmp_path):
    """Its parent is a file, so that not even the superuser can."""
    (tmp_path / "file").touch()
    path, _ = child(NUMBA_CACHE_DIR=str(tmp_path / "file" / "cache"))
    assert not path.startswith(str(tmp_path))


def test_no_directory_at_all(tmp_path):
    """Neither the named one, nor beside the code, nor in the home: each process compiles."""
    (tmp_path / "file").touch()
    code = f"""
        from numba.core import caching
        class Nowhere(caching.InTreeCacheLocator):
            def __init__(self, function, file):
                super().__init__(function, file)
                self._cache_path = {str(tmp_path / "file" / "cache")!r}
        caching.CacheImpl._locator_classes = [Nowhere]
    """
    script = textwrap.dedent(code) + textwrap.dedent(SMALL)
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["None", "0"]


def test_home_and_cache_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    nowhere = str(tmp_path / "file" / "x")
    child(NUMBA_CACHE_DIR=nowhere, HOME=nowhere, XDG_CACHE_HOME=nowhere)


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["*.nbi", "*.nbc"])
def test_damaged_files_are_compiled_again(tmp_path, pattern):
    child(NUMBA_CACHE_DIR=str(tmp_path))
    for path in tmp_path.rglob(pattern):
        path.write_bytes(b"nonsense")
    assert child(NUMBA_CACHE_DIR=str(tmp_path))[1] == "0"
    assert child(NUMBA_CACHE_DIR=str(tmp_path))[1] == "1"


def triple(x):
    return 3 * x


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """Compiles `triple` anew, into a directory of its own, and calls it."""
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))

    def make():
        function = jit.compiler(FOLDER)(triple)
        assert function(2) == 6
        return function

    return make


def test_another_process_finds_it(compiled):
    assert sum(compiled().stats.cache_hits.values()) == 0
    assert sum(compiled().stats.cache_hits.values()) == 1


def test_a_change_in_any_module_of_the_package_is_noticed(compiled, monkeypatch):
    """Numba alone would go on using callees that are out of date."""
    compiled()
    monkeypatch.setattr(jit, "sources", lambda folder: "something else")
    assert sum(compiled().stats.cache_hits.values()) == 0
    assert sum(compiled().stats.cache_hits.values()) == 1


class Signature:
    """Stands for a class that older code put into the index."""


def test_an_index_of_older_code_is_not_unpickled(compiled, tmp_path, monkeypatch):
    monkeypatch.setattr(jit, "sources", lambda folder: "older")
    files = compiled()._cache._cache_file
    files._save_index({Signature: "x"})
    monkeypatch.delattr(sys.modules[__name__], "Signature")
    monkeypatch.setattr(jit, "sources", lambda folder: "newer")
    assert sum(compiled().stats.cache_hits.values()) == 0
    assert sum(compiled().stats.cache_hits.values()) == 1


def test_the_digest_covers_every_module(tmp_path):
    (tmp_path / "a.py").write_text("x = 1")
    (tmp_path / "b.py").write_text("y = 1")
    before = jit.sources.__wrapped__(tmp_path)
    assert jit.sources.__wrapped__(tmp_path) == before
    (tmp_path / "b.py").write_text("y = 2")
    assert jit.sources.__wrapped__(tmp_path) != before


def test_a_file_of_another_signature_is_not_taken(compiled, tmp_path):
    """Two processes may have given two signatures the same name."""
    function = compiled()
    function(2.0)
    one, two = sorted(tmp_path.rglob("*.nbc"))
    two.write_bytes(one.read_bytes())
    again = jit.compiler(FOLDER)(triple)
    assert again(2) == 6
    assert again(2.5) == 7.5
    assert sum(again.stats.cache_hits.values()) == 1


def test_a_full_disk(compiled, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile._save_data", full)
    assert compiled()(np.float32(2)) == 6
