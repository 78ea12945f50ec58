"""What compiled engines take: NumPy's arrays, or PyTorch's in main memory, that fit."""

from __future__ import annotations

from typing import Any

import psutil
from array_api_compat import is_torch_array

from ..errors import MemoryLimitError
from ..nets.plan import Plan
from .gradients import differentiates
from .prepared import Prepared
from .tiles import size_text


def unsuited(plan: Plan, *arrays: Any) -> str | None:
    """Why compiled loops cannot take these arrays, or anything; None where they can."""
    for x in arrays:
        if is_torch_array(x) and x.device.type != "cpu":
            return f"the inputs are on {x.device}"
    if arrays and differentiates(plan.net, *arrays):
        return "a gradient is asked for"
    for x in arrays:
        if str(x.dtype).removeprefix("torch.") not in ("float32", "float64"):
            return f"the inputs have dtype {x.dtype}"
    from numba.core import config

    if getattr(config, "DISABLE_JIT", 0):
        return "Numba's compiler is switched off (NUMBA_DISABLE_JIT)"
    return None


def check_memory(x: Any, numbers: int, working: int, max_memory: int | None) -> None:
    """Refuses results of so many numbers, beside bytes to work in (`MemoryLimitError`)."""
    need = numbers * x.dtype.itemsize
    allowed = psutil.virtual_memory().available
    if max_memory is not None:
        need, allowed = need + working, max_memory
    if need > allowed:
        raise MemoryLimitError(
            f"the kernel matrix, with room to work in, needs {size_text(need)}, but "
            f"{size_text(allowed)} are "
            f"{'allowed' if max_memory is not None else 'free'}; pass fewer inputs at a time, use "
            "float32, or raise max_memory"
        )


def as_numpy(given: Prepared) -> Prepared:
    """The same inputs as arrays of NumPy's, kept."""
    if not is_torch_array(given.inputs):
        return given
    return given.derive("numpy", lambda: Prepared(given.inputs.detach().numpy()))


def like(x: Any, k: Any) -> Any:
    """A result as an array of the inputs' library."""
    if k is None or not is_torch_array(x):
        return k
    import torch

    return torch.from_numpy(k)
