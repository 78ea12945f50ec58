"""One limit on the threads of BLAS for all threads of a process, and the bits that hang on it."""

import os
import sys
import threading
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import tangency as tg
from tangency.engines import blas
from tangency.engines.blas import blas_limit, one_blas_thread, product

NET = "dense relu dense"


def counts():
    return {library.get() for library in blas.libraries()}


@pytest.fixture(autouse=True)
def three():
    """Three threads of BLAS, whatever limits other tests have set; the main thread rules over it
    as far as `threadpoolctl` is concerned."""
    before = [(library, library.get()) for library in blas.libraries()]
    with threadpool_limits(3, user_api="blas"):
        for library, _ in before:
            library.set(3)
        if counts() != {3}:
            pytest.skip("this BLAS cannot be told how many threads to take")
        yield
    for library, count in before:
        library.set(count)


def elsewhere(function):
    """What a function returns in a thread of its own."""
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_a_limit_is_in_force_from_any_thread():
    def inside():
        with one_blas_thread():
            return counts()

    assert inside() == {1}
    assert elsewhere(inside) == {1}
    assert counts() == {3}


def test_the_lowest_of_all_limits_holds():
    with blas_limit(2):
        assert counts() == {2}
        with one_blas_thread():
            assert counts() == {1}
            with blas_limit(5):
                assert counts() == {1}
        assert counts() == {2}
    with blas_limit(5):
        assert counts() == {3}  # never more than there were
    assert counts() == {3}


def test_calls_of_two_threads_that_overlap():
    """The first to begin is the first to end."""
    begun, ended = threading.Event(), threading.Event()
    seen = []

    def other():
        with one_blas_thread():
            begun.set()
            ended.wait(20)
            seen.append(counts())
        seen.append(counts())

    thread = threading.Thread(target=other)
    with blas_limit(2):
        thread.start()
        assert begun.wait(20)
        assert counts() == {1}
    assert counts() == {1}
    ended.set()
    thread.join()
    assert seen == [{1}, {3}]


def test_given_back_after_an_error():
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        raise ZeroDivisionError
    assert counts() == {3}


class Fake:
    """A library as `threadpoolctl` describes it; with `layer` "openmp" each thread has its own."""

    user_api = "blas"

    def __init__(self, name, layer="pthreads", api="mkl"):
        self.filepath, self.threading_layer, self.internal_api = name, layer, api
        self.shared = SimpleNamespace() if layer == "pthreads" else threading.local()

    @property
    def num_threads(self):
        return getattr(self.shared, "count", 4)

    def set_num_threads(self, count):
        self.shared.count = count


@pytest.fixture
def loaded(monkeypatch):
    """The libraries that `threadpoolctl` finds, to be added to."""
    found = []

    def controller():
        return SimpleNamespace(select=lambda user_api: SimpleNamespace(lib_controllers=[*found]))

    monkeypatch.setattr(blas, "ThreadpoolController", controller)
    monkeypatch.setattr(blas, "_state", blas._State())
    return found


def test_a_library_that_is_loaded_later(loaded, monkeypatch):
    first, second = Fake("first"), Fake("second")
    loaded.append(first)
    with one_blas_thread():
        assert first.num_threads == 1
    loaded.append(second)
    monkeypatch.setitem(sys.modules, "tangency_test_extension", ModuleType("extension"))
    with one_blas_thread():
        assert (first.num_threads, second.num_threads) == (1, 1)
    assert (first.num_threads, second.num_threads) == (4, 4)


def test_a_library_that_is_loaded_inside(loaded, monkeypatch):
    first, second = Fake("first"), Fake("second")
    loaded.append(first)
    with one_blas_thread():
        loaded.append(second)
        monkeypatch.setitem(sys.modules, "tangency_test_extension", ModuleType("extension"))
        with one_blas_thread():
            assert second.num_threads == 1
        assert second.num_threads == 1
    assert (first.num_threads, second.num_threads) == (4, 4)


def test_where_each_thread_has_a_number_of_its_own(loaded):
    """As OpenBLAS with OpenMP: a pool's threads begin with the number of the process."""
    library = Fake("omp", "openmp", "openblas")
    loaded.append(library)
    assert elsewhere(lambda: library.num_threads) == 4

    def started():
        blas.limit_this_thread()
        return library.num_threads

    with one_blas_thread():
        assert library.num_threads == 1
        assert elsewhere(started) == 1
        with one_blas_thread():
            pass
        assert library.num_threads == 1
    assert library.num_threads == 4
    assert elsewhere(started) == 4


def test_the_pools_of_the_library_take_the_limit_over(loaded):
    from tangency.engines import threads as run
    from tangency.engines.threads import each

    library = Fake("omp", "openmp", "openblas")
    loaded.append(library)
    seen = set()
    with one_blas_thread():
        items = [("a", 0, 50)]
        run.run(items, lambda *_: seen.add(library.num_threads), lambda: None, jobs=2, total=50)
    assert seen == {1}
    assert set(each(lambda _: library.num_threads, range(8), 2)) == {1}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_after_a_fork():
    """Calls of other threads do not go on in the child; that of the thread which forks does."""

    def checks():
        if counts() != {2}:
            return 1  # the limit of this thread, but not that of the other
        call.__exit__(None, None, None)
        if counts() != {3}:
            return 2
        with one_blas_thread():
            if counts() != {1}:
                return 3
        return 0 if counts() == {3} else 4

    begun, over = threading.Event(), threading.Event()

    def other():
        with one_blas_thread():
            begun.set()
            over.wait(60)

    thread = threading.Thread(target=other)
    call = blas_limit(2)
    call.__enter__()
    thread.start()
    try:
        assert begun.wait(20)
        child = os.fork()
        if child == 0:
            code = 9
            try:
                code = checks()
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        over.set()
        thread.join()
        call.__exit__(None, None, None)
    assert counts() == {3}


def test_products_are_right_and_the_same_bits_on_any_number_of_threads():
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        a = rng.standard_normal((1000, 300)).astype(dtype)
        for shape in ((300,), (300, 7), (300, 400)):
            b = rng.standard_normal(shape)
            found = product(a, b)
            assert found.dtype == np.float64
            expected = np.einsum("ij,j...->i...", a.astype(float), b)
            # Sums of 300 numbers of size 1, which may cancel.
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
            with one_blas_thread():
                assert np.array_equal(product(a, b), found)


@pytest.mark.parametrize("engine", ["fused", "reference"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_kernels_have_the_same_bits_in_any_thread(engine, dtype):
    X = np.random.default_rng(0).standard_normal((500, 784)).astype(dtype)
    kernel = tg.NTK(NET, engine=engine)

    def results():
        return kernel(X), kernel(X[:130], X), kernel.diag(X), kernel.distance(X[:60])

    here, there = results(), elsewhere(results)
    with one_blas_thread():
        alone = results()
    for a, b, c in zip(here, there, alone, strict=True):
        assert np.array_equal(a, b)
        assert np.array_equal(a, c)
