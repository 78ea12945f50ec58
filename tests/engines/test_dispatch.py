"""One entrance to all engines: what it loads, and parameters that change between calls."""

import importlib
import sys
import time

import numpy as np
import pytest
import torch

import tangency as tg
from processes import default_interrupt
from tangency.engines.host import load


@pytest.mark.parametrize("engine", ["auto", "fused", "reference"])
@pytest.mark.parametrize("library", [np.asarray, torch.as_tensor])
def test_tensor_changed_in_place_is_noticed(engine, library):
    x = library(np.random.default_rng(0).standard_normal((3, 4, 4, 1)))
    scale = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    net = tg.Sequential(
        tg.Conv(3), tg.Residual(tg.Conv(1, weight_std=scale)), tg.GlobalAvgPool(), tg.Dense()
    )
    kernel = tg.NTK(net, engine=engine)
    with torch.no_grad():
        for value in (2.0, 3.0):
            scale.fill_(value)
            fixed = tg.parse(f"conv3 res(conv1:w={value}) gap dense")
            np.testing.assert_allclose(kernel(x), tg.NTK(fixed)(x), rtol=1e-12)
            np.testing.assert_allclose(kernel.diag(x), tg.NTK(fixed).diag(x), rtol=1e-12)


@pytest.mark.parametrize("engine", ["fused", "blocked", "reference"])
def test_any_engine_serves_where_a_gradient_is_asked_for(engine):
    text = "conv2 attention:identity gap" if engine == "blocked" else "conv2 relu gap"
    x = torch.ones((2, 3, 1), dtype=torch.float64, requires_grad=True)
    values = tg.NTK(f"{text} dense", engine=engine)(x)
    assert values.requires_grad
    assert torch.allclose(values, tg.NTK(f"{text} dense", engine="reference")(x.detach()))


def test_explain_takes_tensors_as_numbers():
    net = tg.Sequential(tg.Dense(weight_std=torch.tensor(2.0, requires_grad=True)), tg.ReLU())
    assert tg.explain(net, (3,)).startswith("engine: fused")


def test_without_a_compiler_the_reference_computes(monkeypatch):
    import numba

    x = np.eye(3)
    wanted = tg.NTK("dense relu dense", engine="reference")(x)
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    assert np.array_equal(tg.NTK("dense relu dense")(x), wanted)
    with pytest.raises(tg.InputError, match=r"compiler is switched off \(NUMBA_DISABLE_JIT\)"):
        tg.NTK("dense relu dense", engine="fused")(x)


def test_an_interruption_leaves_no_package_half_loaded(tmp_path, monkeypatch):
    """Numba then had no attribute `core` for the rest of the process."""
    (tmp_path / "slowly_loaded.py").write_text(
        "import _thread, time\n_thread.interrupt_main()\ntime.sleep(0.2)\nwhole = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def load_and_hear_of_it():
        load("slowly_loaded")
        time.sleep(0.1)

    try:
        with default_interrupt(), pytest.raises(KeyboardInterrupt):
            load_and_hear_of_it()
        load("slowly_loaded")
        assert importlib.import_module("slowly_loaded").whole
    finally:
        sys.modules.pop("slowly_loaded", None)


def test_what_cannot_be_loaded_is_raised_where_it_is_imported():
    load("there_is_no_such_package")
    assert "there_is_no_such_package" not in sys.modules
