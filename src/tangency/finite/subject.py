"""A module as a function of its parameters and inputs: what the empirical kernels look at."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.parameter import is_lazy

from ..checks import cut, items, text
from ..errors import InputError

#: Names of parameters or of submodules, or a function of a parameter's name.
Params = str | Iterable[str] | Callable[[str], bool] | None

_NAMES_SHOWN = 8
_TYPES = (torch.float32, torch.float64)
T = TypeVar("T")


class ModuleError(InputError, RuntimeError):
    """A module that PyTorch itself cannot evaluate, or differentiate, on one input alone."""


@dataclass
class Ways:
    """What has been found out about a module on the way.

    Attributes:
        mapped: `torch.func.vmap` evaluates it. checked: and rightly.
        accumulated: gradients come from `backward()` alone, not from `autograd.grad`.
        push: how many of the ways to push a direction forward have failed.
        renewed: parameters that a forward pass overwrites.
    """

    mapped: bool = True
    checked: bool = False
    accumulated: bool = False
    push: int = 0
    renewed: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Subject:
    """f(θ, x) for the chosen parameters θ of a module, everything else held fixed.

    The module only ever sees copies of its parameters and buffers, and of the inputs. Copies of
    buffers are made anew for every pass, so that all passes see the same.

    Attributes:
        params: name -> a copy, the parameters with respect to which gradients are taken.
        fixed: name -> copies of all other parameters.
        buffers: name -> the buffers themselves.
    """

    module: nn.Module
    params: Mapping[str, Tensor]
    fixed: Mapping[str, Tensor]
    buffers: Mapping[str, Tensor]
    ways: Ways = field(default_factory=Ways)

    def within(self, params: Mapping[str, Tensor], action: Callable[[nn.Module], T]) -> T:
        """What an action on the module gives while it has these parameters.

        Checkpointed parts are computed once more in the backward pass: it has to happen in here.
        """
        tensors = {name: b.clone() for name, b in self.buffers.items()}
        tensors |= {**self.fixed, **self.params}
        tensors |= {name: self._original(name) for name in self.ways.renewed}
        tensors |= params
        named = {f"module.{name}": tensor for name, tensor in tensors.items()}
        with derivable(), torch.enable_grad(), warnings.catch_warnings():
            # Of re-entrant checkpoints, where values alone are wanted.
            warnings.filterwarnings("ignore", "None of the inputs have requires_grad=True")
            return functional_call(_Holder(self.module), named, (action,))

    def outputs(self, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """(n, outputs), the module's output in rows."""
        return self.within(params, lambda module: self.evaluated(module, x))

    def evaluated(self, module: nn.Module, x: Tensor) -> Tensor:
        """(n, outputs) of the module as it is."""
        # A copy: the module may overwrite its input.
        return self.in_rows(module(x.clone()), x)

    def in_rows(self, out: Any, x: Tensor) -> Tensor:
        """What the module has returned for x, (n, outputs)."""
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
        if not out.is_floating_point() or out.numel() == 0:
            raise InputError(
                f"the module returns {out.dtype} of shape {tuple(out.shape)}; its outputs must be "
                "real numbers with a derivative"
            )
        return out.reshape(len(x), -1).to(self.dtype)

    def leaves(self, names: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Parameters that require gradients, for one pass."""
        chosen = list(self.params) if names is None else list(names)
        found = {name: self.params[name].detach() for name in chosen}
        found |= {name: self._original(name) for name in self.ways.renewed if name in found}
        return {name: p.requires_grad_() for name, p in found.items()}

    def renewed(self) -> Subject:
        """The same parameters of the module as they are by now."""
        everything = dict(self.module.named_parameters())
        params, fixed = (
            {name: everything[name].detach().clone() for name in which}
            for which in (self.params, self.fixed)
        )
        return Subject(self.module, params, fixed, _buffers(self.module), self.ways)

    def _original(self, name: str) -> Tensor:
        return self.module.get_parameter(name).detach().clone()

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


class _Holder(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, action: Callable[[nn.Module], Any]) -> Any:
        return action(self.module)


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
    for name, tensor in (*everything.items(), *module.named_buffers()):
        if is_lazy(tensor):
            raise InputError(
                f"{name!r} has no shape yet; call the module once on an input to initialise it"
            )
    trainable = [name for name, p in everything.items() if p.requires_grad or frozen]
    chosen = set(_chosen(params, trainable, everything))
    dtypes = {everything[name].dtype for name in chosen}
    if len(dtypes) > 1 or not dtypes <= set(_TYPES):
        raise InputError(
            f"the parameters are {', '.join(sorted(map(str, dtypes)))}; empirical kernels need all "
            "of them in float32 or all in float64: call module.float() or module.double()"
        )
    copies = {name: p.detach().clone() for name, p in everything.items()}
    found = {name: p for name, p in copies.items() if name in chosen}
    rest = {name: p for name, p in copies.items() if name not in chosen}
    return Subject(module, found, rest, _buffers(module))


def _buffers(module: nn.Module) -> dict[str, Tensor]:
    return {name: b.detach() for name, b in module.named_buffers()}


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


def _chosen(params: Params, trainable: list[str], everything: Mapping[str, Any]) -> list[str]:
    if params is None:
        names = trainable
    elif callable(params):
        names = [name for name in trainable if _wanted(params, name)]
    else:
        wanted = [params] if isinstance(params, str) else items(params, "params")
        wanted = [text(one, "each of params") for one in wanted]
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


def _wanted(params: Callable[[str], Any], name: str) -> bool:
    try:
        return bool(params(name))
    except Exception as error:
        raise InputError(
            f"params({name!r}) must say whether the parameter of this name is one to "
            f"differentiate by, but it raises {type(error).__name__}: {cut(str(error))}"
        ) from error


def _under(wanted: str, everything: Mapping[str, Any]) -> list[str]:
    """The parameter of that name, or those of the submodule of that name."""
    found = [name for name in everything if name == wanted or name.startswith(f"{wanted}.")]
    if not found:
        shown = ", ".join(list(everything)[:_NAMES_SHOWN])
        more = ", ..." if len(everything) > _NAMES_SHOWN else ""
        raise InputError(f"no parameter or submodule {cut(repr(wanted))}; there are {shown}{more}")
    return found
