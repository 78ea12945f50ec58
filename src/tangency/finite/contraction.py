"""Inner products of gradients in their compact forms: one block of a kernel."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from .layout import Layout, Step
from .request import blocks
from .store import Store

# Rows of a tile: a symmetric block saves almost half, and the products stay large.
_TILE = 128


def stacked(values: Tensor, outputs: str) -> Tensor:
    """(n, directions, size) as (batch, rows, size) whose products of rows give the block."""
    if outputs == "diagonal":
        return values.transpose(0, 1)
    n, q, size = values.shape
    return values.reshape(1, n, q * size) if outputs == "trace" else values.reshape(1, n * q, size)


def contract(
    layout: Layout, left: Store, right: Store, block: Tensor, outputs: str, scratch: int
) -> None:
    """Adds ⟨∇f(x), ∇f(y)⟩ to a block; of a symmetric one (left is right) only tiles up to the
    diagonal are right.

    Args:
        scratch: how many numbers may be used on the way.
    """
    each = layout.directions if outputs == "full" else 1
    symmetric = left is right
    n, m = block.shape[1] // each, block.shape[2] // each
    pairs = list(_tiles(n, m, symmetric))
    for name, values in left.dense.items():
        a = stacked(values, outputs)
        b = a if symmetric else stacked(right.dense[name], outputs)
        _add_products(block, a, b, pairs, each)
    for index, step in enumerate(layout.steps):
        if step.form == "gram":
            _add_gram(block, step, left.kept[index], right.kept[index], pairs, outputs, scratch)
        elif step.form == "factors":
            _add_slices(block, step, left.kept[index], right.kept[index], pairs, outputs, scratch)


def _tiles(n: int, m: int, symmetric: bool) -> Iterator[tuple[slice, slice]]:
    if not symmetric or n <= _TILE // 2:
        yield slice(0, n), slice(0, m)
        return
    size = max(_TILE // 4, math.ceil(n / 8))
    for rows in blocks(n, size):
        yield rows, slice(rows.start, m)


def _times(rows: slice, each: int) -> slice:
    return slice(rows.start * each, rows.stop * each)


def _add_products(
    block: Tensor, a: Tensor, b: Tensor, pairs: list[tuple[slice, slice]], each: int
) -> None:
    for rows, columns in pairs:
        r, c = _times(rows, each), _times(columns, each)
        for k in range(len(block)):
            block[k, r, c].addmm_(a[k, r], b[k, c].T)


def _add_slices(
    block: Tensor,
    step: Step,
    left: tuple[Tensor, Tensor],
    right: tuple[Tensor, Tensor],
    pairs: list[tuple[slice, slice]],
    outputs: str,
    scratch: int,
) -> None:
    """Multiplies the gradients out for some output channels at a time."""
    (_, fan_in, fan_out), q = step.sizes, left[1].shape[1]
    symmetric = left is right
    rows = len(left[0]) + (0 if symmetric else len(right[0]))
    count = max(1, min(fan_out, scratch // (rows * q * fan_in)))
    each = q if outputs == "full" else 1
    for part in blocks(fan_out, count):
        a = _slice(step, *left, part, outputs)
        b = a if symmetric else _slice(step, *right, part, outputs)
        _add_products(block, a, b, pairs, each)


def _slice(step: Step, a: Tensor, g: Tensor, part: slice, outputs: str) -> Tensor:
    found = [step.kind.gradient(a, g[:, k], part.start, part.stop) for k in range(g.shape[1])]
    values = found[0][:, None] if len(found) == 1 else torch.stack(found, dim=1)
    return stacked(values.mul_(step.scales[0]), outputs)


def _add_gram(
    block: Tensor,
    step: Step,
    left: tuple[Tensor, Tensor],
    right: tuple[Tensor, Tensor],
    pairs: list[tuple[slice, slice]],
    outputs: str,
    scratch: int,
) -> None:
    """Adds Σ_tt' ⟨a_t, a'_t'⟩⟨g_t, g'_t'⟩ for every pair of inputs."""
    t = step.sizes.positions
    most = max(1, math.isqrt(max(1, scratch // (3 * t * t * max(1, len(block))))))
    for rows, columns in pairs:
        for r in blocks(rows.stop - rows.start, most):
            r = slice(rows.start + r.start, rows.start + r.stop)
            for c in blocks(columns.stop - columns.start, most):
                c = slice(columns.start + c.start, columns.start + c.stop)
                _add_gram_tile(block, step, left, right, (r, c), outputs)


def _add_gram_tile(
    block: Tensor,
    step: Step,
    left: tuple[Tensor, Tensor],
    right: tuple[Tensor, Tensor],
    tile: tuple[slice, slice],
    outputs: str,
) -> None:
    r, c = tile
    (a, g), (b, h) = _factors(step, left, r), _factors(step, right, c)
    t, (weight, bias) = step.sizes.positions, step.scales
    inputs = (a.flatten(0, 1) @ b.flatten(0, 1).T).mul_(weight * weight)
    if step.merged:
        inputs += bias * bias
    q = g.shape[1]
    if t == 1:
        g, h = stacked(g[:, :, 0], outputs), stacked(h[:, :, 0], outputs)
        products = torch.bmm(g, h.mT)
        if outputs == "full":
            view = block[0, _times(r, q), _times(c, q)]
            products = products.reshape(len(a), q, len(b), q) * inputs[:, None, :, None]
            view += products.reshape(view.shape)
        else:
            block[:, r, c].addcmul_(products, inputs)
        return
    # (n, q, t, out) -> rows (n, t): outputs are summed in the trace, apart on the diagonal.
    g, h = g.transpose(1, 2), h.transpose(1, 2)
    for k in range(len(block)):
        gk, hk = (g, h) if outputs == "trace" else (g[:, :, k], h[:, :, k])
        products = gk.reshape(len(a) * t, -1) @ hk.reshape(len(b) * t, -1).T
        products *= inputs
        block[k, r, c] += products.reshape(len(a), t, len(b), t).sum(dim=(1, 3))


def _factors(step: Step, pair: tuple[Tensor, Tensor], rows: slice) -> tuple[Tensor, Tensor]:
    """(n, positions, fan_in) and (n, directions, positions, fan_out)."""
    a, g = pair[0][rows], pair[1][rows]
    found = [step.kind.factors(a, g[:, k]) for k in range(g.shape[1])]
    gs = found[0][1][:, None] if len(found) == 1 else torch.stack([f[1] for f in found], dim=1)
    return found[0][0], gs
