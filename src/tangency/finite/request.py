"""A kernel that is asked for, and the block by block assembly that the methods share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..engines.tiles import size_text
from ..errors import MemoryLimitError
from .subject import Subject

#: Rows × columns of inputs -> a block (batch, rows, columns) of the kernel.
Done = Callable[[int], object]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Request:
    """Which kernel, of which inputs, in how much memory.

    Attributes:
        y: None for a symmetric kernel.
        outputs: "trace", "diagonal" or "full".
        count: of the module's outputs.
        budget: bytes, the result included.
    """

    subject: Subject
    x: Tensor
    y: Tensor | None
    outputs: str
    count: int
    budget: int

    @property
    def probe(self) -> Tensor:
        """Two of the inputs to try the module on."""
        return differing_pair(self.x, self.y)

    @property
    def symmetric(self) -> bool:
        return self.y is None

    @property
    def columns(self) -> Tensor:
        return self.x if self.y is None else self.y

    @property
    def pairs(self) -> tuple[int, int]:
        return len(self.x), len(self.columns)

    @property
    def inputs(self) -> int:
        """How many different inputs there are."""
        n, m = self.pairs
        return n if self.symmetric else n + m

    @property
    def entries(self) -> int:
        """How many numbers the result has."""
        n, m = self.pairs
        return n * m * {"trace": 1, "diagonal": self.count, "full": self.count**2}[self.outputs]

    @property
    def each(self) -> int:
        """Multiply-adds that a product of two Jacobians takes for each parameter and pair."""
        return self.count**2 if self.outputs == "full" else self.count

    @property
    def result_bytes(self) -> int:
        return self.entries * self.subject.itemsize

    @property
    def directions(self) -> Tensor:
        """(outputs, outputs), the identity."""
        like = next(iter(self.subject.params.values()))
        return torch.eye(self.count, dtype=like.dtype, device=like.device)

    def zeros(self) -> Tensor:
        """(batch, rows, columns), to be filled."""
        n, m = self.pairs
        q = self.count
        shape = {"trace": (1, n, m), "diagonal": (q, n, m), "full": (1, n * q, m * q)}
        return next(iter(self.subject.params.values())).new_zeros(shape[self.outputs])

    def part(self, whole: Tensor, rows: slice, columns: slice) -> Tensor:
        """The part of (batch, rows, columns) that belongs to these inputs."""
        q = self.count if self.outputs == "full" else 1
        return whole[:, rows.start * q : rows.stop * q, columns.start * q : columns.stop * q]

    def assembled(
        self,
        plan: Blocks,
        gradients: Callable[[Tensor], T],
        add: Callable[[Tensor, T, T], object],
    ) -> Tensor:
        """The kernel: `add` adds the products of two blocks of inputs' gradients to their part.

        No more than two blocks of gradients are held.
        """
        whole = self.zeros()
        left: Any = None
        right: Any = None
        held = None
        for rows, columns, new in plan.pairs(*self.pairs, self.symmetric):
            if new:
                left = None
                left = gradients(self.x[rows])
            if self.symmetric and rows == columns:
                right, held = left, None
            elif held != columns:
                right = None
                right, held = gradients(self.columns[columns]), columns
            add(self.part(whole, rows, columns), left, right)
        return self.finished(whole)

    def finished(self, whole: Tensor) -> Tensor:
        """(n, m), (n, m, o) or (n, m, o, o); a symmetric kernel is mirrored from above."""
        if self.symmetric:
            mirror(whole)
        if self.outputs == "trace":
            return whole[0].div_(self.count)
        if self.outputs == "diagonal":
            return whole.permute(1, 2, 0)
        (n, m), q = self.pairs, self.count
        return whole[0].reshape(n, q, m, q).permute(0, 2, 1, 3)


def differing_pair(x: Tensor, y: Tensor | None) -> Tensor:
    """Two inputs that differ, if there are two; otherwise two that do not, or the only one."""
    for part in (x, x if y is None else y):
        other = (part != x[:1]).reshape(len(part), -1).any(dim=1)
        if bool(other.any()):
            return torch.stack([x[0], part[int(other.int().argmax())]])
    return x[:2] if y is None else torch.cat([x[:1], y[:1]])


class Blocks(NamedTuple):
    """How a kernel is cut: inputs whose gradients are held, and inputs in one backward pass."""

    held: int
    at_once: int
    scratch: int

    def pairs(self, n: int, m: int, symmetric: bool) -> Iterator[tuple[slice, slice, bool]]:
        """Rows, columns, and whether the rows are new."""
        for rows in blocks(n, self.held):
            for i, columns in enumerate(blocks(m, self.held, rows.start if symmetric else 0)):
                yield rows, columns, i == 0

    def passes(self, n: int, m: int, symmetric: bool) -> int:
        """Over how many inputs gradients are computed in all, repetitions included."""
        total = 0
        for rows, columns, new in self.pairs(n, m, symmetric):
            same = symmetric and rows == columns
            total += (rows.stop - rows.start) * new
            total += 0 if same else columns.stop - columns.start
            if not symmetric and self.held >= m and rows.start > 0:
                total -= columns.stop - columns.start
        return total


def cut(request: Request, stored: int, working: int, method: str, fixed: int = 0) -> Blocks:
    """Blocks that fit in the budget.

    Args:
        stored: bytes that stay for each input whose gradients are held.
        working: bytes on the way for each input of a backward pass.
        fixed: bytes whatever the number of inputs, beside the result.

    Raises:
        MemoryLimitError: two inputs at a time do not fit.
    """
    fixed += request.result_bytes
    least = fixed + 3 * stored + 2 * working
    free = request.budget - fixed
    if least > request.budget:
        raise MemoryLimitError(
            f"an empirical kernel of {request.pairs[0]:,} × {request.pairs[1]:,} needs at least "
            f"{size_text(least)} with method {method!r} ({size_text(request.result_bytes)} of it "
            f"for the result), but {size_text(request.budget)} are allowed; raise max_memory, "
            "pass fewer inputs, or choose fewer outputs or parameters"
        )
    at_once = max(1, min(max(request.pairs), int(min(free // 4, _WORKING) // max(1, working))))
    room = free - at_once * working
    scratch = max(1, min(room // 4, _SCRATCH) // request.subject.itemsize)
    room -= scratch * request.subject.itemsize
    if request.inputs * stored <= room:
        held = max(request.pairs)
    else:
        held = max(1, int(room // (2 * max(1, stored))))
    return Blocks(held, min(at_once, held), scratch)


# Bytes for a backward pass and for products: more does not make them faster.
_WORKING = 1 << 24
_SCRATCH = 1 << 24


def blocks(n: int, size: int, first: int = 0) -> Iterator[slice]:
    for start in range(first, n, size):
        yield slice(start, min(start + size, n))


def mirror(whole: Tensor, size: int = 256) -> None:
    """Copies what is above the diagonal below it, so that the result is exactly symmetric."""
    n = whole.shape[-1]
    for rows in blocks(n, size):
        corner = whole[:, rows, rows]
        corner.copy_(corner.triu() + corner.triu(1).mT)
        whole[:, rows.stop :, rows] = whole[:, rows, rows.stop :].mT


def activation_bytes(subject: Subject, x: Tensor) -> tuple[int, int]:
    """What autograd keeps for one input of a forward pass, and the largest tensor, in bytes."""
    params = subject.leaves()

    def action(module: nn.Module) -> tuple[int, int]:
        kept = Kept(module)
        with kept.hooks:
            out = subject.evaluated(module, x)
        kept.sizes[out.data_ptr()] = math.prod(out.shape) * out.itemsize
        return kept.each(len(x))

    try:
        return subject.within(params, action)
    except Exception:
        # Derivatives inside the module may not allow for hooks: all that it computes, instead.
        computed = Computed()
        with computed:
            subject.outputs(params, x)
        return computed.total // len(x) + 1, computed.largest // len(x) + 1


class Kept:
    """Counts the bytes that autograd keeps for the backward pass, in `hooks`."""

    def __init__(self, module: nn.Module) -> None:
        self.sizes: dict[int, int] = {}
        constants = {t.data_ptr() for t in (*module.parameters(), *module.buffers())}

        def pack(t: Tensor) -> Tensor:
            if t.data_ptr() not in constants:
                self.sizes[t.data_ptr()] = t.numel() * t.itemsize
            return t.detach()

        self.hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t)

    def each(self, n: int) -> tuple[int, int]:
        """For one of n inputs: all bytes, and those of the largest tensor."""
        found = self.sizes.values()
        return sum(found) // n + 1, max(found, default=0) // n + 1


class Computed(TorchFunctionMode):
    """Counts the bytes of all results of PyTorch functions."""

    def __init__(self) -> None:
        super().__init__()
        self.total = self.largest = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            size = out.numel() * out.itemsize
            self.total, self.largest = self.total + size, max(self.largest, size)
        return out
