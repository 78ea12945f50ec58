"""Output files: refused before the work, whole after it."""

import errno
import os
from pathlib import Path

import pytest

from tangency.cli.files import claim, claim_place, draft


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("old.npz", r"exists already; give another name, or --force to replace it"),
        ("new.csv", r"the name must end in \.npz"),
        ("folder.npz", "is a folder; give the name of a file"),
        ("missing/new.npz", "there is no folder .*missing; create it first"),
    ],
)
def test_claims_that_are_refused(tmp_path, name, message):
    (tmp_path / "old.npz").write_text("old")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(ValueError, match=message):
        claim(tmp_path / name, force=False, suffixes=(".npz",))


def test_inputs_are_not_written_over(tmp_path):
    (tmp_path / "data.npz").write_text("data")
    (tmp_path / "link.npz").symlink_to(tmp_path / "data.npz")
    for name in ("data.npz", "link.npz"):
        with pytest.raises(ValueError, match=f"{name}: is read as input; give another name"):
            claim(tmp_path / name, True, sources=("digits", None, tmp_path / "data.npz"))


def test_places_where_nothing_can_be_written(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="is not a plain file"):
        claim(Path(os.devnull), force=True)
    monkeypatch.setattr(os, "access", lambda *_: False)  # whoever runs this test
    for check in (claim_place, lambda path: claim(path, force=False)):
        with pytest.raises(ValueError, match=r"a\.npy: the folder .* cannot be written to"):
            check(tmp_path / "a.npy")


def test_claims(tmp_path):
    (tmp_path / "old.npz").write_text("old")
    assert claim(tmp_path / "old.npz", force=True) == tmp_path / "old.npz"
    assert claim(tmp_path / "new.NPZ", force=False, suffixes=(".npz",)).name == "new.NPZ"
    assert (tmp_path / "old.npz").read_text() == "old"


def test_a_draft_replaces_the_file_at_the_end(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with draft(target) as path:
        path.write_text("new")
        assert path.suffix == ".txt"
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_draft_leaves_nothing_behind(tmp_path, error):
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail():
        with draft(target) as path:
            path.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_said_with_the_name_that_was_asked_for(tmp_path):
    def fill():
        with draft(tmp_path / "a.npy"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left on device") as error:
        fill()
    assert error.value.filename == str(tmp_path / "a.npy")
