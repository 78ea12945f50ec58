"""Duals of an activation for a table of pairs, in place: what features on landmarks are made of.

A covariance beyond √(q q') is one of features whose rounding has made them longer than their
variance. It is brought back: formulas lead on from there in ways of their own, and what one layer
adds the next would multiply.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import config

from ...nets.activations import ActivationLayer
from ...nets.facts import compiled
from . import warm
from .activations import kind_and_parameters, no_loop
from .elementwise import elementwise_row
from .jit import jit
from .scalars import prepare


class Duals:
    """The dual (k, k̇) of an activation, compiled, for pairs of inputs with `columns`.

    columns: variances q (m,) of the second inputs, float32 or float64.
    """

    def __init__(self, activation: ActivationLayer, columns: np.ndarray) -> None:
        get_ready(columns.dtype)
        kind, parameters = kind_and_parameters(activation)
        dtype = columns.dtype
        self.kind = kind
        self.parameters = np.asarray([*parameters, 0, 0, 0, 0], dtype=dtype)
        self.tiny = np.finfo(dtype).smallest_normal
        self.columns = np.empty(3 * len(columns), dtype=dtype)
        prepare_columns(kind, columns, self.columns, self.tiny)

    def __call__(self, s: Any, t: Any, rows: np.ndarray, share: float) -> None:
        """s (n, m) becomes k(s), and t (n, m) k̇(s)·(t + share·s); `rows` (n,) are variances.

        s and t are contiguous, of the dtype of the columns; t is None where k̇ is not wanted.
        """
        tangent = t is not None
        flat = s.reshape(-1)
        table(
            self.kind,
            flat,
            t.reshape(-1) if tangent else flat[:0],
            rows,
            self.columns,
            np.empty_like(self.columns),
            self.parameters,
            self.tiny,
            s.dtype.type(share),
            tangent,
        )


def duals(activation: ActivationLayer, columns: np.ndarray) -> Duals | None:
    """The compiled duals of an activation; None where it has none, or nothing is compiled."""
    if no_loop(activation) or getattr(config, "DISABLE_JIT", 0):
        return None
    if (compiled(activation) or ("",))[0] == "series":
        return None  # which keeps more than two numbers of an input
    return Duals(activation, columns)


def get_ready(dtype: Any) -> None:
    """Compile both loops for a dtype ahead of their first use, as `warm.get_ready`."""
    found = np.dtype(dtype)
    warm.once(found.name, "features", lambda: _tiny(found))


def _tiny(dtype: np.dtype) -> None:
    """A first call of both loops, which compiles them."""
    one, out = np.ones(1, dtype=dtype), np.ones(3, dtype=dtype)
    prepare_columns(0, one, out, one[0])
    table(0, one, one.copy(), one, out, out.copy(), np.zeros(5, dtype), one[0], one[0], True)


@jit
def prepare_columns(kind, q, out, tiny):
    m = len(q)
    for k in range(m):
        u, v = prepare(kind, q[k], tiny)
        out[k] = u
        out[m + k] = v
        out[2 * m + k] = math.sqrt(q[k])


@jit
def table(kind, s, t, q, columns, own, parameters, tiny, share, tangent):
    m = len(columns) // 3
    for i in range(len(q)):
        u, v = prepare(kind, q[i], tiny)
        at = i * m
        root = math.sqrt(q[i])
        for k in range(m):
            most = root * columns[2 * m + k]
            s[at + k] = min(max(s[at + k], -most), most)
        for k in range(m):
            own[k] = u
            own[m + k] = v
        if tangent:
            for k in range(at, at + m):
                t[k] += share * s[k]
        elementwise_row(kind, s, at, t, at, own, 0, columns, 0, m, m, parameters, 0, tangent)
