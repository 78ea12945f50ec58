"""Operations that treat every input of a batch by itself, whatever the numbers in it are."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .matching import ADD, DIVIDE, MULTIPLY, SUBTRACT, name_of

#: (arguments, keyword arguments) -> whether rows of the result are those of the first argument.
Rule = Callable[[Sequence[Any], Mapping[str, Any]], bool]

_POINTWISE = (
    *(torch.relu, torch.tanh, torch.sigmoid, torch.erf, torch.sin, torch.cos, torch.exp),
    *(Tensor.relu, Tensor.tanh, Tensor.sigmoid, Tensor.erf, Tensor.sin, Tensor.cos, Tensor.exp),
    *(functional.relu, functional.gelu, functional.silu, functional.elu, functional.softplus),
    *(functional.leaky_relu, functional.hardtanh, functional.mish, functional.logsigmoid),
    *(torch.clone, Tensor.clone, Tensor.contiguous),
)
_GRIDS = {
    **dict.fromkeys((torch.conv1d, torch.conv_transpose1d, functional.avg_pool1d), 1),
    **dict.fromkeys((torch.conv2d, torch.conv_transpose2d, functional.avg_pool2d), 2),
    **dict.fromkeys((torch.conv3d, torch.conv_transpose3d, functional.avg_pool3d), 3),
    **dict.fromkeys((functional.max_pool1d, functional.adaptive_avg_pool1d), 1),
    **dict.fromkeys((functional.max_pool2d, functional.adaptive_avg_pool2d), 2),
    **dict.fromkeys((functional.max_pool3d, functional.adaptive_avg_pool3d), 3),
}
_SILENT = ("dim", "ndim", "dtype", "device", "is_floating_point", "requires_grad", "is_sparse")


def _grid(dims: int) -> Rule:
    return lambda args, kwargs: args[0].ndim == dims + 2


def _evaluated(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    return kwargs.get("training", args[5] if len(args) > 5 else False) is False


def _at_rest(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    return kwargs.get("training", args[2] if len(args) > 2 else True) is False


def _padded(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    return len(kwargs.get("pad", args[1] if len(args) > 1 else ())) // 2 < args[0].ndim


def _flattened(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    return kwargs.get("start_dim", args[1] if len(args) > 1 else 0) >= 1


_RULES: dict[Any, Rule] = {
    **{function: (lambda args, kwargs: True) for function in _POINTWISE},
    **{function: _grid(dims) for function, dims in _GRIDS.items()},
    functional.linear: lambda args, kwargs: args[0].ndim >= 2,
    functional.batch_norm: _evaluated,
    functional.dropout: _at_rest,
    functional.pad: _padded,
    torch.flatten: _flattened,
    Tensor.flatten: _flattened,
}


class Rows:
    """Follows the inputs of a batch through a module, call by call.

    Everything that is not known to keep inputs apart counts as mixing them; results that nobody has
    seen come into being count as unknown. Tensors are known by weak references: holding them would
    take their memory.
    """

    def __init__(self) -> None:
        self.mixed = False
        self._rows: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self._constants: set[int] = set()

    def start(self, x: Tensor, constants: Iterable[Tensor]) -> None:
        """constants: what does not depend on inputs, and lives as long as this."""
        self._constants = set(map(id, constants))
        self.add(x)

    def holds(self, value: Any) -> bool:
        """Whether this tensor's rows are those of the inputs, each made from its input alone."""
        found = self._rows.get(id(value))
        return found is not None and found[0]() is value and found[1] == value._version

    def keeps(
        self, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], known: Any
    ) -> bool:
        """Whether the result of a call that is about to be made will be rows again.

        known: tells multiples of parameters, which do not depend on inputs.
        """
        tensors = [v for v in leaves((args, kwargs)) if isinstance(v, Tensor)]
        if self.mixed or not any(self._met(t) for t in tensors):
            return False
        name = name_of(function)
        if name in _SILENT:
            return False
        rule = _RULES.get(function)
        if rule is None:
            good = len(args) == 2 and not kwargs and self._binary(name, args, known)
        else:
            others = [v for v in leaves((args[1:], kwargs)) if isinstance(v, Tensor)]
            constant = all(id(t) in self._constants or known(t) for t in others)
            first = bool(args) and self.holds(args[0])
            good = first and constant and "out" not in kwargs and rule(args, kwargs)
        self.mixed = not good
        return good

    def add(self, x: Tensor) -> None:
        """Takes a tensor for rows."""
        self._rows[id(x)] = (weakref.ref(x), x._version)

    def _met(self, value: Tensor) -> bool:
        found = self._rows.get(id(value))
        return found is not None and found[0]() is value

    def _binary(self, name: str, args: Sequence[Any], known: Any) -> bool:
        """Sums and products of rows with numbers, rows, or parameters without an axis for them."""
        if name not in (*ADD, *SUBTRACT, *MULTIPLY, *DIVIDE):
            return False
        rows = [v for v in args if isinstance(v, Tensor) and self.holds(v)]
        others = [v for v in args if not any(v is r for r in rows)]
        if len({r.shape for r in rows}) != 1:
            return False
        x = rows[0]
        return all(
            isinstance(v, int | float)
            or (
                (id(v) in self._constants or known(v) is not None)
                and (v.ndim < x.ndim or (v.ndim == x.ndim and v.shape[0] == 1))
            )
            for v in others
        )


def leaves(value: Any) -> Iterator[Any]:
    """All values in nested tuples, lists and dictionaries."""
    if isinstance(value, dict):
        for part in value.values():
            yield from leaves(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from leaves(part)
    else:
        yield value
