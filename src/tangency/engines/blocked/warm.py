"""First use: the loops are compiled ahead of it, outside threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...nets import parse
from ...nets.plan import plan
from ..engine import BOTH
from ..fused import warm
from ..prepared import Prepared

# Networks that reach the loops that most do; others compile in a moment.
_NETS, _SHAPE = ("conv3 relu avg2 gap dense", "dense attention relu flatten dense"), (4, 1)


def get_ready(dtype: Any) -> None:
    """Compiles, before the first call for a dtype, what it needs; a message says so."""
    name = np.dtype(dtype).name
    warm.once(name, "blocks", lambda: _tiny(name))


def _tiny(dtype: str) -> None:
    from . import engine

    for text in _NETS:
        steps = plan(parse(text), _SHAPE)
        x = Prepared(np.ones((2, *_SHAPE), dtype=dtype))
        engine.gram(steps, x, None, BOTH, 1, False)
