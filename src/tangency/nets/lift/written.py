"""Transformer layers of PyTorch written out, as one would write them by hand."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn import functional as F

from ...errors import NetworkError

_MASKS = (
    "a mask hides positions from others, which no layer here does; leave it out (inputs of several "
    "sizes go in as tangency.Masked)"
)


def written_out(module: nn.Module, place: str = "") -> nn.Module:
    """The module with its transformer layers in the form below, their parameters the same.

    It is changed where it is.

    Raises:
        NetworkError: attention with settings that no layer here has, by its place.
    """
    for name, child in module.named_children():
        inner = f"{place}.{name}" if place else name
        setattr(module, name, written_out(child, inner))
    if type(module) is nn.MultiheadAttention:
        return _Heads(module, place)
    if type(module) is nn.TransformerEncoderLayer:
        return _EncoderLayer(module)
    if type(module) is nn.TransformerEncoder:
        return _Encoder(module)
    return module


def _linear(weight: nn.Parameter, bias: nn.Parameter | None) -> nn.Linear:
    """A Linear of these parameters."""
    found = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    found.weight = weight
    found.register_parameter("bias", bias)
    return found


class _Heads(nn.Module):
    """`nn.MultiheadAttention`, of one signal to itself."""

    def __init__(self, module: nn.MultiheadAttention, place: str) -> None:
        super().__init__()
        self.place = place or "MultiheadAttention"
        self.heads, self.batch_first = module.num_heads, module.batch_first
        weight: Any = module.in_proj_weight
        if weight is None or module.bias_k is not None or module.add_zero_attn:
            raise NetworkError(
                f"{self.place}: keys and values of other sizes, or with constants beside them, "
                "have no layer here; use kdim=None, vdim=None, add_bias_kv=False, "
                "add_zero_attn=False"
            )
        bias: Any = module.in_proj_bias
        self.in_proj = _linear(weight, bias)
        out: Any = module.out_proj
        self.out_proj = _linear(out.weight, out.bias)

    def forward(
        self,
        query: Any,
        key: Any = None,
        value: Any = None,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Any, None]:
        if key_padding_mask is not None or attn_mask is not None or is_causal:
            raise NetworkError(f"{self.place}: {_MASKS}")
        if key is not query or value is not query:
            raise NetworkError(
                f"{self.place}: its queries come from another signal than its keys or values, "
                "which no layer here does; pass one tensor as query, key and value"
            )
        x = query if self.batch_first else query.transpose(0, 1)
        n, length, width = x.shape
        parts = self.in_proj(x).chunk(3, -1)
        q, k, v = (part.view(n, length, self.heads, -1).transpose(1, 2) for part in parts)
        x = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, length, width)
        x = self.out_proj(x)
        return x if self.batch_first else x.transpose(0, 1), None


class _EncoderLayer(nn.Module):
    """`nn.TransformerEncoderLayer` in evaluation mode."""

    def __init__(self, module: nn.TransformerEncoderLayer) -> None:
        super().__init__()
        self.self_attn, self.norm_first = module.self_attn, module.norm_first
        self.linear1, self.linear2 = module.linear1, module.linear2
        self.norm1, self.norm2 = module.norm1, module.norm2
        self.activation = module.activation

    def forward(
        self,
        src: Any,
        src_mask: Any = None,
        src_key_padding_mask: Any = None,
        is_causal: bool = False,
    ) -> Any:
        masks = {"attn_mask": src_mask, "key_padding_mask": src_key_padding_mask}
        if self.norm_first:
            src = src + self._attended(self.norm1(src), **masks, is_causal=is_causal)
            return src + self._fed(self.norm2(src))
        src = self.norm1(src + self._attended(src, **masks, is_causal=is_causal))
        return self.norm2(src + self._fed(src))

    def _attended(self, x: Any, **masks: Any) -> Any:
        return self.self_attn(x, x, x, **masks)[0]

    def _fed(self, x: Any) -> Any:
        return self.linear2(self.activation(self.linear1(x)))


class _Encoder(nn.Module):
    """`nn.TransformerEncoder`."""

    def __init__(self, module: nn.TransformerEncoder) -> None:
        super().__init__()
        self.layers, self.norm = module.layers, module.norm

    def forward(
        self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: Any = None
    ) -> Any:
        for layer in self.layers:
            src = layer(src, src_mask=mask, src_key_padding_mask=src_key_padding_mask,
                        is_causal=bool(is_causal))  # fmt: skip
        return src if self.norm is None else self.norm(src)
