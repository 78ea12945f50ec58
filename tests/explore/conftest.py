"""Small images, and what a page shows of them."""

import threading
from contextlib import contextmanager

import pytest

from made import small_images
from tangency.explore.explorer import Explorer, first_state
from tangency.explore.subject import Subject, loading

NET = "conv3 relu gap dense"


@pytest.fixture(scope="session")
def explorer():
    """A page's computing part on 40 small images of two classes."""
    return Explorer(Subject(small_images(), loading("small.npz", {})))


@pytest.fixture(scope="session")
def state(explorer):
    return first_state(explorer, NET)


@contextmanager
def running(explorer, state):
    """A server in a thread of its own, and the address of its page."""
    from tornado.ioloop import IOLoop

    from tangency.explore.server import page_server

    ready, found = threading.Event(), []

    def run():
        server, address = page_server(explorer, state)
        found.extend([server, address, IOLoop.current()])
        server.start()
        server.io_loop.add_callback(ready.set)
        server.io_loop.start()
        server.stop()
        server.io_loop.close(all_fds=True)

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(60)
    server, address, loop = found
    try:
        yield server, address
    finally:
        loop.add_callback(loop.stop)
        thread.join(60)


@pytest.fixture(scope="session")
def serving():
    """See `running`."""
    return running


@pytest.fixture(scope="module")
def served(explorer, state):
    """A server, and the address of its page; the engine is compiled, and the cards are there."""
    assert len(list(explorer.cards(state, {}, lambda step: None))) == 6
    with running(explorer, state) as found:
        yield found
