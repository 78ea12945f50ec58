"""`Activation`: a layer with any function σ."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from array_api_compat import array_namespace, device, is_numpy_array, is_torch_array

from ... import checks
from ...errors import NetworkError
from .. import facts
from ..activations import ActivationLayer
from ..base import truth
from ..facts import Powers, Steepness
from ..teach import closed_form
from ..values import elementwise, number, own, plain, shown
from .functions import FUNCTIONS, SERIES, sample
from .series import HermiteSeries

if TYPE_CHECKING:
    from .family import Family

# The modules with compiled loops are loaded on first use: Numba would double the time of
# `import tangency`.

# Degrees of series in more than float64, and what they may leave out.
_DEGREES = (64, 128, 256, 512, 1024)
_LEFT_OUT = (1e-15, 1e-13)


@dataclass(frozen=True, repr=False)
class Activation(ActivationLayer):
    """Any activation σ, by quadrature of E[σ(f)σ(f')] and E[σ'(f)σ'(f')].

    The function is cut into pieces on which it is a polynomial to rounding; kinks and jumps are
    found by bisection and lie between pieces. A pair of Gaussians then is a Hermite series where
    that converges (see `HermiteSeries`), and else an integral over the plane in polar coordinates,
    whose radial part is interpolated from a table. Against 30-digit values, at variances from
    10⁻⁶ to 10⁶ and all correlations, the error is below 10⁻⁸ of √(k(x,x)k(x',x')) for smooth
    functions and 10⁻⁶ with kinks or jumps; `explain(net, X)` measures it at the data's own
    variances. Where a function jumps k̇ has its δ-functions in closed form, and is infinite at
    correlation 1: such a network has a last-layer kernel, but no finite NTK on its diagonal.
    Results and gradients (once, not twice) are computed in float64 on the CPU.

    Args:
        function: a name (tanh, sigmoid, softplus, silu, elu, gaussian) or a callable that works
            elementwise on NumPy arrays or PyTorch tensors.
        normalized: divide by √E[σ(g)²].

    Raises:
        NetworkError: an unknown name. When computing: a function that fails, is not finite, grows
            too fast, or needs too many pieces within reach of the variances.

    >>> import numpy as np
    >>> from tangency import Activation
    >>> one = np.asarray(1.0)
    >>> k, k_dot = Activation("tanh").dual(0.5 * one, one, 100 * one)
    >>> round(float(k), 9), round(float(k_dot), 9)
    (0.061049812, 0.122160276)
    """

    function: str | Callable[[Any], Any]
    normalized: bool = field(default=True, kw_only=True)

    token: ClassVar[str] = "activation"
    lead: ClassVar[str | None] = None
    flags: ClassVar[dict[str, tuple[str, Any]]] = {"raw": ("normalized", False)}
    quadrature: ClassVar[bool] = True
    # For steep functions it works in parts.
    kept_numbers: ClassVar[int] = 400
    # Whatever a quadrature stands for may be as steep as a step.
    steepness = Steepness(math.inf, math.inf)

    def __post_init__(self) -> None:
        if isinstance(self.function, str):
            if self.function not in FUNCTIONS:
                raise NetworkError(
                    f"no function is called {shown(self.function)}"
                    f"{closed_form(self.function)}; known: {', '.join(FUNCTIONS)}; "
                    "any other can be passed as a callable"
                )
        elif not callable(self.function):
            raise NetworkError(f"function must be a name or a callable, got {shown(self.function)}")
        truth(self.normalized, "normalized")

    @property
    def edge(self) -> float | None:
        smooth = isinstance(self.function, str) and self.function in SERIES
        return facts.SMOOTH if smooth else None

    @property
    def powers(self) -> Powers | None:
        return SERIES.get(self.function, facts.ANY) if isinstance(self.function, str) else None

    @property
    def pieces(self) -> Family:
        return _family(self.function, self.name)

    def second_moment_at(self, q: float) -> float:
        """E[σ(f)²] at the variance q, roughly: by a rule of few nodes."""
        nodes, weights = _rule()
        return float(weights @ np.asarray(self(q**0.5 * nodes), dtype=float) ** 2)

    @property
    def name(self) -> str:
        """The function's name."""
        if isinstance(self.function, str):
            return self.function
        return getattr(self.function, "__name__", type(self.function).__name__)

    @checks.within_memory()
    def __call__(self, u: Any) -> Any:
        name = f"the activation {shown(self.name)}"
        function = _callable(self.function)
        found = checks.called(function, name, own(elementwise(u)), error=NetworkError)
        if isinstance(found, type) or not (hasattr(found, "shape") or checks.is_number(found)):
            raise NetworkError(f"{name} must give numbers, got {shown(found)}")
        return self.scale * found

    @property
    def scale(self) -> float:
        """1/√E[σ(g)²], or 1 if not normalised."""
        return _normalizer(self.function, self.name) if self.normalized else 1.0

    def dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        from .gradient import differentiable_dual
        from .moments import duals

        square = self.scale**2
        family = self.pieces
        if is_torch_array(s):
            k, k_dot = differentiable_dual(family, s, q1, q2)
        elif is_numpy_array(s) or isinstance(s, np.generic):
            eps = float(np.finfo(np.dtype(s.dtype).type).eps)
            x, y, z = (np.asarray(a, dtype=np.float64) for a in (s, q1, q2))
            exact = duals(family, x, y, z, eps)
            k, k_dot = exact[0].astype(s.dtype), exact[1].astype(s.dtype)
        else:
            return self._in_other_arithmetic(family, s, q1, q2)
        return square * k, square * k_dot

    def _in_other_arithmetic(self, family: Family, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        """With more digits, where a series reaches that far; else in float64."""
        variances = np.concatenate([np.ravel(np.asarray(q, dtype=np.float64)) for q in (q1, q2)])
        series = self.complete_series(float(np.max(variances, initial=0.0)))
        if series is not None:
            return series.dual(s, q1, q2)
        k, k_dot = self.dual(*(np.asarray(a, dtype=np.float64) for a in (s, q1, q2)))
        xp = array_namespace(s)
        return tuple(xp.asarray(a, dtype=s.dtype, device=device(s)) for a in (k, k_dot))  # type: ignore[return-value]

    def series(self, degree: int) -> HermiteSeries:
        """The first terms of its Hermite series."""
        return HermiteSeries(_callable(self.function), degree, self.scale)

    def of_another_length(self) -> HermiteSeries:
        # Twice the 256 terms that stand in where no series is complete.
        return self.series(512)

    def complete_series(self, variance: float) -> HermiteSeries | None:
        """The Hermite series up to where float64 sees nothing more, for variances up to this one.

        None for kinks, jumps and steep functions, of which it goes on too far.
        """
        variance = plain(number(variance, "variance", nonnegative=True))
        degree = _degree(self.pieces, variance)
        return None if degree is None else self.series(degree)

    def quadrature_error(self, variances: tuple[float, ...] = (0.25, 1.0, 4.0)) -> float:
        """The largest relative error of k and k̇ at some variances, against adaptive quadrature.

        Measured at correlations 0 and 1 with the function itself, not its pieces. The slope there
        is a difference quotient, which is good to about 1e-8.
        """
        from .measure import measured_error

        given = checks.items(variances, "variances", error=NetworkError)
        given = tuple(plain(number(q, "a variance", positive=True)) for q in given)
        return measured_error(self.pieces, given)


def _callable(function: str | Callable[[Any], Any]) -> Callable[[Any], Any]:
    return FUNCTIONS[function] if isinstance(function, str) else function


@lru_cache(maxsize=1)
def _rule() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of E[f(g)] for a standard normal g."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    return nodes, weights / weights.sum()


@lru_cache(maxsize=64)
def _family(function: str | Callable[[Any], Any], name: str) -> Family:
    from .family import Family

    raw = _callable(function)
    return Family(lambda u: sample(raw, name, u), name)


@lru_cache(maxsize=128)
def _normalizer(function: str | Callable[[Any], Any], name: str) -> float:
    from .moments import duals

    one = np.ones(1)
    moment = float(duals(_family(function, name), one, one, one, 2.0**-52)[0][0])
    if not moment > 0:
        raise NetworkError(
            f"the activation {name!r} has E[σ(g)²] = {moment}; it must be greater than 0 to be "
            "normalised"
        )
    return moment**-0.5


@lru_cache(maxsize=512)
def _degree(family: Family, variance: float) -> int | None:
    """A degree at which the series is complete up to some variance; None where there is none."""
    from . import hermite

    if variance == 0:
        return _DEGREES[0]
    root = variance**0.5
    scale, reach = family.reaching(int(np.frexp(root)[1]))
    moments, tails = np.zeros(5), np.zeros((2, len(hermite.LEVELS)))
    room = np.zeros(_DEGREES[-1] + 1)
    hermite.expand(scale.edges, scale.functions, root, reach, _DEGREES[-1], moments, tails, room)
    for degree in _DEGREES:
        level = int(np.flatnonzero(degree == hermite.LEVELS)[0])
        if np.all(tails[:, level] <= np.array(_LEFT_OUT) * moments[:2]):
            return degree
    return None
