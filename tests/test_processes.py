"""The processes that tests start obey Ctrl-C and leave nothing behind."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from processes import commands, started

posix = pytest.mark.skipif(os.name != "posix", reason="signals and groups of POSIX")
READY = "print('ready', flush=True); import time; time.sleep(600)"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {READY!r}]).wait()"


@posix
def test_control_c_where_the_shell_has_it_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with started([sys.executable, "-c", READY]) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=60)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert "KeyboardInterrupt" in error


@posix
def test_grandchildren_are_gone_after_a_failure():
    seen = []

    def fail():
        with started([sys.executable, "-c", PARENT]) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            seen.extend(psutil.Process(process.pid).children(recursive=True))
            seen.append(process)
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fail()
    child, process = seen
    assert psutil.wait_procs([child], timeout=20)[1] == []
    assert process.returncode == -signal.SIGKILL
    assert process.stdout.closed
    assert process.stderr.closed


def test_a_group_that_is_gone_is_no_trouble():
    with started([sys.executable, "-c", ""]) as process:
        assert process.wait(60) == 0
    with started([sys.executable, "-c", ""], stdout=subprocess.DEVNULL) as process:
        assert process.communicate()[0] is None


@posix
def test_a_zombie_is_no_process():
    with started([sys.executable, "-c", READY]) as process:
        child = psutil.Process(process.pid)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert commands()[child].endswith("time.sleep(600)")
        process.kill()
        while child.status() != psutil.STATUS_ZOMBIE:  # it is not waited for
            time.sleep(0.001)
        assert child not in commands()
