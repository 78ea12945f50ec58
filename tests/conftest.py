"""Settings that all tests share."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

# The oracles and strategies of this folder are imported by name: `from naive import kernel`.
sys.path.insert(0, str(Path(__file__).parent))

import compiling

# The same examples on every run: a failure is a change of the code, not of the dice.
settings.register_profile(
    "tangency",
    deadline=None,
    derandomize=True,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("tangency")


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Matrices of the size of tests only lose by threads of BLAS, and lose much on a busy machine.

    The suite runs one process on each core: more threads than that wait for each other.
    """
    with threadpool_limits(1):
        yield


@pytest.fixture(autouse=True, scope="session")
def compiled_once(request, one_thread, tmp_path_factory):
    """In a run of many tests by several processes; a few may need little of it."""
    if "PYTEST_XDIST_WORKER" in os.environ and len(request.session.items) > 2000:
        # Folders of the processes of one run lie side by side.
        beside = tmp_path_factory.getbasetemp().parent
        folder = beside / f"compiled-{os.environ['PYTEST_XDIST_TESTRUNUID']}"
        folder.mkdir(exist_ok=True)
        compiling.share(folder, compiling.compilations())


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """One browser for each process that tests, as it takes seconds to start."""
    from browsing import chromium

    driver = chromium(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def browser(chromium):
    """The browser; what the pages of a file go on doing ends with the file."""
    yield chromium
    chromium.get("about:blank")
