"""What activations need to know of each input alone."""

from __future__ import annotations

import numpy as np

from ..overflow import check_values
from . import blocks
from .program import Code, Program
from .tables import Tables


def elementwise_kinds(program: Program) -> np.ndarray:
    """The kind of elementwise map at every marginal, position by position."""
    kinds: list[int] = []
    by_index = {
        op.marginal: op.kind
        for stage in program.stages
        for op in stage.operations
        if op.code is Code.ELEMENTWISE
    }
    for index, (h, w) in enumerate(program.marginals):
        kinds += [by_index.get(index, 0)] * (h * w)
    return np.asarray(kinds or [0], dtype=np.int64)


def auxiliary(q: np.ndarray, kinds: np.ndarray, table: Tables) -> np.ndarray:
    """(u, v) of inputs from their marginals q (n, marginals); InputError where q overflows."""
    check_values(q)
    aux = np.empty((q.shape[0], 2 * q.shape[1]), dtype=q.dtype)
    blocks.prepare_block(q, aux, kinds, 0, q.shape[0], table.tiny[0])
    return aux
