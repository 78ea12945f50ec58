"""Records of tiles: what is written is read, and nothing else is."""

import pytest

from tangency.matrix import records
from tangency.matrix.records import Record

RECORD = Record((3, 4), "f00d", {"ntk": 2**32 - 1}, 25, 0.125, "2030-01-01T00:00:10+00:00")


def test_a_record_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "3.4.json"
    path.write_bytes(RECORD.to_bytes())
    assert records.read(path) == RECORD
    assert RECORD.time == 1893456010
    assert records.read(tmp_path / "none.json") is None


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"null", b'{"seal": 0, "tile": [1, 2]}'])
def test_what_is_no_record(tmp_path, text):
    path = tmp_path / "3.4.json"
    path.write_bytes(text)
    with pytest.raises(ValueError, match="its record cannot be read"):
        records.read(path)


def test_a_changed_record_does_not_fit_its_seal(tmp_path):
    path = tmp_path / "3.4.json"
    path.write_bytes(RECORD.to_bytes().replace(b"0.125", b"0.126"))
    with pytest.raises(ValueError, match="does not match its own checksum"):
        records.read(path)


def test_now_is_a_time_of_a_record():
    first, second = records.now(), records.now()
    assert first <= second
    assert first.endswith("+00:00")
