"""The server of the page: this machine alone, and nothing without the token in the address."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import sys
from typing import Any

import panel as pn
from panel.io.server import get_server
from tornado.websocket import WebSocketClosedError

from .explorer import Explorer
from .page import Page
from .state import State

LOOPBACK = "127.0.0.1"


def free_port(wanted: int | None = None) -> int:
    """A port of this machine on which nothing listens: the one that is wanted, or any.

    Raises `OSError` where the one that is wanted is taken.
    """
    with socket.socket() as one:
        if sys.platform != "win32":  # else a port is refused for a minute after its last use
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((LOOPBACK, wanted or 0))
        except OSError as error:
            raise OSError(
                f"port {wanted} cannot be used ({error.strerror}); give another --port, or none "
                "for a free one"
            ) from error
        return one.getsockname()[1]


def page_server(explorer: Explorer, state: State, port: int | None = None) -> tuple[Any, str]:
    """A server that listens but does not answer yet, and the address of its page.

    Every path begins with a random token, those of files and of the socket too: other programs and
    pages on this machine get nothing. Raises `OSError` where the port is taken.
    """
    port = free_port(port)
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
    server.io_loop.asyncio_loop.set_exception_handler(_report)  # pyright: ignore
    server.start()
    try:
        server.io_loop.start()
    finally:
        server.stop()
        signal.signal(signal.SIGINT, before)


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """As always, but a window that is closed while cards are on their way to it is no fault."""
    if not isinstance(context.get("exception"), WebSocketClosedError):
        loop.default_exception_handler(context)
