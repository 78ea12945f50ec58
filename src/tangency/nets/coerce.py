"""From what people pass as a network to the network that is meant."""

from __future__ import annotations

from typing import Any

from ..errors import NetworkError
from .base import Layer, shown
from .structure import Sequential
from .text import parse

NetworkLike = Layer | str
"""What stands for a network: itself, one layer, or the text form."""


def is_module(net: Any) -> bool:
    """Whether this is a module of PyTorch, which may not be installed."""
    return any(cls.__module__.startswith("torch.nn") for cls in type(net).__mro__)


def as_network(net: Any) -> Sequential:
    """A network from a network, a layer or the text form.

    Raises:
        NetworkError: anything else.
    """
    if isinstance(net, Sequential):
        return net
    if isinstance(net, str):
        return parse(net)
    if isinstance(net, Layer):
        return Sequential(net)
    if is_module(net) or type(net).__module__.split(".")[0] == "torch":
        raise NetworkError(
            f"a network is described by layers of tangency, but {type(net).__name__} is a module "
            "of PyTorch, with a finite width; describe its infinite width, as in "
            'parse("dense relu dense"), or compute the kernel of the module itself with '
            "tangency.finite.empirical_ntk(module, X)"
        )
    if isinstance(net, list | tuple):
        raise NetworkError(
            f"a network is a Sequential or its text form, got a {type(net).__name__} "
            f"{shown(net)}; pass Sequential(*layers)"
        )
    if isinstance(net, type) and issubclass(net, Layer):
        raise NetworkError(f"{net.__name__} is a class; write {net.__name__}(...)")
    own = "; pass its network, .net" if isinstance(getattr(net, "net", None), Sequential) else ""
    raise NetworkError(f"a network is a Sequential or its text form, got {shown(net)}{own}")
