"""Threads, limits, interruption, forked workers, memory."""

import multiprocessing
import os
import signal
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from joblib import Parallel, delayed
from threadpoolctl import threadpool_info

import tangency as tg
from processes import started
from tangency.engines import threads as run
from tangency.engines.blas import one_blas_thread
from tangency.engines.fused import engine as fused
from tangency.nets.plan import plan
from traced import traced

NET = "conv3 relu avg2 conv3 relu gap dense"


def images(n, side=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n, side, side, 1))


def child(code, *arguments):
    """A Python process that runs `code`, for `with`."""
    return started([sys.executable, "-c", textwrap.dedent(code), *arguments])


def kernel(x, n_jobs=None):
    return tg.NTK(NET, engine="fused", n_jobs=n_jobs)(x)


def test_limits_of_the_environment(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    monkeypatch.setattr(run.numba.config, "NUMBA_NUM_THREADS", 5)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert run.threads(None) == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert run.threads(None) == run.threads(-1) == 3
    assert run.threads(-2) == 2
    assert run.threads(-9) == 1
    assert run.threads(8) == run.threads(np.int64(8)) == 8
    monkeypatch.setattr(run.numba.config, "NUMBA_NUM_THREADS", 1)
    assert run.threads(None) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "zero")
    assert run.threads(None) == 1


@pytest.mark.parametrize("bad", [0, 1.5, "2", True])
def test_a_bad_number_of_threads(bad):
    with pytest.raises(tg.InputError, match="n_jobs must be a whole number other than 0, or None"):
        kernel(images(2), n_jobs=bad)


def test_pieces_cover_every_item_once():
    done = set()
    lock = threading.Lock()

    def block(room, key, first, last):
        with lock:
            rows = {(key, row) for row in range(first, last)}
            assert not rows & done
            done.update(rows)

    items = [("a", 0, 7), ("b", 3, 3), ("c", 2, 100)]
    for jobs in (1, 4):
        done.clear()
        run.run(items, block, lambda: None, jobs=jobs, total=105)
        assert done == {("a", k) for k in range(7)} | {("c", k) for k in range(2, 100)}


def test_pieces_grow_until_they_take_a_tenth_of_a_second():
    queue = run._Queue([(None, 0, 1000)])
    sizes = []
    for _ in range(4):
        _, first, last = queue.next()
        sizes.append(last - first)
        queue.learn(last - first, 0.001 * (last - first))
    assert sizes == [1, 4, 16, 64]
    _, first, last = queue.next()
    assert last - first == 100
    queue.learn(100, 10.0)
    _, first, last = queue.next()
    assert last - first == 1


def test_a_single_row_takes_no_threads():
    """Of work that cannot be shared, whatever it weighs."""
    seen = []

    def block(room, key, first, last):
        seen.append(threading.current_thread())

    run.run([("a", 0, 1)], block, lambda: None, jobs=2, total=500, weight=lambda *_: 500)
    assert seen == [threading.current_thread()]


def test_pieces_get_smaller_towards_the_end():
    """Or one thread would work on the last large piece while the others wait."""
    queue = run._Queue([("a", 0, 100), ("b", 0, 100)], jobs=2)
    sizes = []
    while (piece := queue.next()) is not None:
        sizes.append(piece[2] - piece[1])
        queue.learn(sizes[-1], 1e-6)
    assert sum(sizes) == 200
    assert max(sizes) >= 30
    left = 200
    for size in sizes:
        assert size <= max(1, left / 4)
        left -= size


@pytest.mark.parametrize("jobs", [1, 3])
def test_an_error_in_a_thread_reaches_the_caller(jobs):
    def block(room, key, first, last):
        raise ZeroDivisionError("inside")

    with pytest.raises(ZeroDivisionError, match="inside"):
        run.run([(None, 0, 10)], block, lambda: None, jobs=jobs, total=10)


LONG_CALL = """
    import sys, threading
    import numpy as np
    import tangency as tg

    kernel = tg.NTK("conv3 relu " * 4 + "gap dense", engine="fused", n_jobs=int(sys.argv[1]))
    x = np.random.default_rng(0).normal(size=(20_000, 16, 16, 1)).astype(np.float32)
    kernel(x[:3])
    if sys.argv[2] == "progress":
        kernel = tg.NTK(kernel.net, engine="fused", n_jobs=int(sys.argv[1]), progress=True)
    try:
        print("ready", flush=True)
        kernel(x)
    except KeyboardInterrupt:
        names = [t.name for t in threading.enumerate()]
        print("interrupted", sum("Pool" in name for name in names), flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for a child process")
@pytest.mark.parametrize(("jobs", "bar"), [(1, "plain"), (2, "plain"), (2, "progress")])
def test_interruption_stops_a_long_call(jobs, bar):
    """The whole call would take hours. No time is asserted but that it does not hang."""
    with child(LONG_CALL, jobs, bar) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert out.startswith("interrupted"), err
    assert process.returncode == 0
    # The threads of the pool are gone.
    assert out.split()[1] == "0"


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_inside_joblib(backend):
    x = images(40)
    alone = kernel(x)
    results = Parallel(n_jobs=2, backend=backend)(delayed(kernel)(x) for _ in range(4))
    assert all(np.array_equal(alone, k) for k in results)


def test_read_only_memory_maps_of_joblib_workers():
    """joblib hands large arrays to its workers as read-only memory maps."""
    x = images(40)
    results = Parallel(n_jobs=2, max_nbytes=1)(delayed(kernel)(x) for _ in range(2))
    assert all(np.array_equal(kernel(x), k) for k in results)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_in_a_forked_worker_after_use_in_the_parent():
    """In a process of its own: that of the tests has threads, of which Python warns at a fork."""
    code = """
        import multiprocessing, os, sys, warnings
        import numpy as np
        import tangency as tg

        warnings.simplefilter("ignore", DeprecationWarning)
        kernel = tg.NTK("conv3 relu avg2 conv3 relu gap dense", engine="fused", n_jobs=2)
        dense = tg.NTK("dense:b=1 relu dense", engine="fused", n_jobs=2)
        x = np.random.default_rng(0).normal(size=(40, 8, 8, 1))
        here = kernel(x), dense(x.reshape(40, -1))

        def work(_):
            return kernel(x), dense(x.reshape(40, -1))

        with multiprocessing.get_context("fork").Pool(2) as pool:
            for there in pool.map(work, range(4)):
                assert all(map(np.array_equal, here, there))
        pid = os.fork()
        if pid == 0:
            os._exit(0 if all(map(np.array_equal, here, work(0))) else 1)
        assert os.waitpid(pid, 0)[1] == 0
        print("same")
    """
    with child(code) as process:
        out, err = process.communicate(timeout=120)
    assert out == "same\n", err


def test_in_a_spawned_worker():
    x = images(10)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert np.array_equal(pool.apply(kernel, (x,)), kernel(x))


def test_two_threads_at_once():
    x, rows = images(60), np.random.default_rng(0).normal(size=(700, 30))
    dense = tg.NTK("dense:b=0.1 relu dense", engine="fused", n_jobs=2)
    alone = kernel(x, 2), dense(rows)
    with ThreadPoolExecutor(4) as pool:
        many = [pool.submit(kernel, x, 2) for _ in range(3)]
        more = [pool.submit(dense, rows) for _ in range(3)]
        assert all(np.array_equal(alone[0], k.result()) for k in many)
        assert all(np.array_equal(alone[1], k.result()) for k in more)


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_overlapping_limits_of_blas_end_with_the_last_call():
    before = blas_threads()
    first, second = one_blas_thread(), one_blas_thread()
    first.__enter__()
    second.__enter__()
    assert set(blas_threads()) == {1}
    first.__exit__(None, None, None)
    assert set(blas_threads()) == {1}
    second.__exit__(None, None, None)
    assert blas_threads() == before


@pytest.mark.parametrize("side", [8, 32])
@pytest.mark.parametrize("net", ["cntk", "ckn", "myrtle", "wide_resnet"])
def test_the_room_of_all_threads_is_bounded(net, side):
    """Buffers and bands of marginals stay under 300 MB whatever the network and the threads."""
    from tangency.engines.fused import head, work

    net = {"cntk": tg.cntk(30), "ckn": tg.ckn(), "myrtle": tg.myrtle(10)}.get(
        net, tg.wide_resnet(blocks=4, groups=3)
    )
    try:
        steps = plan(net, (side, side, 3))
    except tg.NetworkError:
        pytest.skip("pooled away")
    if fused.uncovered(steps):
        pytest.skip("stored covariances too large")
    assert fused.WORKING_BYTES < 300e6
    for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        one = head.head_of(steps, True, dtype)
        lanes = one.lanes(10_000)
        assert work.room_bytes(one.sizes, lanes, dtype.itemsize) <= head.ROOM


@pytest.mark.parametrize("text", ["dense relu dense", "dense:b=0.1 erf dense"])
@pytest.mark.parametrize("kernel", [tg.NTK, tg.NNGP])
def test_one_kernel_of_vectors_takes_the_room_of_one_matrix(kernel, text):
    """Of the other there is a tile at a time, if it is needed at all."""
    x = np.random.default_rng(0).normal(size=(2_500, 5))
    kernel = kernel(text, engine="fused")
    kernel(x[:3])
    matrix, peak = traced(lambda: kernel(x))
    assert peak <= matrix.nbytes + 40 * 2**20
    assert matrix.nbytes > 45 * 2**20


def test_measured_memory_beside_input_and_output():
    """2,000 images whose marginals alone would need 600 MB."""
    net = tg.parse("conv3 relu " * 10 + "flatten dense")
    x = np.random.default_rng(0).normal(size=(1_500, 32, 32, 1)).astype(np.float32)
    steps = plan(net, (32, 32, 1))
    y = x[:2].copy()
    fused.gram(steps, x[:3], y)
    _, peak = traced(lambda: fused.gram(steps, x, y, n_jobs=2))
    marginals = 2 * 10 * 32 * 32 * 4 * len(x)
    assert marginals > 100e6
    assert peak < fused.WORKING_BYTES < 300e6
