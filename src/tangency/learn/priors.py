"""What is known of a parameter before the data: densities of its logarithm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..checks import is_number, items, mapping, number, shown
from ..errors import InputError


class Prior:
    """The density of the logarithm of a positive number; the base of those that `tune` takes.

    That of the logarithm, as the search is in logarithms: its mode does not move when a number is
    counted in another unit. A class of one's own has the two methods below.
    """

    def log_density(self, value: float) -> float:
        """The log density of log(value) at a value > 0."""
        raise NotImplementedError

    def slope(self, value: float) -> float:
        """The derivative of `log_density` in log(value)."""
        raise NotImplementedError


@dataclass(frozen=True)
class LogNormal(Prior):
    """Within a factor of `factor` of the median with probability 0.68: log θ is normal.

    median > 0, factor > 1; a pair (median, factor) stands for it in `tune`.

    >>> prior = LogNormal(median=0.1, factor=3.0)
    >>> round(prior.log_density(0.3) - prior.log_density(0.1), 9)  # one deviation away
    -0.5
    """

    median: float
    factor: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "median", number(self.median, "LogNormal: median", above=0))
        object.__setattr__(self, "factor", number(self.factor, "LogNormal: factor", above=1))

    def log_density(self, value: float) -> float:
        width = math.log(self.factor)
        away = math.log(value / self.median) / width
        return -0.5 * away * away - math.log(width * math.sqrt(2 * math.pi))

    def slope(self, value: float) -> float:
        return -math.log(value / self.median) / math.log(self.factor) ** 2


@dataclass(frozen=True)
class Gamma(Prior):
    """A Gamma distribution of this mean: large values are unlikely, small ones are not.

    shape > 0: the deviation is mean/√shape; with 1, the exponential distribution. The density of
    the logarithm, ∝ θ^shape exp(-shape·θ/mean), is largest at the mean.

    >>> Gamma(mean=2.0).slope(2.0), Gamma(2.0, shape=3.0).slope(4.0)
    (0.0, -3.0)
    """

    mean: float
    shape: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", number(self.mean, "Gamma: mean", above=0))
        object.__setattr__(self, "shape", number(self.shape, "Gamma: shape", above=0))

    def log_density(self, value: float) -> float:
        scaled = self.shape * value / self.mean
        return self.shape * math.log(scaled) - scaled - math.lgamma(self.shape)

    def slope(self, value: float) -> float:
        return self.shape * (1.0 - value / self.mean)


PRIORS: dict[str, type[Any]] = {"LogNormal": LogNormal, "Gamma": Gamma}
"""Those that a file can name."""


def read_priors(priors: Any) -> dict[str, Prior]:
    """Priors by name; a pair (median, factor) is a log-normal one.

    Raises:
        InputError: something else.
    """
    found: dict[str, Prior] = {}
    for name, given in ({} if priors is None else mapping(priors, "priors")).items():
        if isinstance(given, Prior):
            found[name] = given
            continue
        what = f"priors[{shown(name)}]"
        try:
            pair = items(given, what)
        except InputError:
            pair = []
        if len(pair) != 2 or not all(map(is_number, pair)):
            raise InputError(
                f"{what} must be LogNormal(median, factor), Gamma(mean, shape), or two numbers, "
                f"the median and the factor; got {shown(given)}"
            )
        found[name] = LogNormal(*pair)
    return found
