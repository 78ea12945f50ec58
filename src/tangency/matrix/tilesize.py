"""How large tiles are, if nobody says so."""

from __future__ import annotations

import math

from ..checks import is_whole, shown
from ..errors import InputError
from ..kernels import Kernel
from ..nets.operators import entries
from ..nets.plan import plan
from ..nets.summary import operations
from .job import engine_of, networks
from .sources import Rows

# What is aimed at: a tile is what a crash may cost, what a worker is given, and what memory must
# hold.
_SECONDS, _BYTES = 10, 2**26
# A matrix of many tiles has small ones at first: with more than these, files are too many.
_ACROSS = 200
# At least so many from top to bottom, so that two workers, or a writer beside the computation,
# have something to do; not where it would make tiles smaller than this.
_FEW, _SMALL = 4, 512
# Tiles are multiples of this; smaller ones are powers of two.
_WIDE = 128


def tile_size(tile: int | str, kernel: Kernel, X: Rows, m: int, kinds: int) -> int:
    """The side of the tiles: `tile` itself, or one by rule for "auto".

    The rule: at most some ten seconds of one processor by the estimate of `explain`, and 64 MiB for
    all kinds; where that leaves more than 200 tiles from top to bottom, larger ones up to 64 MiB;
    at least four from top to bottom down to a side of 512; all of about one size, a multiple of
    128, or a power of two where they are smaller.

    Raises:
        InputError: neither "auto" nor a whole number above 0.
    """
    n = len(X)
    largest = max(n, m)
    if not isinstance(tile, str) or tile != "auto":
        if not is_whole(tile) or int(tile) < 1:
            raise InputError(f'tile must be a whole number above 0, or "auto"; got {shown(tile)}')
        return min(int(tile), largest)
    most = math.isqrt(_BYTES // (X.dtype.itemsize * kinds))
    side = math.sqrt(_SECONDS / pair_seconds(kernel, X))
    side = max(side, largest / _ACROSS)
    side = min(side, max(largest / _FEW, _SMALL), most)
    if side < _WIDE:
        # The engine takes a power of two of inputs together: tiles of another width, which leave
        # some of these places empty, can cost twice as much for a pair. From 42 on it is 64.
        return min(2 ** max(3, math.floor(math.log2(side) + 0.6)), largest)
    # The last row of tiles is stored as large as the others: it should not be nearly empty.
    across = math.ceil(largest / side)
    limit = max(_WIDE, min(most, side + _WIDE) // _WIDE * _WIDE)
    while (even := math.ceil(largest / across / _WIDE) * _WIDE) > limit:
        across += 1
    return min(even, largest)


def pair_seconds(kernel: Kernel, X: Rows) -> float:
    """A rough guess at the seconds of one processor for a pair; right within a factor of ten."""
    total = 1e-9  # a kernel of the user's own, of which nothing is known
    for part in networks(kernel):
        steps = plan(part.net, part.input_shape or X.shape[1:], attached=X.attached)
        count = entries(steps.space, steps.need_in) * steps.input_shape[-1]
        count += sum(map(operations, steps.steps))
        total += count / engine_of(part, X).speed * (X.dtype.itemsize / 4)
    return total
