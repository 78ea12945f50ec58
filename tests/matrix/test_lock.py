"""One job at a time on one store."""

import errno
import os

import pytest

import tangency as tg
from tangency.matrix import lock


def test_who_holds_it(tmp_path):
    with lock.locked(tmp_path, tmp_path) as owner:
        assert owner.pid == os.getpid()
        assert lock.last_owner(tmp_path) == owner
        assert lock.in_use(tmp_path)
        with (
            pytest.raises(tg.StoreError, match=f"is in use: process {owner.pid} on"),
            lock.locked(tmp_path, tmp_path),
        ):
            raise AssertionError
        assert lock.in_use(tmp_path)
    assert not lock.in_use(tmp_path)
    assert lock.last_owner(tmp_path) == owner
    with lock.locked(tmp_path, tmp_path) as other:
        assert other.run != owner.run


def test_it_is_given_back_after_an_error(tmp_path):
    with pytest.raises(KeyboardInterrupt), lock.locked(tmp_path, tmp_path):
        raise KeyboardInterrupt
    assert not lock.in_use(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"pid": 1}'])
def test_an_owner_that_cannot_be_read(tmp_path, text):
    with lock.locked(tmp_path, tmp_path):
        (tmp_path / "owner.json").write_text(text)
        assert lock.last_owner(tmp_path) is None
        with (
            pytest.raises(tg.StoreError, match="is in use by another job"),
            lock.locked(tmp_path, tmp_path),
        ):
            raise AssertionError


def test_nobody_was_there(tmp_path):
    assert lock.last_owner(tmp_path) is None
    assert not lock.in_use(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="the system's locks need the right to write there")
def test_who_may_only_read_sees_that_it_is_held(tmp_path, monkeypatch):
    real = os.open

    def no_right_to_write(path, flags, *rest, **more):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, flags, *rest, **more)

    with lock.locked(tmp_path, tmp_path):
        monkeypatch.setattr(os, "open", no_right_to_write)
        assert lock.in_use(tmp_path) is True
        monkeypatch.undo()
    monkeypatch.setattr(os, "open", no_right_to_write)
    assert lock.in_use(tmp_path) is False


def test_who_may_not_even_read_does_not_know(tmp_path, monkeypatch):
    def no_right(path, *_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    with lock.locked(tmp_path, tmp_path):
        monkeypatch.setattr(os, "open", no_right)
        assert lock.in_use(tmp_path) is None
        monkeypatch.undo()


def test_asking_does_not_hold_it(tmp_path):
    with lock.locked(tmp_path, tmp_path):
        pass
    assert lock.in_use(tmp_path) is False
    with lock.locked(tmp_path, tmp_path):
        assert lock.in_use(tmp_path) is True
