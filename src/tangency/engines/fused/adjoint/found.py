"""What a way back gives."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..program import Code
from ..tables import CODE, PAR, Tables


class Gradients(NamedTuple):
    """Gradients in one set of inputs (n, numbers), and in its marginals (n, marginals)."""

    inputs: Any
    marginals: Any


def weights_of(table: Tables, sums: np.ndarray) -> list[tuple[float, float]]:
    """Gradients in w²/fan and b², from ⟨g, K̃⟩ and Σ gs of each operation with weights."""
    found = []
    for row in table.ops:
        if row[CODE] in (Code.CONV, Code.POINTS):
            scale, shift = (float(p) for p in table.par[row[PAR] : row[PAR] + 2])
            product, total = sums[row[PAR] : row[PAR] + 2]
            found.append(((product - shift * total) / scale, total))
    return found
