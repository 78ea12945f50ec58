"""Polynomials of a single channel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...errors import NetworkError
from ..base import fixed, shown, whole
from ..facts import Powers, Steepness
from .base import MOST, Normalizable, scale_of

_MOST_DEGREE = 30


@dataclass(frozen=True, repr=False)
class _OfPowers(Normalizable):
    """σ(u) = Σ_m c_m u^m.

    k = Σ_j A_j(q)·A_j(q')·s^j/j! with A_j(q) = E[σ⁽ʲ⁾(√q g)] = Σ_i c_{j+2i}(j+2i)!/(2^i i!)·q^i.
    Source: the derivative of order j of E[σ(f)σ(f')] in s is E[σ⁽ʲ⁾(f)σ⁽ʲ⁾(f')].
    """

    edge = math.inf
    steepness = Steepness()
    any_precision = True

    def _coefficients(self) -> tuple[float, ...]:
        raise NotImplementedError

    def means(self) -> tuple[tuple[float, ...], ...]:
        """The coefficients of q⁰, q¹, … in A_j(q), for every j."""
        c = self._coefficients()
        return tuple(
            tuple(
                c[m] * (math.factorial(m) // (2**i * math.factorial(i)))
                for i, m in enumerate(range(j, len(c), 2))
            )
            for j in range(len(c))
        )

    @property
    def powers(self) -> Powers:
        return Powers(tuple(j for j, row in enumerate(self.means()) if any(row)))

    @property
    def compiled(self) -> tuple[Any, ...]:
        """Rows of A_j/√j!, padded with zeros."""
        means, factor = self.means(), scale_of(self) ** 0.5
        rows = [
            [factor * v / math.sqrt(math.factorial(j)) for v in row] for j, row in enumerate(means)
        ]
        width = len(rows[0])
        padded = [v for row in rows for v in (*row, *[0.0] * (width - len(row)))]
        return ("series", len(rows), 1, 0, 0, width, 0, 0, *[0.0, -1.0] * 5, *padded)

    @property
    def kept_arrays(self) -> int:
        return 4 * len(self._coefficients())

    def gain(self, most: float) -> float:
        return float(max(1, len(self._coefficients()) - 1))

    def _raw_dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        k = k_dot = 0.0 * s + 0.0 * q1 + 0.0 * q2
        means = self.means()
        # By Horner's rule in s: every step has a factor 1/j! of k, and 1/(j − 1)! of k̇.
        for j in range(len(means) - 1, -1, -1):
            k = s * k / (j + 1)
            k_dot = s * k_dot / j if j else k_dot
            if any(means[j]):
                term = _at(means[j], q1) * _at(means[j], q2)
                k, k_dot = k + term, k_dot + term if j else k_dot
        return k, k_dot

    def derivative(self, u: Any) -> Any:
        c = self._coefficients()
        return self.factor * _at(tuple(m * c[m] for m in range(1, len(c))) or (0.0,), u)

    def _raw(self, u: Any) -> Any:
        return _at(self._coefficients(), u)


def _at(coefficients: tuple[float, ...], x: Any) -> Any:
    """A polynomial by Horner's rule."""
    found = 0.0 * x + coefficients[-1]
    for c in coefficients[-2::-1]:
        found = found * x + c
    return found


@dataclass(frozen=True, repr=False)
class Monomial(_OfPowers):
    """σ(u) = u^d, divided by √((2d−1)!!) if normalised; d from 0 to 30.

    k = Σ_j (d!/(2^i i!))²·(q q')^i·s^j/j!, j = d − 2i ≥ 0. Source: Isserlis' theorem.

    >>> import numpy as np
    >>> from tangency import Monomial
    >>> one = np.asarray(1.0)
    >>> float(Monomial(2, normalized=False).dual(one, one, one)[0])
    3.0
    """

    degree: int

    token: ClassVar[str] = "monomial"
    lead: ClassVar[str | None] = "degree"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "degree", whole(self.degree, "degree", 0, _MOST_DEGREE))

    def _coefficients(self) -> tuple[float, ...]:
        return (*[0.0] * self.degree, 1.0)


@dataclass(frozen=True, repr=False)
class PolynomialActivation(_OfPowers):
    """σ(u) = Σ_m c_m u^m, divided by √E[σ(g)²] if normalised.

    Args:
        coefficients: c_0, c_1, …, of which one is not zero, up to the power 30.

    k = Σ_j A_j(q)·A_j(q')·s^j/j!, A_j(q) = Σ_i c_{j+2i}(j+2i)!/(2^i i!)·q^i.
    Source: the derivative of order j of E[σ(f)σ(f')] in s is E[σ⁽ʲ⁾(f)σ⁽ʲ⁾(f')]; for the values
    of c_m in Hermite form see Daniely, Frostig & Singer 2016.

    >>> from tangency import PolynomialActivation
    >>> float(PolynomialActivation((1, 0, 2), normalized=False)(3.0))
    19.0
    """

    coefficients: tuple[float, ...]

    token: ClassVar[str] = "powers"
    lead: ClassVar[str | None] = "coefficients"

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.coefficients
        if isinstance(given, np.ndarray) and given.ndim == 1:
            given = given.tolist()
        if not isinstance(given, tuple | list) or not 1 <= len(given) <= _MOST_DEGREE + 1:
            raise NetworkError(
                "coefficients must be 1 to 31 numbers, of the powers 0, 1, … of u, as in (0, 1, "
                f"0.5); got {shown(self.coefficients)}"
            )
        found = [fixed(c, f"coefficients[{m}]", most=MOST) for m, c in enumerate(given)]
        while len(found) > 1 and found[-1] == 0:
            found.pop()
        if found == [0.0]:
            raise NetworkError("coefficients must not all be 0, which makes every output 0")
        object.__setattr__(self, "coefficients", tuple(found))

    def _coefficients(self) -> tuple[float, ...]:
        return self.coefficients
