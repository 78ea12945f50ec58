"""The server answers this machine alone, and only where the address holds the token."""

import http.client
import re
import socket
from urllib.parse import urlsplit

import pytest

pytest.importorskip("panel", reason="Panel is not installed")

from tangency.explore.server import page_server


def answer(address, path, **headers):
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    connection.request("GET", path, headers=headers)
    reply = connection.getresponse()
    text = reply.read().decode("utf-8", "replace")
    connection.close()
    return reply.status, text


def test_the_page_is_at_its_address(served):
    _, address = served
    status, text = answer(address, urlsplit(address).path)
    assert status == 200
    assert "<title>tangency explore</title>" in text
    assert '<meta name="referrer" content="no-referrer">' in text


def test_the_page_asks_no_other_machine_for_anything(served):
    _, address = served
    text = answer(address, urlsplit(address).path)[1]
    links = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert any(link.endswith("js") or ".js?" in link for link in links)
    assert not [link for link in links if re.match(r"(?:\w+:)?//", link)]


def test_every_path_begins_with_the_token(served):
    server, address = served
    token = urlsplit(address).path.rstrip("/")
    assert len(token) > 30
    application = server._tornado
    rules = list(application.wildcard_router.rules)
    paths = [rule.matcher.regex.pattern for rule in rules if hasattr(rule.matcher, "regex")]
    assert len(paths) > 5
    for path in paths:
        if path == "/favicon.ico$":
            continue  # there is none, as the next test sees
        assert path.replace("\\", "").startswith(token), path


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/index.html",
        "/favicon.ico",
        "/ws",
        "/autoload.js",
        "/metadata",
        "/static/js/bokeh.min.js",
        "/static/extensions/panel/panel.min.js",
        "/components/x",
        "/wrong-token/",
    ],
)
def test_nothing_is_served_without_the_token(served, path):
    assert answer(served[1], path)[0] == 404


def test_the_socket_refuses_pages_from_elsewhere(served):
    _, address = served
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Origin": "http://elsewhere.example",
    }
    assert answer(address, f"{urlsplit(address).path}ws", **upgrade)[0] == 403


def test_it_listens_to_this_machine_alone(served):
    server, _ = served
    places = [one.getsockname()[0] for one in server._http._sockets.values()]
    assert places == ["127.0.0.1"]


def test_a_port_that_is_taken_is_an_error(explorer, state):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(OSError, match=f"port {taken} cannot be used .*; give another --port"):
            page_server(explorer, state, taken)


def test_tokens_differ(served, explorer, state):
    server, address = page_server(explorer, state)
    server.stop()
    assert urlsplit(address).path != urlsplit(served[1]).path
