"""Watches a forward pass: which operation takes which parameters, and the gradients behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .matching import Call, Tracked, derived, match
from .rowwise import Rows, leaves

#: Called in the backward pass with the number of a call, the call, its gradient and its input.
Receiver = Callable[[int, Call, Tensor, Tensor | None], None]


class Recorder(TorchFunctionMode):
    """While active, sees every PyTorch function that a module calls.

    Calls that take parameters in a way that `match` understands get a tap on their output, through
    which the backward pass hands the gradient to `receive`. The parameters themselves are
    constants to autograd, so that it forms no gradient of theirs.

    Attributes:
        calls: the calls that were understood, in their order; without their tensors.
        shapes: the shapes of their outputs.
        elsewhere: names of parameters that something else takes too.
        rows: what is known about inputs meeting each other.
        anchor: the backward pass is asked for its gradient, so that it reaches every tap.
    """

    def __init__(self, params: Mapping[str, Tensor], receive: Receiver) -> None:
        super().__init__()
        # The tensors are kept: an id is only theirs as long as they live.
        self._tracked = {id(p): (p, Tracked(name)) for name, p in params.items()}
        self._receive = receive
        self.calls: list[Call] = []
        self.shapes: list[tuple[int, ...]] = []
        self.elsewhere: set[str] = set()
        self.rows = Rows()
        first = next(iter(params.values()))
        self.anchor = torch.zeros((), dtype=first.dtype, device=first.device, requires_grad=True)

    def look(self, value: Any) -> Tracked | None:
        found = self._tracked.get(id(value))
        return found[1] if found else None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        kept = self.rows.keeps(func, args, kwargs, self.look)
        out = self._called(func, args, kwargs)
        if kept and isinstance(out, Tensor):
            self.rows.add(out)
        elif kept:
            self.rows.mixed = True
        return out

    def _called(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        used = {t.name for value in leaves((args, kwargs)) if (t := self.look(value))}
        if not used:
            return func(*args, **kwargs)
        again = derived(func, args, kwargs, self.look)
        call = None if again else match(func, args, kwargs, self.look)
        out = func(*args, **kwargs)
        if again:
            self._tracked[id(out)] = (out, again)
        elif call is not None:
            out = self._tap(out, call)
        elif any(map(_differentiable, leaves(out))) and not any(out is a for a in args):
            self.elsewhere |= used
        return out

    def _tap(self, out: Tensor, call: Call) -> Tensor:
        index = len(self.calls)
        self.calls.append(Call(call.kind, None, call.weight, call.bias))
        self.shapes.append(tuple(out.shape))
        # A view cannot be marked as changed in place.
        out = out.clone() if out._is_view() else out

        def receive(g: Tensor, *saved: Tensor) -> None:
            self._receive(index, call_, g, saved[0] if saved else None)

        call_ = self.calls[index]
        saved = () if call.x is None else (call.x,)
        return _Tap.apply(out, self.anchor, receive, *saved)  # type: ignore[return-value]


class _Tap(torch.autograd.Function):
    """Nothing forward; backward, hands the gradient to `receive` and passes it on.

    Its output is its input marked as changed in place, so that in-place operations may follow.
    What it saves is guarded by autograd: if the module overwrites it later, the backward pass
    fails instead of reading something else.
    """

    @staticmethod
    def forward(ctx: Any, out: Tensor, anchor: Tensor, receive: Any, *saved: Tensor) -> Tensor:
        ctx.receive = receive
        ctx.save_for_backward(*saved)
        ctx.mark_dirty(out)
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        with torch.no_grad():
            ctx.receive(g, *ctx.saved_tensors)
        return g, None, None, *(None for _ in ctx.saved_tensors)


def _differentiable(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()
