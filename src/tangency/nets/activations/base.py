"""What every activation is: a dual, a scalar function, and the facts that are asked of both."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from array_api_compat import is_torch_array

from ...checks import within_memory
from ...errors import NetworkError
from ..base import Layer, number, options, plain, truth
from ..facts import Facts
from ..operators import Operator, Pointwise
from ..signal import Signal
from ..values import elementwise

RAW = {"raw": ("normalized", False)}

# Of a frequency and of a scale: their fourth powers, and squares in float32, stay finite.
LEAST, MOST = 1e-9, 1e9


@dataclass(frozen=True, repr=False)
class ActivationLayer(Layer, Facts):
    """An activation σ, applied to every channel. Subclasses give `dual` and the scalar function.

    Everything else is a fact of the formula in `dual`, or in the scalar function, which theory and
    engines ask for (see `nets.facts`). A class states what it knows; one that does not state a
    fact, or inherits it but has a formula of its own, is treated with the most care, or refused by
    name where there is no way without the fact.
    """

    quadrature: ClassVar[bool] = False
    """The dual is computed by quadrature, at variances that are worked out once for each input."""
    kept_numbers: ClassVar[int] = 0
    """What is kept of the variances of two inputs, in numbers."""

    @property
    def kept_arrays(self) -> int:
        """Arrays of Σ's size that a backward pass needs, beside those that all activations do."""
        return 0

    def check(self, signal: Signal) -> None:
        if not signal.gaussian:
            raise NetworkError(
                f"{type(self).__name__} needs Gaussian values, which a layer with weights makes, "
                "but it does not follow one; put Conv(...) (on grids) or Dense() (on vectors) "
                "before it"
            )
        if signal.mixed:
            raise NetworkError(
                f"{type(self).__name__} cannot follow Flatten(), which joins positions of "
                "different variances; put it before Flatten(), or Dense() between the two (nor "
                "Concatenate(...), which joins such channels: put it at the end of each branch)"
            )

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        return (Pointwise(self),)

    def on_vectors(self) -> Layer:
        return self

    @property
    def homogeneous(self) -> bool:
        """σ(λu) = λσ(u) for λ > 0, so that k = √(q q')·κ(c)."""
        return False

    def dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        """(k, k̇) for the covariance `s` and the variances `q1`, `q2` (arrays that broadcast)."""
        raise NetworkError(
            f"{type(self).__name__} has no dual, by which kernels are computed: define "
            "dual(self, s, q1, q2), or use Activation(function)"
        )

    def __call__(self, u: Any) -> Any:
        """The scalar function σ, elementwise."""
        raise NetworkError(
            f"{type(self).__name__} has no scalar function, which finite networks and random "
            "features take; define __call__(self, u)"
        )

    def derivative(self, u: Any) -> Any:
        """The derivative σ', elementwise on NumPy arrays; at a kink the mean of both sides, which
        makes E[σ'(f)σ'(f')] the dual k̇ where a variance is zero."""
        raise NetworkError(
            f"{type(self).__name__} has no derivative, which random features of an NTK take; "
            "define derivative(self, u)"
        )

    def of_another_length(self) -> ActivationLayer | None:
        """Where the dual is a series: one with more terms, which shows what this one leaves out, or
        fewer where there can be no more. None where it is no series."""
        return None

    def gain(self, most: float) -> float | None:
        """By how much k magnifies a relative error of s at variances up to `most`.

        None: by as much as a step would.
        """
        return None

    def derivative_moments(self, orders: int) -> Any:
        """E[(σ⁽ʲ⁾(g))²] for j = 0..orders−1, (orders,), in closed form; None without one."""
        return None

    def second_moment_at(self, q: float) -> float:
        """E[σ(f)²] at the variance q."""
        variances = (np.asarray([q]) for _ in range(3))  # apart, as a dual may write to them
        return float(np.asarray(self.dual(*variances)[0])[0])


@dataclass(frozen=True, repr=False)
class Normalizable(ActivationLayer):
    """An activation whose dual is divided by E[σ(g)²] unless `normalized=False`."""

    normalized: bool = field(default=True, kw_only=True)

    flags: ClassVar[dict[str, tuple[str, Any]]] = RAW

    def __post_init__(self) -> None:
        truth(self.normalized, "normalized")

    def second_moment(self) -> Any:
        """E[σ(g)²] of the raw function, g standard normal: the raw dual at Σ = 1."""
        given = {field.name: value for field, value in options(self)}
        held = [value for value in given.values() if is_torch_array(value)]
        one = held[0].detach().new_ones(1) if held else np.ones(1)
        # Parameters of more digits, of which arrays of floats know nothing, become floats.
        more = {n: plain(v) for n, v in given.items() if not isinstance(v, int | float | tuple)}
        raw = self if held else replace(self, **more)
        k = raw._raw_dual(one, one + 0, one + 0)[0][0]
        return k if held else float(k)

    def _raw_dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        raise NotImplementedError

    def _raw(self, u: Any) -> Any:
        raise NotImplementedError

    def dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        k, k_dot = self._raw_dual(s, q1, q2)
        if not self.normalized:
            return k, k_dot
        moment = self.second_moment()
        return k / moment, k_dot / moment

    @within_memory()
    def __call__(self, u: Any) -> Any:
        u = elementwise(u)
        return self._raw(u) * self.second_moment() ** -0.5 if self.normalized else self._raw(u)

    @property
    def factor(self) -> Any:
        """What the raw function is multiplied by."""
        return self.second_moment() ** -0.5 if self.normalized else 1.0


def scale_of(activation: Normalizable) -> float:
    """What the raw dual is multiplied by."""
    return 1 / float(activation.second_moment()) if activation.normalized else 1.0


def factor(value: Any, name: str, most: float = MOST) -> Any:
    """A number that multiplies a function or its argument, of either sign."""
    found = number(value, name, most=most)
    if abs(plain(found)) < LEAST:
        raise NetworkError(f"{name} must be at least {LEAST:g} in size, got {plain(found):g}")
    return found


def times(number: Any, x: Any) -> Any:
    """number·x, and x itself where the number is 1: a pass over x costs as much as a product."""
    return x if isinstance(number, float) and number == 1.0 else number * x
