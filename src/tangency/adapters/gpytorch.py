"""A kernel of a network for the models of GPyTorch."""

# Type checkers run without GPyTorch, too.
# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from gpytorch.constraints import Positive
from gpytorch.kernels import Kernel

from ..errors import InputError
from ..kernels.network import NetworkKernel
from ..kernels.work import vector_plan
from ..nets.plan import has_masks
from .free import opened

if TYPE_CHECKING:
    from torch import Tensor

    from ..typing import KernelLike


class GPyTorchKernel(Kernel):
    """The kernel of a network as a kernel of GPyTorch, differentiable in inputs and numbers.

    Args:
        kernel: `NTK(net)`, `NNGP(net)`, or a network or its text, which stands for its NTK. For
            images give it their shape, `NTK(net, input_shape=(8, 8, 1))`: rows come in flat.
        free: names of the parameters, such as `0__bias_std` for the biases of the first layer.
            Default: what is marked by `?` in the text of a network, else the standard deviations
            of weights and biases that are not zero, of all layers but the last one; `()` leaves
            nothing to learn. One that is zero starts at 0.1.
        options: what every kernel of GPyTorch takes, such as `active_dims`.

    Parameters are single numbers: models in batches share them. They stand as `raw_0__bias_std`,
    kept positive by a constraint that `register_constraint` may exchange; `values` are the numbers
    themselves. Matrices are in the dtype of the inputs; use float64 (`model.double()`), as
    those of smooth networks have small eigenvalues.

    Raises:
        InputError: no kernel of a network, unknown names, `batch_shape` or `ard_num_dims`; when
            called, a network with `Dropout`.
        NetworkError: a text that describes no network.

    >>> import torch
    >>> from tangency import NNGP
    >>> from tangency.adapters import GPyTorchKernel
    >>> kernel = GPyTorchKernel(NNGP("dense:b=1 erf dense")).double()
    >>> sorted(name for name, _ in kernel.named_parameters())
    ['raw_0__bias_std', 'raw_0__weight_std']
    >>> kernel(torch.ones(3, 2, dtype=torch.float64)).to_dense().shape
    torch.Size([3, 3])
    """

    def __init__(
        self, kernel: KernelLike, free: Iterable[str] | None = None, **options: Any
    ) -> None:
        for name in ("batch_shape", "ard_num_dims"):
            if options.get(name):
                raise InputError(
                    f"GPyTorchKernel has no {name}: the numbers of a network are single ones; "
                    "scale inputs in front of it, and give each model of a batch its own kernel"
                )
        super().__init__(**options)
        self._open = opened(kernel, free)
        for each in self._open.free:
            constraint = Positive()
            start = torch.tensor(each.start, dtype=torch.get_default_dtype())
            raw = torch.nn.Parameter(constraint.inverse_transform(start))
            self.register_parameter(f"raw_{each.name}", raw)
            self.register_constraint(f"raw_{each.name}", constraint)

    @property
    def values(self) -> dict[str, Tensor]:
        """What is free, by name, as it stands: positive numbers."""
        return {each.name: self._value(f"raw_{each.name}") for each in self._open.free}

    @property
    def kernel(self) -> NetworkKernel:
        """The kernel of the network, with these numbers as plain ones."""
        return self._open.at({name: float(value.detach()) for name, value in self.values.items()})

    def forward(
        self, x1: Tensor, x2: Tensor, diag: bool = False, last_dim_is_batch: bool = False, **_: Any
    ) -> Tensor:
        """K(x1, x2), (…, n, m), of inputs (…, n, d) and (…, m, d); with `diag` of pairs, (…, n)."""
        if last_dim_is_batch:
            raise InputError("GPyTorchKernel takes all features of an input, not one at a time")
        shape = self._open.kernel.input_shape or tuple(x1.shape[-1:])
        if has_masks(vector_plan(self._open.kernel.net, shape)):
            raise InputError(
                "GPyTorchKernel takes no networks with Dropout: an input shares a mask with itself "
                "only, and GPyTorch does not tell which of two inputs are one and the same; leave "
                "it out, and have noise in the likelihood"
            )
        kernel = self._open.at(self.values)
        batch = torch.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
        first = x1.expand(*batch, *x1.shape[-2:]).reshape(-1, *x1.shape[-2:])
        second = x2.expand(*batch, *x2.shape[-2:]).reshape(-1, *x2.shape[-2:])
        found = [_matrix(kernel, *pair, diag) for pair in zip(first, second, strict=True)]
        return torch.stack(found).reshape(*batch, *found[0].shape)

    def _value(self, name: str) -> Tensor:
        constraint: Any = self.constraint_for_parameter_name(name)
        return constraint.transform(getattr(self, name))


def _matrix(kernel: NetworkKernel, first: Tensor, second: Tensor, diag: bool) -> Any:
    # GPyTorch passes the same samples as two tensors; derivatives in each of them would be lost
    same = first.shape == second.shape and bool(torch.equal(first, second))
    if same and (first is second or not (first.requires_grad or second.requires_grad)):
        return kernel.diag(first) if diag else kernel(first)
    matrix = kernel(first, second)
    return matrix.diagonal() if diag else matrix
