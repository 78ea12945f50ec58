"""`tangency.gram`: a package that is called like the function it grew out of."""

import copy
import inspect
import pickle
import subprocess
import sys
import types

import numpy as np

import tangency as tg
from tangency import kernels


def test_the_package_is_called_as_the_function(tmp_path):
    X = np.random.default_rng(0).standard_normal((5, 3))
    here, there = tg.gram("dense relu dense", X), kernels.gram("dense relu dense", X)
    assert isinstance(tg.gram, types.ModuleType)
    assert type(here) is type(there)
    assert np.array_equal(here.ntk, there.ntk)
    assert tg.gram.compute is sys.modules["tangency.gram"].compute


def test_it_is_copied_and_pickled_like_a_function():
    assert pickle.loads(pickle.dumps(tg.gram)) is tg.gram
    assert copy.deepcopy(tg.gram) is tg.gram


def test_its_signature_is_that_of_the_function():
    assert inspect.signature(tg.gram) == inspect.signature(kernels.gram)


def test_what_is_exported_is_there():
    for name in tg.gram.__all__:
        assert hasattr(tg.gram, name)


def test_importing_it_loads_none_of_the_large_libraries():
    code = (
        "import sys, tangency.gram; large = ('zarr', 'dask', 'distributed', 'torch', 'sklearn');"
        "print([name for name in large if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
