"""`tangency.gram`: called for a small matrix, and the place of all that is done with large ones."""

import copy
import inspect
import pickle
import subprocess
import sys
from importlib import import_module

import numpy as np

import tangency as tg
from tangency import kernels


def test_it_is_called_as_the_function():
    X = np.random.default_rng(0).standard_normal((5, 3))
    here, there = tg.gram("dense relu dense", X), kernels.gram("dense relu dense", X)
    assert type(here) is type(there)
    assert np.array_equal(here.ntk, there.ntk)


def test_it_is_copied_and_pickled_like_a_function():
    assert pickle.loads(pickle.dumps(tg.gram)) is tg.gram
    assert copy.deepcopy(tg.gram) is tg.gram


def test_its_signature_is_that_of_the_function():
    assert inspect.signature(tg.gram) == inspect.signature(kernels.gram)


def test_the_object_and_the_module_of_its_name_hold_the_same():
    from tangency.gram import StoredGram, gram

    assert gram is tg.gram
    assert StoredGram is tg.gram.StoredGram
    module = import_module("tangency.gram")
    assert {name for name in module.__all__ if name != "gram"} == {
        name for name in vars(type(tg.gram)) if not name.startswith("_")
    }
    for name in set(module.__all__) - {"gram"}:
        assert getattr(tg.gram, name) is getattr(module, name)


def test_the_module_of_its_name_may_be_imported_first_and_the_object_stays():
    code = (
        "import tangency.gram, tangency.gram as g; from tangency.gram import compute;"
        "import tangency as tg; print(tg.gram is g, g.compute is compute, callable(g))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "True"]


def test_importing_it_loads_none_of_the_large_libraries():
    code = (
        "import sys, tangency.gram; large = ('zarr', 'dask', 'distributed', 'torch', 'sklearn');"
        "print([name for name in large if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
