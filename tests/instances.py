"""Random instances of a module of PyTorch, beside the kernels of the network it is lifted to."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

import tangency as tg

WIDTH = 48
_NORMS = (nn.BatchNorm2d, nn.LayerNorm)


def signals(shape, n, last):
    """Inputs for the module, and for the network, whose channels are last."""
    x = np.random.default_rng(0).standard_normal((n, *shape))
    return torch.tensor(x), x if last else np.moveaxis(x, 1, -1)


def instance(make, seed, width=WIDTH):
    """One with gains and offsets of normalisations frozen, and scales: they are no weights."""
    torch.manual_seed(seed)
    module = make(width).double().eval()
    for part in module.modules():
        if isinstance(part, _NORMS):
            part.requires_grad_(False)
    for name, parameter in module.named_parameters():
        if "scale" in name:
            parameter.requires_grad_(False)
    return module


def check_last_layer(make, shape, last=False, draws=100, **options):
    """Products of the outputs of random instances, on average, are the NNGP."""
    x, X = signals(shape, 3, last)
    kernel = tg.NNGP(tg.from_torch(instance(make, 0), shape, **options))(X)
    found = []
    with torch.no_grad():
        for seed in range(draws):
            f = instance(make, seed)(x)
            found.append((f @ f.T / f.shape[1]).numpy())
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(len(found))
    # 1/width is the order of what finite width does.
    assert (abs(mean - kernel) < 4 * error + 2 / WIDTH * kernel.max()).all()
    assert (error < 0.09 * kernel.max()).all()


def check_gradients(make, shape, last=False, width=3 * WIDTH, **options):
    """Products of the gradients of wide instances are the NTK in PyTorch's parametrisation."""
    x, X = signals(shape, 2, last)
    kernel = tg.NTK(tg.from_torch(instance(make, 0, width), shape, standard=True, **options))(X)
    found = np.mean([tangents(instance(make, seed, width), x) for seed in range(3)], axis=0)
    assert abs(found / kernel - 1).max() < 0.2


def tangents(module, x):
    """The NTK of a module, the mean over its first four outputs."""
    parameters = [p for p in module.parameters() if p.requires_grad]

    def gradients(row, k):
        grads = torch.autograd.grad(
            module(row[None])[0, k], parameters, materialize_grads=True, allow_unused=True
        )
        return torch.cat([g.flatten() for g in grads])

    rows = [torch.stack([gradients(row, k) for row in x]) for k in range(4)]
    return np.mean([(g @ g.T).numpy() for g in rows], axis=0)
