"""Work that processes share: each piece is done once, also when one of them dies over it."""

import threading

import pytest

from compiling import share

NAMES = ("a", "b", "c")


def test_each_piece_once_and_nobody_leaves_before_all_is_done(tmp_path):
    done, both = [], threading.Barrier(2, timeout=60)

    def piece(name):
        if name in ("a", "b"):
            both.wait()  # neither could go on alone
        done.append(name)

    def process():
        share(tmp_path, {name: lambda name=name: piece(name) for name in NAMES})
        assert sorted(done) == list(NAMES)

    threads = [threading.Thread(target=process) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(done) == list(NAMES)


def test_what_one_leaves_unfinished_another_does(tmp_path):
    def dies():
        raise SystemExit

    done = []
    with pytest.raises(SystemExit):
        share(tmp_path, {"a": lambda: done.append("a"), "b": dies})
    share(tmp_path, {name: lambda name=name: done.append(name) for name in NAMES})
    assert done == ["a", "b", "c"]
