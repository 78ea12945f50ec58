"""Layers with weights: Dense, and on grids Conv and ConvLocal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..errors import NetworkError
from .base import Layer, choice, number, per_axis, shown, truth, whole, whole_or_axes
from .geometry import Box, Points, points, windows
from .operators import Operator, Shifts, Weights
from .signal import Signal
from .values import ends, sizes_at_ends

SHORT = {"weight_std": "w", "bias_std": "b", "padding": "pad"}
FLAGS = {"frozen": ("trainable", False)}
RATES = ("weight_rate", "bias_rate")


@dataclass(frozen=True, repr=False, kw_only=True)
class Dense(Layer):
    """A fully connected layer: Σ̃ = w²·Σ + b², Θ̃ = w²·Θ + Σ̃ (without Σ̃ if frozen).

    On a grid it acts on the channels at each position, with the same weights everywhere, as
    `Conv(1)` does; put `Flatten` before it to connect all positions. Widths
    are infinite, so there is no number of units; all arguments are passed by name.

    Args:
        weight_std: standard deviation w of the weights (before the 1/√width of the
            parametrisation); a number or a 0-d tensor.
        bias_std: standard deviation b of the bias.
        trainable: False freezes the layer at its initial value.
        weight_rate, bias_rate: learning rates of the weights and of the bias themselves, the first
            times the number of channels that enter: Θ̃ = w²·Θ + weight_rate·Σ + bias_rate. Default:
            those of the NTK parametrisation, w² and b². See `standard`.

    Source: Jacot, Gabriel & Hongler 2018; Bietti & Mairal 2019, section 2.

    >>> from tangency import Dense
    >>> Dense(bias_std=0.1)
    Dense(bias_std=0.1)
    """

    weight_std: Any = 1.0
    bias_std: Any = 0.0
    trainable: bool = True
    weight_rate: Any = None
    bias_rate: Any = None

    token: ClassVar[str] = "dense"
    hint: ClassVar[str] = (
        "Widths are infinite here and no layer has one: write Dense(), and "
        "Dense(weight_std=1.5, bias_std=0.1) for standard deviations; tangency.finite.build(net, "
        "width, ...) makes a network of finite width"
    )
    short: ClassVar[dict[str, str]] = SHORT
    flags: ClassVar[dict[str, tuple[str, Any]]] = FLAGS

    def __post_init__(self) -> None:
        check_weights(self)

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        return (Weights(**weights_of(self)),)

    def on_vectors(self) -> Layer:
        return self


@dataclass(frozen=True, repr=False)
class Conv(Layer):
    """A convolution: Σ̃[u,u'] = w²·mean_{v∈S} Σ[u+v, u'+v] + b², likewise Θ (+ Σ̃ if trainable).

    Args:
        patch: the patch S: its size along every axis, a tuple of sizes (one per axis), or a list
            of offsets, each a tuple with one number per axis.
        stride, dilation: a number, or one per axis. An explicit list of offsets takes no dilation.
        padding: "same" (zeros outside, ceil(n/stride) windows), "valid", "circular", or how many
            zeros there are at either end, as in PyTorch: a number, one per axis, or a pair
            (before, after) per axis.
        weight_std, bias_std, trainable, weight_rate, bias_rate: as in `Dense`; the rate of the
            weights applies to Σ_{v∈S}, and is w²/|S| in the NTK parametrisation.

    All but the patch are passed by name: the first argument of a convolution elsewhere is a number
    of channels, which is infinite here.

    Patches are averaged (|S|^{-1/2} in patch extraction, the operator P).

    Source: Bietti & Mairal 2019, section 2.2.

    >>> from tangency import Conv
    >>> Conv((3, 5), stride=2).geometry((8, 8)).space_out
    (4, 4)
    >>> Conv([(0, 0), (0, 1), (1, 0)]).geometry((8, 8)).count
    3
    """

    patch: int | tuple[int, ...] | tuple[tuple[int, ...], ...]
    stride: int | tuple[int, ...] = field(default=1, kw_only=True)
    padding: str | int | tuple[Any, ...] = field(default="same", kw_only=True)
    dilation: int | tuple[int, ...] = field(default=1, kw_only=True)
    weight_std: Any = field(default=1.0, kw_only=True)
    bias_std: Any = field(default=0.0, kw_only=True)
    trainable: bool = field(default=True, kw_only=True)
    weight_rate: Any = field(default=None, kw_only=True)
    bias_rate: Any = field(default=None, kw_only=True)

    token: ClassVar[str] = "conv"
    hint: ClassVar[str] = (
        "Widths are infinite here, so that there is no number of filters: the first argument is "
        "the patch, as in Conv(3) or Conv((3, 5), stride=2), and all others have names"
    )
    lead: ClassVar[str | None] = "patch"
    short: ClassVar[dict[str, str]] = SHORT
    flags: ClassVar[dict[str, tuple[str, Any]]] = FLAGS
    shared: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "patch", _patch(self.patch))
        object.__setattr__(self, "stride", whole_or_axes(self.stride, "stride", 1))
        object.__setattr__(self, "dilation", whole_or_axes(self.dilation, "dilation", 1))
        object.__setattr__(self, "padding", _padding(self.padding))
        if self.offsets is not None and not isinstance(self.padding, str):
            raise NetworkError(
                "a list of offsets takes padding 'same', 'valid' or 'circular', not numbers of "
                f"zeros; got padding={self.padding!r}"
            )
        if self.offsets is not None and self.dilation != 1:
            raise NetworkError(
                "a list of offsets takes no dilation: multiply the offsets themselves "
                f"(got dilation={self.dilation!r})"
            )
        check_weights(self)

    @property
    def offsets(self) -> tuple[tuple[int, ...], ...] | None:
        """The explicit offsets, or None where the patch is given by its size."""
        if isinstance(self.patch, tuple) and isinstance(self.patch[0], tuple):
            return self.patch  # type: ignore[return-value]
        return None

    def geometry(self, space: tuple[int, ...]) -> Box | Points:
        """Where the patches fall on a grid of shape `space`.

        Raises:
            NetworkError: sizes and grid disagree in dimension, or a valid patch does not fit.
        """
        dims = len(space)
        strides = per_axis(self.stride, dims, "stride")
        if self.offsets is not None:
            if len(self.offsets[0]) != dims:
                raise NetworkError(
                    f"the offsets have {len(self.offsets[0])} numbers each, but the signal has "
                    f"{dims} spatial axes; give one number per axis"
                )
            return points(space, self.offsets, strides, str(self.padding))
        sizes = per_axis(self.patch, dims, "patch")  # type: ignore[arg-type]
        dilations = per_axis(self.dilation, dims, "dilation")
        paddings: Any = (self.padding,) * dims
        if not isinstance(self.padding, str):
            paddings = map(ends, per_axis(self.padding, dims, "padding"))
        return Box(tuple(map(windows, space, sizes, strides, dilations, paddings)))

    def check(self, signal: Signal) -> None:
        if not signal.space:
            raise NetworkError(
                f"{type(self).__name__} needs a signal with spatial axes, but {signal.grid} "
                "reached it; use Dense() on vectors, or give images as (n, height, width, channels)"
            )

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        patches = self.geometry(space)
        weights = Weights(**weights_of(self), fan=patches.count, shared=self.shared)
        return (Shifts(patches, self._ends(patches)), weights)

    def _ends(self, patches: Box | Points) -> str:
        """What there is beyond the ends of the grid, in a word (see `Shifts`)."""
        if isinstance(self.padding, str):
            return self.padding
        kept = all(w.stride == 1 and w.size_out == w.size_in for w in patches.axes)
        return "same" if kept else ""

    def on_vectors(self) -> Layer:
        return Dense(**weights_of(self))


@dataclass(frozen=True, repr=False)
class ConvLocal(Conv):
    """A locally connected layer: the patches of a convolution, weights of their own at each u.

    Values at two positions are independent: Σ̃[u,u] = w²·mean_{v∈S} Σ[u+v, u+v] + b², and Σ̃[u,u']
    is 0 for u ≠ u'; likewise Θ (+ Σ̃ if trainable), biases included. In front of `Flatten` alone
    that makes no difference to `Conv`; pooling sees it.

    Args:
        patch, stride, padding, dilation, weight_std, bias_std, trainable, weight_rate, bias_rate:
            as in `Conv`.

    Source: Novak et al. 2019, on networks with and without weight sharing.

    >>> from tangency import ConvLocal
    >>> print(ConvLocal(3, padding="valid"))
    local3:pad=valid
    """

    token: ClassVar[str] = "local"
    hint: ClassVar[str] = (
        "Widths are infinite here, so that there is no number of filters: the first argument is "
        "the patch, as in ConvLocal(3) or ConvLocal((3, 5), stride=2), and all others have names"
    )
    shared: ClassVar[bool] = False


def _padding(padding: Any) -> Any:
    """Padding in its normal form."""
    if isinstance(padding, str):
        return choice(padding, "padding", ("same", "valid", "circular"))
    found = sizes_at_ends(padding, "padding")
    each = found if isinstance(found, tuple) else (found,)
    return found if any(map(any, map(ends, each))) else "valid"


def check_weights(layer: Any) -> None:
    for name in ("weight_std", "bias_std"):
        object.__setattr__(layer, name, number(getattr(layer, name), name, nonnegative=True))
    truth(layer.trainable, "trainable")
    for name in RATES:
        rate = getattr(layer, name)
        if rate is None:
            continue
        if not layer.trainable:
            raise NetworkError(f"a frozen layer does not learn: give trainable=False or {name}")
        object.__setattr__(layer, name, number(rate, name, nonnegative=True))


def weights_of(layer: Any) -> dict[str, Any]:
    """The fields of a layer that are those of its weights."""
    return {name: getattr(layer, name) for name in ("weight_std", "bias_std", "trainable", *RATES)}


def _patch(patch: Any) -> int | tuple[int, ...] | tuple[tuple[int, ...], ...]:
    """A patch in its normal form: sizes, or a sorted tuple of distinct offsets."""
    if not isinstance(patch, Sequence) or isinstance(patch, str | memoryview):
        return whole(patch, "patch", 1)
    if len(patch) == 0:
        raise NetworkError("patch has no offsets; give at least one")
    if not any(isinstance(offset, Sequence) for offset in patch):
        return whole_or_axes(tuple(patch), "patch", 1)
    if not all(isinstance(o, Sequence) and not isinstance(o, str) for o in patch):
        raise NetworkError(
            f"patch mixes numbers and offsets: {shown(patch)}; give one or the other"
        )
    offsets = [tuple(whole(n, "patch offset") for n in offset) for offset in patch]
    if len({len(o) for o in offsets}) != 1 or not 1 <= len(offsets[0]) <= 3:
        raise NetworkError(
            f"every offset of a patch needs the same 1 to 3 numbers, one per axis; got "
            f"{shown(patch)}"
        )
    if len(set(offsets)) != len(offsets):
        raise NetworkError(f"patch names an offset twice: {shown(patch)}")
    return tuple(sorted(offsets))
