"""Vectors as inputs: tiles of their products, and what follows from the angle alone."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...nets.plan import Plan
from .. import reference
from ..overflow import quiet
from ..prepared import Prepared
from ..twins import row_squares
from . import blocks
from .angle import Series, angle_block, homogeneous, series
from .tail import COLUMNS, Tail


class Norms(NamedTuple):
    """‖x‖², ‖x‖ and 1/‖x‖ (0 for zero vectors) of inputs, each (n,)."""

    squares: np.ndarray
    roots: np.ndarray
    inverse: np.ndarray


def norms(given: Prepared) -> Norms:
    """The norms of inputs, computed once."""

    def make() -> Norms:
        x, squares = given.inputs, row_squares(given)
        roots = np.sqrt(squares)
        with np.errstate(divide="ignore"):
            inverse = np.where(squares >= np.finfo(x.dtype).smallest_normal, 1 / roots, 0)
        return Norms(squares, roots, inverse.astype(x.dtype))

    return given.derive("norms", make)


class Products:
    """Tiles of ⟨x, y⟩, taken through the network at once where only the angle matters.

    Args:
        aux: (u, v) of all marginals of the two sets of inputs, as `Tail.diagonal` gives them.
        want_nngp: False where Σ is not asked for, only Θ.
    """

    def __init__(
        self,
        plan: Plan,
        tail: Tail,
        one: Prepared,
        two: Prepared,
        aux: tuple[np.ndarray, np.ndarray],
        want_nngp: bool,
    ) -> None:
        self.plan, self.tail, self.x, self.y = plan, tail, one.inputs, two.inputs
        self.aux, self.want_nngp = aux, want_nngp
        x, dtype = one.inputs, one.inputs.dtype
        # A blocked sum of p products is off by a few units in the last place, growing with p.
        self.slack = dtype.type((4 + 0.25 * x.shape[1] ** 0.5) * np.finfo(dtype).eps)
        self.norms = norms(one), norms(two)

    @cached_property
    def angle(self) -> Series | None:
        """The kernel as a function of the angle, if it is one."""
        return _series_of(self.plan, self.tail.want_ntk, self.x.dtype)

    def tile(
        self, work: Any, rows: tuple[int, int], cols: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """(Σ, Θ) of some rows and columns; what is in Σ's place is of no use if not asked for."""
        r, c = slice(*rows), slice(*cols)
        with quiet():
            s = self.x[r] @ self.y[c].T
        if self.angle is not None:
            t = np.empty_like(s) if self.tail.want_ntk else None
            self._by_angle(s, s if t is None else t, r, c)
            return s, t
        t = np.zeros_like(s) if self.tail.want_ntk else None
        one, two = self.norms
        blocks.snap(s, (one.squares[r], one.roots[r]), (two.squares[c], two.roots[c]), self.slack)
        if not self.tail.empty:
            aux = self.aux[0][r], self.aux[1][c]
            self.tail.tile(work, s, s if t is None else t, aux, (0, s.shape[0]), (0, s.shape[1]))
        return s, t

    def _by_angle(self, s: np.ndarray, t: np.ndarray, r: slice, c: slice) -> None:
        assert self.angle is not None
        angle_block(
            s,
            s,
            t,
            self.norms[0].inverse[r],
            self.norms[0].roots[r],
            self.norms[1].inverse[c],
            self.norms[1].roots[c],
            self.angle.at_zero,
            self.angle.coefficients,
            self.slack,
            0 if self.want_nngp else 1,
            1 + self.tail.want_ntk,
            np.empty((4, max(COLUMNS, s.shape[1])), dtype=s.dtype),
        )


@lru_cache(maxsize=64)
def _series_of(plan: Plan, want_ntk: bool, dtype: np.dtype) -> Series | None:
    """The kernel as a function of the angle, if it is one."""
    if not homogeneous(plan.steps):
        return None
    unit = np.zeros((1, plan.input_shape[-1]))
    unit[0, 0] = 1.0
    q = reference.marginals(plan, unit)

    def of_angle(theta: np.ndarray) -> np.ndarray:
        """(Σ, Θ) of unit vectors at some angles, by the reference engine in float64."""
        many = [np.repeat(a, len(theta), axis=0) for a in q]
        products = np.cos(theta)[None, :]
        s, t = reference.block(plan, unit, unit, q, many, want_ntk, products)
        return np.concatenate([s, np.zeros_like(s) if t is None else t])

    return series(of_angle, dtype)
