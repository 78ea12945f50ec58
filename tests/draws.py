"""Kernels of many random networks of finite width, and how far their mean is from a given value.

The networks are those that `tangency.finite.build` makes: its module is called with parameters
drawn here, standard normal as it promises.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.func import functional_call, grad, vmap


def kernel_draws(module, x, draws, seed=0, chunk=None):
    """NNGP and NTK of each draw, two arrays (draws, n, n), for a network with one output.

    The output is linear in the weights of the last layer, so that the mean of f(x)f(y) over those
    is the product of the gradients in them; only hidden layers are left to chance. The last
    layers are known by their one channel, hence the width must be at least 2.

    chunk: draws at a time; of small networks more, as the way to a batch takes longer than it.
    """
    if chunk is None:
        chunk = 200 if sum(p.numel() for p in module.parameters()) < 4000 else 50
    generator = torch.Generator().manual_seed(seed)
    x = torch.as_tensor(x, dtype=next(module.parameters()).dtype)
    last = {name for name, p in module.named_parameters() if p.shape[0] == 1}
    trained = {name for name, p in module.named_parameters() if p.requires_grad}

    def output(parameters, one):
        # The layers alone: the network itself takes no inputs of a transform.
        parameters = {name.removeprefix("layers."): p for name, p in parameters.items()}
        return functional_call(module.layers, parameters, (one[None],))[0, 0]

    def kernels(parameters):
        # Input by input: a Jacobian of all would take each output back through all the inputs.
        rows = vmap(grad(output), in_dims=(None, 0))(parameters, x)
        rows = {name: row.flatten(1) for name, row in rows.items()}
        products = {name: row @ row.T for name, row in rows.items()}
        zero = x.new_zeros(len(x), len(x))
        return tuple(sum((products[n] for n in sorted(names)), zero) for names in (last, trained))

    found = []
    for start in range(0, draws, chunk):
        count = min(chunk, draws - start)
        drawn = {
            name: torch.randn((count, *p.shape), generator=generator, dtype=p.dtype)
            for name, p in module.named_parameters()
        }
        found.append(vmap(kernels)(drawn))
        if not start:
            first = {name: values[0] for name, values in drawn.items()}
            whole = functional_call(module, first, (x,))[:, 0]
            torch.testing.assert_close(torch.stack([output(first, one) for one in x]), whole)
    return tuple(torch.cat(parts).double().numpy() for parts in zip(*found, strict=True))


@dataclass(frozen=True)
class Score:
    """How far the mean of the draws is from the expected matrix, in standard errors.

    entries: the largest |z| of all entries. scale: z of the factor that fits best, and
    would_notice: the smaller |z| had the expected matrix been 1.02 times larger or smaller.
    """

    entries: float
    scale: float
    would_notice: float


def score(found, expected):
    """Compares draws (draws, n, n) with `expected` (n, n)."""
    count = len(found)
    error = found.std(axis=0, ddof=1) / np.sqrt(count)
    # Where nothing is left to chance the draws agree to rounding, and so must the mean.
    floor = 1e-5 * np.abs(expected).max()
    z = (found.mean(axis=0) - expected) / np.maximum(error, floor)
    factors = np.einsum("dij,ij->d", found, expected) / np.sum(expected**2)
    spread = max(factors.std(ddof=1) / np.sqrt(count), 1e-5)
    missed = min(abs(factors.mean() / wrong - 1) for wrong in (1.02, 1 / 1.02))
    return Score(np.abs(z).max(), abs(factors.mean() - 1) / spread, missed / spread)
