"""Σ and Θ of a block of pairs, and the buffers that they lie in."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..fused.simd import width_of


def padded(count: int, dtype: Any) -> int:
    """The least number of columns, not under `count`, that fill vectors."""
    lanes = width_of(dtype)
    return -(-count // lanes) * lanes


Buffers = dict[tuple[int, ...], list[np.ndarray]]
"""Arrays that nothing reads any more, by their shapes."""


def buffers() -> Buffers:
    """None yet."""
    return defaultdict(list)


@dataclass
class Pairs:
    """Which pairs of inputs a block holds, and the buffers of a thread, used again and again.

    inputs, seconds: how many first and second inputs; alone: each first input with itself only.
    tangent: Θ is wanted.
    """

    inputs: int
    seconds: int
    alone: bool
    tangent: bool
    dtype: Any
    free: Buffers

    def columns(self, space: tuple[int, ...], full: bool) -> int:
        """How many columns a block has on a grid."""
        one = padded(math.prod(space), self.dtype) if full and space else 1
        return padded(self.seconds * one, self.dtype)

    def take(self, shape: tuple[int, ...]) -> np.ndarray:
        """A buffer with whatever it held."""
        found = self.free[shape]
        return found.pop() if found else np.zeros(shape, dtype=self.dtype)

    def copied(self, array: np.ndarray) -> np.ndarray:
        """A copy in a buffer."""
        out = self.take(array.shape)
        np.copyto(out, array)
        return out

    def give(self, *buffers: np.ndarray | None) -> None:
        """Buffers that nothing reads any more."""
        for each in buffers:
            if each is not None:
                self.free[each.shape].append(each)


@dataclass
class Block:
    """Σ and Θ at one layer: rows (input, position), columns (input, position) of the second.

    Positions of a second input are padded to whole vectors. Where only Σ[u, u] is known (`full` is
    false, as of vectors), a column is an input.

    Attributes:
        s, t: Σ, and Θ or None where it is zero or not wanted.
        space: the grid.
        full: Σ[u, u'] for all pairs of positions.
        pairs: which pairs of inputs they are.
        size: the number of positions.
        wide: columns of one second input.
    """

    s: np.ndarray
    t: np.ndarray | None
    space: tuple[int, ...]
    full: bool
    pairs: Pairs
    size: int = field(init=False)
    wide: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = math.prod(self.space)
        self.wide = padded(self.size, self.pairs.dtype) if self.full else 1

    @property
    def arrays(self) -> list[np.ndarray]:
        """Σ, and Θ where there is one."""
        return [self.s] if self.t is None else [self.s, self.t]

    def copy(self) -> Block:
        """The same in buffers of its own."""
        t = None if self.t is None else self.pairs.copied(self.t)
        return replace(self, s=self.pairs.copied(self.s), t=t)

    def grid(self, array: np.ndarray) -> np.ndarray:
        """A view (inputs, positions, seconds, positions), or without the last axis."""
        inputs, seconds = self.pairs.inputs, self.pairs.seconds
        view = array[:, : seconds * self.wide].reshape(inputs, self.size, seconds, self.wide)
        return view[..., : self.size] if self.full else view[..., 0]

    def diagonal(self) -> np.ndarray:
        """Σ[u, u] of each input with itself, (inputs, positions), where they are `alone`."""
        view = self.grid(self.s)[:, :, 0]
        return np.ascontiguousarray(np.einsum("iuu->iu", view) if self.full else view)

    def turned(self, change: Any, space: tuple[int, ...], full: bool, clear: bool = True) -> None:
        """Puts `change(out, array)` in the place of Σ and of Θ; `clear`: of zeros, to begin."""
        shape = (self.pairs.inputs * math.prod(space), self.pairs.columns(space, full))
        made = []
        for array in self.arrays:
            out = self.pairs.take(shape)
            if clear:
                out.fill(0)
            change(out, array)
            made.append(out)
        self.pairs.give(self.s, self.t)
        self.s, self.t = made[0], made[1] if len(made) > 1 else None
        self.space, self.full = space, full
        self.__post_init__()
