"""What the way back needs of a program: which planes are kept, and where gradients meet."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..program import Code, Operation, Program, Stage
from ..scalars import ERF, NORMALIZE, PIECEWISE
from ..tables import FRESH, KEEPS, KEPT_BEFORE, KEPT_BEHIND, MARK_COLUMNS

KNOWN = (PIECEWISE, ERF, NORMALIZE)
"""The kinds of elementwise maps whose derivatives there is a loop for."""


class Tape(NamedTuple):
    """What the way back needs of a program: `Tables.marks`, and how many planes are kept."""

    marks: Any
    count: int


def tape_of(program: Program, parameters: bool) -> Tape:
    """What to keep for gradients in the inputs, and in the weights if `parameters`."""
    found = [_stage(stage, parameters) for stage in program.stages]
    return Tape(np.concatenate([tape.marks for tape in found]), max(t.count for t in found))


def refusal(program: Program) -> str | None:
    """Why there is no way back through a program; None where there is one."""
    for stage in program.stages:
        if stage.wrap:
            return "it has circular convolutions"
        for operation in stage.operations:
            if operation.code is Code.ELEMENTWISE and operation.kind not in KNOWN:
                return "it has an activation without compiled derivatives"
    return None


def _stage(stage: Stage, parameters: bool) -> Tape:
    operations, count = stage.operations, 0
    marks = np.full((len(operations), MARK_COLUMNS), -1)
    for k, operation in enumerate(operations):
        if operation.code in (Code.CONV, Code.POINTS):
            behind = operations[k + 1] if k + 1 < len(operations) else None
            read = behind is not None and _reads(behind, operation.dst)
            if read or parameters:
                marks[k, KEPT_BEHIND] = count
            if read:
                marks[k + 1, KEPT_BEFORE] = count
            count += read or parameters
        elif operation.code is Code.ELEMENTWISE and marks[k, KEPT_BEFORE] < 0:
            marks[k, KEPT_BEFORE], marks[k, KEEPS] = count, 1
            count += 1
    _mark_fresh(operations, stage.slot, marks)
    return Tape(marks, count)


def _reads(operation: Operation, slot: int) -> bool:
    return operation.code is Code.ELEMENTWISE and operation.src == slot


def _mark_fresh(operations: list[Operation], slot: int, marks: np.ndarray) -> None:
    """Where a gradient is the first that is written to a slot."""
    live = {slot}
    for k in range(len(operations) - 1, -1, -1):
        operation = operations[k]
        assert operation.dst in live, "every operation leads to the end of its stage"
        if operation.code in (Code.ELEMENTWISE, Code.SCALE):
            continue
        if operation.code is not Code.ADD:
            live.discard(operation.dst)
        marks[k, FRESH] = operation.src not in live
        live.add(operation.src)
