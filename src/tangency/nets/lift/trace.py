"""A module of PyTorch as a graph of calls, with the shapes that travel between them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx
from torch.fx.node import map_arg

from ...errors import NetworkError

_KINDS = {
    "call_module": "module",
    "call_function": "function",
    "call_method": "method",
    "get_attr": "parameter",
    "placeholder": "input",
    "output": "output",
}


@dataclass(eq=False)
class Call:
    """One operation of the graph.

    name: its place in the module, for messages ("layer1.0.conv1"), or that of the operation.
    kind: "module", "function", "method", "parameter", "input" or "output".
    target: what is called: the module itself, a function, the name of a method, the tensor.
    args, options: as they are passed; other calls stand in them that depend on the input.
    shape: of what it gives for one input, batch left out; None where that is no tensor.
    live: it depends on the values of the input, and not on their shape alone.
    """

    name: str
    kind: str
    target: Any
    args: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] | None = None
    live: bool = True

    @property
    def inputs(self) -> list[Call]:
        """The calls whose results it takes, that depend on the input of the network."""
        return list(_calls((*self.args, *self.options.values())))

    @property
    def shape_in(self) -> tuple[int, ...]:
        """The shape of what enters, of one input."""
        return self.inputs[0].shape or ()

    def bound(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Arguments behind the tensor, by their names."""
        found = dict(zip(names, self.args[1:], strict=False))
        return {**found, **{k: v for k, v in self.options.items() if k in names}}


def traced(module: torch.nn.Module, shape: tuple[int, ...]) -> Call:
    """What `module` gives for one input of this shape, as the last of its calls.

    The module is not touched: a copy is traced, in evaluation mode.

    Raises:
        NetworkError: a module that cannot be traced, or does not take such an input.
    """
    name = type(module).__name__
    try:
        graph = fx.symbolic_trace(copy.deepcopy(module).eval())
    except Exception as error:
        raise NetworkError(
            f"{name} cannot be traced by torch.fx ({_first(error)}); its forward must not depend "
            "on the values of tensors. Lift its parts, or write its description yourself: "
            "tangency.parse(...), docs/networks.md"
        ) from error
    dtype = next((p.dtype for p in module.parameters()), torch.get_default_dtype())
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    recorder = _Recorder(graph)
    try:
        with torch.no_grad():
            recorder.run(torch.zeros((2, *shape), dtype=dtype, device=device))
    except Exception as error:
        raise NetworkError(
            f"{name} does not take an input of shape {shape} ({_first(error)}); input_shape is "
            "that of one input as the module takes it, (channels, height, width) for images"
        ) from error
    _check_places(graph)
    return recorder.calls[next(n for n in graph.graph.nodes if n.op == "output")]


class _Recorder(fx.Interpreter):
    """Runs the graph once, and notes what each node is and gives."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.calls: dict[fx.Node, Call] = {}
        self.values: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        kind, name, target = _KINDS[n.op], str(n.name), n.target
        if kind == "module":
            name, target = str(n.target), self.module.get_submodule(str(n.target))
        elif kind == "parameter":
            target, name = value, str(n.target)
        tensor = isinstance(value, torch.Tensor)
        call = Call(
            name,
            kind,
            target,
            map_arg(n.args, self._read),
            dict(map_arg(n.kwargs, self._read)),
            tuple(value.shape[1:]) if tensor and kind != "parameter" else None,
        )
        # Parts of a tuple, or numbers that are read from a tensor, depend on the input as well.
        call.live = kind == "input" or (bool(call.inputs) and not _of_shape(n))
        self.calls[n], self.values[n] = call, value
        return value

    def _read(self, n: fx.Node) -> Any:
        """A call, or the value where it does not depend on the input."""
        call = self.calls[n]
        return call if call.live else self.values[n]


def _calls(values: Any) -> Iterator[Call]:
    for value in values:
        if isinstance(value, Call):
            yield value
        elif isinstance(value, list | tuple):
            yield from _calls(value)
        elif isinstance(value, dict):
            yield from _calls(value.values())
        elif isinstance(value, slice):
            yield from _calls((value.start, value.stop, value.step))


def _of_shape(n: fx.Node) -> bool:
    """Whether a node reads the shape of a tensor, or what kind it is."""
    if n.op == "call_method":
        return n.target in ("size", "dim", "ndimension", "numel", "nelement")
    known = ("shape", "ndim", "dtype", "device")
    return n.op == "call_function" and n.target is getattr and n.args[1] in known


def _check_places(graph: fx.GraphModule) -> None:
    """Refuse what changes a tensor in place that is read afterwards (`NetworkError`)."""
    order = {n: place for place, n in enumerate(graph.graph.nodes)}
    for n in order:
        changed = n.args[0] if n.args and _in_place(graph, n) else None
        if isinstance(changed, fx.Node) and any(order[u] > order[n] for u in changed.users):
            raise NetworkError(
                f"{n.target if n.op == 'call_module' else n.name}: it changes in place what is "
                "read again afterwards; write it without inplace=True"
            )


def _in_place(graph: fx.GraphModule, n: fx.Node) -> bool:
    if n.op == "call_module":
        return bool(getattr(graph.get_submodule(str(n.target)), "inplace", False))
    name = n.target if isinstance(n.target, str) else getattr(n.target, "__name__", "")
    own = name.endswith("_") and not name.endswith("__")
    return own or name in ("iadd", "isub", "imul") or bool(n.kwargs.get("inplace"))


def _first(error: Exception) -> str:
    text = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {text[:200]}"
