"""What activations need to know of each input alone."""

from __future__ import annotations

import numpy as np

from ..overflow import check_values
from . import blocks
from .tables import Tables


def auxiliary(q: np.ndarray, table: Tables) -> np.ndarray:
    """(u, v) of inputs from their marginals q (n, marginals); InputError where q overflows."""
    check_values(q)
    aux = np.empty((q.shape[0], 2 * q.shape[1]), dtype=q.dtype)
    blocks.prepare_block(q, aux, table.marginals, table.par, 0, q.shape[0], table.tiny[0])
    return aux
