"""Inputs taken two by two: K(x_i, x_i), K(y_i, y_i) and K(x_i, y_i), without a matrix of all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace, is_numpy_array, is_torch_array

from ..nets.plan import Plan
from ..nets.special import positive_part, safe_sqrt
from . import dispatch, reference
from .engine import DEFAULTS, Computing, Engine, Wanted
from .gradients import differentiates, settled
from .order import REFERENCE
from .overflow import check_kernels
from .select import select
from .tiles import pair_bytes, tile_entries

# Bytes that a chunk of pairs may take in the reference engine.
_CHUNK = 2**26


class Pairs(NamedTuple):
    """K(x_i, x_i), K(y_i, y_i) and K(x_i, y_i), arrays (n,)."""

    first: Any
    second: Any
    cross: Any


class Differences(NamedTuple):
    """What two feature vectors differ by, and their sizes, arrays (n,).

    Attributes:
        squared: ‖Φ(x_i) − Φ(y_i)‖².
        gap: K(x_i, x_i) − K(y_i, y_i), which a product of kernels needs as precisely.
        total: K(x_i, x_i) + K(y_i, y_i).
    """

    squared: Any
    gap: Any
    total: Any


def differences(values: Pairs, normalize: bool = False) -> Differences:
    """Differences from kernel values, to the precision of these."""
    xp = array_namespace(values.cross)
    first, second, cross = values
    if normalize:
        norm = safe_sqrt(first) * safe_sqrt(second)
        zero, one = xp.zeros_like(norm), xp.ones_like(norm)
        cross = xp.where(norm > 0, cross / xp.where(norm > 0, norm, one), zero)
        first, second = (xp.where(q > 0, one, zero) for q in (first, second))
    total = first + second
    return Differences(positive_part(total - 2 * cross), first - second, total)


def pairs(
    plan: Plan,
    x: Any,
    y: Any,
    *,
    kind: str,
    computing: Computing = DEFAULTS,
) -> Pairs:
    """The three values of each pair of rows, by whichever engine is faster.

    Args:
        x, y: checked inputs of one library, dtype and shape, (n, *space, channels).
        kind: "ntk", or "nngp" for the last-layer kernel.
    """
    plan = settled(plan, x, y)
    engine: Engine = REFERENCE
    if not differentiates(plan.net, x, y):
        engine = select(plan, x, y, engine=computing.engine).engine
    if engine is not REFERENCE:
        runs = list(_runs(x))
        asked = computing.engine == engine.name
        if asked or engine.pays_for_pairs(tile_entries(plan), x.shape[0], len(runs)):
            return _rowwise(plan, x, y, runs, kind, computing)
    xp = array_namespace(x)
    step = max(1, _CHUNK // pair_bytes(plan, x.dtype.itemsize))
    parts = [
        chunk(plan, x[i : i + step], y[i : i + step], kind) for i in range(0, x.shape[0], step)
    ]
    return Pairs(*(xp.concat(list(values), axis=0) for values in zip(*parts, strict=True)))


def chunk(plan: Plan, x: Any, y: Any, kind: str) -> Pairs:
    """The same for as many pairs as fit in memory, by the reference engine, on any arrays."""
    found = reference.pairs(plan, x, y, kind == "ntk")
    if kind == "nngp":
        return Pairs(*(nngp for nngp, _ in found))
    xp = array_namespace(x)
    values = Pairs(*(xp.zeros_like(nngp) if ntk is None else ntk for nngp, ntk in found))
    if is_numpy_array(x):
        for each in values[:2]:
            check_kernels(None, each, plan)
    return values


def _rowwise(
    plan: Plan, x: Any, y: Any, runs: list[slice], kind: str, computing: Computing
) -> Pairs:
    """A row of the matrix for each run of equal first inputs."""
    xp = array_namespace(x)
    want_ntk = kind == "ntk"
    some = Computing(computing.engine, n_jobs=computing.n_jobs)
    rows = [dispatch.gram(plan, x[r][:1], y[r], Wanted(ntk=want_ntk), some) for r in runs]
    heads = xp.concat([x[r][:1] for r in runs], axis=0)
    first = getattr(dispatch.diagonal(plan, heads, want_ntk, some), kind)
    counts = [r.stop - r.start for r in runs]
    places = xp.asarray(np.repeat(np.arange(len(runs)), counts))
    second = getattr(dispatch.diagonal(plan, y, want_ntk, some), kind)
    cross = xp.concat([getattr(pair, kind)[0] for pair in rows], axis=0)
    return Pairs(xp.take(first, places, axis=0), second, cross)


def _runs(x: Any) -> Iterator[slice]:
    """Where equal inputs follow each other."""
    flat = (x.numpy() if is_torch_array(x) else x).reshape(x.shape[0], -1)
    start = 0
    for i in range(1, len(flat) + 1):
        if i == len(flat) or not np.array_equal(flat[i], flat[start]):
            yield slice(start, i)
            start = i
