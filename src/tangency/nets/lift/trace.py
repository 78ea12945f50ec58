"""A module of PyTorch as a graph of calls, with the shapes that travel between them."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn
from torch.fx.node import map_arg

from ...errors import NetworkError
from .attend import ancestors, find_attention
from .tracer import Tracer
from .written import written_out

_MOVES = {
    *("expand", "expand_as", "repeat", "view", "reshape", "unsqueeze", "squeeze", "getitem"),
    *("transpose", "permute", "flatten", "contiguous", "to", "type_as", "clone", "broadcast_to"),
    *("float", "double", "tile"),
}
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
    origins: (name, parameter) of constants that hold the values of a parameter, by their id.
    """

    name: str
    kind: str
    target: Any
    args: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] | None = None
    live: bool = True
    origins: dict[int, Any] = field(default_factory=dict)

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
    root = written_out(copy.deepcopy(module).eval())
    dtype = next((p.dtype for p in root.parameters()), torch.get_default_dtype())
    device = next((p.device for p in root.parameters()), torch.device("cpu"))
    tracer = Tracer(torch.zeros((2, *shape), dtype=dtype, device=device))
    try:
        # Not as the caller has it: whether gradients are wanted is the module's to say.
        with torch.inference_mode(False), torch.enable_grad():
            random = torch.get_rng_state()
            graph = tracer.trace(root, _defaults(root))
        if not torch.equal(random, torch.get_rng_state()):
            torch.set_rng_state(random)
            raise NetworkError(
                f"{name} draws random numbers in its forward, as evaluated, which would be read as "
                "constants; leave them out, or make them an nn.Parameter"
            )
    except NetworkError:
        raise
    except Exception as error:
        if tracer.failed or isinstance(error, AssertionError):
            raise NetworkError(
                f"{name} does not take an input of shape {shape} ({_first(error)}); input_shape is "
                "that of one input as the module takes it, (channels, height, width) for images"
                f"{_words(root)}"
            ) from error
        raise NetworkError(
            f"{name} cannot be traced by torch.fx ({_first(error)}); its forward must not depend "
            "on the values of tensors. Lift its parts, or write its description yourself: "
            "tangency.parse(...), docs/networks.md"
        ) from error
    _check_places(graph, tracer, root)
    _check_learning(graph, tracer, root)
    calls = _recorded(graph, tracer, root)
    find_attention(calls, tracer)
    return calls[next(n for n in graph.nodes if n.op == "output")]


def _words(root: nn.Module) -> str:
    if not any(type(part) is nn.Embedding for part in root.modules()):
        return ""
    return (
        ". Inputs are numbers, and no places in an nn.Embedding: take words as one-hot vectors, "
        "(positions, words), and nn.Linear(words, width, bias=False) in its place"
    )


def _defaults(module: torch.nn.Module) -> dict[str, Any]:
    """Arguments of `forward` behind the first, as they are where nothing is passed."""
    parameters = list(inspect.signature(module.forward).parameters.values())[1:]
    known = (type(None), bool, int, float, str)
    return {p.name: p.default for p in parameters if isinstance(p.default, known)}


def _recorded(graph: fx.Graph, tracer: Tracer, root: torch.nn.Module) -> dict[fx.Node, Call]:
    """What each node is and gives."""
    calls: dict[fx.Node, Call] = {}
    origins = _origins(graph, tracer, root)

    def read(n: fx.Node) -> Any:
        """A call, or the value where it does not depend on the input."""
        return calls[n] if calls[n].live else tracer.values.get(n)

    for n in graph.nodes:
        kind, name, target = _KINDS[n.op], str(n.name), n.target
        value = tracer.values.get(n)
        if kind == "module":
            name, target = str(n.target), root.get_submodule(str(n.target))
        elif kind == "parameter":
            target, name = value, str(n.target)
        shape = value.shape if isinstance(value, torch.Tensor) and kind != "parameter" else None
        call = Call(
            name,
            kind,
            target,
            map_arg(n.args, read),
            dict(map_arg(n.kwargs, read)),
            None if shape is None else tuple(shape[1:]),
            origins=origins,
        )
        # Parts of a tuple, or numbers that are read from a tensor, depend on the input as well.
        call.live = kind == "input" or bool(call.inputs)
        calls[n] = call
    return calls


def _origins(graph: fx.Graph, tracer: Tracer, root: torch.nn.Module) -> dict[int, Any]:
    """Of constants that are parameters, moved about but with the same values, which ones."""
    parameters = dict(root.named_parameters())
    found: dict[int, Any] = {}
    for n in graph.nodes:
        value = tracer.values.get(n)
        if n.op == "get_attr" and str(n.target) in parameters:
            found[id(value)] = (str(n.target), parameters[str(n.target)])
        elif n.op == "call_module" and type(root.get_submodule(str(n.target))) is nn.Embedding:
            weight: Any = root.get_submodule(str(n.target)).weight
            found[id(value)] = (f"{n.target}.weight", weight)
        elif n.op in ("call_function", "call_method") and n.args:
            name = n.target if isinstance(n.target, str) else getattr(n.target, "__name__", "")
            first = n.args[0]
            if name in _MOVES and isinstance(first, fx.Node):
                origin = found.get(id(tracer.values[first]))
                if origin is not None and isinstance(value, torch.Tensor):
                    found[id(value)] = origin
    return found


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


def _check_places(graph: fx.Graph, tracer: Tracer, root: torch.nn.Module) -> None:
    """Refuse what changes a tensor in place that is read afterwards (`NetworkError`)."""
    order = {n: place for place, n in enumerate(graph.nodes)}
    memory = {n: _memory(tracer.values.get(n)) for n in order}
    for n in order:
        changed = n.args[0] if n.args and _in_place(root, n) else None
        if not isinstance(changed, fx.Node):
            continue
        # Views of it, and what it is a view of, change as well.
        same = [m for m in order if m is changed or 0 < memory[m] == memory[changed]]
        if any(order[m] < order[n] < order[u] for m in same for u in m.users):
            raise NetworkError(
                f"{n.target if n.op == 'call_module' else n.name}: it changes in place what is "
                "read again afterwards; write it without inplace=True"
            )


def _memory(value: Any) -> int:
    """Where the numbers of a tensor lie; 0 for what has none."""
    return value.untyped_storage().data_ptr() if isinstance(value, torch.Tensor) else 0


def _check_learning(graph: fx.Graph, tracer: Tracer, root: nn.Module) -> None:
    """Refuse weights that need gradients, and are kept from them (`NetworkError`)."""
    needed = ancestors(next(n for n in graph.nodes if n.op == "output"))
    for n in tracer.unlearned:
        for each in ancestors(n) if n in needed else ():
            part: Any = tracer.values.get(each)
            if each.op == "call_module":
                part = next(root.get_submodule(str(each.target)).parameters(), None)
            if each.op in ("call_module", "get_attr") and getattr(part, "requires_grad", False):
                raise NetworkError(
                    f"{n.target if n.op == 'call_module' else n.name}: torch.no_grad() in its "
                    f"forward keeps {each.target} from learning, whose parameters need gradients; "
                    "call requires_grad_(False) on what is frozen, and leave no_grad out"
                )


def _in_place(root: torch.nn.Module, n: fx.Node) -> bool:
    if n.op == "call_module":
        return bool(getattr(root.get_submodule(str(n.target)), "inplace", False))
    name = n.target if isinstance(n.target, str) else getattr(n.target, "__name__", "")
    own = name.endswith("_") and not name.endswith("__")
    return own or name in ("iadd", "isub", "imul") or bool(n.kwargs.get("inplace"))


def _first(error: Exception) -> str:
    text = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {text[:200]}"
