"""What tests of faults share: jobs in processes of their own, and reference values."""

import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import tangency as tg
from tangency.matrix.job import Job

NET = "dense relu dense"
TILE = 20


def inputs():
    return np.random.default_rng(0).standard_normal((90, 3))


def compute(path, **options):
    return tg.gram.compute(NET, inputs(), store=path, n_jobs=1, **options)


def get_ready():
    """Loops compiled, libraries loaded."""
    with tempfile.TemporaryDirectory() as folder:
        compute(Path(folder, "warm.zarr"), tile=TILE)


def slowly(seconds):
    """Let each tile take longer, so that a signal meets it."""
    real = Job.compute_tile

    def slow(self, i, j, data):
        time.sleep(seconds)
        return real(self, i, j, data)

    Job.compute_tile = slow


def kill_often(folder, times, seed):
    """Start a job and kill it at a random moment, until so many kills met an unfinished store.

    Prints the path of that store after each of them. Each job goes on with what the one before
    left; when one is faster than its killer, the next gets a new store.
    """
    slowly(0.003)
    start = time.perf_counter()
    compute(f"{folder}/timed.zarr", tile=TILE)
    whole = time.perf_counter() - start
    dice, kills, number = random.Random(seed), 0, 0
    while kills < times:
        path = Path(folder, f"K{number}.zarr")
        child = os.fork()
        if child == 0:
            compute(path, tile=TILE)
            os._exit(0)
        time.sleep(dice.uniform(0, whole))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            number += 1
        elif path.exists() and tg.gram.status(path).left > 0:
            kills += 1
            print(path, flush=True)


def run_and_say_so(path):
    """A slow job that says when it has begun, and how it ended."""
    slowly(0.2)
    real = Job.compute_tile
    told = []

    def telling(self, i, j, data):
        if not told:
            told.append(print("begun", flush=True))
        return real(self, i, j, data)

    Job.compute_tile = telling
    try:
        compute(path, tile=TILE)
    except KeyboardInterrupt:
        print("interrupted", flush=True)


def race(folder, jobs):
    """Start jobs on one new store at the same moment, and say how each of them ended."""
    slowly(0.06)
    children = []
    for _ in range(jobs):
        children.append(os.fork())
        if children[-1] == 0:
            code = 1
            try:
                compute(f"{folder}/K.zarr", tile=TILE)
                code = 0
            except tg.StoreError as error:
                code = 2 if "is in use" in str(error) else 3
            finally:
                os._exit(code)
    print(*(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))


def limited(folder, size):
    """A job with a quota on the size of files, the system's own; prints what it raises."""
    import resource  # POSIX only

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        compute(f"{folder}/K.zarr", tile=20)
    except tg.StoreError as error:
        print(error)


if __name__ == "__main__":
    run_and_say_so(sys.argv[1])
