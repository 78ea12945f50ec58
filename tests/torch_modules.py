"""PyTorch modules of many kinds, and their Jacobians row by row, one output at a time."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


class Function(nn.Module):
    """A module with parameters of given shapes and any function as its forward pass."""

    def __init__(self, forward: Callable[..., Tensor], **parts: nn.Module | tuple[int, ...]):
        super().__init__()
        self.function = forward
        for name, part in parts.items():
            value = part if isinstance(part, nn.Module) else nn.Parameter(torch.randn(part))
            setattr(self, name, value)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def dense() -> nn.Module:
    return nn.Sequential(
        nn.Linear(5, 7),
        nn.ReLU(inplace=True),
        nn.Linear(7, 6, bias=False),
        nn.Tanh(),
        nn.Linear(6, 3),
    )


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 6, 3, stride=2, dilation=2, padding=2, padding_mode="circular"),
        nn.GELU(),
        nn.Conv2d(6, 6, (2, 3), padding="same", groups=3),
        nn.GroupNorm(2, 6),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.LazyLinear(2),
    )


def transposed() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(2, 3, 3, stride=2),
        nn.Tanh(),
        nn.ConvTranspose1d(3, 4, 3, stride=2, padding=1, output_padding=1),
        nn.Tanh(),
        nn.ConvTranspose1d(4, 2, 2, groups=2),
        nn.Flatten(),
        nn.LazyLinear(2),
    )


def volume() -> nn.Module:
    return nn.Sequential(nn.Conv3d(1, 3, 2), nn.ReLU(), nn.Flatten(), nn.LazyLinear(1))


def batch_first() -> nn.Module:
    layer = nn.TransformerEncoderLayer(4, 2, 6, batch_first=True)
    return nn.Sequential(layer, nn.LayerNorm(4), nn.Flatten(), nn.Linear(12, 2))


def sequence_first() -> nn.Module:
    """Inputs along the second axis, and as many positions as `look_at` takes inputs."""
    mix = nn.Linear(4, 4)
    return Function(
        lambda m, x: m.out(torch.tanh(m.mix(x.transpose(0, 1))).transpose(0, 1).flatten(1)),
        mix=mix,
        out=nn.Linear(8, 2),
    )


def merged(time_first: bool) -> nn.Module:
    """Positions and inputs on one axis."""

    def forward(m: Function, x: Tensor) -> Tensor:
        n, t, c = x.shape
        x = x.transpose(0, 1) if time_first else x
        h = torch.tanh(m.mix(x.reshape(n * t, c)))
        h = h.reshape(t, n, 5).transpose(0, 1) if time_first else h.reshape(n, t, 5)
        return m.out(h.mean(1))

    return Function(forward, mix=nn.Linear(4, 5), out=nn.Linear(5, 1))


def plain_parameters() -> nn.Module:
    """Weights in NTK parametrisation, a scale, a shift, positions, a product from the right."""

    def forward(m: Function, x: Tensor) -> Tensor:
        h = functional.linear(x + 0.5 * m.position, m.weight * 0.3) + 0.1 * m.bias
        h = torch.tanh(h) * m.scale
        return (h.flatten(1) @ (m.last / 2)) - m.shift

    return Function(
        forward, position=(1, 3, 4), weight=(5, 4), bias=(5,), scale=(5,), last=(15, 2), shift=(2,)
    )


def shared() -> nn.Module:
    """One layer used twice, one weight in two roles, one parameter that nothing uses."""

    def forward(m: Function, x: Tensor) -> Tensor:
        h = torch.tanh(m.twice(torch.tanh(m.twice(x))))
        return functional.linear(h @ m.tied, m.tied) * m.tied.square().sum()

    return Function(forward, twice=nn.Linear(4, 4), tied=(4, 4), unused=(3,))


def recurrent() -> nn.Module:
    return Function(
        lambda m, x: m.out(m.lstm(x)[0][:, -1]),
        lstm=nn.LSTM(4, 3, batch_first=True),
        out=nn.Linear(3, 2),
    )


def normalised() -> nn.Module:
    return nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(5, 4)), nn.Linear(4, 1))


#: name -> the module, the shape of one input
MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "dense": (dense, (5,)),
    "convolutional": (convolutional, (2, 8, 8)),
    "transposed": (transposed, (2, 9)),
    "volume": (volume, (1, 3, 3, 3)),
    "batch_first": (batch_first, (3, 4)),
    "sequence_first": (sequence_first, (2, 4)),
    "merged": (lambda: merged(False), (3, 4)),
    "time_first": (lambda: merged(True), (2, 4)),
    "plain_parameters": (plain_parameters, (3, 4)),
    "shared": (shared, (4,)),
    "recurrent": (recurrent, (3, 4)),
    "normalised": (normalised, (5,)),
}


def made(name: str, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Tensor]:
    """A module in eval mode, with statistics and affine parameters unlike 0 and 1, and 5 inputs."""
    make, shape = MODULES[name]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module, x = make(), torch.randn(5, *shape)
        with torch.no_grad(), warnings.catch_warnings():
            # "Using padding='same' with even kernel lengths"
            warnings.simplefilter("ignore", UserWarning)
            module(x)
            for p in module.parameters():
                p.add_(0.3 * torch.randn(p.shape))
    return module.to(dtype).eval(), x.to(dtype)


def rows(module: nn.Module, x: Tensor) -> Tensor:
    """The Jacobian (n, o, parameters), one backward pass for each row."""
    params = [p for p in module.parameters() if p.requires_grad]
    found = []
    for one in x:
        out = module(one[None]).reshape(-1)
        for value in out:
            grads = torch.autograd.grad(value, params, retain_graph=True, allow_unused=True)
            parts = zip(params, grads, strict=True)
            found.append(torch.cat([(p * 0 if g is None else g).reshape(-1) for p, g in parts]))
    return torch.stack(found).detach().reshape(len(x), -1, found[0].numel())


def kernel(left: Tensor, right: Tensor, outputs: str) -> Tensor:
    """The kernel of two Jacobians, from its definition."""
    if outputs == "full":
        return torch.einsum("nkp,mlp->nmkl", left, right)
    each = torch.einsum("nkp,mkp->nmk", left, right)
    return each if outputs == "diagonal" else each.mean(dim=2)
