"""The server of the page: this machine alone, and nothing without the token in the address."""

from __future__ import annotations

import secrets
import signal
import socket
from typing import Any

import panel as pn
from panel.io.server import get_server

from .explorer import Explorer
from .page import Page
from .state import State

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as one:
        one.bind((LOOPBACK, 0))
        return one.getsockname()[1]


def page_server(explorer: Explorer, state: State, port: int | None = None) -> tuple[Any, str]:
    """A server that listens but does not answer yet, and the address of its page.

    Every path begins with a random token, those of files and of the socket too: other programs and
    pages on this machine get nothing. Raises `OSError` where the port is taken.
    """
    port = free_port() if port is None else port
    token = secrets.token_urlsafe(24)

    def opened() -> Any:
        page = Page(explorer, state)
        pn.state.on_session_destroyed(lambda context: page.close())
        return page.open()

    host = f"{LOOPBACK}:{port}"
    server = get_server(
        {"/": opened},
        port=port,
        address=LOOPBACK,
        prefix=f"/{token}",
        websocket_origin=host,
        ico_path="none",
        start=False,
        show=False,
    )
    return server, f"http://{host}/{token}/"


def serve(server: Any) -> None:
    """Answer until Ctrl-C, or until the server's loop is stopped."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(
        signal.SIGINT, lambda *_: server.io_loop.add_callback_from_signal(server.io_loop.stop)
    )
    server.start()
    try:
        server.io_loop.start()
    finally:
        server.stop()
        signal.signal(signal.SIGINT, before)
