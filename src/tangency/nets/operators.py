"""What layers are made of: the few operators on Σ and Θ that every interpreter knows.

A layer lowers itself to operators, `layer.lower(space)`; engines, finite networks, random features
and the inductive bias read operators, and never ask for a layer's class. With x[u] the features of
one input at position u, Σ[u,u'] = ⟨x[u], x'[u']⟩ and A any linear map of the grid:

| operator  | on one input                  | Σ becomes            | Θ becomes                |
|-----------|-------------------------------|----------------------|--------------------------|
| Shifts    | x[u+v], v ∈ S, side by side   | Σ_v Σ[u+v, u'+v]     | Σ_v Θ[u+v, u'+v]         |
| Stack     | (A_v x)[u], side by side      | Σ_v A_v Σ A_vᵀ       | Σ_v A_v Θ A_vᵀ           |
| Average   | mean_u x[u]                   | mean_{u,u'} Σ[u,u']  | mean_{u,u'} Θ[u,u']      |
| Positions | x[u]/√n, n positions together | mean_u Σ[u,u]        | mean_u Θ[u,u]            |
| Weights   | w·W x/√fan + b·g              | Σ̃ = w²Σ/fan + b²    | w²Θ/fan + Σ̃ (if trained) |
| unshared  | the same, W and g for each u  | Σ̃, 0 where u ≠ u'   | likewise                 |
| Pointwise | σ(x[u])                       | k(Σ; q, q')          | Θ·k̇(Σ; q, q')           |
| Normalize | x[u]/‖x[u]‖                   | Σ/√(q q')            | Θ/√(q q')                |
| Scale     | c·x                           | c²Σ                  | c²Θ                      |
| Sum       | the sum of branches           | the sum of theirs    | the sum of theirs        |

Shifts are a stack whose maps move positions, Average and Positions stacks of one and of all
positions: they are told apart because they can be computed without any matrix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from ..errors import NetworkError
from .geometry import AxisMatrices, Box, GridMatrix, Points
from .signal import Signal

if TYPE_CHECKING:
    from .activations import ActivationLayer
    from .structure import Sequential


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
    """Patch extraction P: the values at u + v for all offsets v, side by side."""

    geometry: Box | Points

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
    """

    maps: tuple[AxisMatrices | GridMatrix, ...]
    strides: tuple[float, ...] | None = None
    width: float | None = None
    apart: bool = False

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
    """

    weight_std: Any = 1.0
    bias_std: Any = 0.0
    trainable: bool = True
    fan: int = 1
    shared: bool = True

    def after(self, signal: Signal) -> Signal:
        return Signal(signal.space, gaussian=True, weighted=True)

    def need(self, need: Need) -> Need:
        return need if self.shared else min(need, Need.DIAGONAL)

    @property
    def plain(self) -> bool:
        """Of variance 1, trained, and without a bias."""
        one = float(self.weight_std) == 1 and self.fan == 1
        return self.trainable and one and float(self.bias_std) == 0


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
        return replace(signal, gaussian=False)

    def need(self, need: Need) -> Need:
        return max(need, Need.DIAGONAL)


@dataclass(frozen=True, eq=False)
class Normalize(Operator):
    """Division by the norm of the features at each position."""

    def need(self, need: Need) -> Need:
        return max(need, Need.DIAGONAL)


@dataclass(frozen=True, eq=False)
class Scale(Operator):
    """Multiplication by a number."""

    factor: Any


@dataclass(frozen=True, eq=False)
class Sum(Operator):
    """The sum of a body and a shortcut, networks of their own; an empty one is the identity."""

    branches: tuple[Sequential, ...]

    def after(self, signal: Signal) -> Signal:
        start = replace(signal, weighted=False)
        body, shortcut = (branch.infer(start) for branch in self.branches)
        if body.space != shortcut.space:
            raise NetworkError(
                f"the body gives {body.grid} and the shortcut {shortcut.grid}; give the shortcut "
                "the same strides, for example shortcut=Conv(1, stride=2)"
            )
        if not any(branch.gaussian and branch.weighted for branch in (body, shortcut)):
            raise NetworkError(
                "neither branch of the Residual ends in a layer with weights of its own, so the "
                "branches are not independent and their covariances do not add; end one of them "
                "with Conv(...) or Dense()"
            )
        # An outer Sum may count on fresh weights only if every path through this one has them.
        weighted = signal.weighted or (body.weighted and shortcut.weighted)
        gaussian = body.gaussian and shortcut.gaussian
        return Signal(body.space, gaussian, weighted, mixed=body.mixed or shortcut.mixed)


def entries(space: tuple[int, ...], need: Need) -> int:
    """How many numbers hold Σ for one pair of inputs."""
    positions = math.prod(space)
    return (0, positions, positions * positions)[need]
