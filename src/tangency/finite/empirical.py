"""Empirical kernels: inner products of a network's gradients, or of its outputs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..checks import choice, flag, real, shown
from ..engines.memory import default_budget
from ..engines.progress import progress_bar
from ..errors import InputError, MemoryLimitError
from ..kernels.foreign import refuse_unlike_columns
from .alone import check_independent, look
from .costs import METHODS, MethodChoice, choose
from .inputs import inputs_of
from .perlayer import by_layers
from .plain import by_jacobians, by_products, no_gradient
from .request import Done, Request, differing_pair
from .state import untouched
from .subject import ModuleError, Params, subject_of

if TYPE_CHECKING:
    from ..typing import ArrayLike

OUTPUTS = ("trace", "diagonal", "full")


def empirical_ntk(
    module: Any,
    X: ArrayLike,
    Y: ArrayLike | None = None,
    outputs: str = "trace",
    params: Params = None,
    method: str = "auto",
    max_memory: float | None = None,
    progress: bool = False,
) -> Any:
    """⟨∂f(x)/∂θ, ∂f(y)/∂θ⟩ of any `torch.nn.Module`, at its current parameters.

    Args:
        module: takes a batch and returns one tensor (n, ...), flattened to o outputs. f(x) is its
            output for x alone, a batch of one. It is left as it is, bit for bit; buffers and eval
            mode are respected.
        X: (n, ...) as the module wants it, NumPy or torch; brought to its dtype and device.
            Integers stay so for modules with an `Embedding`, or that take nothing else.
        Y: (m, ...); None for X itself, and an exactly symmetric result.
        outputs: "trace": the mean over the outputs of the kernel of each, (n, m), which for wide
            networks is `NTK(net)`; "diagonal": one kernel for each output, (n, m, o); "full":
            (n, m, o, o), rows ∂f_k(x), columns ∂f_l(y) at [:, :, k, l].
        params: names of parameters or submodules, or a function of a parameter's name; None for
            all that require gradients.
        method: "jacobian" multiplies Jacobians, "ntvp" takes one product J(x)(J(y)ᵀe) for each
            column, "layers" contracts the activations and gradients of each layer and never
            stores a Jacobian; "auto" takes the cheapest that fits: see `explain_ntk`. All are
            compared with plain autograd on inputs by themselves, block by block.
        max_memory: bytes, for the result and all on the way; default: a quarter of what is free.
            A copy of the parameters and one gradient of theirs come on top.
        progress: show a bar.

    Returns:
        An array of X's kind (NumPy or torch), in the module's dtype.

    Source: Jacot et al. 2018; on methods, Novak et al. 2022, "Fast finite width NTK".

    Raises:
        InputError: a module that mixes the batch or is random, no such parameters, NaN.
        ModuleError: an `InputError` and `RuntimeError`: PyTorch cannot evaluate or differentiate
            the module on one input, or `method="layers"` cannot follow it.
        MemoryLimitError: not even two inputs at a time fit in `max_memory`.

    >>> import torch
    >>> from tangency.finite import empirical_ntk
    >>> module = torch.nn.Linear(3, 1, bias=False)
    >>> empirical_ntk(module, torch.eye(3))
    tensor([[1., 0., 0.],
            [0., 1., 0.],
            [0., 0., 1.]])
    """
    progress = progress is not None and flag(progress, "progress")
    with torch.inference_mode(False), untouched(module):
        request = request_of(module, X, Y, outputs, params, max_memory)
        choice = choose(request, method)
        total = request.pairs[1] if choice.method == "ntvp" else request.inputs
        with progress_bar(total, progress, "input") as bar:
            found = _computed(request, choice, method == "auto", bar.update)
    return _returned(found, X)


def _computed(request: Request, choice: MethodChoice, auto: bool, done: Done) -> Tensor:
    if choice.method == "layers":
        try:
            return by_layers(request, choice.layout, done)
        except (ModuleError, MemoryLimitError):
            if not auto:
                raise
    if choice.method != "ntvp":
        try:
            return by_jacobians(request, choice.activations, done)
        except MemoryLimitError:
            if not auto:
                raise
    return by_products(request, choice.activations, done)


def empirical_nngp(
    module: Any,
    X: ArrayLike,
    Y: ArrayLike | None = None,
    outputs: str = "trace",
    max_memory: float | None = None,
) -> Any:
    """f(x)f(y) of any `torch.nn.Module`; its mean over random parameters is `NNGP(net)`.

    The mean over o outputs ("trace") is a sample of that mean only as large as o. The kernel of
    the last layer trained alone, which is closer to it, is
    `empirical_ntk(module, X, params=...)` with the name of the last layer.

    Args:
        module, X, Y, outputs, max_memory: as in `empirical_ntk`.

    Raises:
        InputError, MemoryLimitError: as `empirical_ntk`.

    >>> import torch
    >>> from tangency.finite import empirical_nngp
    >>> module = torch.nn.Linear(1, 2, bias=False)
    >>> _ = module.weight.data.copy_(torch.tensor([[3.0], [4.0]]))
    >>> empirical_nngp(module, torch.tensor([[1.0], [2.0]]))
    tensor([[12.5000, 25.0000],
            [25.0000, 50.0000]])
    """
    with torch.inference_mode(False), untouched(module):
        request = request_of(module, X, Y, outputs, None, max_memory, frozen=True)
        found = no_gradient(request)
    return _returned(found, X)


def explain_ntk(
    module: Any,
    X: ArrayLike,
    Y: ArrayLike | None = None,
    outputs: str = "trace",
    params: Params = None,
    method: str = "auto",
    max_memory: float | None = None,
) -> MethodChoice:
    """Which method `empirical_ntk` takes for these arguments, why, and what each would cost.

    Multiply-adds are counted from the shapes of the layers, which one pass over two inputs finds.

    Raises:
        InputError, MemoryLimitError: as `empirical_ntk`.

    >>> import torch
    >>> from tangency.finite import explain_ntk
    >>> layers = [torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 1)]
    >>> explain_ntk(torch.nn.Sequential(*layers), torch.ones(20, 64)).method
    'layers'
    """
    with torch.inference_mode(False), untouched(module):
        return choose(request_of(module, X, Y, outputs, params, max_memory), method)


def request_of(
    module: Any,
    X: Any,
    Y: Any,
    outputs: str,
    params: Params,
    max_memory: float | None,
    frozen: bool = False,
) -> Request:
    """The arguments of this module's functions, checked."""
    outputs = choice(outputs, "outputs", OUTPUTS)
    limit = 0.0 if max_memory is None else real(max_memory)
    if max_memory is not None and (limit is None or not 0 < limit < math.inf):
        raise InputError(
            "max_memory must be a number of bytes greater than 0, as in 2**30; got "
            f"{shown(max_memory)}"
        )
    subject = subject_of(module, params, frozen)
    refuse_unlike_columns(X, Y)
    x = inputs_of(subject, X)
    y = None if Y is None else inputs_of(subject, Y, "Y")
    if y is not None and y.shape[1:] != x.shape[1:]:
        raise InputError(
            f"X has inputs of shape {tuple(x.shape[1:])} and Y of shape {tuple(y.shape[1:])}; "
            "they must be equal"
        )
    count = look(subject, x[:1])
    check_independent(subject, differing_pair(x, y))
    budget = int(limit) if limit else default_budget(x)
    return Request(subject, x, y, outputs, count, budget)


def _returned(found: Tensor, like: Any) -> Any:
    if not bool(torch.isfinite(found).all()):
        raise InputError(
            "the kernel has NaN or infinite entries; check the module's parameters, or call "
            "module.double()"
        )
    return found if isinstance(like, Tensor) else np.asarray(found.cpu())


__all__ = ["METHODS", "OUTPUTS", "empirical_nngp", "empirical_ntk", "explain_ntk"]
