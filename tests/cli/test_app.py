"""What all commands share: help, version, one line for an error, exit codes."""

import contextlib
import signal
import subprocess
import sys
import time

import pytest
import typer
from typer.testing import CliRunner

import tangency
from processes import started
from tangency.cli import app

COMMANDS = [
    *("demo", "report", "explore", "spectrum", "smoothness", "stability"),
    *("fit", "predict", "gram", "features", "describe", "warmup"),
]
run = CliRunner().invoke
COMMAND = [sys.executable, "-c", "from tangency.cli import app; app(prog_name='tangency')"]


def test_version():
    result = run(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout == f"tangency {tangency.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_the_commands(arguments):
    result = run(app, arguments)
    assert result.exit_code == 0
    for command in COMMANDS:
        assert f"\n  {command}" in result.stdout
    assert "..." not in result.stdout.split("Commands:")[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    result = run(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"tangency {command}" in result.stdout or f" {command} " in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frob"], "tangency: No such command 'frob'"),
        (["--frob"], "tangency: No such option: --frob"),
        (["describe", "--input-shape", "3"], "tangency: Missing option '--net'"),
        (["fit", "iris", "--zca", "x"], "tangency: Invalid value for '--zca'"),
        (["describe", "--net", "dens", "--input-shape", "3"], "did you mean dense"),
        (["describe", "--net", "dense", "--input-shape", "3,3"], "such as 28x28x1 or 784"),
        (["describe", "--net", "dense", "--input-shape", "0x3"], "--input-shape 0x3: expected"),
        (["describe", "--net", "conv3 dense", "--input-shape", "8x8x1"], "put Flatten()"),
    ],
)
def test_errors_are_one_line_with_exit_code_2(arguments, message):
    result = run(app, arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert result.stderr.startswith("tangency: ")
    assert len(result.stderr.splitlines()) == 1


def test_describe():
    result = run(app, ["describe", "--net", "conv3 relu gap dense", "--input-shape", "28x28x1"])
    assert result.exit_code == 0
    assert "conv3" in result.stdout
    assert "28×28" in result.stdout


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ValueError("two\nlines"), 2, "tangency: two lines\n"),
        (MemoryError(), 2, "tangency: MemoryError\n"),
        (OSError(28, "No space left"), 2, "tangency: [Errno 28] No space left\n"),
        (KeyError("k"), 1, "tangency: internal error, KeyError: 'k' (tangency --debug COMMAND"),
    ],
)
def test_errors_inside_a_command(monkeypatch, debug, error, code, message):
    def fail(*_):
        raise error

    monkeypatch.setattr(tangency, "explain", fail)
    arguments = ["--debug"] * debug + ["describe", "--net", "dense", "--input-shape", "3"]
    result = run(app, arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert ("Traceback" in result.stderr) is debug


def test_warnings_are_one_line(monkeypatch):
    import warnings

    def warn(*_):
        warnings.warn("mind\nthe gap", UserWarning, stacklevel=1)
        return "done"

    monkeypatch.setattr(tangency, "explain", warn)
    result = run(app, ["describe", "--net", "dense", "--input-shape", "3"])
    assert result.stderr == "tangency: warning: mind the gap\n"
    assert result.stdout == "done\n"


def test_interruption(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tangency, "explain", interrupt)
    result = run(app, ["describe", "--net", "dense", "--input-shape", "3"])
    assert result.exit_code == 130
    assert result.stderr == "tangency: interrupted; nothing was written\n"


def test_without_standalone_mode_errors_are_raised():
    command = typer.main.get_command(app)
    with pytest.raises(ValueError, match="no layer is called"):
        command.main(["describe", "--net", "x", "--input-shape", "3"], standalone_mode=False)


def test_a_real_process(tmp_path):
    done = subprocess.run(
        [*COMMAND, "gram", "nowhere.npz", "--net", "dense", "--out", str(tmp_path / "K.npy")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("tangency: nowhere.npz: no such file or folder")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_control_c_in_a_real_process(tmp_path):
    out = tmp_path / "K.npy"
    net = "conv3 relu conv3 relu gap dense"
    with started([*COMMAND, "gram", "digits", "--net", net, "--out", out]) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("digits: 1,797")
        time.sleep(0.2)
        while process.poll() is None:
            # Once, as a rule; but Python drops what is raised in a destructor or a callback, of
            # which imports run many, and then a person presses the keys again.
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
        _, error = process.communicate()
    assert process.returncode == 130
    # The first use of the machine may have been told that it compiles.
    assert error.splitlines()[-1] == "tangency: interrupted; nothing was written"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no limit of the size of files")
def test_a_disk_that_is_full_is_said_in_one_line_with_the_name(tmp_path):
    # Files may grow to 1,000 bytes, the matrix of iris takes 180,000.
    limited = (
        "import resource; from tangency.cli import app; import numpy, sklearn.datasets, psutil; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); app(prog_name='tangency')"
    )
    out = tmp_path / "K.npy"
    arguments = ["gram", "iris", "--net", "dense relu dense", "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-c", limited, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"tangency: {out} cannot be written: ")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_package_is_a_command_itself():
    done = subprocess.run(
        [sys.executable, "-m", "tangency", "--version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"tangency {tangency.__version__}\n")
