"""A cluster of processes: on the loopback alone, and gone at the end."""

import time
from importlib import import_module

import psutil
import pytest

from processes import commands, worker_processes
from tangency import InputError
from tangency.gram import local_cluster
from tangency.matrix.local_cluster import dashboard_address


def test_only_the_loopback_and_nobody_left():
    before = set(commands())
    with local_cluster(2) as client:
        assert list(client.nthreads().values()) == [1, 1]
        # What ran before, such as the browser of other tests, is not the cluster's.
        children = {c: line for c, line in commands().items() if c not in before}
        processes = [psutil.Process(), *children]
        addresses = {
            connection.laddr.ip
            for process in processes
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert addresses == {"127.0.0.1"}
    # Python's own helper starts with the first cluster of this process and stays until it ends.
    assert sum("resource_tracker" not in line for line in children.values()) == 2
    left = [line for child, line in commands().items() if child not in before]
    assert all("resource_tracker" in line for line in left)


def test_gone_after_an_error_too():
    before = worker_processes()

    def fail():
        with local_cluster(1):
            assert len(worker_processes()) == len(before) + 1
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fail()
    assert worker_processes() == before


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2", True, None])
def test_no_number_of_workers(workers):
    message = "workers must be a whole number of at least 1"
    with pytest.raises(InputError, match=message), local_cluster(workers):
        pass


@pytest.mark.parametrize("text", ["", "host", "host:", "1:99999", "a:b"])
def test_no_address(text):
    with pytest.raises(InputError, match=r"expected HOST:PORT, as 0\.0\.0\.0:8787, or PORT for"):
        dashboard_address(text)


def test_a_port_alone_is_on_the_loopback():
    assert dashboard_address(":8787") == dashboard_address("8787") == "127.0.0.1:8787"
    assert dashboard_address("example.org:1") == "example.org:1"


def test_the_dashboard_needs_bokeh(monkeypatch):
    module = import_module("tangency.matrix.local_cluster")  # the package has a function there
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install bokeh"), local_cluster(1, dashboard="8787"):
        pass


def test_workers_that_dask_gives_up_are_started_anew():
    with local_cluster(1) as client:
        (before,) = client.nthreads()
        (supervisor,) = client.cluster.workers.values()
        client.sync(supervisor.close)
        deadline = time.monotonic() + 20
        while list(client.nthreads()) in ([], [before]) and time.monotonic() < deadline:
            time.sleep(0.1)
        (after,) = client.nthreads()
        assert after != before
