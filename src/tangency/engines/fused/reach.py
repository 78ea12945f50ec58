"""Which displacements a stage must evaluate, and what each of them adds to."""

from __future__ import annotations

import numpy as np

from .program import INPUT, Program


def needed_displacements(program: Program, diagonal_only: bool) -> list[tuple[list[int], ...]]:
    """For each stage, the displacements of its source grid (per axis) that must be evaluated.

    Args:
        diagonal_only: only the diagonal of the last stage's source is needed (marginals).
    """
    wanted: list[list[set[int]]] = [[set(), set()] for _ in program.registers]
    result: list[tuple[list[int], ...]] = [([], [])] * len(program.stages)
    for index in range(len(program.stages) - 1, -1, -1):
        stage = program.stages[index]
        assert stage.matrices is not None
        last = index == len(program.stages) - 1
        axes = []
        for axis in (0, 1):
            n, down = stage.grid[axis], stage.down[axis]
            found: set[int] = set()
            if last and diagonal_only:
                found = {0}
            else:
                a = stage.matrices[axis]
                for d in _displacements(stage.end[axis], bool(stage.wrap)):
                    if last:
                        used = any(w != 0 for _, w in diagonal_weights(a, d, bool(stage.wrap)))
                    else:
                        used = bool(targets(a, d, bool(stage.wrap), wanted[stage.sink][axis]))
                    if used and abs(d * down) < n:
                        found.add(d * down)
            axes.append(sorted(found))
            if stage.source != INPUT:
                reach = found
                if stage.wrap:
                    reach = found | {d - n for d in found if d > 0}
                wanted[stage.source][axis] |= reach
        result[index] = (axes[0], axes[1])
    return result


def _displacements(n: int, wrap: bool) -> range:
    return range(n) if wrap else range(-n + 1, n)


def diagonal_weights(g: np.ndarray, d: int, wrap: bool) -> list[tuple[int, float]]:
    """(i, G[i, i+d]) for the positions i of a plane of displacement d."""
    n = g.shape[0]
    pairs = ((i, (i + d) % n if wrap else i + d) for i in range(n))
    return [(i, float(g[i, j])) for i, j in pairs if 0 <= j < n]


def targets(
    a: np.ndarray, d: int, wrap: bool, wanted: set[int] | None = None
) -> list[tuple[int, int, list[tuple[int, float]]]]:
    """What the plane of displacement d adds to, along one axis: (o, o', [(i, A[o,i]A[o',i'])]).

    Args:
        a: the linear map of the axis.
        wanted: only targets with o' − o in this set.
    """
    n = a.shape[1]
    found: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for i in range(n):
        j = (i + d) % n if wrap else i + d
        if not 0 <= j < n:
            continue
        for o in np.flatnonzero(a[:, i]):
            for p in np.flatnonzero(a[:, j]):
                if wanted is None or int(p - o) in wanted:
                    found.setdefault((int(o), int(p)), []).append((i, float(a[o, i] * a[p, j])))
    return [(o, p, terms) for (o, p), terms in sorted(found.items())]
