"""Which parameters of a network are to be chosen, and within what bounds.

A parameter is known by its name as an estimator's is: `0__weight_std` of the first layer,
`2__body__1__bias_std` inside a residual one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...checks import is_number, items, mapping, number, shown
from ...errors import InputError
from ...nets import Layer, Sequential
from ...nets.activations import ActivationLayer
from ...nets.coerce import as_network
from ...nets.text import parse_open
from ...nets.values import OPEN, plain
from ..parameters import changed, parameters
from ..priors import Prior

WEIGHTS = ("weight_std", "bias_std")

# Bounds of a parameter beside its usual size.
_STD, _BIAS, _OTHER = (1e-2, 1e2), (1e-3, 1e1), (1e-2, 1e2)
_NOISE, _SCALES = (1e-8, 1e2), (1e-3, 1e2)

NOISE = "noise"
SCALES = "input_scales"
"""What the name of a feature's scale begins with."""


@dataclass(frozen=True)
class Free:
    """A positive number to be chosen: its name, where the choice begins, its bounds and prior."""

    name: str
    start: float
    lower: float
    upper: float
    prior: Prior | None = None

    @property
    def kind(self) -> str:
        """The last part of the name, such as weight_std; of a feature's scale, input_scales."""
        first, _, last = self.name.rpartition("__")
        return SCALES if first == SCALES else last


def read(net: Any, free: Any) -> tuple[Sequential, tuple[str, ...]]:
    """The network with numbers in it, and the names of what is free.

    Raises:
        NetworkError: no network. InputError: names of what is no parameter that can be chosen.
    """
    network = parse_open(net) if isinstance(net, str) else as_network(net)
    marked = [name for name, value in parameters(network) if value is OPEN]
    can = choosable(network)
    for name in marked:
        if name not in can:
            raise InputError(_cannot(f"? as {name}", can))
    if isinstance(net, str) and net.count("?") > len(marked):  # the layer has made a number of it
        raise InputError(_cannot(f"? in {shown(net)}", can))
    network = changed(network, {name: _usual(name) for name in marked})
    if free is None:
        return network, tuple(marked or _hidden(can))
    if marked:
        raise InputError(
            f"free={shown(free)} and ? in the text say the same twice; leave one of them out"
        )
    names = items(free, "free")
    for name in names:
        if name not in can:
            raise InputError(_cannot(f"free has {shown(name)}, which", can))
    return network, tuple(dict.fromkeys(names))


def marked_text(net: Sequential, names: Iterable[str]) -> str:
    """The text form of a network with `?` for what is free; `read` reads it back.

    >>> net, names = read("dense:w=?,b=? relu dense:w=?", None)
    >>> names, marked_text(net, names)
    (('0__weight_std', '0__bias_std', '2__weight_std'), 'dense:w=?,b=? relu dense:w=?')
    """
    return str(changed(net, dict.fromkeys(names, OPEN)))


def choosable(net: Sequential) -> dict[str, float]:
    """The parameters that can be chosen, by name, with their values.

    Standard deviations and rates of layers with weights, and numbers of activations, where they
    are positive; standard deviations may also be zero.
    """
    found: dict[str, float] = {}
    for name, value in parameters(net):
        prefix, _, field = name.rpartition("__")
        layer = _layer(net, prefix)
        number_ = value is OPEN or isinstance(value, float) or hasattr(value, "detach")
        if not number_ or not isinstance(layer, Layer) or isinstance(layer, Sequential):
            continue
        size = plain(value)
        of_weights = field.endswith("_std")
        known = of_weights or field.endswith("_rate") or isinstance(layer, ActivationLayer)
        if known and (size > 0 or (of_weights and size == 0)):
            found[name] = size
    return found


def _layer(net: Sequential, prefix: str) -> Any:
    return dict(parameters(net)).get(prefix)


def _hidden(can: Mapping[str, float]) -> list[str]:
    """Standard deviations of all layers with weights but the last one, whose kernel is a sum."""
    found = [name for name in can if name.rpartition("__")[2] in WEIGHTS]
    last = found[-1].rpartition("__")[0] if found else ""
    return [name for name in found if name.rpartition("__")[0] != last]


def _usual(name: str) -> float:
    return 0.0 if name.endswith("bias_std") else 1.0


def _cannot(what: str, can: Mapping[str, float]) -> str:
    return (
        f"{what} is no parameter that can be chosen; those of this network are "
        f"{', '.join(can) or 'none'}"
    )


def bounded(
    net: Sequential, names: Iterable[str], size: float, bounds: Mapping[str, tuple[float, float]]
) -> list[Free]:
    """What is free, with bounds: those given for a name or for a kind, else the usual ones.

    Args:
        size: the root-mean-square size of an input, in units of which biases are.
    """
    values, found = choosable(net), []
    for name in names:
        kind = name.rpartition("__")[2]
        unit = size if kind == "bias_std" else values[name] or 1.0
        usual = _BIAS if kind == "bias_std" else _STD if kind.endswith("_std") else _OTHER
        low, high = bounds.get(name, bounds.get(kind, (usual[0] * unit, usual[1] * unit)))
        start = values[name] or (0.1 * unit if kind == "bias_std" else 1.0)
        found.append(Free(name, min(max(start, low), high), low, high))
    return found


def beside(noise: bool, columns: int, bounds: Mapping[str, tuple[float, float]]) -> list[Free]:
    """What is free beside the network: the noise, and a scale for each of so many features."""
    wanted = [(NOISE, 1e-2, _NOISE)] if noise else []
    wanted += [(f"{SCALES}__{i}", 1.0, _SCALES) for i in range(columns)]
    found: list[Free] = []
    for name, start, usual in wanted:
        low, high = bounds.get(name, bounds.get(name.partition("__")[0], usual))
        found.append(Free(name, min(max(start, low), high), low, high))
    return found


def read_bounds(bounds: Any, known: Callable[[str], bool]) -> dict[str, tuple[float, float]]:
    """Bounds by name, checked: pairs of positive numbers, the first one smaller.

    Raises:
        InputError: something else, or a name that nothing free has.
    """
    found: dict[str, tuple[float, float]] = {}
    for name, pair in ({} if bounds is None else mapping(bounds, "bounds")).items():
        require_known(name, known, "bounds")
        ends = items(pair, f"bounds[{shown(name)}]")
        if len(ends) != 2 or not all(map(is_number, ends)):
            raise InputError(f"bounds[{shown(name)}] must be two numbers, got {shown(pair)}")
        low, high = (number(end, f"bounds[{shown(name)}]", above=0) for end in ends)
        if not low < high:
            raise InputError(f"bounds[{shown(name)}] must rise, got {shown(pair)}")
        found[name] = (low, high)
    return found


def with_priors(variables: list[Free], priors: Mapping[str, Prior]) -> list[Free]:
    """The same with priors, those given for a name or for a kind."""
    known = {each.name for each in variables} | {each.kind for each in variables}
    for name in priors:
        require_known(name, known.__contains__, "priors")
    return [replace(each, prior=priors.get(each.name, priors.get(each.kind))) for each in variables]


def require_known(name: Any, known: Callable[[str], bool], what: str) -> None:
    """Refuse a name, in bounds or priors, that nothing free has."""
    if not isinstance(name, str) or not known(name):
        raise InputError(
            f"{what} has {shown(name)}, which is not free; give names such as 0__bias_std, "
            "bias_std for all layers, noise or input_scales"
        )
