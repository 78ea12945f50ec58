"""torch.fx with an example in hand: shapes are numbers, and what each node gives is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import fx
from torch.fx.node import map_arg


class Tracer(fx.Tracer):
    """Traces a module and runs it at once, on `example`.

    values: what each node gave. unlearned: nodes that a module keeps from learning. failed: it was
        a call that raised, not the tracing.
    """

    def __init__(self, example: torch.Tensor) -> None:
        super().__init__()
        self.example = example
        self.values: dict[fx.Node, Any] = {}
        self.unlearned: list[fx.Node] = []
        self.failed = False
        self._running = False

    def proxy(self, node: fx.Node) -> Known:
        if not torch.is_grad_enabled():
            self.unlearned.append(node)
        self.values[node] = self._run(node)
        return Known(node, self)

    def call_module(self, m: Any, forward: Any, args: Any, kwargs: Any) -> Any:
        # A layer that is run, not traced, may call layers of its own.
        if self._running:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if self._running:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def _run(self, node: fx.Node) -> Any:
        if node.op == "placeholder":
            first = not any(n.op == "placeholder" for n in self.values)
            return self.example if first else (node.args[0] if node.args else None)
        self._running = True
        try:
            # Layers that draw are refused by their names; what else draws, shows in the state.
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                return self.given(node, self.values)
        except Exception:
            self.failed = True
            raise
        finally:
            self._running = False

    def given(self, node: fx.Node, values: dict[fx.Node, Any]) -> Any:
        """What a node gives, where others gave these values."""
        for each in node.all_input_nodes:
            if each not in self.values:  # constants are noted without being traced
                values[each] = self.values[each] = self._attribute(str(each.target))
        args: Any = map_arg(node.args, values.__getitem__)
        options: Any = map_arg(node.kwargs, values.__getitem__)
        target: Any = node.target
        if node.op == "call_function":
            return target(*args, **options)
        if node.op == "call_method":
            return getattr(args[0], target)(*args[1:], **options)
        if node.op == "call_module":
            return self.root.get_submodule(target).forward(*args, **options)
        return self._attribute(target)

    def _attribute(self, target: str) -> Any:
        found: Any = self.root
        for name in target.split("."):
            found = getattr(found, name)
        return found


class Known(fx.Proxy):
    """A result whose shape is known: a module may compute with it, and loop over it."""

    tracer: Tracer

    @property
    def _value(self) -> Any:
        return self.tracer.values[self.node]

    @property
    def shape(self) -> torch.Size:
        return self._value.shape

    @property
    def ndim(self) -> int:
        return self._value.ndim

    @property
    def dtype(self) -> torch.dtype:
        return self._value.dtype

    @property
    def device(self) -> torch.device:
        return self._value.device

    def size(self, *dim: Any, **named: Any) -> Any:
        return self._value.size(*dim, **named)

    def dim(self) -> int:
        return self._value.dim()

    def numel(self) -> int:
        return self._value.numel()

    def __len__(self) -> int:
        return len(self._value)

    def __iter__(self) -> Iterator[Any]:
        found: Any = self
        return iter([found[place] for place in range(len(self._value))])
