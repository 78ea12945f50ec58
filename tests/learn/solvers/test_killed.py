"""A fit that is killed, again and again, ends as one that is not."""

from __future__ import annotations

import os
import random
import sys
import time

import numpy as np
import pytest

from processes import started
from tangency import KernelRegressor
from tangency.learn.solvers import CG

PROGRAM = """
import sys, time
import numpy as np
from tangency import KernelRegressor
from tangency.learn.solvers import CG, block_cg, checkpoint

checkpoint.SECONDS = 0.0
step = block_cg.step

def slow(*arguments):
    time.sleep(0.02)
    return step(*arguments)

block_cg.step = slow
root = np.random.default_rng(0).standard_normal((60, 90))
y = np.sin(np.arange(60.0))
solver = CG(precondition="none", probes=4, checkpoint=sys.argv[1])
print("fitting", flush=True)
model = KernelRegressor("precomputed", alpha=[0.1, 1.0, 10.0], solver=solver).fit(root @ root.T, y)
print(model.dual_coef_.tobytes().hex())
"""


def fit(place):
    command = [sys.executable, "-c", PROGRAM, place]
    return started(command, stderr=None, env={**os.environ, "OMP_NUM_THREADS": "1"})


@pytest.mark.slow
def test_kill_9_at_random_moments(tmp_path):
    root = np.random.default_rng(0).standard_normal((60, 90))
    model = KernelRegressor(
        "precomputed", alpha=[0.1, 1.0, 10.0], solver=CG(precondition="none", probes=4)
    ).fit(root @ root.T, np.sin(np.arange(60.0)))
    expected = model.dual_coef_.tobytes().hex()
    draws = random.Random(0)
    kills, found = 0, ""
    while not found:
        with fit(tmp_path / "c") as process:
            assert process.stdout is not None
            process.stdout.readline()
            if kills < 3:
                time.sleep(draws.uniform(0.05, 0.5))
                process.kill()
                kills += 1
            else:
                found = process.communicate()[0].split()[0]
    assert found == expected
    assert [path.name for path in tmp_path.iterdir()] == ["c"]
    assert np.frombuffer(bytes.fromhex(found)).shape == (60,)
