"""The networks and inputs that are timed, with what they are held to.

`at_least` and `aim` are ratios of speed to neural-tangents, float32, both kernels, two cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import tangency as tg
from tangency.nets.structure import Residual, Sequential


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        net: the network that is timed, in the text form.
        shape: of one input, channels last.
        peer_net: what the peer computes, where it lacks a layer of `net`.
        size: a symmetric call on so many inputs; None: blocks of pairs of two sets.
        scaled: our inputs are divided by the root of the number of channels, as the peer does it
            itself; networks without it are homogeneous, and cost the same at any scale.
        engine: by which it is computed.
        shortest: inputs are sequences of lengths from this one to the whole shape; None: all whole.
    """

    name: str
    net: str
    shape: tuple[int, ...]
    at_least: float
    aim: float | None
    peer_net: str | None = None
    size: int | None = None
    scaled: bool = False
    engine: str = "fused"
    shortest: int | None = None

    @property
    def network(self) -> Sequential:
        return tg.parse(self.net)

    @property
    def peer_network(self) -> Sequential:
        """What both sides compute when their values are compared."""
        return tg.parse(self.peer_net or self.net)

    def ours(self, n: int, seed: int = 0) -> Any:
        """Inputs as we take them."""
        return self.given(self.inputs(n, seed), self.scaled)

    def given(self, x: np.ndarray, scaled: bool = True) -> Any:
        """These inputs as we take them; `scaled`: divided by the root of the channels."""
        x = x * np.float32(self.shape[-1] ** -0.5 if scaled else 1)
        return x if self.shortest is None else tg.Masked(x, self.mask(len(x)))

    def mask(self, n: int) -> np.ndarray:
        """Which positions lie behind the end of each of n sequences."""
        assert self.shortest is not None
        length = self.shape[0]
        ends = self.shortest + np.arange(n) * 7 % (length + 1 - self.shortest)
        return np.arange(length) >= ends[:, None]

    def inputs(self, n: int, seed: int = 0, dtype: Any = np.float32) -> np.ndarray:
        """Independent standard normal numbers, (n, *shape)."""
        rng = np.random.default_rng(seed)
        return rng.standard_normal((n, *self.shape), dtype=np.float32).astype(dtype)


def _chain(depth: int, readout: str) -> str:
    return " ".join(["conv3 relu"] * depth + [readout, "dense"])


# A U-shaped network, and what from_torch reads from a residual network of PyTorch (33 pixels, where
# its padding is that of the peer's "same").
U_SHAPED = (
    "conv3 relu:raw cat( | conv3:stride=2,w=1.4 relu:raw convt2:stride=2,pad=valid,w=2 relu:raw) "
    "conv3:w=1.4 relu:raw gap dense"
)
_BLOCK = "sum(relu:raw conv3:w=1.4 relu:raw conv3:w=1.4 | )"
_STRIDED = "sum({0} relu:raw conv3:w=1.4 | {1})"
RESIDUAL = " ".join(
    (
        *("conv3", _BLOCK, _BLOCK, "relu:raw"),
        _STRIDED.format("conv3:stride=2,pad=1,w=1.4", "conv1:stride=2,pad=valid,w=1.4"),
        *(_BLOCK, "relu:raw gap dense"),
    )
)
RESIDUAL_SAME = RESIDUAL.replace("stride=2,pad=1", "stride=2").replace(
    "stride=2,pad=valid", "stride=2"
)

# A transformer block on tokens, and sequences of several lengths.
TRANSFORMER = (
    "dense sum(layernorm attention | ) sum(layernorm dense relu:raw dense:w=1.4 | ) layernorm gap "
    "dense"
)
MASKED = "conv3 relu:raw conv3:w=1.4 relu:raw conv3:w=1.4 relu:raw gap dense"

CASES = {
    case.name: case
    for case in (
        Case("dense-5", str(tg.mlp(5)), (784,), 6, None, size=4000),
        Case("conv3-gap-32", _chain(3, "gap"), (32, 32, 3), 170, 300),
        Case("conv10-gap-32", _chain(10, "gap"), (32, 32, 3), 300, 450),
        Case("conv3-flatten-32", _chain(3, "flatten"), (32, 32, 3), 10, 20),
        Case("myrtle5-32", str(tg.myrtle(5)), (32, 32, 3), 120, 200),
        Case(
            "ckn-28",
            str(tg.ckn()),
            (28, 28, 1),
            60,
            90,
            peer_net="conv3 relu avg2 conv3 relu avg5 flatten dense",
        ),
        Case("conv3-gap-8", _chain(3, "gap"), (8, 8, 1), 100, 200),
        Case("wide-resnet-16", str(tg.wide_resnet()), (16, 16, 3), 80, 150),
        Case("unet-16", U_SHAPED, (16, 16, 3), 20, 100),
        Case("resnet-33", RESIDUAL, (33, 33, 3), 20, 100, peer_net=RESIDUAL_SAME),
        Case(
            "tanh-3",
            "dense tanh:raw dense tanh:raw dense tanh:raw dense",
            (64,),
            20,
            100,
            scaled=True,
        ),
        Case(
            "conv-tanh-8",
            "conv3 tanh:raw conv3 tanh:raw gap dense",
            (8, 8, 1),
            20,
            100,
            scaled=True,
        ),
        Case("transformer-64", TRANSFORMER, (64, 16), 20, 100, scaled=True, engine="blocked"),
        Case("masked-64", MASKED, (64, 16), 20, 100, engine="blocked", shortest=16),
    )
}


def chosen(names: str | None) -> list[Case]:
    """The cases of a comma-separated list of names, all of them by default."""
    if not names:
        return list(CASES.values())
    unknown = sorted(set(names.split(",")) - set(CASES))
    if unknown:
        raise SystemExit(f"no case {', '.join(unknown)}; there are {', '.join(CASES)}")
    return [CASES[name] for name in names.split(",")]


def as_lists(net: Sequential) -> list[Any]:
    """A network as nested lists, which the peer's interpreter reads without this package."""
    return [_as_list(layer) for layer in net.layers]


def _as_list(layer: tg.Layer) -> list[Any]:
    if isinstance(layer, Residual):
        shortcut = [] if layer.shortcut is None else as_lists(_sequence(layer.shortcut))
        return ["res", as_lists(_sequence(layer.body)), shortcut]
    if isinstance(layer, tg.Sum | tg.Concatenate):
        kind = "sum" if isinstance(layer, tg.Sum) else "cat"
        return [kind, [as_lists(branch) for branch in layer.branches]]
    if isinstance(layer, tg.Dense) and layer == tg.Dense(weight_std=layer.weight_std):
        return ["dense", layer.weight_std]
    if isinstance(layer, tg.Conv | tg.ConvTranspose):
        kind = "conv" if isinstance(layer, tg.Conv) else "convt"
        given = {"stride": layer.stride, "padding": layer.padding, "weight_std": layer.weight_std}
        if layer == type(layer)(layer.patch, **given):
            return [kind, layer.patch, layer.stride, layer.padding, layer.weight_std]
    if isinstance(layer, tg.AvgPool) and layer == tg.AvgPool(layer.size):
        return ["avg", layer.size]
    for name, plain in PLAIN.items():
        if layer == plain:
            return [name]
    raise SystemExit(f"{layer} has no counterpart in neural-tangents here; give a peer_net")


PLAIN = {
    "relu": tg.ReLU(),
    "raw relu": tg.ReLU(normalized=False),
    "raw tanh": tg.Activation("tanh", normalized=False),
    "attention": tg.SelfAttention(),
    "layernorm": tg.LayerNorm(),
    "gap": tg.GlobalAvgPool(),
    "flatten": tg.Flatten(),
}


def _sequence(layer: tg.Layer) -> Sequential:
    return layer if isinstance(layer, Sequential) else Sequential(layer)
