"""Positions that attend to each other, and that know where they are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..errors import NetworkError
from . import meeting
from .base import Layer, choice, number, truth, whole
from .branches import Product
from .geometry import AxisMatrices, GridMatrix, zeros
from .linear import Dense
from .operators import Attend, Embed, Operator, Stack
from .signal import Signal
from .structure import Rescale, Sequential

_MECHANISMS = ("softmax", "identity", "relu", "abs")
_STDS = ("query_std", "key_std", "value_std", "out_std", "bias_std", "position_std")
_HALF = math.sqrt(0.5)

# Pairs of positions: as many as a matrix of a linear map may have numbers.
_MOST = 2**27


@dataclass(frozen=True, repr=False, kw_only=True)
class PositionalEmbedding(Layer):
    """A random vector for each position, added to the signal: Σ + w²R, Θ + w²R.

    Args:
        weight_std: standard deviation w of the vectors.
        length: R[u,u'] = exp(−‖u − u'‖²/length²), so that near positions have like vectors;
            default: independent ones, R = 1 where u = u' and 0 elsewhere.
        trainable: False freezes the vectors: Θ stays.

    It comes after a layer with weights, which has infinitely many channels. Source: Hron, Bahri,
    Sohl-Dickstein & Novak 2020, section 4.

    >>> from tangency import PositionalEmbedding
    >>> print(PositionalEmbedding(weight_std=0.5))
    posembed:w=0.5
    """

    weight_std: Any = 1.0
    length: Any = None
    trainable: bool = True

    token: ClassVar[str] = "posembed"
    hint: ClassVar[str] = (
        "Positions and channels have no number here: write PositionalEmbedding(), and "
        "PositionalEmbedding(weight_std=0.5, length=2) for what is random about it"
    )
    short: ClassVar[dict[str, str]] = {"weight_std": "w"}
    flags: ClassVar[dict[str, tuple[str, Any]]] = {"frozen": ("trainable", False)}

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "weight_std", number(self.weight_std, "weight_std", nonnegative=True)
        )
        truth(self.trainable, "trainable")
        if self.length is not None:
            length: Any = number(self.length, "length", positive=True)
            if hasattr(length, "detach"):
                raise NetworkError("length must be a number, not a tensor")
            object.__setattr__(self, "length", length)

    def check(self, signal: Signal) -> None:
        _check_grid(self, signal)

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        return (Embed(self.weight_std, _covariance(space, self.length), self.trainable),)


@dataclass(frozen=True, repr=False, kw_only=True)
class ClassToken(Layer):
    """Positions in front of all others that hold random vectors, the same for every input.

    A grid of several axes is read row by row: (h, w) becomes (count + h·w,). Σ of a token with
    itself is w² for any two inputs, and 0 with all other positions; Θ likewise. Attention then
    carries what the others hold to it, and `Slice(0)` at the end reads it.

    Args:
        weight_std: standard deviation w of the vectors.
        count: how many there are.
        trainable: False freezes the vectors: their Θ is 0.

    It comes after a layer with weights, which has infinitely many channels. Source: Dosovitskiy et
    al. 2021; the covariance of a constant Gaussian vector.

    >>> from tangency import parse
    >>> parse("conv4:stride=4,pad=valid classtoken").output_shape((8, 8, 3))
    (5,)
    """

    weight_std: Any = 1.0
    count: int = 1
    trainable: bool = True

    token: ClassVar[str] = "classtoken"
    hint: ClassVar[str] = (
        "Channels have no number here: write ClassToken(), and ClassToken(weight_std=0.02, count=2)"
    )
    short: ClassVar[dict[str, str]] = {"weight_std": "w"}
    flags: ClassVar[dict[str, tuple[str, Any]]] = {"frozen": ("trainable", False)}

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "weight_std", number(self.weight_std, "weight_std", nonnegative=True)
        )
        object.__setattr__(self, "count", whole(self.count, "count", 1))
        truth(self.trainable, "trainable")

    def check(self, signal: Signal) -> None:
        _check_grid(self, signal, self.count)

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        size = math.prod(space)
        moved = zeros(self.count + size, size)
        moved[self.count :] = np.eye(size)
        one = len(space) == 1
        behind = AxisMatrices((moved,)) if one else GridMatrix(moved, (self.count + size,))
        first = np.diag(np.r_[np.ones(self.count), np.zeros(size)])
        return Stack((behind,)), Embed(self.weight_std, first, self.trainable)


@dataclass(frozen=True, repr=False)
class SelfAttention(Layer):
    """Self-attention with infinitely many heads: at each position a weighted sum over all.

    Args:
        mechanism: what is made of the products of queries and keys: "softmax" along each row,
            "identity", "relu" or "abs" of each.
        positions: vectors of positions that queries and keys see and values do not: "sum" adds
            them to the channels, "concatenate" puts as many channels beside them; default: none,
            so that the order of the positions counts for nothing.
        linear_scaling: queries and keys have the same weights and products are divided by their
            width d. Then products converge to C = query_std·key_std·Σ_xx, each input has a matrix
            G_x = ζ(C) of its own, and Σ' = G_x Σ G_x'ᵀ. With False they have weights of their own
            and products are divided by √d: for "identity" Σ'[u,u'] = Σ[u,u']·Σ_{v,v'} Σ[v,v']²;
            the other mechanisms have no closed form there, and are refused.
        query_std, key_std, value_std, out_std: standard deviations of the four matrices of
            weights. Only query_std·key_std and value_std·out_std count.
        bias_std: of the bias of the output.
        position_std: of the vectors of positions.
        trainable: False freezes all of them.
        weights: False leaves out those of values and of the output, and with linear scaling only:
            Σ' = G_x Σ G_x'ᵀ. Each may then stand behind as a Dense() with settings of its own.

    All but the mechanism are passed by name. In the limit of linear scaling the gradients of
    queries and keys (and of the vectors of positions) vanish: Θ' = v²(G_x Θ G_x'ᵀ + 2 G_x Σ G_x'ᵀ)
    with v = value_std·out_std; with √d all four count.

    Source: Hron, Bahri, Sohl-Dickstein & Novak 2020, "Infinite attention: NNGP and NTK for deep
    attention networks".

    >>> import tangency as tg
    >>> tg.parse("conv3 res(layernorm attention:relu) gap dense").output_shape((8, 2))
    ()
    """

    mechanism: str = "softmax"
    positions: str | None = field(default=None, kw_only=True)
    linear_scaling: bool = field(default=True, kw_only=True)
    query_std: Any = field(default=1.0, kw_only=True)
    key_std: Any = field(default=1.0, kw_only=True)
    value_std: Any = field(default=1.0, kw_only=True)
    out_std: Any = field(default=1.0, kw_only=True)
    bias_std: Any = field(default=0.0, kw_only=True)
    position_std: Any = field(default=1.0, kw_only=True)
    trainable: bool = field(default=True, kw_only=True)
    weights: bool = field(default=True, kw_only=True)

    token: ClassVar[str] = "attention"
    hint: ClassVar[str] = (
        "Heads and widths are infinite here and have no number: write SelfAttention('softmax'), "
        "and SelfAttention('relu', positions='sum') with names for all other options"
    )
    short: ClassVar[dict[str, str]] = {"bias_std": "b"}
    flags: ClassVar[dict[str, tuple[str, Any]]] = {
        **{name: ("mechanism", name) for name in _MECHANISMS},
        "root": ("linear_scaling", False),
        "frozen": ("trainable", False),
        "bare": ("weights", False),
    }

    def __post_init__(self) -> None:
        choice(self.mechanism, "mechanism", _MECHANISMS)
        if self.positions is not None:
            choice(self.positions, "positions", ("sum", "concatenate"))
        truth(self.linear_scaling, "linear_scaling")
        truth(self.trainable, "trainable")
        for name in _STDS:
            object.__setattr__(self, name, number(getattr(self, name), name, nonnegative=True))
        if not self.linear_scaling and self.mechanism != "identity":
            raise NetworkError(
                f"SelfAttention({self.mechanism!r}) of products divided by the root of the width "
                "has no closed form; take mechanism='identity' with it, or linear_scaling=True"
            )
        truth(self.weights, "weights")
        if not self.weights:
            self._check_bare()

    def _check_bare(self) -> None:
        if not self.linear_scaling:
            raise NetworkError(
                "products divided by the root of the width meet random weights of values; "
                "weights=False takes linear_scaling=True"
            )
        for name in ("value_std", "out_std", "bias_std"):
            given, usual = getattr(self, name), type(self).__dataclass_fields__[name].default
            if hasattr(given, "detach") or given != usual:
                raise NetworkError(
                    f"{name} is that of weights which weights=False leaves out; give it to the "
                    "Dense(weight_std=..., bias_std=...) behind it"
                )

    def check(self, signal: Signal) -> None:
        _check_grid(self, signal)

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        seen, query, key, value, out = self._parts()
        if self.linear_scaling:
            before = Sequential(*seen).layers
            through: Any = tuple(o for layer in before for o in layer.lower(space))
            attend = Attend(self.mechanism, self.query_std, self.key_std, through)
            if not self.weights:
                return (attend,)
            return attend, *value.lower(space), *out.lower(space)
        # Heads of one channel each: q[u], times Σ_v k[v]·v[v].
        together = Sequential(Product(Sequential(*seen, key), value), _Everywhere())
        return meeting.Product((Sequential(*seen, query), together)), *out.lower(space)

    def _parts(self) -> tuple[list[Layer], Dense, Dense, Dense, Dense]:
        """What queries and keys see that values do not, and the four layers with weights."""
        seen: list[Layer] = []
        if self.positions is not None:
            positions = PositionalEmbedding(weight_std=self.position_std, trainable=self.trainable)
            seen.append(positions)
        if self.positions == "concatenate":
            # Of all channels one half are the input's, and weights have variances by their number.
            seen.append(Rescale(_HALF))
        query, key, value = (
            Dense(weight_std=each, trainable=self.trainable)
            for each in (self.query_std, self.key_std, self.value_std)
        )
        out = Dense(weight_std=self.out_std, bias_std=self.bias_std, trainable=self.trainable)
        return seen, query, key, value, out

    def on_vectors(self) -> Layer | None:
        return Sequential(*self._parts()[-2:]) if self.weights else None


@dataclass(frozen=True, repr=False)
class _Everywhere(Layer):
    """The sum over all positions, at each of them."""

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        return (Stack((AxisMatrices(tuple(np.ones((n, n)) for n in space)),)),)

    def __repr__(self) -> str:
        return "SelfAttention('identity', linear_scaling=False)"


def _check_grid(layer: Layer, signal: Signal, more: int = 0) -> None:
    """Refuses vectors, and grids whose pairs of positions, with `more` of them, are too many."""
    name = type(layer).__name__
    if not signal.space:
        raise NetworkError(
            f"{name} needs a grid of positions, got {signal.grid}; put it before the layer that "
            "makes vectors (GlobalAvgPool, Flatten)"
        )
    if (math.prod(signal.space) + more) ** 2 > _MOST:
        raise NetworkError(
            f"{name} takes all pairs of the positions of {signal.grid}, which are more than "
            f"{_MOST:,}; make patches first, as in Conv(8, stride=8)"
        )


def _covariance(space: tuple[int, ...], length: float | None) -> np.ndarray:
    """R of all pairs of positions, in row-major order."""
    size = int(np.prod(space))
    if length is None:
        return np.eye(size)
    places = np.stack(np.unravel_index(np.arange(size), space), axis=1).astype(float)
    distances = places[:, None] - places[None]
    return np.exp(-np.sum(distances**2, axis=-1) / length**2)
