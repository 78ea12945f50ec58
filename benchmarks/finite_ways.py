"""Ways to the empirical NTK in PyTorch: ours, and the two of PyTorch's own tutorial."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, jvp, vjp, vmap

from tangency.finite import empirical_ntk

#: (module, x, pairs at once) -> (n, n), for modules with one output
Way = Callable[[nn.Module, Tensor, int], Tensor]


def ours(module: nn.Module, x: Tensor, chunk: int) -> Tensor:
    return empirical_ntk(module, x)


def full_jacobian(module: nn.Module, x: Tensor, chunk: int) -> Tensor:
    """The Jacobian of all inputs by `vmap(jacrev)`, then a product for each parameter."""
    params = {name: p.detach() for name, p in module.named_parameters()}

    def outputs(params: dict[str, Tensor], one: Tensor) -> Tensor:
        return functional_call(module, params, (one[None],))[0]

    jacobian = vmap(jacrev(outputs), (None, 0))(params, x)
    rows = [part.flatten(2) for part in jacobian.values()]
    return torch.stack([torch.einsum("naf,maf->nm", j, j) for j in rows]).sum(0)


def vector_products(module: nn.Module, x: Tensor, chunk: int) -> Tensor:
    """For every pair one vector-Jacobian product and one Jacobian-vector product."""
    params = {name: p.detach() for name, p in module.named_parameters()}

    def entry(one: Tensor, other: Tensor) -> Tensor:
        def at(x: Tensor) -> Callable[[dict[str, Tensor]], Tensor]:
            return lambda params: functional_call(module, params, (x[None],))[0]

        out, back = vjp(at(one), params)
        return jvp(at(other), (params,), back(torch.ones_like(out)))[1][0]

    n = len(x)
    first, second = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    pairs = vmap(entry, chunk_size=chunk)(x[first.flatten()], x[second.flatten()])
    return pairs.reshape(n, n)


WAYS: dict[str, Way] = {
    "tangency": ours,
    "torch.func Jacobian": full_jacobian,
    "torch.func products": vector_products,
}


def peak_bytes() -> int:
    """The most memory that this process has had.

    Not `getrusage`: its peak begins with that of the process which started this one.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
