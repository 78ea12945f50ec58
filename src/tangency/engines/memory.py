"""How much memory there is."""

from __future__ import annotations

from typing import Any

import psutil
from array_api_compat import is_torch_array


def default_budget(x: Any) -> int:
    """A quarter of the memory that is free where the array `x` lies, in bytes."""
    if is_torch_array(x) and x.device.type == "cuda":
        import torch

        return torch.cuda.mem_get_info(x.device)[0] // 4
    return psutil.virtual_memory().available // 4
