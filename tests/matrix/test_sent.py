"""Blocks at a worker: sent once while there is room, the oldest forgotten."""

import numpy as np
import pytest

from tangency.kernels import Prepared
from tangency.matrix.sent import Sent, UnreachableError

BLOCK = np.ones((4, 8))  # 256 bytes


class Client:
    """Notes what is sent."""

    def __init__(self, error=None):
        self.sent, self.error = [], error

    def scatter(self, block, *, workers, hash, timeout):
        assert isinstance(block, Prepared)
        assert not hash
        if self.error is not None:
            raise self.error
        self.sent.append(workers)
        return f"future {len(self.sent)}"


def test_a_block_is_sent_once_and_read_once():
    client, reads = Client(), []
    sent = Sent(client, "tcp://a", 10**6)

    def read():
        reads.append(1)
        return Prepared(BLOCK)

    assert {sent.future(("X", 3), read) for _ in range(3)} == {"future 1"}
    assert client.sent == [["tcp://a"]]
    assert len(reads) == 1
    assert sent.future(("Y", 3), read) == "future 2"


def test_the_blocks_not_used_for_longest_are_forgotten():
    client = Client()
    sent = Sent(client, "tcp://a", 3 * BLOCK.nbytes)
    for k in (0, 1, 2, 0, 3):  # 3 is one too many, and 1 was not used since
        sent.future(("X", k), lambda: BLOCK)
    assert len(client.sent) == 4
    for k in (0, 2, 3):
        sent.future(("X", k), lambda: BLOCK)
    assert len(client.sent) == 4
    sent.future(("X", 1), lambda: BLOCK)
    assert len(client.sent) == 5


def test_what_is_derived_counts_and_two_blocks_stay():
    client = Client()
    sent = Sent(client, "tcp://a", 3 * BLOCK.nbytes)
    for k in (0, 1):
        sent.future(("X", k), lambda: BLOCK)
        sent.resize(("X", k), 100 * BLOCK.nbytes)
    for k in (0, 1):
        sent.future(("X", k), lambda: BLOCK)
    assert len(client.sent) == 2
    sent.future(("X", 2), lambda: BLOCK)
    sent.future(("X", 1), lambda: BLOCK)
    sent.future(("X", 0), lambda: BLOCK)
    assert len(client.sent) == 4
    sent.resize(("X", 9), 1)  # long forgotten
    sent.forget()
    sent.future(("X", 0), lambda: BLOCK)
    assert len(client.sent) == 5


@pytest.mark.parametrize("error", [KeyError("tcp://a"), TimeoutError(), ConnectionError()])
def test_a_worker_that_takes_nothing(error):
    sent = Sent(Client(error), "tcp://a", 10**6)
    with pytest.raises(UnreachableError):
        sent.future(("X", 0), lambda: BLOCK)


def test_errors_of_the_data_are_not_the_workers():
    def read():
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        Sent(Client(), "tcp://a", 10**6).future(("X", 0), read)
