"""A module as a function of its parameters and inputs: what the empirical kernels look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from ..errors import InputError

#: Names of parameters or of submodules, or a function of a parameter's name.
Params = str | Iterable[str] | Callable[[str], bool] | None

_NAMES_SHOWN = 8
# How far the output for one input may depend on its neighbours in a batch: rounding alone.
_ROUNDING = {torch.float32: 1e-3, torch.float64: 1e-9}


@dataclass(frozen=True, eq=False)
class Subject:
    """f(θ, x) for the chosen parameters θ of a module, everything else held fixed.

    Attributes:
        params: name -> tensor, the parameters with respect to which gradients are taken.
        fixed: name -> tensor, all other parameters and the buffers.
    """

    module: nn.Module
    params: Mapping[str, Tensor]
    fixed: Mapping[str, Tensor]

    def outputs(self, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """(n, outputs), the module's output in rows."""
        with derivable():
            out = functional_call(self.module, {**self.fixed, **self.params, **params}, (x,))
        if not isinstance(out, Tensor):
            raise InputError(
                f"the module returns a {type(out).__name__}; empirical kernels need one tensor "
                "(n, ...): wrap the module in one that returns it"
            )
        if out.ndim == 0 or len(out) != len(x):
            raise InputError(
                f"the module turns {len(x)} inputs into an output of shape {tuple(out.shape)}; its "
                "first axis must count the inputs"
            )
        return out.reshape(len(x), -1)

    @property
    def dtype(self) -> torch.dtype:
        return next(iter(self.params.values())).dtype

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def count(self) -> int:
        """How many numbers the chosen parameters are."""
        return sum(p.numel() for p in self.params.values())


def subject_of(module: Any, params: Params = None, frozen: bool = False) -> Subject:
    """The module with the parameters to differentiate by; refuses what has no kernel.

    Args:
        params: which of the parameters that require gradients.
        frozen: those that do not, too.

    Raises:
        InputError: not a module, batch statistics or randomness, no such parameters, mixed or
            unsuitable dtypes.
    """
    if not isinstance(module, nn.Module):
        raise InputError(f"module must be a torch.nn.Module; got a {type(module).__name__}")
    module = getattr(module, "_orig_mod", module)
    check_fixed(module)
    everything = dict(module.named_parameters())
    trainable = [name for name, p in everything.items() if p.requires_grad or frozen]
    chosen = set(_chosen(params, trainable, everything))
    detached = {name: p.detach() for name, p in everything.items()}
    found = {name: p for name, p in detached.items() if name in chosen}
    dtypes = {p.dtype for p in found.values()}
    if len(dtypes) > 1 or not dtypes <= set(_ROUNDING):
        raise InputError(
            f"the parameters are {', '.join(sorted(map(str, dtypes)))}; empirical kernels need all "
            "of them in float32 or all in float64: call module.float() or module.double()"
        )
    rest = {name: p for name, p in detached.items() if name not in chosen}
    buffers = {name: b.detach() for name, b in module.named_buffers()}
    return Subject(module, found, {**rest, **buffers})


@contextmanager
def derivable() -> Iterator[None]:
    """Attention by operations that have derivatives of every kind, in place of fused ones."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def check_fixed(module: nn.Module) -> None:
    """Refuses modules whose output for an input depends on other inputs or on chance."""
    for name, part in module.named_modules():
        where = f"{type(part).__name__}{f' ({name})' if name else ''}"
        if isinstance(part, _BatchNorm):
            if part.running_mean is None:
                raise InputError(
                    f"{where} keeps no running statistics: it normalises by the batch, so an "
                    "output has no gradient of its own; build it with track_running_stats=True"
                )
            if part.training:
                raise InputError(
                    f"{where} is in training mode: it normalises by the batch, so an output has no "
                    "gradient of its own; call module.eval() first"
                )
        chance = (isinstance(part, _DropoutNd) and part.p > 0) or isinstance(part, nn.RReLU)
        if isinstance(part, nn.RNNBase | nn.MultiheadAttention):
            chance = part.dropout > 0
        if chance and part.training:
            raise InputError(f"{where} is random in training mode; call module.eval() first")


def inputs_of(subject: Subject, data: Any, name: str = "X") -> Tensor:
    """`data` as a tensor that the module takes: its dtype and device, nothing else changed.

    Integers stay integers where the module has an `Embedding`.

    Raises:
        InputError: not numbers, NaN or infinity, or no inputs.
    """
    if not isinstance(data, Tensor):
        array = np.asarray(data)
        if array.dtype.kind not in "biuf":
            raise InputError(f"{name} has dtype {array.dtype}; pass real numbers")
        data = torch.from_numpy(np.ascontiguousarray(array))
    first = next(iter(subject.params.values()))
    x = data.detach().to(first.device)
    if x.is_complex():
        raise InputError(f"{name} is complex; pass real numbers")
    if x.is_floating_point() or not _counts(subject.module):
        x = x.to(first.dtype)
    if x.ndim == 0 or 0 in x.shape:
        raise InputError(f"{name} is empty: shape {tuple(x.shape)}; give at least one input")
    if x.is_floating_point() and not bool(torch.isfinite(x).all()):
        bad = (~torch.isfinite(x)).reshape(len(x), -1).any(dim=1)
        raise InputError(
            f"{name} holds NaN or infinity in {int(bad.sum())} of {len(x)} inputs (the first is "
            f"number {int(bad.int().argmax())}); impute or drop them"
        )
    return x.clone() if x.is_inference() else x


def check_independent(subject: Subject, x: Tensor) -> None:
    """Refuses modules in which inputs of one batch change each other's outputs."""
    if len(x) < 2:
        return
    with torch.no_grad():
        together = subject.outputs({}, x[:2])
        alone = torch.cat([subject.outputs({}, x[i : i + 1]) for i in range(2)])
    if not bool(torch.isfinite(together).all()):
        raise InputError("the module's outputs are NaN or infinite; look at its parameters")
    difference, size = (together - alone).abs().max(), together.abs().max()
    if float(difference) > _ROUNDING[subject.dtype] * max(float(size), 1e-30):
        raise InputError(
            "the module's output for an input changes with the other inputs of the batch (or from "
            "call to call), so an output has no gradient of its own; call module.eval(), and let "
            "nothing in it mix the batch"
        )


def _chosen(params: Params, trainable: list[str], everything: Mapping[str, Any]) -> list[str]:
    if params is None:
        names = trainable
    elif callable(params):
        names = [name for name in trainable if params(name)]
    else:
        wanted = [params] if isinstance(params, str) else list(params)
        names = [name for one in wanted for name in _under(one, everything)]
        for name in names:
            if name not in trainable:
                raise InputError(
                    f"parameter {name!r} is frozen; call module.get_parameter({name!r})"
                    ".requires_grad_() to include it"
                )
    if not names:
        raise InputError("no parameters to differentiate by: all are frozen, or none was chosen")
    return names


def _under(wanted: str, everything: Mapping[str, Any]) -> list[str]:
    """The parameter of that name, or those of the submodule of that name."""
    found = [name for name in everything if name == wanted or name.startswith(f"{wanted}.")]
    if not found:
        shown = ", ".join(list(everything)[:_NAMES_SHOWN])
        more = ", ..." if len(everything) > _NAMES_SHOWN else ""
        raise InputError(f"no parameter or submodule {wanted!r}; there are {shown}{more}")
    return found


def _counts(module: nn.Module) -> bool:
    return any(isinstance(part, nn.Embedding | nn.EmbeddingBag) for part in module.modules())
