"""Vectors as inputs: tiles of their products, and what follows from the angle alone."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from ...nets.plan import Plan
from .. import reference
from . import blocks
from .angle import Series, angle_block, homogeneous, series
from .tail import COLUMNS, Tail


class Products:
    """Tiles of ⟨x, y⟩, taken through the network at once where only the angle matters."""

    def __init__(self, plan: Plan, tail: Tail, x: np.ndarray, y: np.ndarray) -> None:
        self.plan, self.tail, self.x, self.y = plan, tail, x, y
        dtype = x.dtype
        # A blocked sum of p products is off by a few units in the last place, growing with p.
        self.slack = dtype.type((4 + 0.25 * x.shape[1] ** 0.5) * np.finfo(dtype).eps)
        self.squares = [np.einsum("ij,ij->i", z, z) for z in ((x,) if x is y else (x, y))]
        self.squares = [self.squares[0], self.squares[-1]]
        self.roots = [np.sqrt(q) for q in self.squares]

    @cached_property
    def inverse(self) -> list[np.ndarray]:
        """1/‖x‖, and 0 for zero vectors."""
        tiny = np.finfo(self.x.dtype).smallest_normal
        with np.errstate(divide="ignore"):
            return [
                np.where(q >= tiny, 1 / r, 0).astype(r.dtype)
                for q, r in zip(self.squares, self.roots, strict=True)
            ]

    @cached_property
    def angle(self) -> Series | None:
        """The kernel as a function of the angle, if it is one."""
        return _series_of(self.plan, self.tail.want_ntk, self.x.dtype)

    def tile(self, s: Any, t: Any, rows: tuple[int, int], cols: tuple[int, int]) -> bool:
        """Writes a tile of products into s; or of finished kernel values, and returns True."""
        r, c = slice(*rows), slice(*cols)
        products = self.x[r] @ self.y[c].T
        if self.angle is None:
            blocks.snap(products, self.roots[0][r], self.roots[1][c], self.slack)
            s[r, c] = products
            return False
        want_ntk = t is not s
        room = np.empty((4, max(COLUMNS, products.shape[1])), dtype=s.dtype)
        angle_block(
            products,
            s,
            t,
            rows[0],
            cols[0],
            self.inverse[0][r],
            self.roots[0][r],
            self.inverse[1][c],
            self.roots[1][c],
            self.angle.at_zero,
            self.angle.coefficients,
            self.slack,
            want_ntk,
            room,
        )
        return True


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
