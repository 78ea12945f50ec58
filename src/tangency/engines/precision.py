"""How much of a kernel rounding may take, and whether float32 is enough for some inputs.

Rounding changes a covariance by a few units in the last place, relative to √(q q'). Layers may
multiply that: a sine of variance q by a²q, as K = e^{−a²‖x−y‖²/2}/2 there takes a small difference
of large numbers. And the k̇ of a kink, arccos(1 − δ)/π, makes a square root of it. All this matters
for inputs that are nearly parallel, not equal: equal ones are known to be (`twins`), and others are
far from where duals are steep.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import is_torch_array

from ..checks import within_memory
from ..errors import InputError
from ..nets.activations import ActivationLayer
from ..nets.base import plain
from ..nets.facts import gain, steepness
from ..nets.geometry import AxisMatrices, GridMatrix
from ..nets.meeting import Branching, Concatenate, Product
from ..nets.operators import (
    Aggregate,
    Attend,
    Drop,
    Embed,
    Normalize,
    Pointwise,
    Scale,
    Stack,
    Weights,
)
from ..nets.parameters import numbers_only, tensors
from ..nets.plan import Plan, Step, walk
from .overflow import quiet
from .prepared import Prepared
from .twins import row_squares

LIMIT = 2e-3
"""The most that rounding may take of K(x, y), against √(K(x,x)K(y,y))."""

# Units in the last place that a covariance may be off by.
_UNITS = 4

# Numbers of inputs that are looked at together.
_NUMBERS = 2**20


@dataclass(frozen=True)
class Bounds:
    """What is known of all positions at a layer, and what rounding has grown to.

    Attributes:
        most, least: of the variances other than zero.
        high, low: the same over all layers before.
        gain: what the layers before have made of a relative error of 1 in Σ.
        slope: the most that is made of one in a k̇ that is smooth.
        kink: the largest gain in front of a kink.
        reach: by how much sums over the edges of a graph may multiply values.
    """

    most: float
    least: float
    high: float = 0.0
    low: float = math.inf
    gain: float = 1.0
    slope: float = 1.0
    kink: float = 0.0
    reach: float = 1.0


class Verdict(NamedTuple):
    """What precision a kernel takes.

    Attributes:
        double: float64 is needed for inputs that are float32.
        warning: what is lost in float64 too, if it matters.
    """

    double: bool
    warning: str | None


@within_memory()
def verdict(
    plan_: Plan, want_ntk: bool, sets: Sequence[Prepared], *, normalize: bool, alone: bool = False
) -> Verdict:
    """The precision for a kernel on some inputs of float32 or float64.

    Args:
        normalize: the kernel is divided by √(K(x,x)K(y,y)).
        alone: only K(x, x) is asked for, where rounding does not grow; the precision is that for
            all pairs, as its values are the same to the last bit.

    Raises:
        InputError: inputs whose squares are below the range of float64, and a kernel that does not
            go to zero with them.
    """
    single = "32" in str(sets[0].inputs.dtype)
    double = False
    if single:
        eps = float(np.finfo(np.float32).eps)
        found = bounds(plan_, eps, *sets)
        double = not fits(found, np.float32) or loss(found, eps, want_ntk) > LIMIT
        if not double:
            return Verdict(False, None)
    eps = float(np.finfo(np.float64).eps)
    found = bounds(plan_, eps, *sets)
    needed = normalize or any(isinstance(step.operator, Normalize) for step in walk(plan_.steps))
    if needed and found.low < np.finfo(np.float64).smallest_normal:
        raise InputError(
            "some inputs are so small that their squares are below the range of float64 (2.2e-308) "
            "and would count as zeros, though the kernel is normalized; scale the inputs up "
            "(X / np.abs(X).max())"
        )
    most = loss(found, eps, want_ntk)
    if alone or most <= LIMIT:
        return Verdict(double, None)
    return Verdict(
        double,
        "for inputs that are nearly equal or parallel, but not quite, rounding may cost up to "
        f"{min(most, 1.0):.1%} of the kernel, in float64 too: variances inside the network are as "
        f"large as {found.high:.1g}, and layers of the network multiply rounding with them; scale "
        "the inputs down, or take smaller weights",
    )


def loss(found: Bounds, eps: float, want_ntk: bool) -> float:
    """What rounding by units of `eps` may take of K(x, y), against √(K(x,x)K(y,y))."""
    eps = _UNITS * eps
    smooth = max(found.gain, found.slope if want_ntk else 0.0) * eps
    return max(smooth, math.sqrt(2 * found.kink * eps) / math.pi if want_ntk else 0.0)


def fits(found: Bounds, dtype: Any) -> bool:
    """All variances are well inside the range of a dtype."""
    info = np.finfo(dtype)
    least = float(info.smallest_normal) / float(info.eps)
    return found.high < float(info.max) / 2**7 and found.low > least


def bounds(plan_: Plan, eps: float, *sets: Prepared) -> Bounds:
    """`Bounds` at the end of a network, for some inputs and a precision."""
    if any(True for _ in tensors(plan_.net)):
        plan_ = plan_.of(numbers_only(plan_.net))
    ranges = [_range(given, plan_.input_shape[-1]) for given in sets]
    most, least = max(m for m, _ in ranges), min(n for _, n in ranges)
    reach = max(_reach(given, plan_) for given in sets)
    with quiet(), np.errstate(under="ignore"):
        return _through(plan_.steps, Bounds(most, least, reach=reach), eps)


def _reach(given: Prepared, plan_: Plan) -> float:
    """The largest sum of absolute weights of the edges that lead to one node."""
    if plan_.attached is None or not plan_.attached.nodes:
        return 1.0

    def make() -> float:
        edges = _host(given)[..., -plan_.attached.nodes :]  # pyright: ignore
        return float(np.abs(edges).sum(axis=1).max())

    return given.derive("reach", make)


def _host(given: Prepared) -> np.ndarray:
    x = given.inputs
    return x.detach().cpu().numpy() if is_torch_array(x) else x


def _range(given: Prepared, channels: int) -> tuple[float, float]:
    """The largest ‖x[u]‖² of all positions, and the smallest that is the largest of an input.

    Inputs of zeros do not count; dark places of an image say nothing of it.
    """

    def make() -> tuple[float, float]:
        x = _host(given)
        # Channels behind those are no values.
        peaks = row_squares(given) if x.ndim == 2 else _peaks(x[..., :channels])
        info = np.finfo(peaks.dtype)
        good = (peaks > info.smallest_normal) & np.isfinite(peaks)
        values = peaks[good].astype(float)
        if len(values) < len(peaks):
            values = np.concatenate([values, _anew(x[~good][..., :channels])])
        return (float(values.max()), float(values.min())) if len(values) else (0.0, math.inf)

    return given.derive("range", make)


def _peaks(x: np.ndarray) -> np.ndarray:
    """The largest ‖x[u]‖² of each input (n, *space, channels)."""
    step = max(1, _NUMBERS // math.prod(x.shape[1:]))
    parts = []
    for i in range(0, len(x), step):
        part = np.ascontiguousarray(x[i : i + step])
        flat = part.reshape(len(part), -1, x.shape[-1])
        parts.append(np.einsum("ijk,ijk->ij", flat, flat).max(axis=1))
    return np.concatenate(parts)


def _anew(x: np.ndarray) -> np.ndarray:
    """The same of inputs other than zero whose squares are beyond the range of their dtype."""
    flat = x.reshape(len(x), -1, x.shape[-1]).astype(float)
    largest = np.abs(flat).max(axis=(1, 2))
    flat, largest = flat[largest > 0], largest[largest > 0]
    with quiet(), np.errstate(under="ignore"):
        peaks = np.sum((flat / largest[:, None, None]) ** 2, axis=-1).max(axis=1, initial=0.0)
        # Squares may be too small for float64 too, but are not zero.
        return np.maximum(peaks * largest * largest, np.finfo(float).smallest_subnormal)


def _through(steps: tuple[Step, ...], b: Bounds, eps: float) -> Bounds:
    for step in steps:
        b = _step(step, b, eps)
        b = replace(b, high=max(b.high, b.most), low=min(b.low, b.least))
    return b


def _step(step: Step, b: Bounds, eps: float) -> Bounds:
    match step.operator:
        case Branching() as operator:
            return _met(operator, [_through(branch, b, eps) for branch in step.branches])
        case Drop(keep):
            return replace(b, most=b.most / keep, least=b.least / keep)
        case Weights() as weights:
            # Of a patch, all values may be as large, but only one need be other than zero.
            w, bias = plain(weights.weight_std) ** 2, plain(weights.bias_std) ** 2
            least = w * b.least / weights.fan if w else 0.0
            # Of weights and a bias of zero come zeros alone, which do not count.
            return replace(b, most=w * b.most + bias, least=least + bias if w or bias else math.inf)
        case Pointwise(activation):
            return _activation(activation, b, eps)
        case Normalize(space):
            # Over space the mean is 1, and a position may have all of it.
            positions = math.prod(step.space_in) if space else 1
            return replace(
                b, most=float(positions), least=b.least / b.most if space and b.most else 1.0
            )
        case Embed(std):
            own = plain(std) ** 2
            return replace(b, most=b.most + own, least=b.least + own)
        case Attend() as attend:
            return _attended(attend, math.prod(step.space_in), b)
        case Scale(factor):
            square = plain(factor) ** 2
            return replace(b, most=square * b.most, least=square * b.least)
        case Stack(maps):
            return replace(b, most=sum(_norm(a) ** 2 for a in maps) * b.most)
        case Aggregate():
            return replace(b, most=b.reach**2 * b.most)
    return b


def _attended(attend: Attend, positions: int, b: Bounds) -> Bounds:
    """Where weights of each input multiply it from both sides, relative errors add up."""
    most, least = b.most, b.least
    for operator in attend.before:
        if isinstance(operator, Embed):
            own = plain(operator.weight_std) ** 2
            most, least = most + own, least + own
        else:
            square = plain(operator.factor) ** 2
            most, least = square * most, square * least
    scale = plain(attend.scale)
    if attend.mechanism == "softmax":
        # Rows of weights sum to 1, and have the relative errors that logits have absolutely.
        return replace(b, gain=b.gain * (1 + 4 * scale * most))
    # By products, as powers beyond the range of floats are errors.
    largest, smallest = positions * scale * most, scale * least
    most, least = largest * largest * b.most, smallest * smallest * b.least
    return replace(b, most=most, least=least, gain=3 * b.gain)


def _met(operator: Branching, found: Sequence[Bounds]) -> Bounds:
    """Where branches meet; in a product, relative errors add up."""
    names = ("high", "gain", "slope", "kink", "reach")
    largest = {name: max(getattr(each, name) for each in found) for name in names}
    low = min(each.low for each in found)
    most, least = [each.most for each in found], [each.least for each in found]
    match operator:
        case Product():
            largest |= {name: sum(getattr(each, name) for each in found) for name in names[1:4]}
            return Bounds(math.prod(most), math.prod(least), low=low, **largest)
        case Concatenate(parts=None):
            return Bounds(max(most), min(least), low=low, **largest)
        case Concatenate(parts=parts) if parts is not None:
            most = [p * q for p, q in zip(parts, most, strict=True)]
            least = [p * q for p, q in zip(parts, least, strict=True)]
    return Bounds(sum(most), min(least), low=low, **largest)


def _norm(a: AxisMatrices | GridMatrix) -> float:
    """The largest sum of absolute entries in a row."""
    matrices = [a.matrix] if isinstance(a, GridMatrix) else a.matrices
    return math.prod(float(np.abs(matrix).sum(axis=1).max()) for matrix in matrices)


def _activation(layer: ActivationLayer, b: Bounds, eps: float) -> Bounds:
    # Polynomials need not grow with the variance, but are largest at one of its ends.
    sizes = [abs(_second_moment(layer, q)) for q in (0.0, min(b.least, b.most), b.most)]
    # Of zeros alone comes what σ(0) is, or zeros again, which do not count.
    least = min((size for size in sizes[1:] if size > 0 or b.most > 0), default=math.inf)
    after = replace(b, most=max(sizes), least=least)
    factor, steep = gain(layer, b.most), steepness(layer)
    if factor is None:
        # As steep as erf may be, which goes to a step: k → (2/π)·arcsin(c), k̇ → ∞ at c = 1.
        most = min(b.gain * math.sqrt(1 + b.most), math.sqrt(max(1.0, b.gain) / eps))
        return replace(after, gain=most, slope=max(b.slope, b.gain * (1 + b.most)))
    if steep is None or math.isinf(steep.k_dot):
        return replace(after, kink=max(b.kink, b.gain))
    return replace(after, gain=b.gain * factor, slope=max(b.slope, b.gain * factor))


def _second_moment(layer: ActivationLayer, q: float) -> float:
    """E[σ(f)²] at the variance q, roughly where there is no formula."""
    try:
        return layer.second_moment_at(q)
    except Exception:
        # One that takes arrays of another library only: as large as its argument, say.
        return max(q, 1.0)
