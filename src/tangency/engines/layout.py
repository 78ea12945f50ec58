"""How covariances of many pairs lie in one array, and how marginals broadcast against them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from ..nets.plan import Need


@dataclass(frozen=True)
class Side:
    """What the inputs of one set have beside their values at one layer.

    Attributes:
        kept: (n, *space), 1 at positions that are not masked, 0 at others; (n,) of vectors.
        edges: adjacencies (n, nodes, nodes), or None.
        count: (n,), how many positions were not masked where they were pooled.
    """

    kept: np.ndarray
    edges: Any | None
    count: np.ndarray | None = None


@dataclass(frozen=True)
class Covariances:
    """Σ (and Θ) of a block of pairs at one layer.

    Axes: the pairs, (n, m) for all pairs of two sets or (n,) for pairs taken one by one; then the
    grid of the first signal; then, if `full`, the grid of the second.

    Attributes:
        nngp: Σ.
        ntk: Θ, or None where it is zero (no trainable layer yet) or not wanted.
        outer: all pairs of two sets, rather than one by one.
        space: the grid.
        full: Σ[u,u'] for all pairs of positions, rather than its diagonal Σ[u,u].
        sides: what the first and the second inputs have beside their values.
    """

    nngp: Any
    ntk: Any | None
    outer: bool
    space: tuple[int, ...]
    full: bool
    sides: tuple[Side, Side] | None = None

    @property
    def xp(self) -> Any:
        """The array library."""
        return array_namespace(self.nngp)

    def grid_axes(self, axis: int) -> tuple[int, ...]:
        """The array axes that hold the spatial axis `axis`: one, or both signals'."""
        first = (2 if self.outer else 1) + axis
        return (first, first + len(self.space)) if self.full else (first,)

    def map(self, function: Any, space: tuple[int, ...] | None = None) -> Covariances:
        """`function` applied to Σ and to Θ."""
        ntk = None if self.ntk is None else function(self.ntk)
        space = self.space if space is None else space
        return replace(self, nngp=function(self.nngp), ntk=ntk, space=space)

    def reduce(self, need: Need) -> Covariances:
        """Only the diagonal, where no more is needed."""
        if not self.full or need is Need.FULL:
            return self
        return replace(self.map(self._diagonal), full=False)

    def spread(self, need: Need) -> Covariances:
        """Zeros beside the diagonal, where more than the diagonal is needed."""
        if self.full or not self.space or need is not Need.FULL:
            return self
        return replace(self.map(self._beside), full=True)

    def _beside(self, array: Any) -> Any:
        size = math.prod(self.space)
        pairs = array.shape[: 2 if self.outer else 1]
        same = self.xp.asarray(np.eye(size, dtype=bool), device=device(array))
        line = self.xp.reshape(array, (*pairs, size, 1))
        square = self.xp.where(same, line, self.xp.zeros_like(line))
        return self.xp.reshape(square, (*pairs, *self.space, *self.space))

    def _diagonal(self, array: Any) -> Any:
        size = math.prod(self.space)
        pairs = array.shape[: 2 if self.outer else 1]
        square = self.xp.reshape(array, (*pairs, size, size))
        return self.xp.reshape(self.xp.linalg.diagonal(square), (*pairs, *self.space))

    def expand(self, q: Any, second: bool) -> Any:
        """Marginals (n, *space) of the first or second signals, shaped to broadcast."""
        ones = (1,) * len(self.space)
        pairs = (q.shape[0],)
        if self.outer:
            pairs = (1, q.shape[0]) if second else (q.shape[0], 1)
        if not self.full:
            return self.xp.reshape(q, (*pairs, *self.space))
        grid = (*ones, *self.space) if second else (*self.space, *ones)
        return self.xp.reshape(q, (*pairs, *grid))
