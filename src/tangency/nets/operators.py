"""What layers are made of: the few operators on Σ and Θ that every interpreter knows.

A layer lowers itself to operators, `layer.lower(space)`; engines, finite networks, random features
and the inductive bias read operators, and never ask for a layer's class. With x[u] the features of
one input at position u, Σ[u,u'] = ⟨x[u], x'[u']⟩ and A any linear map of the grid:

| operator  | on one input                  | Σ becomes            | Θ becomes                |
|-----------|-------------------------------|----------------------|--------------------------|
| Shifts    | x[u+v], v ∈ S, side by side   | Σ_v Σ[u+v, u'+v]     | Σ_v Θ[u+v, u'+v]         |
| Stack     | (A_v x)[u], side by side      | Σ_v A_v Σ A_vᵀ       | Σ_v A_v Θ A_vᵀ           |
| Aggregate | Aᵀx, A that of the input      | Aᵀ Σ A'              | Aᵀ Θ A'                  |
| Average   | mean_u x[u]                   | mean_{u,u'} Σ[u,u']  | mean_{u,u'} Θ[u,u']      |
| Positions | x[u]/√n, n positions together | mean_u Σ[u,u]        | mean_u Θ[u,u]            |
| Weights   | w·W x/√fan + b·g              | Σ̃ = w²Σ/fan + b²    | w²Θ/fan + Σ̃ (if trained) |
| unshared  | the same, W and g for each u  | Σ̃, 0 where u ≠ u'   | likewise                 |
| Pointwise | σ(x[u])                       | k(Σ; q, q')          | Θ·k̇(Σ; q, q')           |
| Normalize | x[u]/‖x[u]‖                   | Σ/√(q q')            | Θ/√(q q')                |
| Scale     | c·x                           | c²Σ                  | c²Θ                      |
| Drop      | x·mask/keep                   | Σ/keep on u = u', if | Θ/keep on u = u', if     |
|           |                               | x' is x itself       | x' is x itself           |
| Embed     | x[u] + w·p[u], p ~ N(0, R)    | Σ + w²R              | Θ + w²R (if trained)     |
| Attend    | Σ_v G_x[u,v] x[v],            | G_x Σ G_x'ᵀ          | G_x Θ G_x'ᵀ              |
|           | G_x = ζ(a·Σ_xx)               |                      |                          |

Where a signal parts into branches i, they meet in one of these (`meeting`):

| operator    | on one input                | Σ becomes              | Θ becomes               |
|-------------|-----------------------------|------------------------|-------------------------|
| Sum         | Σ_i x_i[u]                  | Σ_i Σ_i                | Σ_i Θ_i                 |
| Product     | Π_i x_i[u], by channels     | Π_i Σ_i                | Σ_i Θ_i·Π_{j≠i} Σ_j     |
| Concatenate | x_i[u], side by side        | Σ_i p_i Σ_i            | Σ_i p_i Θ_i             |
|             | or one grid after the other | Σ_i in blocks, else 0  | Θ_i in blocks, else 0   |

Attend is a linear map of the grid too, one that each input makes of itself: what is read of an
input alone is all of Σ_xx[u,u'] there, where Pointwise and Normalize read its diagonal.

Shifts are a stack whose maps move positions, Average and Positions stacks of one and of all
positions: they are told apart because they can be computed without any matrix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import NetworkError
from .geometry import AxisMatrices, Box, GridMatrix, Points
from .signal import Signal

if TYPE_CHECKING:
    from .activations import ActivationLayer


ADDED = {"added": True}
"""Marks fields that operators have not always had: files do not hold their defaults."""

UNSAID = {"unsaid": True}
"""Marks fields that no value of a kernel depends on but for inputs with masks."""


class Need(IntEnum):
    """How much of a covariance is needed; a larger need includes the smaller."""

    NOTHING = 0
    DIAGONAL = 1
    FULL = 2


@dataclass(frozen=True, eq=False)
class Operator:
    """One of the things that happen to Σ and Θ."""

    def after(self, signal: Signal) -> Signal:
        """What leaves the operator; raises `NetworkError` where it cannot act."""
        return signal

    def need(self, need: Need) -> Need:
        """How much of Σ must be known before, so that `need` of it is known after."""
        return need


@dataclass(frozen=True, eq=False)
class Shifts(Operator):
    """Patch extraction P: the values at u + v for all offsets v, side by side.

    ends: what there is beyond the ends of the grid, "same", "valid" or "circular"; "" if unknown.
    """

    geometry: Box | Points
    ends: str = field(default="", metadata=UNSAID)

    def after(self, signal: Signal) -> Signal:
        # Side by side are values of several variances.
        return replace(signal, space=self.geometry.space_out, gaussian=False)


@dataclass(frozen=True, eq=False)
class Stack(Operator):
    """Linear maps of the grid, their results side by side; a single one for linear pooling A.

    strides: positions before from one position after to the next, per axis, less than 1 where the
        grid becomes finer; None where they are only known from the sizes of the grids.
    width: the s of a filter exp(−|u|²/s²); None for others, whose spread tells.
    apart: each map takes channels of its own, one in len(maps) of them, and the results are added:
        of infinitely many channels, independent and of mean zero, Σ is what it is side by side.
    ends: "valid" where what positions read lies next to each other and inside the grid, "copies"
        where each reads one, wherever the grid ends; else "".
    """

    maps: tuple[AxisMatrices | GridMatrix, ...]
    strides: tuple[float, ...] | None = None
    width: float | None = None
    apart: bool = False
    ends: str = field(default="", metadata=UNSAID)

    @property
    def space_out(self) -> tuple[int, ...]:
        """The grid that the maps lead to."""
        return self.maps[0].space_out

    def after(self, signal: Signal) -> Signal:
        if any(a.space_out != self.space_out for a in self.maps):
            raise NetworkError("linear maps side by side must lead to one grid")
        gaussian = signal.gaussian and (self.apart or len(self.maps) == 1)
        return replace(signal, space=self.space_out, gaussian=gaussian)

    def need(self, need: Need) -> Need:
        selects = all(a.selects for a in self.maps)
        return need if need is Need.NOTHING or selects else Need.FULL


@dataclass(frozen=True, eq=False)
class Aggregate(Operator):
    """A linear map of the grid that comes with each input: Aᵀx, A the adjacency of a graph."""

    def need(self, need: Need) -> Need:
        return need if need is Need.NOTHING else Need.FULL


@dataclass(frozen=True, eq=False)
class Average(Operator):
    """The mean over the whole grid, a vector."""

    def after(self, signal: Signal) -> Signal:
        return replace(signal, space=())

    def need(self, need: Need) -> Need:
        return need if need is Need.NOTHING else Need.FULL


@dataclass(frozen=True, eq=False)
class Positions(Operator):
    """All positions side by side, a vector, divided by the root of their number."""

    def after(self, signal: Signal) -> Signal:
        mixed = signal.mixed or math.prod(signal.space) > 1
        return replace(signal, space=(), mixed=mixed)


@dataclass(frozen=True, eq=False)
class Weights(Operator):
    """Fresh Gaussian weights and a bias, the same at all positions or others at each.

    fan: how many stacked values share the variance of the weights.
    shared: the same at all positions; otherwise values at two positions are independent.
    weight_rate, bias_rate: learning rates of the weights and the bias themselves, by which Θ̃ is
        w²Θ/fan + weight_rate·Σ + bias_rate; None for those of the NTK parametrisation, w²/fan and
        b².
    """

    weight_std: Any = 1.0
    bias_std: Any = 0.0
    trainable: bool = True
    fan: int = 1
    shared: bool = True
    weight_rate: Any = field(default=None, metadata=ADDED)
    bias_rate: Any = field(default=None, metadata=ADDED)

    def after(self, signal: Signal) -> Signal:
        return Signal(signal.space, gaussian=True, weighted=True, centred=True, hidden=True)

    def need(self, need: Need) -> Need:
        return need if self.shared else min(need, Need.DIAGONAL)

    @property
    def plain(self) -> bool:
        """Of variance 1, trained, and without a bias."""
        one = float(self.weight_std) == 1 and self.fan == 1
        return self.trainable and self.usual and one and float(self.bias_std) == 0

    @property
    def usual(self) -> bool:
        """Learning rates are those of the NTK parametrisation."""
        return self.weight_rate is None and self.bias_rate is None

    @property
    def rates(self) -> tuple[Any, Any]:
        """The factors of Σ and of 1 that Θ̃ gains, where the weights are trained."""
        w, b = self.weight_rate, self.bias_rate
        w = self.weight_std * self.weight_std * (1.0 / self.fan) if w is None else w
        return w, self.bias_std * self.bias_std if b is None else b


@dataclass(frozen=True, eq=False)
class Pointwise(Operator):
    """An activation (the paper's M on feature maps), of which interpreters read the facts."""

    activation: ActivationLayer

    def after(self, signal: Signal) -> Signal:
        if not signal.gaussian or signal.mixed:
            raise NetworkError(
                "an activation needs Gaussian values of one variance, which a layer with weights "
                "makes, but it does not follow one; put Conv(...) (on grids) or Dense() (on "
                "vectors) before it"
            )
        return replace(signal, gaussian=False, centred=False)

    def need(self, need: Need) -> Need:
        return max(need, Need.DIAGONAL)


@dataclass(frozen=True, eq=False)
class Normalize(Operator):
    """Division by the norm of the features at each position, or by its root mean square over all.

    space: whether it is that of all positions.
    """

    space: bool = field(default=False, metadata=ADDED)

    def need(self, need: Need) -> Need:
        return max(need, Need.DIAGONAL)


@dataclass(frozen=True, eq=False)
class Scale(Operator):
    """Multiplication by a number.

    positions: it is the number of positions, which is that of each input where some are masked.
    """

    factor: Any
    positions: bool = field(default=False, metadata=UNSAID)


@dataclass(frozen=True, eq=False)
class Drop(Operator):
    """A random mask that keeps each number with probability `keep`, and divides it by that."""

    keep: float

    def after(self, signal: Signal) -> Signal:
        return replace(signal, gaussian=False)


@dataclass(frozen=True, eq=False)
class Embed(Operator):
    """A Gaussian vector of its own is added at each position, the same for all inputs.

    weight_std: standard deviation w of its channels.
    covariance: R[u,u'] of the vectors, positions in row-major order.
    """

    weight_std: Any
    covariance: np.ndarray
    trainable: bool = True

    def after(self, signal: Signal) -> Signal:
        if not signal.hidden:
            raise NetworkError(
                "vectors that are added to positions have the few channels of the inputs here, of "
                "which there is no limit; put Conv(...) or Dense() before them"
            )
        return signal


@dataclass(frozen=True, eq=False)
class Attend(Operator):
    """Sums over all positions, with weights ζ(a·Σ_xx) that each input makes of itself.

    mechanism: ζ; "softmax" along rows, or "identity", "relu", "abs" of each number.
    query_std, key_std: standard deviations of the weights of queries and keys, a their product.
    before: what queries and keys go through, and values do not.
    """

    mechanism: str
    query_std: Any = 1.0
    key_std: Any = 1.0
    before: tuple[Scale | Embed, ...] = ()

    @property
    def scale(self) -> Any:
        """The factor a; tensors may change where they are, so that it is never kept."""
        return self.query_std * self.key_std

    def after(self, signal: Signal) -> Signal:
        for operator in self.before:
            operator.after(signal)
        return signal

    def need(self, need: Need) -> Need:
        # Even if nothing is asked of pairs, each input alone must be known in full.
        return Need.FULL


def entries(space: tuple[int, ...], need: Need) -> int:
    """How many numbers hold Σ for one pair of inputs."""
    positions = math.prod(space)
    return (0, positions, positions * positions)[need]
