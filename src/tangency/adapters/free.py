"""A kernel of a network, and which of its numbers another library may choose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import InputError
from ..kernels import NTK
from ..kernels.coerce import is_network
from ..kernels.network import NetworkKernel
from ..learn.parameters import changed
from ..learn.tuning.free import WEIGHTS, Free, bounded, choosable, read, read_bounds
from ..printable import shown


@dataclass(frozen=True)
class Open:
    """A kernel with numbers in it, and those of them that are free, in their order."""

    kernel: NetworkKernel
    free: tuple[Free, ...]

    def at(self, values: Mapping[str, Any]) -> NetworkKernel:
        """The kernel with other values, numbers or tensors, of what is free."""
        return changed(self.kernel, {f"net__{name}": value for name, value in values.items()})


def opened(
    kernel: Any,
    free: Iterable[str] | None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
) -> Open:
    """Read a kernel, or a network that stands for its NTK, and what is free in it.

    That are the names in `free`; without these what is marked by `?` in the text of a network; and
    without marks the standard deviations of weights and biases that are not zero, of all layers
    but the last one. A free number that is zero starts at 0.1, as it has no logarithm.

    Raises:
        InputError: no kernel of a network, no such names, or bounds that are none.
        NetworkError: a text that describes no network.
    """
    if is_network(kernel):
        net, marked = read(kernel, free)
        found: NetworkKernel = NTK(net)
    elif isinstance(kernel, NetworkKernel):
        found, (net, marked) = kernel, read(kernel.net, free)
    else:
        raise InputError(
            "expected the kernel of a network, such as NNGP(net), or a network, which stands for "
            f"its NTK; got {shown(kernel)}. Add and multiply what the adapters give, not kernels"
        )
    was_said = free is not None or (isinstance(kernel, str) and "?" in kernel)
    values = choosable(net)
    if not was_said:
        marked = tuple(name for name in marked if values[name] > 0)
    kinds = {name.rpartition("__")[2] for name in marked} | {*WEIGHTS}
    limits = read_bounds(bounds, lambda name: name in marked or name in kinds)
    # where a bound is not kept the kernel stays as it was given
    variables = tuple(
        replace(each, start=values[each.name] or each.start)
        for each in bounded(net, marked, 1.0, limits)
    )
    start = Open(found, variables)
    return Open(start.at({each.name: each.start for each in variables}), variables)
