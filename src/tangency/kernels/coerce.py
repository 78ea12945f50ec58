"""From what people pass as a kernel to the kernel that is meant; nothing else turns one into it.

A parameter `kernel` takes a kernel object, or a network (also a layer, or its text form), which
stands for its NTK where nothing else is said. A parameter `kernels` takes the same and mappings
from names to them; a network there stands for both its kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from ..errors import InputError
from ..nets import Layer
from ..nets.coerce import NetworkLike, as_network, is_module
from ..printable import shown
from .base import Kernel
from .kinds import LABELS
from .network import NNGP, NTK, NetworkKernel

KernelLike = Kernel | NetworkLike
"""What a parameter `kernel` takes."""

Kernels = KernelLike | Mapping[str, KernelLike]
"""What a parameter `kernels` takes."""

_CLASSES: dict[str, type[NetworkKernel]] = {"ntk": NTK, "nngp": NNGP}


def as_kernel(
    kernel: Any, of_network: type[NetworkKernel] = NTK, *, functions: str = "", hint: str = ""
) -> Any:
    """The kernel that is meant: itself, or that of the class `of_network` of a network.

    Args:
        functions: what functions are, where they are taken too, as they are.
        hint: what else there is to say to who passed something else.

    Raises:
        InputError: what is no kernel.
        NetworkError: a text that describes no network.

    >>> as_kernel("dense relu dense") == as_kernel(NTK("dense relu dense"))
    True
    """
    if isinstance(kernel, Kernel):
        return kernel
    if is_network(kernel):
        return of_network(as_network(kernel))
    if functions and callable(kernel) and not isinstance(kernel, type):
        return kernel
    if isinstance(kernel, Mapping):
        raise InputError(
            'expected one kernel, such as NTK("dense relu dense"), not several by name; got '
            f"{shown(kernel)}"
        )
    more = f", or {functions}" if functions else ""
    raise InputError(
        'expected a kernel such as NTK("dense relu dense"), or a network or its text form'
        f"{more}; got {shown(kernel)}{hint}"
    )


def named_kernels(kernels: Any, one: Callable[[Any], Any] = as_kernel) -> dict[str, Any]:
    """name -> kernel, of a mapping, of one kernel, or of both kernels of a network.

    Args:
        one: turns a kernel, as it was given, into the kernel that is meant.

    Raises:
        InputError: an empty mapping, or what is no kernel.

    >>> named_kernels("dense relu dense") == both_kernels("dense relu dense")
    True
    """
    if is_network(kernels):
        kernels = both_kernels(kernels)
    if not isinstance(kernels, Mapping):
        try:
            kernel = one(kernels)
        except InputError as error:
            raise InputError(
                f"{error}; several are passed by name, as in {{'NTK': NTK(net)}}"
            ) from None
        return {kernel_name(kernel): kernel}
    given = cast("Mapping[Any, Any]", kernels)
    if not given:
        raise InputError("no kernel was given; pass a kernel, or several by name")
    found: dict[str, Any] = {}
    for name, kernel in given.items():
        try:
            found[str(name)] = one(kernel)
        except InputError as error:
            raise InputError(f"{shown(name)}: {error}") from None
    return found


def both_kernels(net: NetworkLike, **options: Any) -> dict[str, NetworkKernel]:
    """The NTK and the last-layer kernel of a network, named as in figures and tables.

    Args:
        net, options: as in `NetworkKernel`.

    >>> net = "dense relu dense"
    >>> both_kernels(net) == {"NTK": NTK(net), "last-layer": NNGP(net)}
    True
    """
    network = as_network(net)
    return {label: _CLASSES[kind](network, **options) for kind, label in LABELS.items()}


def kernel_name(kernel: Any) -> str:
    """How figures and tables call a kernel that was given without a name."""
    if type(kernel) in _CLASSES.values():
        return LABELS[kernel.kind]
    if isinstance(kernel, Kernel):
        return type(kernel).__name__
    return str(getattr(kernel, "name", None) or getattr(kernel, "__name__", "kernel"))


def is_network(given: Any) -> bool:
    """Whether this can only be meant as a network."""
    layer = isinstance(given, type) and issubclass(given, Layer)
    return layer or isinstance(given, str | Layer) or is_module(given)
