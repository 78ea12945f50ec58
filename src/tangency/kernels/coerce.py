"""From what people pass as a network, or as a kind of kernel, to what is meant."""

from __future__ import annotations

from typing import Any

from ..engines.engine import KernelPair
from ..errors import InputError, NetworkError
from ..nets import Layer, Sequential, parse
from ..nets.base import shown

_KINDS = set(KernelPair._fields)


def kinds_of(kind: Any) -> tuple[str, ...]:
    """The kernels that `kind` names, in its order.

    Raises:
        InputError: other words than both, ntk and nngp, or one of them twice.
    """
    names = (kind,) if isinstance(kind, str) else kind
    good = isinstance(names, tuple | list) and all(isinstance(name, str) for name in names)
    if good and tuple(names) == ("both",):
        names = KernelPair._fields
    if not good or not names or len(set(names)) < len(names) or not set(names) <= _KINDS:
        raise InputError(
            f"kind must be both, ntk or nngp; got {shown(kind)} (a tuple of the latter two, each "
            "once, is taken too)"
        )
    return tuple(names)


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
    raise NetworkError(f"a network is a Sequential or its text form, got {shown(net)}")
