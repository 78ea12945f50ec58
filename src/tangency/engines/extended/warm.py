"""The 32-digit loops compiled ahead of their first use."""

from __future__ import annotations

import numpy as np

from ...nets import parse
from ...nets.plan import plan
from .pairs import differences

# Together these activations and layers call every loop.
_NETWORKS = (
    "conv3 relu avg2 conv3 gelu conv3 erf gap dense sin dense exp1 dense",
    "dense activation:function=tanh dense activation:function=softplus dense",
)


def warm_up() -> None:
    """Compiles the loops, or loads them from the cache on disk.

    >>> from tangency.engines.extended.warm import warm_up
    >>> warm_up()
    """
    for text, shape in zip(_NETWORKS, ((4, 1), (4,)), strict=True):
        x = np.linspace(0.5, 1.5, 8).reshape(2, *shape)
        steps = plan(parse(text), shape)
        differences(steps, x, x + 2.0**-30, kind="ntk", normalize=True)
