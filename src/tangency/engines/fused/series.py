"""Activations by quadrature as series, with tables of what each input alone brings to them.

With a_j(q) = E[σ(√q g)h_j(g)], h_j the orthonormal Hermite polynomials, k = Σ_j a_j(q)a_j(q')c^j.
A series needs of each input the numbers a_0 and b_j = a_j/√q, and of a pair only a polynomial of c:
k = a_0a_0' + s·P(c), k̇ = P(c) + c·P'(c) with P(c) = Σ_j b_j b_j' c^{j−1}. Between octaves of q,
b_j is a polynomial of √q, by interpolation at Chebyshev nodes. What a series leaves out is at most
the sum of a_j(q)² beyond its end, which is known for every q; it falls fast where σ is analytic,
and too slowly with a kink. As many terms are taken as the largest variance of a call needs; where
even the longest series is too short, the reference engine computes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...errors import NetworkError
from ...nets import facts
from ...nets.activations import ActivationLayer
from ...nets.parameters import with_activations
from ...nets.plan import Plan, activations
from ...nets.quadrature import Activation
from .activations import no_loop

DEGREES = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
"""Degrees of series. One that leaves out no power has at most 128."""

_ENDS = (8, 16, 32, 64, 128)
PROBE = 32
"""A degree that tells variances well enough to choose by, wherever a longer series serves."""

LEFT_OUT = {"float64": (2e-12, 2e-11), "float32": (2e-8, 2e-7)}
"""What a series may leave out of k and k̇, against their values at equal inputs."""

_FIRST, _LAST = -40, 8
"""Octaves of q, 2^(m−1) ≤ q < 2^m; below the first q counts as 0."""
_NODES = 16
_FINE = -3
"""From this octave on coefficients of all degrees are wanted; below, few are other than 0."""
_NOTHING, _ROUNDING = 1e-9, 1e-15
"""What counts as 0: of b_j against the largest, as its square counts; of a_j against √E[σ²]."""


class Expansion(NamedTuple):
    """The coefficients of an activation up to the largest degree, for every octave.

    Attributes:
        first: the first octave. coefficients (octaves, degrees, nodes): of a_0 and b_j, polynomials
        of √q within octaves. left (octaves, degrees, 2): what series leave out of k and k̇, for each
        of `DEGREES`. step: 1, or 2 and 3 where only odd powers, or an odd one and even powers, are.
    """

    first: int
    coefficients: np.ndarray
    left: np.ndarray
    step: int


@dataclass(frozen=True, repr=False)
class Tabulated(ActivationLayer):
    """An activation by quadrature as a series that ends at `degree`.

    octave, dtype: of the largest variance, and what accuracy is asked for: then fewer terms serve
    where correlations are small.
    """

    activation: Activation
    degree: int
    octave: int | None = None
    dtype: str = "float64"

    @property
    def compiled(self) -> tuple[Any, ...]:
        return _parameters(self)


def slow(activation: Any) -> str | None:
    """Why an activation by quadrature has no series; None where it has one."""
    if facts.pieces(activation) is None:
        return no_loop(activation)
    found = _expansion(activation)
    if found is None or degree_for(activation, 0, "float64") is None:
        return f"{activation} is computed by quadrature, as its series converges too slowly"
    return None


def degree_for(activation: Activation, octave: int, dtype: str) -> int | None:
    """The least degree for variances up to an octave; None where no series is long enough."""
    found = _expansion(activation)
    if found is None or octave - found.first >= len(found.left):
        return None
    left = found.left[max(0, octave - found.first)]
    most = 128 if found.step == 1 else DEGREES[-1]
    for degree, rest in zip(DEGREES, left, strict=True):
        if degree <= most and np.all(rest <= LEFT_OUT[dtype]):
            return degree
    return None


def left_out(activation: Activation, octave: int, degree: int) -> float:
    """What a series leaves out of k or k̇ at most, against their values at equal inputs."""
    found = _expansion(activation)
    assert found is not None, "degree_for() gave a degree"
    return float(np.max(found.left[max(0, octave - found.first), DEGREES.index(degree)]))


def with_series(plan: Plan, series: dict[Activation, Tabulated]) -> Plan:
    """The plan with series in place of the activations by quadrature."""
    if not series:
        return plan

    def change(activation: Any) -> ActivationLayer:
        found = series.get(activation)
        return activation if found is None else found

    return _plan(plan, with_activations(plan.net, change))


@lru_cache(maxsize=64)
def _plan(plan: Plan, net: Any) -> Plan:
    return plan.of(net)


def probe(plan: Plan) -> Plan:
    """The plan with series that tell variances."""
    return with_series(plan, {a: Tabulated(a, PROBE) for a in by_quadrature(plan)})


def by_quadrature(plan: Plan) -> tuple[Activation, ...]:
    """The activations of a plan that are computed by quadrature."""
    found = dict.fromkeys(a for a in activations(plan.steps) if a.quadrature)
    return tuple(found)  # type: ignore[return-value]


@lru_cache(maxsize=32)
def _expansion(activation: Activation) -> Expansion | None:
    """None for functions with a kink or a jump, or of which an octave cannot be computed."""
    x = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
    low, high = math.sqrt(0.5), 1.0
    roots = 0.5 * (high + low) + 0.5 * (high - low) * x
    projection = np.linalg.inv(np.polynomial.chebyshev.chebvander(x, _NODES - 1))
    to_powers = np.zeros((_NODES, _NODES))
    for j in range(_NODES):
        to_powers[: j + 1, j] = np.polynomial.chebyshev.cheb2poly(np.eye(_NODES)[j])[: j + 1]
    matrix = to_powers @ projection
    values, left = [], []
    for octave in range(_FIRST, _LAST + 1):
        # q has the mantissa m in [1/2, 1): √q = √m·2^{octave/2}.
        scale = 2.0 ** (octave / 2)
        try:
            found = np.stack([_coefficients(activation, scale * root, octave)[0] for root in roots])
            left.append(_coefficients(activation, scale * (1 - 1e-12), octave)[1])
        except NetworkError:
            break
        if octave == _FIRST and not _linear(found[0], left[0]):
            return None
        values.append((matrix @ found).T)
    if len(values) <= -_FIRST:
        return None
    coefficients = np.stack(values)
    return Expansion(_FIRST, coefficients, np.stack(left), _step(coefficients))


def _coefficients(
    activation: Activation, root: float, octave: int
) -> tuple[np.ndarray, np.ndarray]:
    """(a_0, b_1, b_2, …) up to the largest degree, and what series leave out, for `DEGREES`."""
    from ...nets.quadrature import hermite

    degree = DEGREES[-1] if octave >= _FINE else PROBE
    scale, reach = activation.pieces.reaching(int(np.frexp(root)[1]))
    moments, tails = np.zeros(5), np.zeros((2, len(hermite.LEVELS)))
    room = np.zeros(degree + 1)
    hermite.expand(scale.edges, scale.functions, root, reach, degree, moments, tails, room)
    rest = tails[:, np.searchsorted(hermite.LEVELS, degree)]
    squares = np.zeros((2, DEGREES[-1] + 1))
    squares[0, : degree + 1] = room**2
    squares[1, : degree + 1] = np.arange(degree + 1) * room**2 / (root * root)
    # From the end, so that small sums are known too.
    beyond = np.cumsum(squares[:, ::-1], axis=1)[:, ::-1]
    sums = [rest + (beyond[:, d + 1] if d < DEGREES[-1] else 0.0) for d in DEGREES]
    room[np.abs(room) < _ROUNDING * math.sqrt(moments[0])] = 0.0
    found = np.zeros(DEGREES[-1] + 1)
    found[: degree + 1] = room * activation.scale
    found[1:] /= root
    with np.errstate(divide="ignore", invalid="ignore"):
        return found, np.array(sums) / moments[:2]


def _linear(values: np.ndarray, left: np.ndarray) -> bool:
    """Near 0 the function is its value and its slope, as is assumed below the first octave."""
    near = np.sum(values[2:] ** 2) < 1e-9 * np.sum(values[:2] ** 2)
    return bool(left[0, 0] < 1e-9 and near)


def _step(coefficients: np.ndarray) -> int:
    size = np.max(np.abs(coefficients), axis=(0, 2))
    nothing = size <= _NOTHING * np.max(size)
    if np.all(nothing[2::2]):
        return 2
    return 3 if np.all(nothing[3::2]) else 1


@lru_cache(maxsize=64)
def _parameters(layer: Tabulated) -> tuple[Any, ...]:
    """See `expanded.series_number`."""
    found = _expansion(layer.activation)
    assert found is not None, "slow() lets no other pass"
    rows = _rows(layer.degree, found.step)
    table = found.coefficients[:, rows]
    at_zero = layer.activation.scale * layer.activation.pieces.scale(0).pieces.at_zero
    head = (len(rows), found.step, 1, at_zero, _NODES, found.first, len(table))
    return ("series", *head, *_ends(layer, found), *table.ravel().tolist())


def _rows(degree: int, step: int) -> list[int]:
    """The powers of a series."""
    some = {1: [0, *range(1, degree + 1)], 2: [0, *range(1, degree + 1, 2)]}
    return some.get(step, [0, 1, *range(2, degree + 1, 2)])


def _ends(layer: Tabulated, found: Expansion) -> list[float]:
    """How many rows serve up to which correlation: what is beyond falls like its power."""
    ends = []
    for degree in _ENDS:
        limit = -1.0
        if layer.octave is not None and degree < layer.degree:
            left = found.left[max(0, layer.octave - found.first), DEGREES.index(degree)]
            allowed = np.array(LEFT_OUT[layer.dtype]) / np.maximum(left, 1e-300)
            limit = float(min(1.0, np.min(allowed) ** (1 / degree)))
        ends += [float(len(_rows(degree, found.step))), limit]
    return ends
