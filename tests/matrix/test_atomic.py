"""Files are there whole or not at all."""

import numpy as np
import pytest

from tangency.matrix import atomic


def test_a_file_of_parts_in_a_folder_that_is_made(tmp_path):
    atomic.write(tmp_path / "a" / "b", [np.arange(3, dtype="u1").data, b"xy"])
    assert (tmp_path / "a" / "b").read_bytes() == b"\0\1\2xy"
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b"]


def test_a_failure_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "b"
    path.write_text("old")
    with pytest.raises(TypeError):
        atomic.write(path, [b"new", "no bytes"])
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


def test_the_checksum_is_crc_32c():
    # The check value of CRC-32C (Castagnoli) in the catalogues of such codes.
    assert atomic.checksum(b"123456789") == 0xE3069283
