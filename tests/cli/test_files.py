"""Output files: refused before the work, whole after it."""

import pytest

from tangency.cli.files import claim, draft


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
