"""The standard deviations that the weights of a module were drawn with, in the limit of width.

PyTorch draws weights of variance v, and a layer adds up `fan` of them: w² = v·fan. v is read from
the weights themselves, and taken as that of the scheme by which it can be explained; a layer that
no scheme explains must be told.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from ...errors import NetworkError

# Sampling errors of the variance within which a scheme explains the weights.
_ERRORS = 4.0
# The same where numbers are asked that nobody would draw otherwise: once in a billion layers.
_SURE = 6.0
# Of kurtosis: between that of uniform numbers, 1.8, and that of normal ones, 3.
_BETWEEN = 2.4
# Within which numbers look drawn, of kurtosis; and the usual spreads of learnt positions.
_FLAT, _PEAKED, _USUAL = 1.4, 4.5, (0.02, 0.01, 1.0)
# The largest of N uniform numbers is nearer to the bound than so many parts in N.
_PARTS = 8.0
# Variances that differ by less are not worth a question.
_ALIKE = 1.05


class Fans(NamedTuple):
    """How many numbers enter and leave one weight, patches included."""

    into: int
    out: int

    @classmethod
    def of(cls, weight: torch.Tensor) -> Fans:
        """As PyTorch's initialisations count them."""
        size = weight[0, 0].numel()
        return cls(weight.shape[1] * size, weight.shape[0] * size)


def _schemes(fans: Fans) -> dict[str, float]:
    """Variances of the usual initialisations, the most usual first."""
    into, out = fans
    return {
        "PyTorch's default": 1 / (3 * into),
        "Kaiming, relu": 2 / into,
        "Kaiming, relu, fan_out": 2 / out,
        "LeCun": 1 / into,
        "Kaiming, linear, fan_out": 1 / out,
        "Kaiming, tanh": 25 / (9 * into),
        "Xavier": 2 / (into + out),
        "Xavier, relu": 4 / (into + out),
        "Xavier, tanh": 50 / (9 * (into + out)),
        "0.02": 0.02**2,
        "0.01": 0.01**2,
    }


def near(weight: torch.Tensor) -> dict[str, float]:
    """The variances of the schemes that explain some weights.

    Uniform numbers are told by their largest, which is close to the bound; normal ones by their
    mean square, with its sampling error.
    """
    values = weight.detach().double().flatten()
    square, count = float(values.square().mean()), len(values)
    kurtosis = float(values.pow(4).mean()) / square**2 if square else 3.0
    if not _centred(values) or kurtosis > max(_PEAKED, 3 + _SURE * math.sqrt(24 / count)):
        return {}  # all of one sign, or mostly zeros, as in identities
    schemes = _schemes(Fans.of(weight))
    if kurtosis < _BETWEEN:
        largest = float(values.abs().max())
        ends = {name: largest / math.sqrt(3 * v) for name, v in schemes.items()}
        low = 1 - _PARTS / count
        return {name: schemes[name] for name, end in ends.items() if low <= end <= 1 + 1e-6}
    error = _ERRORS * math.sqrt((kurtosis - 1) / count)
    return {name: v for name, v in schemes.items() if abs(square / v - 1) <= error}


def variance(
    weight: torch.Tensor,
    place: str,
    explained: dict[str, float],
    alike: Sequence[dict[str, float]],
) -> float:
    """The variance of the scheme that explains these weights.

    explained: what is `near` them. alike: what is near the weights of all layers of the kind; where
    several schemes explain those of one, the one is taken that explains most of the others.

    Raises:
        NetworkError: none does, or two that differ, by the name of the place.
    """
    found = float(weight.detach().double().square().mean())
    if found == 0:
        return 0.0
    votes = Counter(name for other in alike for name in other)
    most = max((votes[name] for name in explained), default=0)
    best = {name: v for name, v in explained.items() if votes[name] == most}
    if best and max(best.values()) <= _ALIKE * min(best.values()):
        return next(iter(best.values()))  # the most usual
    told_by = f"spreads={{{place!r}: (weight_std, bias_std)}}, in units of 1/√fan"
    fan = Fans.of(weight).into
    if best:
        which = " and ".join(f"{name} ({math.sqrt(v):.3g})" for name, v in best.items())
        raise NetworkError(
            f"{place}: its {weight.numel()} weights are too few to tell {which} apart; say which "
            f"by {told_by}: weight_std=√(variance·{fan})"
        )
    raise NetworkError(
        f"{place}: its weights, of standard deviation {math.sqrt(found):.3g} and fan {fan}, come "
        "from none of the usual initialisations (Kaiming, Xavier, LeCun), or were trained; kernels "
        f"are those of a network at initialisation. Say it by {told_by}: that would be "
        f"weight_std={math.sqrt(found * fan):.3g}"
    )


def bias_variance(bias: torch.Tensor | None, fans: Fans, place: str) -> float:
    """0 where there is none, or it starts there; else the mean square, or PyTorch's default.

    Raises:
        NetworkError: numbers that were not drawn around zero, by the name of the place.
    """
    if bias is None or not bool(bias.any()):
        return 0.0
    values = bias.detach().double()
    if not _centred(values) or (len(values) > 1 and bool((values == values[0]).all())):
        raise NetworkError(
            f"{place}: its biases, of mean {float(values.mean()):.3g}, were not drawn around zero; "
            "a constant that all units share is not a random bias, which kernels here assume. "
            f"Let them start at zero, or say what stands for them: spreads={{{place!r}: "
            "(weight_std, bias_std)}, in units of 1/√fan"
        )
    found, usual = float(values.square().mean()), 1 / (3 * fans.into)
    bound = math.sqrt(3 * usual)
    inside = bool((values.abs() <= bound).all())
    if inside and abs(found / usual - 1) <= _ERRORS * math.sqrt(0.8 / len(values)):
        return usual
    return found


def _centred(values: torch.Tensor) -> bool:
    """Whether the mean of some numbers is zero, as far as so many can tell."""
    square = float(values.square().mean())
    return abs(float(values.mean())) <= _SURE * math.sqrt(square / values.numel())


def vector_std(parameter: torch.Tensor, place: str) -> float:
    """The standard deviation of vectors that are added to a signal, or stand beside it.

    Raises:
        NetworkError: numbers that were not drawn around zero, each like the others.
    """
    values = parameter.detach().double().reshape(-1, parameter.shape[-1])
    square, count = float(values.square().mean()), values.numel()
    if square == 0:
        return 0.0
    kurtosis = float(values.pow(4).mean()) / square**2
    rows = values.square().mean(1) / square
    spread = _ERRORS * math.sqrt(2 / values.shape[1]) * math.sqrt(1 + math.log(len(rows)))
    # Vectors of near positions grow alike in training.
    near = float((values[1:] * values[:-1]).mean()) / square if len(values) > 1 else 0.0
    alike = abs(near) > _ERRORS / math.sqrt(count - values.shape[1]) if len(values) > 1 else False
    uneven = not _FLAT < kurtosis < _PEAKED or float((rows - 1).abs().max()) > spread
    if not _centred(values) or uneven or alike:
        raise NetworkError(
            f"it adds a constant that is not zero to a signal, {place!r}, whose numbers do not "
            "look drawn around zero with one spread, or were trained; kernels are those of a "
            "network at initialisation. Draw them (nn.init.normal_), or say "
            f"spreads={{{place!r}: (std, 0.0)}}"
        )
    usual = [std for std in _USUAL if abs(square / std**2 - 1) <= _ERRORS * math.sqrt(2 / count)]
    return usual[0] if usual else math.sqrt(square)


def told(spreads: dict[str, Any], place: str) -> tuple[float, float] | None:
    """The standard deviations that the user gives for a layer, (w, b)."""
    given = spreads.get(place)
    if given is None:
        return None
    try:
        weight, bias = map(float, given)
        if min(weight, bias) < 0:
            raise ValueError
    except (TypeError, ValueError):
        raise NetworkError(
            f"spreads[{place!r}] must be two numbers (weight_std, bias_std) of at least 0, got "
            f"{given!r}"
        ) from None
    return weight, bias
