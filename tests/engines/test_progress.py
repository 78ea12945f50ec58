"""The progress bar of long calls."""

import io
import sys
import threading
import time

import pytest
import tqdm as library

from tangency.engines.progress import _bar, progress_bar, watched


@pytest.mark.parametrize("show", [True, False])
def test_a_bar_starts_no_thread_and_a_short_call_shows_nothing(show, capsys):
    """A thread that tqdm leaves behind would have later forks warn."""
    before = threading.active_count()
    with progress_bar(3, show, "tile", first="looking") as bar:
        for _ in range(3):
            bar.update(1)
        bar.set_description("further", refresh=False)
    assert threading.active_count() == before
    assert library.tqdm.monitor_interval > 0  # other bars of the process are as they were
    assert capsys.readouterr().err == ""


def test_a_long_call_shows_what_it_does():
    seen = io.StringIO()
    with _bar()(total=3, delay=1e-3, mininterval=0, desc="looking", file=seen) as bar:
        time.sleep(0.01)
        bar.update(2)
    assert "looking:" in seen.getvalue()
    assert "2/3" in seen.getvalue()


class Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.mark.parametrize("show", [None, True, False])
@pytest.mark.parametrize("terminal", [True, False])
def test_without_a_wish_only_a_person_sees_a_bar(show, terminal, monkeypatch):
    """A log file would get a line for each state of it."""
    monkeypatch.setattr(sys, "stderr", Stream(terminal))
    with progress_bar(3, show) as bar:
        drawn = isinstance(bar, _bar())
    assert drawn == (show is True or (show is None and terminal))


@pytest.mark.parametrize("stderr", [None, io.StringIO()])
def test_no_stderr_is_no_terminal(stderr, monkeypatch):
    if stderr is not None:
        stderr.close()
    monkeypatch.setattr(sys, "stderr", stderr)
    assert not watched()
