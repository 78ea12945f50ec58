"""The work split into tiles of pairs, small enough for a memory budget."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import MemoryLimitError
from ..nets.operators import Pointwise, Weights, entries
from ..nets.plan import Plan, Step, walk
from .reference import PRODUCTS

# Temporaries of a dual (masks, roots, angles) and of a padded sum, in arrays of Σ's size.
_SCRATCH = 10
# Temporaries of the products of vectors, in arrays of so many numbers.
_SNAP = 6
# Numbers of Σ in one tile: temporaries then stay near the processor's caches, and the loop over
# tiles costs little beside the work in them.
_TILE_ENTRIES = 2**18


@dataclass(frozen=True)
class Tiles:
    """A grid of tiles over the pairs of n and m inputs; the last row and column may be smaller."""

    n: int
    m: int
    side: int
    symmetric: bool

    def __iter__(self) -> Iterator[tuple[slice, slice]]:
        """Row and column ranges; only those on or above the diagonal if symmetric."""
        for i in range(0, self.n, self.side):
            for j in range(i if self.symmetric else 0, self.m, self.side):
                yield slice(i, min(i + self.side, self.n)), slice(j, min(j + self.side, self.m))

    @property
    def pairs(self) -> int:
        """Pairs that are computed."""
        return sum((r.stop - r.start) * (c.stop - c.start) for r, c in self)


def tiles(
    plan: Plan,
    n: int,
    m: int,
    itemsize: int,
    budget: int,
    symmetric: bool,
    gradient: bool,
    kinds: int = 2,
    kept: bool = True,
) -> Tiles:
    """The tiles for a budget of bytes.

    Args:
        itemsize: bytes of a number.
        budget: bytes that may be used beside the inputs.
        gradient: intermediate results are kept for a backward pass.
        kinds: matrices of the result.
        kept: they are kept of all tiles, not of one at a time.

    Raises:
        MemoryLimitError: the result, or one single pair, does not fit.
    """
    # Vectors: the products of all pairs, and temporaries of one input's size for their norms.
    products = n * m + max(n, m) * plan.input_shape[-1] if not plan.space else 0
    # Before there is a result, temporaries of the products are in its place.
    result = max(kinds * n * m, _SNAP * min(n * m, PRODUCTS) if products else 0)
    fixed = (result + products + (n + m) * marginal_entries(plan)) * itemsize
    if gradient:
        fixed += (n + m) * sum(map(coefficient_entries, walk(plan.steps))) * itemsize
    pair = pair_bytes(plan, itemsize, gradient)
    if fixed + pair > budget:
        raise MemoryLimitError(
            f"a kernel matrix of {n:,} × {m:,} needs at least {size_text(fixed + pair)} "
            f"({size_text(fixed)} for the result and the marginals, {size_text(pair)} to work on "
            f"one pair), but {size_text(budget)} are allowed; raise max_memory, pass "
            "fewer inputs at a time, or use float32"
        )
    if gradient and kept:
        # Every tile is kept until the backward pass: smaller tiles would not save anything.
        if fixed + pair * n * m > budget:
            raise MemoryLimitError(
                f"a differentiable kernel matrix of {n:,} × {m:,} keeps "
                f"{size_text(fixed + pair * n * m)} for the backward pass, but "
                f"{size_text(budget)} are allowed; raise max_memory, pass fewer inputs, "
                "or use torch.no_grad()"
            )
        budget = fixed + pair * n * m
    count = min((budget - fixed) // pair, max(1, _TILE_ENTRIES // tile_entries(plan)))
    return Tiles(n, m, max(1, math.isqrt(max(count, 1))), symmetric)


def tile_entries(plan: Plan) -> int:
    """The largest Σ of one pair on the way, in numbers."""
    sizes = [entries(plan.space, plan.need_in)]
    sizes += [entries(s.space_out, s.need_out) for s in walk(plan.steps)]
    return max(sizes)


def marginal_entries(plan: Plan) -> int:
    """Marginals of one input, in numbers."""
    return sum(step.marginal_entries for step in walk(plan.steps))


def pair_bytes(plan: Plan, itemsize: int, gradient: bool = False) -> int:
    """Working memory for one pair, an upper estimate."""
    start = entries(plan.space, plan.need_in)
    if gradient:
        kept = sum(_kept(s) * entries(s.space_in, s.need_in) for s in walk(plan.steps))
        return itemsize * max(1, kept + 2 * start)
    coefficients = max((coefficient_entries(s) for s in walk(plan.steps)), default=0)
    return itemsize * max(_peak(plan.steps) + coefficients, 2 * start, 1)


def coefficient_entries(step: Step) -> int:
    """What an activation keeps of the variances of two inputs, in numbers."""
    if not isinstance(step.operator, Pointwise):
        return 0
    return step.operator.activation.kept_numbers * math.prod(step.space_in)


def _kept(step: Step) -> int:
    """Arrays of Σ's size that a backward pass needs from one operator."""
    if isinstance(step.operator, Pointwise):
        return _SCRATCH + step.operator.activation.kept_arrays
    # Weights behind a patch count with it.
    return 0 if isinstance(step.operator, Weights) and step.part > 0 else _SCRATCH


def _peak(steps: tuple[Step, ...]) -> int:
    peak = 0
    for step in steps:
        before, after = entries(step.space_in, step.need_in), entries(step.space_out, step.need_out)
        # Two arrays (Σ, Θ) of the input stay alive while a branch runs, and what others gave.
        ends = 2 * after * max(0, len(step.branches) - 2)
        inner = 4 * before + ends + max(map(_peak, step.branches)) if step.branches else 0
        peak = max(peak, inner, 2 * (before + after) + _SCRATCH * max(before, after))
    return peak


def size_text(count: float) -> str:
    """A number of bytes in words."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
