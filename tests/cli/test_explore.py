"""`tangency explore`: what is refused before anything is served, and a real process."""

import signal
import socket
import sys
import urllib.request

import pytest

from commands import run
from processes import started

COMMAND = [sys.executable, "-c", "from tangency.cli import app; app(prog_name='tangency')"]


def refused(*arguments):
    result = run("explore", *arguments)
    assert result.exit_code == 2
    return result.stderr


def test_without_panel_it_says_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "panel", None)
    message = refused("digits")
    assert "tangency explore shows its page with Panel, which cannot be imported" in message
    assert 'pip install "tangency[explore]"' in message
    assert len(message.splitlines()) == 1


class TestWithPanel:
    """What needs it."""

    @pytest.fixture(autouse=True)
    def panel(self):
        pytest.importorskip("panel", reason="Panel is not installed")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["nowhere.npz"], "nowhere.npz: no such file or folder"),
            (["iris", "--net", "dens relu dense"], "did you mean dense"),
            (["digits", "--net", "conv3 relu"], "a kernel needs a vector at the end"),
            (["iris", "--port", "0"], "'--port'"),
        ],
    )
    def test_mistakes_are_said_before_anything_is_served(self, arguments, message):
        assert message in refused(*arguments)

    def test_a_port_that_is_taken(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            assert f"port {port} cannot be used" in refused("iris", "--port", port)

    @pytest.mark.slow
    def test_a_real_process_serves_its_page_until_ctrl_c(self):
        arguments = [*COMMAND, "explore", "iris", "--no-browser"]
        with started(arguments) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "iris: 150 training examples, shape 4, 3 classes\n"
            words, address = process.stdout.readline().strip().rsplit(" ", 1)
            assert words == "the page is at"
            assert process.stdout.readline() == "Ctrl-C ends it\n"
            with urllib.request.urlopen(address, timeout=60) as reply:
                assert "<title>tangency explore</title>" in reply.read().decode()
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
        assert out == "the page is closed\n"
        assert process.returncode == 0
