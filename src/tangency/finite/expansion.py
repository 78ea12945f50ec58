"""Modules to first or higher order in their parameters, by forward-mode differentiation."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ..checks import cut, shown
from ..errors import InputError
from .alone import AGREEMENT
from .elementary import Elementary
from .forward_mode import WAYS, Jvp, by_autograd, elementary

Parameters = dict[str, Tensor]


class TaylorModel(nn.Module):
    """f(x; θ) to some order in θ − θ₀, as a module with trainable parameters θ of its own.

    Call it as the module it came from. Its parameters start at θ₀; the module's are not touched.
    `order` holds the order, `module` the copy whose parameters are θ.
    """

    def __init__(self, module: nn.Module, order: int) -> None:
        _check(module, order)
        super().__init__()
        self.order = order
        self.module = copy.deepcopy(module)
        self._way = 0  # the first of WAYS that the module's operations allow
        self._checked = order < 2  # a first derivative has no rule to be wrong but its own
        self._names = [n for n, p in self.module.named_parameters() if p.requires_grad]
        for index, theta in enumerate(self._trainable().values()):
            self.register_buffer(f"start_{index}", theta.detach().clone())
        for name in ("input_shape", "output_scale"):
            if hasattr(module, name):
                setattr(self, name, getattr(module, name))

    def train(self, mode: bool = True) -> TaylorModel:
        """The copy keeps the mode that it was expanded in: another would be another function."""
        self.training = mode
        return self

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        start = {name: self.get_buffer(f"start_{i}") for i, name in enumerate(self._names)}
        step = {name: theta - start[name] for name, theta in self._trainable().items()}

        def value(parameters: Parameters) -> Tensor:
            with Elementary():
                out = functional_call(self.module, parameters, args, kwargs)
            if not isinstance(out, Tensor):
                raise InputError(
                    f"the module returns a {type(out).__name__}, not one tensor; wrap it in a "
                    "module that returns the tensor to expand"
                )
            return out

        terms = self._terms(value, start, step)
        total = terms[0]
        for k, term in enumerate(terms[1:], start=1):
            total = total + term / math.factorial(k)
        return total

    def _terms(
        self, value: Callable[[Parameters], Tensor], start: Parameters, step: Parameters
    ) -> tuple[Tensor, ...]:
        while True:
            try:
                found = _derivatives(value, start, step, self.order, WAYS[self._way])
                if not self._checked:
                    self._checked = True
                    first, self._way = self._way, _agreeing(value, start, self._way)
                    if self._way != first:
                        continue
                return found
            except InputError:
                raise
            except Exception as error:
                if self._way == 0 and not isinstance(error, NotImplementedError):
                    _require_value(value, start)
                if not isinstance(error, NotImplementedError | RuntimeError):
                    raise
                if self._way + 1 == len(WAYS):
                    raise InputError(
                        "PyTorch knows neither forward mode nor a second derivative of an "
                        f"operation of this module, so that it cannot be expanded: {error}"
                    ) from error
                self._way += 1

    def _trainable(self) -> Parameters:
        parameters = dict(self.module.named_parameters())
        return {name: parameters[name] for name in self._names}

    def extra_repr(self) -> str:
        return f"order={self.order}"


def _require_value(value: Callable[[Parameters], Tensor], start: Parameters) -> None:
    """Inputs that the module itself cannot take are no matter of derivatives."""
    try:
        with torch.enable_grad():
            value(start)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"the module fails on these inputs with {type(error).__name__}: {cut(str(error), 300)}"
        ) from error


def _agreeing(value: Callable[[Parameters], Tensor], start: Parameters, way: int) -> int:
    """The first way from this one on whose second derivative is that of reverse mode alone.

    Some of PyTorch's rules of forward mode (of determinants, for one) keep as constants what is
    none, so that their derivatives are wrong, and no error says so.
    """
    step = {name: _probe(theta, seed) for seed, (name, theta) in enumerate(start.items())}
    try:
        with elementary():
            wanted = _derivatives(value, start, step, 2, by_autograd)[2].detach()
    except Exception:
        return way
    limit = AGREEMENT.get(wanted.dtype, 1e-3) * float(torch.linalg.vector_norm(wanted))
    while way + 1 < len(WAYS):
        try:
            found = _derivatives(value, start, step, 2, WAYS[way])[2].detach()
            if float(torch.linalg.vector_norm(found - wanted)) <= limit:
                break
        except (NotImplementedError, RuntimeError):
            pass
        way += 1
    return way


def _probe(theta: Tensor, seed: int) -> Tensor:
    """A step of the size of the parameter, and of the same numbers at every call."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(theta.shape, generator=generator, dtype=torch.float64).to(theta)
    return drawn * (theta.detach().abs().mean() + 1e-3)


def _derivatives(
    function: Callable[[Parameters], Tensor],
    point: Parameters,
    step: Parameters,
    order: int,
    jvp: Jvp,
) -> tuple[Tensor, ...]:
    """The derivatives 0..order of t ↦ function(point + t·step) at t = 0."""
    if order == 0:
        return (function(point),)
    lower, slopes = jvp(
        lambda p: _derivatives(function, p, step, order - 1, jvp), (point,), (step,)
    )
    return (*lower, slopes[-1])


def linearize(module: nn.Module) -> TaylorModel:
    """The linearisation f(x; θ₀) + ⟨∇f(x; θ₀), θ − θ₀⟩ of a module, as a module of parameters θ.

    The product with the gradient is one forward-mode derivative (`torch.func.jvp`): three times
    the operations of a forward pass, less than twice those of a training step; no Jacobian is
    stored. Where PyTorch has no forward mode for an operation (fused attention, recurrences,
    weight norm), slower ways take its place. Training it with squared loss is kernel
    regression with the module's empirical NTK.

    Args:
        module: any module that returns one tensor, in eval mode if it holds batch statistics or
            dropout. Parameters with `requires_grad=False` stay constants.

    Raises:
        InputError: nothing to train, or layers in train mode whose function changes at each call.

    Source: Jacot, Gabriel & Hongler 2018; Lee et al. 2019, "Wide neural networks of any depth
    evolve as linear models under gradient descent".

    >>> import torch, tangency as tg
    >>> module = tg.finite.build("dense relu dense", width=8, input_shape=(3,))
    >>> linear, x = tg.finite.linearize(module), torch.ones(2, 3)
    >>> bool(torch.equal(linear(x), module(x)))
    True
    """
    return taylor(module, 1)


def taylor(module: nn.Module, order: int) -> TaylorModel:
    """The Taylor polynomial of a module in its parameters, around their current values.

    Nested forward-mode derivatives; the cost triples with each order. A function with kinks, as
    of ReLU, has no curvature within a linear piece: orders count for smooth activations, and for
    products of the weights of different layers.

    Args:
        module: as for `linearize`.
        order: 0 (the initial function, constant in θ), 1 (`linearize`), 2, …

    Raises:
        InputError: as `linearize`; an order that is not a whole number from 0 to 8.

    >>> import torch, tangency as tg
    >>> module = tg.finite.build("dense dense", width=4, input_shape=(3,), dtype=torch.float64)
    >>> model, x = tg.finite.taylor(module, 2), torch.ones(2, 3, dtype=torch.float64)
    >>> for mine, theirs in zip(model.parameters(), module.parameters()):
    ...     _ = mine.data.mul_(2), theirs.data.mul_(2)
    >>> torch.allclose(model(x), module(x))  # a product of two matrices is of order 2
    True
    """
    return TaylorModel(module, order)


def _check(module: Any, order: Any) -> None:
    """Refuses what has no expansion."""
    if isinstance(order, bool) or not isinstance(order, int) or not 0 <= order <= 8:
        raise InputError(f"order must be a whole number from 0 to 8, got {shown(order)}")
    if not isinstance(module, nn.Module):
        raise InputError(f"a torch.nn.Module is needed, got {type(module).__name__}")
    if not any(p.requires_grad for p in module.parameters()):
        raise InputError(
            "the module has no trainable parameters to expand in; set requires_grad on some"
        )
    for name, part in module.named_modules():
        if part.training and _changes(part):
            raise InputError(
                f"{name or 'the module'} ({type(part).__name__}) is in train mode, where its "
                "function changes at each call; call module.eval() first"
            )


def _changes(part: nn.Module) -> bool:
    """In train mode the layer draws random numbers, or keeps statistics of what it sees."""
    if isinstance(part, nn.modules.dropout._DropoutNd):
        return part.p > 0
    return isinstance(part, nn.modules.batchnorm._NormBase) and part.track_running_stats
