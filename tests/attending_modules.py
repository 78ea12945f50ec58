"""Attention as people write it, in modules of PyTorch, for tests of their limits."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

TOKENS, CHANNELS = 5, 3


class Block(nn.Module):
    """x + attention of x, between an embedding and a readout; `attend` says how it is written."""

    def __init__(self, attend, width=64, heads=4, parts=("qkv", "proj"), softmax=True):
        super().__init__()
        self.embed, self.head = nn.Linear(CHANNELS, width), nn.Linear(width, 8)
        self.heads, self.width = heads, width
        for name in parts:
            many = {"qkv": 3, "kv": 2}.get(name, 1)
            setattr(self, name, nn.Linear(width, many * width, bias=softmax))
        self.attend = attend

    def forward(self, x):
        x = self.embed(x)
        return self.head((x + self.proj(self.attend(self, x))).mean(1))


def timm(m, x):
    b, n, c = x.shape
    qkv = m.qkv(x).reshape(b, n, 3, m.heads, c // m.heads).permute(2, 0, 3, 1, 4)
    q, k, v = qkv.unbind(0)
    weights = (q * (c // m.heads) ** -0.5) @ k.transpose(-2, -1)
    weights = F.dropout(weights.softmax(dim=-1), 0.1, m.training)
    return (weights @ v).transpose(1, 2).reshape(b, n, c)


def gpt(m, x):
    b, t, c = x.size()
    q, k, v = m.qkv(x).split(c, dim=2)
    q, k, v = (y.view(b, t, m.heads, c // m.heads).transpose(1, 2) for y in (q, k, v))
    weights = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
    return (F.softmax(weights, dim=-1) @ v).transpose(1, 2).contiguous().view(b, t, c)


def flash(m, x):
    b, n, c = x.shape
    q, k, v = (f(x).view(b, n, m.heads, -1).transpose(1, 2) for f in (m.q, m.k, m.v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def einsum(m, x):
    b, n, c = x.shape
    q, k, v = (y.unflatten(-1, (m.heads, -1)) for y in (m.q(x), *m.kv(x).chunk(2, -1)))
    weights = torch.einsum("bihd,bjhd->bhij", q, k) / math.sqrt(c // m.heads)
    return torch.einsum("bhij,bjhd->bihd", torch.softmax(weights, -1), v).reshape(b, n, c)


def single(m, x):
    """One head, all of the channels."""
    products = torch.bmm(m.q(x), m.k(x).transpose(1, 2)) / m.width**0.5
    return torch.bmm(torch.softmax(products, 2), m.v(x))


def shared(m, x):
    """Queries and keys with the same weights, divided by their width: the limit of the library."""
    b, n, c = x.shape
    k, v = (f(x).view(b, n, m.heads, -1).transpose(1, 2) for f in (m.k, m.v))
    weights = torch.softmax(k @ k.mT * (m.heads / c), -1)
    return (weights @ v).transpose(1, 2).reshape(b, n, c)


def rectified(m, x):
    """The same with a ReLU in the place of the softmax."""
    k, v = m.k(x), m.v(x)
    return torch.relu(k @ k.mT / m.width) @ v


def apart(m, x):
    """Weights of their own, divided by their width: a mean over positions in the limit."""
    return torch.softmax(m.q(x) @ m.k(x).mT / m.width, -1) @ m.v(x)


def linear(m, x):
    """Without a softmax, products divided by the root of the width."""
    b, n, c = x.shape
    q, k, v = (f(x).view(b, n, m.heads, -1).transpose(1, 2) for f in (m.q, m.k, m.v))
    return (q @ k.mT * (c / m.heads) ** -0.5 @ v).transpose(1, 2).reshape(b, n, c)


QKV = ("q", "k", "v", "proj")
WRITTEN = {
    "timm": (timm, ("qkv", "proj")),
    "gpt": (gpt, ("qkv", "proj")),
    "flash": (flash, QKV),
    "einsum": (einsum, ("q", "kv", "proj")),
    "single": (single, QKV),
}


class Shared(nn.Module):
    """What attention="linear" puts in the place of `nn.MultiheadAttention`, as it begins."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.k, self.v, self.out_proj = (nn.Linear(width, width) for _ in range(3))
        for layer in (self.k, self.v):
            bound = math.sqrt(6 / (4 * width))  # that of three matrices in one
            nn.init.uniform_(layer.weight, -bound, bound)
        for layer in (self.k, self.v, self.out_proj):
            nn.init.zeros_(layer.bias)

    def forward(self, query, key, value, need_weights=False):
        return self.out_proj(shared(self, query)), None
