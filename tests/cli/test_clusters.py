"""`tangency gram` on a cluster: the options, and what an interruption leaves."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

import tangency as tg
from processes import started
from tangency.cli import app
from tangency.cli.clusters import Cluster
from tangency.gram import local_cluster

NET = "dense relu dense"
SLOW = "conv3 relu conv3 relu gap dense"


def run(*arguments):
    return CliRunner().invoke(app, ["gram", *map(str, arguments)])


@pytest.mark.slow
def test_workers_and_a_scheduler_give_the_same_store(tmp_path):
    data = ("iris", "--net", NET, "--kernel", "both", "--tile", "64")
    assert run(*data, "--out", tmp_path / "here.zarr").exit_code == 0
    result = run(*data, "--workers", 1, "--out", tmp_path / "workers.zarr")
    assert result.exit_code == 0, result.stderr
    assert "6 of 6 tiles" in result.stdout
    with local_cluster(1) as client:
        address = client.scheduler.address
        result = run(*data, "--scheduler", address, "--out", tmp_path / "scheduler.zarr")
        assert result.exit_code == 0, result.stderr
    here, *others = (
        tg.gram.open(tmp_path / f"{name}.zarr") for name in ("here", "workers", "scheduler")
    )
    for other in others:
        assert np.array_equal(other.ntk[:], here.ntk[:])
        assert np.array_equal(other.nngp[:], here.nngp[:])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--workers", "2", "--out", "K.npy"],
            "--workers is for stores; give --out a name in .zarr",
        ),
        (["--scheduler", "tcp://a:1", "--out", "K.npz"], "--scheduler is for stores"),
        (["--workers", "0"], "--workers 0: expected a number of at least 1"),
        (["--workers", "2", "--scheduler", "tcp://a:1"], "give one"),
        (["--dashboard", "8787"], "--dashboard is for --workers; give their number"),
        (["--workers", "2", "--jobs", "2"], "--jobs sets threads in this process"),
        (["--workers", "1", "--dashboard", "x"], "expected HOST:PORT"),
        (["--scheduler", "here"], "'here' is not the address of a Dask scheduler"),
    ],
)
def test_errors(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    arguments = arguments if "--out" in arguments else [*arguments, "--out", "K.zarr"]
    result = run("iris", "--net", NET, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_cluster_is_no_client():
    with Cluster().client() as client:
        assert client is None


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals to groups of processes are POSIX")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_an_interruption_leaves_a_store_and_no_process(tmp_path, sent):
    out = tmp_path / "K.zarr"
    command = (sys.executable, "-c", "from tangency.cli import app; app()", "gram", "digits")
    options = ("--net", SLOW, "--workers", "2", "--tile", "64", "--out", out)
    with started([*command, *options], stdout=subprocess.DEVNULL) as job:
        while not (out.exists() and list((out / "tiles").glob("*.*.json"))):
            assert job.poll() is None, job.stderr.read()
            time.sleep(0.05)
        processes = psutil.Process(job.pid).children(recursive=True)
        if sent == signal.SIGINT:
            os.killpg(job.pid, sent)  # as a terminal does
        else:
            job.kill()
        _, errors = job.communicate(timeout=60)
    if sent == signal.SIGINT:
        assert job.returncode == 130
        # A machine where nothing is compiled yet says so first.
        (said,) = (line for line in errors.splitlines() if "compiling its loops" not in line)
        assert said.startswith("tangency: interrupted; ")
        assert said.endswith("of 435 tiles; the same command goes on")
    assert len(processes) >= 2
    assert psutil.wait_procs(processes, timeout=20)[1] == []
    status = tg.gram.status(out)
    assert 0 < status.done < status.tiles
    assert not tg.gram.verify(out).damaged
