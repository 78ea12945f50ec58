"""The loops of quadrature compiled ahead of their first use."""

from __future__ import annotations

import numpy as np


def warm_up() -> None:
    """Compiles the loops, or loads them from the cache on disk.

    >>> from tangency.nets.quadrature.warm import warm_up
    >>> warm_up()
    """
    from .family import Family
    from .moments import duals, slopes

    # By series, along a line, in the plane, and past a jump and a kink.
    q, c = np.full(3, 0.9), np.array([0.3, -1.0, 0.9999])
    for function in (np.sign, np.abs):
        duals(Family(function, "warm"), c * q, q, q, 2.0**-52)
    slopes(Family(np.abs, "warm"), c * q, q, q, 2.0**-52)
