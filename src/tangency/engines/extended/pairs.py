"""Runs the reference engine in extended precision over pairs of inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...nets.parameters import numbers_only, with_activations
from ...nets.plan import Plan
from ...nets.structure import Sequential
from .. import pairs
from ..pairs import Differences
from ..threads import run, threads
from ..tiles import pair_bytes
from .array import EXTENDED, Extended, extended

# Bytes in which each thread works.
_CHUNK = 2**25


def differences(
    plan_: Plan,
    x: np.ndarray,
    y: np.ndarray,
    *,
    kind: str,
    normalize: bool = False,
    n_jobs: int | None = None,
    progress: bool = False,
) -> Differences:
    """‖Φ(x_i) − Φ(y_i)‖² and its kin for pairs of rows, computed with 32 digits.

    A function that an `Activation` was given cannot be evaluated with more digits than it has:
    it runs in float64, on the rounded argument, and all else around it with 32 digits.

    Args:
        x, y: float64 inputs (n, *space, channels), taken as exact.
        kind: "ntk", or "nngp" for the last-layer kernel.
        normalize: of the kernel divided by √(K(x,x)K(y,y)).
        n_jobs: threads; each works on a part of the pairs.
    """
    plan_ = plan_.of(_in_floats(numbers_only(plan_.net)))
    n = len(x)
    step = max(1, _CHUNK // pair_bytes(plan_, EXTENDED.itemsize))
    out = Differences(*(np.empty(n) for _ in Differences._fields))

    def block(room: None, key: None, first: int, last: int) -> None:
        for i in range(first * step, min(last * step, n), step):
            rows = slice(i, min(i + step, n))
            values = pairs.chunk(plan_, extended(x[rows]), extended(y[rows]), kind)
            for place, found in zip(out, pairs.differences(values, normalize), strict=True):
                place[rows] = found.hi

    chunks = -(-n // step)
    jobs = min(threads(n_jobs), chunks)
    run([(None, 0, chunks)], block, lambda: None, jobs=jobs, total=chunks, progress=progress)
    return out


@dataclass(frozen=True)
class _InFloats:
    """A function of float64 arrays, on arrays of either kind."""

    function: Callable[[Any], Any]

    def __call__(self, u: Any) -> Any:
        if isinstance(u, Extended):
            return extended(self.function(u.hi))
        return self.function(u)


def _in_floats(net: Sequential) -> Sequential:
    """The same network with functions of the user's made to work on `Extended`."""

    def change(activation: Any) -> Any:
        function: Any = getattr(activation, "function", None)
        if not activation.quadrature or isinstance(function, str | _InFloats):
            return activation
        return dataclasses.replace(activation, function=_InFloats(function))

    return with_activations(net, change)
