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
    b, n, _ = x.shape
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


def together(m, x):
    """Queries and keys from one layer, values from another."""
    q, k = m.kv(x).chunk(2, -1)
    return F.scaled_dot_product_attention(q, k, m.v(x))


QKV = ("q", "k", "v", "proj")
WRITTEN = {
    "timm": (timm, ("qkv", "proj")),
    "gpt": (gpt, ("qkv", "proj")),
    "flash": (flash, QKV),
    "einsum": (einsum, ("q", "kv", "proj")),
    "single": (single, QKV),
    "together": (together, ("kv", "v", "proj")),
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


def _causal(m, x):
    n = x.shape[1]
    products = m.q(x) @ m.k(x).mT / m.width
    hidden = torch.triu(torch.ones(n, n, dtype=torch.bool), 1)
    return products.masked_fill(hidden, -torch.inf).softmax(-1) @ m.v(x)


def _normed(m, x):
    q, k = F.normalize(m.q(x), dim=-1), F.normalize(m.k(x), dim=-1)
    return (q @ k.mT).softmax(-1) @ m.v(x)


def _windows(m, x):
    q, k, v = m.q(x), m.k(x), m.v(x)
    parts = [F.scaled_dot_product_attention(q[:, w], k[:, w], v[:, w]) for w in (slice(2), slice(2, None))]  # fmt: skip  # noqa: E501
    return torch.cat(parts, 1)


def _multi_query(m, x):
    """Many heads of queries, one of keys and values: it stays random without a softmax."""
    b, n, c = x.shape
    q = m.q(x).view(b, n, m.heads, -1).transpose(1, 2)
    k, v = (f(x)[..., : c // m.heads].unsqueeze(1) for f in (m.k, m.v))
    return (q @ k.mT / 4 @ v).transpose(1, 2).reshape(b, n, c)


def _part(m, x):
    """The second half of the values goes on as it is."""
    v, rest = m.v(x).split(32, -1)
    return torch.cat([F.scaled_dot_product_attention(m.q(x), m.k(x), v), rest], -1)


_UNREAD = "a product of two signals that cannot be read as self-attention"
REFUSED = {
    "causal": (_causal, _UNREAD),
    "causal flash": (
        lambda m, x: F.scaled_dot_product_attention(m.q(x), m.k(x), m.v(x), is_causal=True),
        _UNREAD,
    ),
    "biases of pairs": (
        lambda m, x: (m.q(x) @ m.k(x).mT / m.width + m.proj.weight[:5, :5]).softmax(-1) @ m.v(x),
        _UNREAD,
    ),
    "norms": (_normed, _UNREAD),
    "windows": (_windows, _UNREAD),
    "multi query": (_multi_query, "^q: identity attention"),
    "two signals": (
        lambda m, x: (m.q(x) @ m.k(torch.relu(x)).mT / m.width).softmax(-1) @ m.v(x),
        "^q: queries and keys come from two signals",
    ),
    "values twice": (
        lambda m, x: (m.q(x) @ m.k(x).mT / m.width).softmax(-1) @ m.v(x) + m.v(x),
        "^q and v share their weights",
    ),
    "rectified values": (
        lambda m, x: (m.q(x) @ m.k(x).mT / m.width).softmax(-1) @ torch.relu(m.v(x)),
        _UNREAD,
    ),
    "along columns": (
        lambda m, x: (m.q(x) @ m.k(x).mT / m.width).softmax(-2) @ m.v(x),
        _UNREAD,
    ),
    "random masks": (
        lambda m, x: F.dropout((m.q(x) @ m.k(x).mT / m.width).softmax(-1), 0.5) @ m.v(x),
        _UNREAD,
    ),
    "values are keys": (lambda m, x: m.q(x) @ m.k(x).mT @ m.k(x), "^q: identity attention"),
    "a part of the channels": (_part, _UNREAD),
    "of itself": (lambda m, x: (x @ x.mT / m.width) @ m.v(x), _UNREAD),
    "biased": (
        lambda m, x: torch.relu(m.k(x) @ m.k(x).mT / m.width) @ m.v(x),
        "^k: relu attention with biases of queries, keys or values",
    ),
}


class Tokens(nn.Module):
    """Parameters that are added to embedded positions, or stand beside them, as a function says."""

    def __init__(self, forward, **parameters):
        super().__init__()
        self.embed, self.head = nn.Linear(CHANNELS, 64), nn.Linear(64, 8)
        self.of = forward
        for name, value in parameters.items():
            value = nn.Parameter(value) if isinstance(value, torch.Tensor) else value
            setattr(self, name, value)

    def forward(self, x):
        return self.head(self.of(self, self.embed(x)))


def _before(x, *tokens):
    return torch.cat([*(each.expand(x.shape[0], -1, -1) for each in tokens), x], dim=1)


def _vit(m, x):
    x = torch.cat([m.cls.repeat(x.shape[0], 1, 1), x], 1)
    return (x + m.pos[:, : x.size(1)])[:, 0]


def _numbered(m, x):
    return (x + m.pos(torch.arange(x.shape[1], device=x.device))).mean(1)


START = "dense:w=0.3333333333333333,b=0.3333333333333333"
END = "dense:w=0.5773502691896257,b=0.07216878364870322"
HELD = {
    "class token and positions": (
        lambda: Tokens(_vit, cls=torch.zeros(1, 1, 64), pos=torch.randn(1, 9, 64) * 0.02),
        "classtoken:w=0 posembed:w=0.02 slice[0]",
    ),
    "two tokens": (
        lambda: Tokens(
            lambda m, x: _before(x, m.a, m.b)[:, 2:].mean(1),
            a=torch.randn(1, 1, 64) * 0.02,
            b=torch.randn(1, 1, 64) * 0.02,
        ),
        "classtoken:w=0.02,count=2 slice[[2,null]] gap",
    ),
    "four tokens": (
        lambda: Tokens(lambda m, x: _before(x, m.a).mean(-2), a=torch.randn(4, 64)),
        "classtoken:count=4 gap",
    ),
    "numbered positions": (lambda: Tokens(_numbered, pos=nn.Embedding(9, 64)), "posembed gap"),
    "one vector": (
        lambda: Tokens(lambda m, x: (x + m.a).mean(1), a=torch.randn(64)),
        "sum( | dense:w=0,b=1) gap",
    ),
    "frozen": (
        lambda: Tokens(lambda m, x: (x + m.a).mean(1), a=torch.randn(5, 64)).requires_grad_(False),
        "posembed:frozen gap",
    ),
    "taken away": (
        lambda: Tokens(lambda m, x: (m.a - x).mean(1), a=torch.randn(5, 64)),
        "rescale-1 posembed gap",
    ),
    "zeros": (lambda: Tokens(lambda m, x: (x + m.a).mean(1), a=torch.zeros(5, 64)), "gap"),
}


def _tokens(forward, **parameters):
    return lambda: Tokens(forward, **parameters)


ADDED = {
    "behind": (
        _tokens(
            lambda m, x: torch.cat([x, m.a.expand(len(x), -1, -1)], 1)[:, -1], a=torch.zeros(1, 64)
        ),
        "^cat: its constants stand behind a signal; put them in front",
    ),
    "no parameter": (
        _tokens(lambda m, x: _before(x, torch.zeros(1, 64)).mean(1)),
        "^cat: it puts constants beside a signal that are no parameter",
    ),
    "unlike": (
        _tokens(
            lambda m, x: _before(x, m.a, m.b).mean(1), a=torch.zeros(1, 64), b=torch.randn(1, 64)
        ),
        "^cat: its constants were drawn with different spreads",
    ),
    "beside channels": (
        _tokens(
            lambda m, x: torch.cat([m.a.expand(2, -1, -1), x], 2).mean(1)[:, :64],
            a=torch.zeros(5, 8),
        ),
        "^cat: it puts constants beside a signal, but not in front",
    ),
    "one for two positions": (
        _tokens(lambda m, x: _before(x, m.a.expand(4, -1)).mean(1), a=torch.zeros(1, 64)),
        "^cat: it puts vectors of 'a' at several positions",
    ),
    "repeated": (
        _tokens(lambda m, x: (x[:, 1:] + m.a.repeat(2, 1)).mean(1), a=torch.randn(2, 64)),
        "^add: it puts vectors of 'a' at several positions",
    ),
    "used twice": (
        _tokens(lambda m, x: (torch.relu(x + m.a) + m.a).mean(1), a=torch.randn(5, 64)),
        "^add_1 and add share their weights",
    ),
    "a layer's weights": (
        _tokens(lambda m, x: (x + m.head.weight[:5]).mean(1)),
        "^head and add share their weights",
    ),
    "sines": (
        _tokens(lambda m, x: (x + torch.sin(torch.arange(5 * 64.0)).view(5, 64)).mean(1)),
        "^add: it adds a constant .* and is no parameter .*fixed positions such as sines",
    ),
    "trained": (
        _tokens(lambda m, x: (x + m.a).mean(1), a=torch.linspace(-1, 1, 5 * 64).view(5, 64)),
        "^add: it adds a constant that is not zero to a signal, 'a', .* or were trained",
    ),
    "one number for each position": (
        _tokens(lambda m, x: (x + m.a).mean(1), a=torch.randn(5, 1)),
        "^add: add has no layer here, or not with these settings",
    ),
    "position of two axes": (
        _tokens(lambda m, x: x[:, [0, 1]].mean(1)),
        "^getitem: getitem has no layer",
    ),
}


class Encoder(nn.Module):
    """`nn.TransformerEncoder` between an embedding and a readout, drawn anew."""

    def __init__(self, first=True, anew=True, **options):
        super().__init__()
        layer = nn.TransformerEncoderLayer(64, 4, 96, batch_first=first, **options)
        self.embed, self.head, self.first = nn.Linear(CHANNELS, 64), nn.Linear(64, 8), first
        self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(64), False)
        for p in self.encoder.parameters():
            if p.dim() > 1 and anew:
                nn.init.xavier_uniform_(p)

    def forward(self, x):
        x = self.embed(x)
        if self.first:
            return self.head(self.encoder(x)[:, 0])
        return self.head(self.encoder(x.transpose(0, 1))[0])


class NonLocal(nn.Module):
    """Attention of the positions of a grid, by convolutions of single positions."""

    def __init__(self, width=64):
        super().__init__()
        self.stem = nn.Conv2d(CHANNELS, width, 1)
        self.q, self.k, self.v, self.proj = (nn.Conv2d(width, width, 1) for _ in range(4))
        self.head = nn.Linear(width, 8)

    def forward(self, x):
        x = self.stem(x)
        b, c, h, w = x.shape
        q, k, v = (f(x).view(b, c, h * w) for f in (self.q, self.k, self.v))
        weights = torch.softmax(q.transpose(1, 2) @ k / c**0.5, -1)
        return self.head((x + self.proj((v @ weights.mT).view(b, c, h, w))).mean((2, 3)))


class Back(NonLocal):
    """Attention of a grid laid in a row, and a convolution of the grid."""

    def __init__(self, width=64, swapped=False):
        super().__init__(width)
        self.conv, self.swapped = nn.Conv2d(width, width, 3, padding=1), swapped
        self.q, self.k, self.v, self.proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x):
        x = self.stem(x)
        b, c, h, w = x.shape
        y = x.flatten(2).transpose(1, 2)
        y = y + self.proj(F.scaled_dot_product_attention(self.q(y), self.k(y), self.v(y)))
        sizes = (w, h) if self.swapped else (h, w)
        x = y.transpose(1, 2).reshape(b, c, *sizes)
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))


class Heads(nn.Module):
    """`nn.MultiheadAttention` called in some way."""

    def __init__(self, call, **options):
        super().__init__()
        self.embed, self.call = nn.Linear(CHANNELS, 64), call
        self.attention = nn.MultiheadAttention(64, 4, **options)

    def forward(self, x):
        return self.call(self.attention, self.embed(x))[0].mean(1)
