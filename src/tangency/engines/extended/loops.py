"""The scalar functions over flat arrays, sums of rows, and products of matrices.

An operand of one number has the step 0, any other the step 1.
"""

from __future__ import annotations

from typing import Any

from . import scalars
from .jit import jit


@jit
def roots(a: Any, a_: Any, out: Any, out_: Any) -> None:
    for i in range(out.size):
        out[i], out_[i] = scalars.root(a[i], a_[i])


@jit
def exponentials(a: Any, a_: Any, out: Any, out_: Any) -> None:
    for i in range(out.size):
        out[i], out_[i] = scalars.exponential(a[i], a_[i])


@jit
def exponentials_minus_one(a: Any, a_: Any, out: Any, out_: Any) -> None:
    for i in range(out.size):
        out[i], out_[i] = scalars.exponential_minus_one(a[i], a_[i])


@jit
def logarithms_of_more(a: Any, a_: Any, out: Any, out_: Any) -> None:
    for i in range(out.size):
        out[i], out_[i] = scalars.logarithm_of_more(a[i], a_[i])


@jit
def hyperbolic_tangents(a: Any, a_: Any, out: Any, out_: Any) -> None:
    for i in range(out.size):
        out[i], out_[i] = scalars.hyperbolic_tangent(a[i], a_[i])


@jit
def arcsines(a: Any, a_: Any, out: Any, out_: Any) -> None:
    for i in range(out.size):
        out[i], out_[i] = scalars.arcsine(a[i], a_[i])


@jit
def sums(a: Any, a_: Any, da: int, b: Any, b_: Any, db: int, out: Any, out_: Any) -> None:
    for i in range(out.size):
        j, k = i * da, i * db
        out[i], out_[i] = scalars.add(a[j], a_[j], b[k], b_[k])


@jit
def products(a: Any, a_: Any, da: int, b: Any, b_: Any, db: int, out: Any, out_: Any) -> None:
    for i in range(out.size):
        j, k = i * da, i * db
        out[i], out_[i] = scalars.multiply(a[j], a_[j], b[k], b_[k])


@jit
def quotients(a: Any, a_: Any, da: int, b: Any, b_: Any, db: int, out: Any, out_: Any) -> None:
    for i in range(out.size):
        j, k = i * da, i * db
        out[i], out_[i] = scalars.divide(a[j], a_[j], b[k], b_[k])


@jit
def arctangents(a: Any, a_: Any, da: int, b: Any, b_: Any, db: int, out: Any, out_: Any) -> None:
    for i in range(out.size):
        j, k = i * da, i * db
        out[i], out_[i] = scalars.arctangent(a[j], a_[j], b[k], b_[k])


@jit
def row_sums(a: Any, a_: Any, out: Any, out_: Any) -> None:
    """Sums of the rows of (n, k)."""
    for i in range(a.shape[0]):
        s, s_ = 0.0, 0.0
        for j in range(a.shape[1]):
            s, s_ = scalars.add(s, s_, a[i, j], a_[i, j])
        out[i], out_[i] = s, s_


@jit
def matrix_products(a: Any, a_: Any, b: Any, b_: Any, out: Any, out_: Any) -> None:
    """(n, k) times (k, m); zeros of the second matrix cost nothing."""
    for j in range(b.shape[1]):
        for i in range(a.shape[0]):
            out[i, j], out_[i, j] = 0.0, 0.0
        for k in range(b.shape[0]):
            w, w_ = b[k, j], b_[k, j]
            if w == 0.0:
                continue
            for i in range(a.shape[0]):
                p, p_ = scalars.multiply(a[i, k], a_[i, k], w, w_)
                out[i, j], out_[i, j] = scalars.add(out[i, j], out_[i, j], p, p_)
