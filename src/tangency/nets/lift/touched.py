"""What changes a module of PyTorch beside its layers: hooks, and functions put in place of others.

The trace sees calls of the layers of `torch.nn`, not what is inside them, and begins inside the
module itself; hooks on the modules between these are traced like all else.
"""

from __future__ import annotations

from torch import nn

from ...errors import NetworkError
from .weights import WEIGHTED

_FORWARD = ("_forward_hooks", "_forward_pre_hooks")
_BACKWARD = ("_backward_hooks", "_backward_pre_hooks")


def traceable(module: nn.Module) -> nn.Module:
    """The module; a layer of `torch.nn` on its own as a network of one layer."""
    return nn.Sequential(module) if _layer(module) else module


def check_untouched(module: nn.Module) -> None:
    """Refuse hooks, and a `forward` of its own, where the trace does not see them.

    Raises:
        NetworkError: with the place.
    """
    for name, part in module.named_modules():
        # Layers with weights say so themselves: hooks there mostly make their weights of others.
        hidden = part is module or (_layer(part) and type(part) not in WEIGHTED)
        kinds = (*_BACKWARD, *(_FORWARD if hidden else ()))
        if any(getattr(part, kind, None) for kind in kinds):
            what = "hooks change what it does, or its gradients"
        elif _layer(part) and "forward" in vars(part):
            what = "its forward was replaced by another function"
        else:
            continue
        place = name or type(module).__name__
        raise NetworkError(f"{place}: {what}; pass the module without these")


def check_numbers(module: nn.Module) -> None:
    """Refuse parameters that hold no real numbers yet, or none at all.

    Raises:
        NetworkError: with the place, and the remedy.
    """
    for name, parameter in module.named_parameters():
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            what = "its size is not known yet; call the module once before"
        elif parameter.is_meta:
            what = "it has no numbers on the meta device, and its spread cannot be read; make it on"
            what += " a device that holds them"
        elif parameter.is_complex():
            what = "it has complex numbers, which no layer here has; use real ones"
        elif not parameter.numel():
            what = "it has no numbers; give its layer a channel at least"
        else:
            continue
        raise NetworkError(f"{name}: {what}")


def _layer(part: nn.Module) -> bool:
    """A layer of PyTorch's own, which is traced as one call."""
    return type(part).__module__.startswith("torch.nn.modules") and not isinstance(
        part, nn.Sequential | nn.ModuleList | nn.ModuleDict
    )
