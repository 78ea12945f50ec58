"""What is said where GPyTorch is not installed."""

from __future__ import annotations

import sys

import pytest

from tangency import adapters


def test_gpytorch_is_asked_for_by_its_command(monkeypatch):
    for name in ["gpytorch", *(name for name in sys.modules if name.startswith("gpytorch."))]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "tangency.adapters.gpytorch", raising=False)
    with pytest.raises(ModuleNotFoundError, match="GPyTorchKernel needs GPyTorch: pip install gpy"):
        adapters.GPyTorchKernel  # noqa: B018


def test_what_there_is_is_listed():
    assert {"GPyTorchKernel", "SklearnKernel"} <= set(dir(adapters))
    with pytest.raises(AttributeError, match="no attribute 'JaxKernel'"):
        adapters.JaxKernel  # noqa: B018
