"""Settings that all tests share."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

HERE = Path(__file__).parent
# The oracles and strategies of this folder are imported by name: `from naive import kernel`.
sys.path.insert(0, str(HERE))

import compiling  # noqa: E402

# PyTorch forgets at its first operation what `threadpool_limits` has set, and takes all cores. It
# reads this, also in the processes that tests start; OMP_NUM_THREADS would be read by Tangency too.
os.environ.setdefault("MKL_NUM_THREADS", "1")

# The same examples on every run: a failure is a change of the code, not of the dice.
settings.register_profile(
    "tangency",
    deadline=None,
    derandomize=True,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("tangency")

# Files with tests of many seconds, or that wait for other processes: begun last, they would keep
# one process at work while the others have nothing left to do.
LONG = (
    "cli/test_clusters.py",
    "cli/test_documentation.py",
    "matrix/test_cluster.py",
    "matrix/test_interruptions.py",
    "matrix/test_products.py",
    "learn/features/test_stored.py",
    "learn/solvers/test_features.py",
    "absurd/test_absurd.py",
    "test_readme.py",
)


def pytest_configure(config):
    # Files go to processes in the order of collection, instead of those of many tests first.
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Where several processes test, what takes long comes first."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        long = {HERE / name for name in LONG}
        items.sort(key=lambda item: item.path not in long)


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
