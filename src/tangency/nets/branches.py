"""Branches that meet: their sum, their product, or side by side."""

# Types are checked when called, too.
# pyright: reportUnnecessaryIsInstance=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from ..errors import NetworkError
from . import meeting
from .base import Layer, number, options, shown, whole
from .operators import Operator
from .structure import Branches, Sequential

_HINT = "Branches are layers, Sequentials, or None for the identity, as in Sum(Conv(3), None)"


@dataclass(frozen=True, init=False, repr=False)
class _Meeting(Branches):
    """Any number of branches, two at least."""

    branches: tuple[Sequential, ...]

    hint: ClassVar[str] = _HINT

    def __init__(self, *branches: Layer | None) -> None:
        name = type(self).__name__
        if len(branches) < 2:
            raise NetworkError(f"{name} needs two branches or more, got {len(branches)}. {_HINT}")
        chains = []
        for branch in branches:
            if branch is not None and not isinstance(branch, Layer):
                raise NetworkError(f"{name} takes branches, got {shown(branch)}. {_HINT}")
            chains.append(Sequential() if branch is None else Sequential(branch))
        if not any(chain.layers for chain in chains):
            raise NetworkError(f"no branch of {name} has any layer; leave it out")
        object.__setattr__(self, "branches", tuple(chains))
        self.check_nesting()

    def chains(self) -> tuple[Sequential, ...]:
        return self.branches

    def rebuilt(self, chains: Sequence[Sequential]) -> Self:
        return type(self)(*chains, **self._settings())

    def _settings(self) -> dict[str, Any]:
        """The fields but for the branches, those that are not the default."""
        return {field.name: value for field, value in options(self) if field.name not in self.held}

    def on_vectors(self) -> Layer | None:
        found = [chain.on_vectors() for chain in self.branches]
        return type(self)(*found, **self._settings()) if any(found) else None

    def __repr__(self) -> str:
        shown_ = [_branch(chain) for chain in self.branches]
        named = [f"{name}={value!r}" for name, value in self._settings().items()]
        return f"{type(self).__name__}({', '.join(shown_ + named)})"


def _branch(chain: Sequential) -> str:
    """A branch as source text."""
    if not chain.layers:
        return "None"
    return repr(chain.layers[0]) if len(chain.layers) == 1 else repr(chain)


@dataclass(frozen=True, init=False, repr=False)
class Sum(_Meeting):
    """The sum of branches, which all take the same signal: Σ and Θ are the sums of theirs.

    Args:
        branches: layers or Sequentials, two or more; None is the identity.

    Covariances add because weights of one branch are independent of the others', so all branches
    but one must end in a layer with weights (pooling or rescaling may follow it). Any network
    whose paths part and meet again is written so: what comes before the parting stands once,
    before the Sum, and what two of several branches share in a Sum inside the Sum.

    >>> from tangency import Conv, ReLU, Sequential, Sum
    >>> print(Sum(Conv(1), Sequential(Conv(3), ReLU(), Conv(3)), None))
    sum(conv1 | conv3 relu conv3 | )
    """

    token: ClassVar[str] = "sum"

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        return (meeting.Sum(self.branches),)


@dataclass(frozen=True, init=False, repr=False)
class Product(_Meeting):
    """The product of branches, channel by channel: Σ = Π_i Σ_i, Θ = Σ_i Θ_i·Π_{j≠i} Σ_j.

    Args:
        branches: as in `Sum`.

    Covariances multiply because the branches are independent, so all but one must have weights of
    their own. A product of Gaussian values is not Gaussian: a layer with weights must stand
    between it and an activation. With a branch of None it is a gate on the signal itself.

    >>> from tangency import Dense, Erf, Product, Sequential
    >>> print(Product(Dense(), Sequential(Dense(bias_std=0.1), Erf())))
    prod(dense | dense:b=0.1 erf)
    """

    token: ClassVar[str] = "prod"

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        return (meeting.Product(self.branches),)


@dataclass(frozen=True, init=False, repr=False)
class Concatenate(_Meeting):
    """The channels of branches side by side, or their grids one after the other.

    Args:
        branches: as in `Sum`.
        axis: of one signal (*space, channels), inputs not counted: -1 are the channels, 0 is the
            first axis of space.
        widths: how many channels the branches have in proportion, (1, 2) for twice as many in the
            second; default: the same number. For channels only.

    Channels: Σ = Σ_i p_i Σ_i and Θ = Σ_i p_i Θ_i, p_i the part of all channels that branch i has.
    Nothing need be independent for that, but channels of different variances are no argument of an
    activation: put it at the end of each branch, which is the same network.

    Space: Σ[u,u'] is that of a branch where both positions are its own, and 0 elsewhere, because
    weights of one branch are independent of the others': all but one must end in such a layer.

    >>> from tangency import Concatenate, Conv, ReLU, Sequential
    >>> print(Concatenate(None, Sequential(Conv(3), ReLU()), widths=(2, 1)))
    cat( | conv3 relu):widths=2x1
    """

    axis: int = -1
    widths: tuple[float, ...] | None = None

    token: ClassVar[str] = "cat"

    def __init__(
        self,
        *branches: Layer | None,
        axis: int = -1,
        widths: Sequence[float] | None = None,
    ) -> None:
        object.__setattr__(self, "axis", whole(axis, "axis", -1, 2))
        object.__setattr__(self, "widths", _widths(widths, len(branches), self.axis))
        super().__init__(*branches)

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        axis = -1 if self.axis == len(space) else self.axis
        if axis >= 0:
            return (meeting.Concatenate(self.branches, axis=axis),)
        widths = self.widths or (1,) * len(self.branches)
        parts = tuple(width / sum(widths) for width in widths)
        return (meeting.Concatenate(self.branches, parts=parts),)

    def on_vectors(self) -> Layer | None:
        # In a dense network a position is no more than one of the branches.
        return super().on_vectors() if self.axis == -1 else self.branches[0].on_vectors()


def _widths(widths: Any, count: int, axis: int) -> tuple[float, ...] | None:
    if widths is None:
        return None
    if axis != -1:
        raise NetworkError(
            f"widths are numbers of channels, but axis={axis} is one of space; give one of them"
        )
    if not isinstance(widths, tuple | list) or len(widths) != count:
        raise NetworkError(
            f"widths needs one number for each of {count} branches, as in (1, 2); got "
            f"{shown(widths)}"
        )
    found = []
    for width in widths:
        value = number(width, "a relative width", positive=True)
        if hasattr(value, "detach"):
            raise NetworkError("relative widths are numbers, not tensors; write (1, 2)")
        found.append(int(value) if value.is_integer() else value)
    return tuple(found)
