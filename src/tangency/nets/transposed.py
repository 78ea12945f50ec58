"""The transposed convolution: a convolution of the grid with zeros between its positions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..errors import NetworkError
from .base import Layer, choice, per_axis, whole_or_axes
from .geometry import AxisMatrices, Box, Windows, check_span, selection
from .linear import FLAGS, SHORT, Dense, check_weights, weights_of
from .operators import Operator, Shifts, Stack, Weights
from .signal import Signal


@dataclass(frozen=True, repr=False)
class ConvTranspose(Layer):
    """A transposed convolution, with which decoders make grids finer.

    Position i of an axis of n goes to place i·stride of a finer axis, zeros between; output o is
    a convolution there, with taps t = 0..k−1 at the places o + t − before:

    | padding    | positions of the output        | before                                    |
    |------------|--------------------------------|-------------------------------------------|
    | "same"     | n·stride                       | k − 1 if stride ≥ k, else ⌈(k+stride−2)/2⌉ |
    | "valid"    | n·stride + max(k − stride, 0)  | k − 1                                     |
    | "circular" | n·stride, places wrap around   | as "same"                                 |

    which is where `jax.lax.conv_transpose` puts them. Σ̃[o,o'] is w²/|S| times the sum of Σ over
    all taps that meet a position in both, plus b²; |S| = kᵈ is the whole patch, whatever the
    stride, so that a larger one leaves smaller variances (weight_std=stride**(d/2) makes up
    for it). Likewise Θ (+ Σ̃ if trainable).

    Args:
        patch, stride: a number, or one per axis.
        padding: "same", "valid" or "circular".
        weight_std, bias_std, trainable, weight_rate, bias_rate: as in `Conv`.

    >>> from tangency import ConvTranspose, Sequential
    >>> Sequential(ConvTranspose(3, stride=2)).output_shape((5, 4, 1))
    (10, 8)
    >>> Sequential(ConvTranspose(3, stride=2, padding="valid")).output_shape((5, 4, 1))
    (11, 9)
    """

    patch: int | tuple[int, ...]
    stride: int | tuple[int, ...] = field(default=1, kw_only=True)
    padding: str = field(default="same", kw_only=True)
    weight_std: Any = field(default=1.0, kw_only=True)
    bias_std: Any = field(default=0.0, kw_only=True)
    trainable: bool = field(default=True, kw_only=True)
    weight_rate: Any = field(default=None, kw_only=True)
    bias_rate: Any = field(default=None, kw_only=True)

    token: ClassVar[str] = "convt"
    hint: ClassVar[str] = (
        "Widths are infinite here, so that there is no number of filters: the first argument is "
        "the patch, as in ConvTranspose(3, stride=2), and all others have names"
    )
    lead: ClassVar[str | None] = "patch"
    short: ClassVar[dict[str, str]] = SHORT
    flags: ClassVar[dict[str, tuple[str, Any]]] = FLAGS

    def __post_init__(self) -> None:
        object.__setattr__(self, "patch", whole_or_axes(self.patch, "patch", 1))
        object.__setattr__(self, "stride", whole_or_axes(self.stride, "stride", 1))
        padding = choice(self.padding, "padding", ("same", "valid", "circular"))
        object.__setattr__(self, "padding", padding)
        check_weights(self)

    def check(self, signal: Signal) -> None:
        if not signal.space:
            raise NetworkError(
                f"ConvTranspose needs a signal with spatial axes, but {signal.grid} reached it; "
                "use Dense() on vectors, or give images as (n, height, width, channels)"
            )

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        sizes = per_axis(self.patch, len(space), "patch")
        strides = per_axis(self.stride, len(space), "stride")
        axes = [
            _windows(n, k, s, self.padding) for n, k, s in zip(space, sizes, strides, strict=True)
        ]
        box = Box(tuple(axes))
        weights = Weights(**weights_of(self), fan=box.count)
        if space == box.space_out:
            return Shifts(box), weights
        finer = tuple(
            selection(n, [i // s if i % s == 0 and i < n * s else None for i in range(w.size_in)])
            for n, s, w in zip(space, strides, axes, strict=True)
        )
        return Stack((AxisMatrices(finer),), tuple(1 / s for s in strides)), Shifts(box), weights

    def on_vectors(self) -> Layer:
        return Dense(**weights_of(self))


def _windows(n: int, size: int, stride: int, padding: str) -> Windows:
    """Windows of the finer axis, as in the table of `ConvTranspose`.

    The axis goes on with zeros as far as there are windows: engines take no more windows than
    positions.
    """
    check_span(size, n * stride)
    before = size - 1
    if padding != "valid" and stride < size:
        before = -(-(size + stride - 2) // 2)
    places = n * stride + (max(size - stride, 0) if padding == "valid" else 0)
    return Windows(places, places, -before, 1, tuple(range(size)), padding == "circular")
