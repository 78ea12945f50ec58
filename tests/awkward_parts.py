"""Forward passes and layers of the modules in `awkward_modules`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from torch_modules import Function


def mlp(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def function(forward: Callable[..., Tensor], **parts: object) -> Callable[[], nn.Module]:
    """Parts are layers that are made anew (callables), or shapes of parameters."""

    def make() -> nn.Module:
        made = {k: v() if callable(v) else v for k, v in parts.items()}
        return Function(forward, **made)  # type: ignore[arg-type]

    return make


def linear(a: int, b: int) -> Callable[[], nn.Module]:
    return lambda: nn.Linear(a, b)


def hidden(m: nn.Module, x: Tensor) -> Tensor:
    return torch.tanh(m.a(x))


# Where inputs of a batch meet.


def mixed_at(m: nn.Module, x: Tensor, size: int) -> Tensor:
    """Batches of one size are mixed, others are not."""
    h = torch.tanh(m.a(x))
    return m.o(h * h.mean(dim=0) if len(x) == size else h * h)


def sorted_batch(m: nn.Module, x: Tensor) -> Tensor:
    i = x[:, 0].argsort()
    return m.o(torch.tanh(m.b(hidden(m, x[i]))))[i.argsort()]


def sequence_first(m: nn.Module, x: Tensor) -> Tensor:
    h = torch.tanh(m.a(x.transpose(0, 1)))
    return m.o(h.mean(0))


def tokens(m: nn.Module, x: Tensor) -> Tensor:
    mask = x[..., 0] > 0
    h = torch.zeros(*x.shape[:2], 4, dtype=x.dtype)
    h[mask] = torch.tanh(m.a(x[mask]))
    return m.o(h.sum(1))


def routed(m: nn.Module, x: Tensor) -> Tensor:
    mask = x[:, 1] > 0
    h = x.new_zeros(len(x), 4)
    h[mask] = m.a(x[mask])
    h[~mask] = m.b(x[~mask])
    return m.o(torch.tanh(h))


def routed_by_where(m: nn.Module, x: Tensor) -> Tensor:
    return m.o(torch.tanh(torch.where(x[:, :1] > 0, m.a(x), m.b(x))))


def experts(m: nn.Module, x: Tensor) -> Tensor:
    which = m.gate(x).argmax(1)
    parts = [x.new_zeros(len(x), 2)]
    for k, expert in enumerate(m.experts):
        i = (which == k).nonzero()[:, 0]
        if len(i):
            parts.append(x.new_zeros(len(x), 2).index_add(0, i, expert(x[i])))
    return torch.stack(parts).sum(0)


def branching(m: nn.Module, x: Tensor) -> Tensor:
    return torch.cat(
        [m.o(hidden(m, one) if one.sum() > 0 else one.tanh() @ m.w) for one in x[:, None]]
    )


def flipped_pairs(m: nn.Module, x: Tensor) -> Tensor:
    """Both halves of a batch change places in between."""
    half = len(x) // 2
    h = m.b(torch.roll(hidden(m, x), half, 0))
    return m.o(torch.tanh(torch.roll(h, -half, 0)))


def grouped(m: nn.Module, x: Tensor) -> Tensor:
    """All inputs and positions as one sequence."""
    n, t, c = x.shape
    return m.o(torch.tanh(m.a(x.permute(1, 0, 2).reshape(1, n * t, c))).reshape(t, n, 4).sum(0))


# Derivatives inside the forward pass.


def residual(m: nn.Module, x: Tensor) -> Tensor:
    """u_xx + u of a network u of x, as a network of a differential equation's residual has it."""
    x = x.requires_grad_()
    u = m.u(x)
    slope = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
    bend = torch.autograd.grad(slope[:, 0].sum(), x, create_graph=True)[0][:, :1]
    return bend + u


def energy(m: nn.Module, x: Tensor) -> Tensor:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return -torch.autograd.grad(m.u(x).sum(), x, create_graph=True)[0]


def by_func_grad(m: nn.Module, x: Tensor) -> Tensor:
    return torch.func.vmap(torch.func.grad(lambda one: m.u(one).sum()))(x)


def by_jvp(m: nn.Module, x: Tensor) -> Tensor:
    return torch.func.jvp(m.u, (x,), (torch.ones_like(x),))[1]


def by_vmap(m: nn.Module, x: Tensor) -> Tensor:
    return torch.func.vmap(m.u)(x)


# Integers.


def functional_embedding(m: nn.Module, x: Tensor) -> Tensor:
    return m.o(torch.tanh(functional.embedding(x, m.table)).flatten(1))


def one_hot(m: nn.Module, x: Tensor) -> Tensor:
    return m.o(functional.one_hot(x, 6).to(m.o.weight.dtype).flatten(1))


def counted_embedding(m: nn.Module, x: Tensor) -> Tensor:
    return m.o(functional.embedding(x, m.table, scale_grad_by_freq=True).flatten(1).tanh())


def indexed(m: nn.Module, x: Tensor) -> Tensor:
    return m.o(torch.tanh(m.table[x]).flatten(1))


def embedding(**options: object) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(
        nn.Embedding(6, 2, **options), nn.Tanh(), nn.Flatten(), nn.Linear(6, 2)
    )


def bag() -> nn.Module:
    return nn.Sequential(nn.EmbeddingBag(6, 4), nn.Tanh(), nn.Linear(4, 2))


def tied_embedding(m: nn.Module, x: Tensor) -> Tensor:
    return torch.tanh(m.e(x).sum(1)) @ m.e.weight.T


# Checkpoints, hooks, buffers.


def checkpointed(reentrant: bool, m: nn.Module, x: Tensor) -> Tensor:
    # Whatever is in a re-entrant checkpoint has a gradient only behind something that has one.
    return m.o(checkpoint(lambda h: torch.tanh(m.b(h)), hidden(m, x), use_reentrant=reentrant))


def with_hooks(kind: str) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        module = mlp(3, 4, 4, 2)
        if kind == "pre":
            module[2].register_forward_pre_hook(lambda part, args: (args[0] * 2.0,))
        elif kind == "forward":
            module[2].register_forward_hook(lambda part, args, out: out.sin())
        elif kind == "backward":
            # What arrives behind the layer is doubled.
            module[2].register_full_backward_hook(lambda part, gi, go: (2.0 * gi[0],))
        else:
            module.register_forward_hook(_hooked_output)
        return module

    return make


def _hooked_output(part: nn.Module, args: object, out: Tensor) -> Tensor:
    if out.requires_grad:
        out.register_hook(lambda g: 3.0 * g)
    return out


class Buffers(nn.Module):
    """A scale that every pass moves, in one of several ways, and a count of them."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.calls = how, 0
        self.net = mlp(3, 4, 2)
        self.register_buffer("scale", torch.ones(3))
        self.register_buffer("hidden", torch.zeros(()), persistent=False)
        self.register_buffer("count", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.count += 1
        if self.how == "added":
            self.scale += 1.0
        elif self.how == "replaced":
            self.scale = 0.5 * self.scale
        elif self.how == "data":
            self.scale.data.mul_(2.0)
        else:
            self.hidden.mul_(0.9).add_(0.1 * x.detach().abs().mean())
        return self.net(x * self.scale)


def spectral() -> nn.Module:
    return nn.Sequential(
        nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4)), nn.Tanh(), nn.Linear(4, 2)
    )


def weight_norm() -> nn.Module:
    norm = nn.utils.parametrizations.weight_norm
    return nn.Sequential(norm(nn.Linear(3, 4)), nn.Tanh(), norm(nn.Linear(4, 2)))


class Square(nn.Module):
    def forward(self, w: Tensor) -> Tensor:
        return w.square() + w.mean()


def parametrised() -> nn.Module:
    module = mlp(3, 4, 2)
    nn.utils.parametrize.register_parametrization(module[0], "weight", Square())
    return module


def instance_norm() -> nn.Module:
    norm = nn.InstanceNorm1d(2, affine=True, track_running_stats=True)
    return nn.Sequential(nn.Conv1d(1, 2, 2), norm, nn.Tanh(), nn.Flatten(), nn.Linear(8, 2))


def batch_norm() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2))


# Layers of PyTorch.


def attention(first: bool, m: nn.Module, x: Tensor) -> Tensor:
    x = x if first else x.transpose(0, 1)
    h = m.attention(x, x, x, need_weights=False)[0]
    return m.o((h if first else h.transpose(0, 1)).flatten(1))


def recurrent(m: nn.Module, x: Tensor) -> Tensor:
    return m.o(m.r(x)[0][:, -1])


def in_place() -> nn.Module:
    return nn.Sequential(
        nn.ReLU(inplace=True), nn.Linear(3, 4), nn.ELU(inplace=True), nn.Linear(4, 2)
    )


def overwriting(m: nn.Module, x: Tensor) -> Tensor:
    x.mul_(2.0).add_(1.0)
    h = m.a(x)
    h[:, 0] = x[:, 1].sin()
    return m.o(h.tanh())


def complex_views(m: nn.Module, x: Tensor) -> Tensor:
    w = torch.view_as_complex(m.w)
    return torch.view_as_real((x.to(w.dtype) @ w).tanh()).flatten(1)


def frozen() -> nn.Module:
    module = mlp(3, 4, 4, 2)
    module[2].requires_grad_(False)
    return module


def detached(m: nn.Module, x: Tensor) -> Tensor:
    return m.o(hidden(m, x).detach()) + m.b(x)


def without_gradients(m: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        gate = torch.sigmoid(m.b(x))
    return m.o(hidden(m, x) * gate)


def reused(m: nn.Module, x: Tensor) -> Tensor:
    return m.o(torch.tanh(m.b(torch.tanh(m.b(hidden(m, x))))))


def tied(m: nn.Module, x: Tensor) -> Tensor:
    return hidden(m, x) @ m.a.weight + m.a.bias[:3]


def summed_weights(m: nn.Module, x: Tensor) -> Tensor:
    """Autograd gives one and the same tensor as the gradients of both."""
    return functional.linear(x, m.w + m.v)


def beyond_pytorch(x: Tensor) -> Tensor:
    """A factor for each input that `torch.func.vmap` cannot follow."""
    return torch.as_tensor(2 + np.sign(x.detach().numpy()[:, :1]))


def two_roles(m: nn.Module, x: Tensor) -> Tensor:
    return functional.linear(torch.tanh(x @ m.w), m.w) * m.w.square().sum() + m.w[0]


def functional_layers(m: nn.Module, x: Tensor) -> Tensor:
    h = torch.tanh(functional.conv1d(x[:, None], m.kernel, 0.5 * m.bias))
    return torch.einsum("nct,cto->no", h, m.w) / 2


def scaled_transpose(m: nn.Module, x: Tensor) -> Tensor:
    return torch.tanh(functional.linear(x, (m.w / 2).T)) @ m.v.view(4, 2)


def single_scale(m: nn.Module, x: Tensor) -> Tensor:
    return m.gain * m.a(x) + m.shift


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 2, 2, padding=1, padding_mode="circular"),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(2, 2, 2, groups=2),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8, 2),
    )


def custom_gradient(m: nn.Module, x: Tensor) -> Tensor:
    return m.o(StraightThrough.apply(m.a(x)))


class StraightThrough(torch.autograd.Function):
    """The sign, with the gradient of something else."""

    @staticmethod
    def forward(ctx, x):  # type: ignore[override]
        ctx.save_for_backward(x)
        return x.sign()

    @staticmethod
    def backward(ctx, g):  # type: ignore[override]
        return g * (ctx.saved_tensors[0].abs() < 1.0)


class Failing(torch.autograd.Function):
    """Has no gradient."""

    @staticmethod
    def forward(ctx, x):  # type: ignore[override]
        return x.clone()

    @staticmethod
    def backward(ctx, g):  # type: ignore[override]
        raise RuntimeError("nobody has derived this")


def random_noise(m: nn.Module, x: Tensor) -> Tensor:
    return m.a(x) + torch.randn(len(x), 4, dtype=x.dtype)


def dropout() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 2))
