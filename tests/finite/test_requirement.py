"""What happens without PyTorch."""

import subprocess
import sys

import pytest

from tangency import finite
from tangency.finite.requirement import TorchMissingError, require_torch


def test_the_error_says_how_to_install_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    with pytest.raises(TorchMissingError, match=r'pip install "tangency\[torch\]"') as caught:
        require_torch()
    assert isinstance(caught.value, ImportError)
    assert caught.value.name == "torch"


def test_the_package_asks_for_torch_first():
    code = "import sys; sys.modules['torch'] = None; import tangency.finite"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "tangency.finite.requirement.TorchMissingError: tangency.finite builds networks in PyTorch"
    )


def test_every_public_name_exists():
    for name in finite.__all__:
        assert getattr(finite, name).__name__ == name
    assert set(finite.__all__) <= set(dir(finite))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'linearise'"):
        finite.linearise  # noqa: B018


def test_the_import_leaves_scikit_learn_for_later():
    code = "import sys, tangency.finite; assert 'sklearn' not in sys.modules, 'loaded'"
    subprocess.run([sys.executable, "-c", code], check=True)
