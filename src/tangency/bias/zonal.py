"""Zonal functions: kernels on the sphere as functions h(u) of the cosine u = ⟨x, y⟩."""

# Types are checked when called, too.
# pyright: reportUnnecessaryIsInstance=false

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from .. import checks
from ..checks import array, called, choice, number, shown, text, whole
from ..engines import reference
from ..engines.engine import KernelPair
from ..errors import InputError, NetworkError
from ..kernels.base import Kernel
from ..kernels.coerce import as_kernel, kernel_name
from ..kernels.network import NNGP, NTK, NetworkKernel
from ..nets.operators import Need
from ..nets.parameters import numbers_only, with_activations
from ..nets.plan import activations as activations_of
from ..nets.plan import plan
from ..nets.structure import Sequential
from . import walk
from .arccosine import NotClosed, Span, span_dual
from .decay import Edge, edge_dual
from .harmonics import interval
from .multiprecision import Multiprecision, network_values, supported
from .parity import Reach, reach_dual

_LARGEST = 1e100
"""A radius whose square, and products of several with the variances of layers, stay finite."""


@dataclass(frozen=True, eq=False)
class ZonalKernel:
    """A function h(u) of cosines u in [−1, 1]: K(x, y) = h(⟨x, y⟩/r²) for inputs of norm r.

    Called with an array of cosines it returns float64 values of the same shape.

    Attributes:
        name: how figures call it.
        function: h, elementwise on float64 arrays.
        kernel: the network kernel behind it, if there is one, and
        radius: the norm r of its inputs.

    >>> h = ZonalKernel("square", lambda u: u**2)
    >>> float(h(0.5))
    0.25
    """

    name: str
    function: Callable[[np.ndarray], Any]
    kernel: Kernel | None = None
    radius: float = 1.0

    def __post_init__(self) -> None:
        text(self.name, "name")
        checks.function(self.function, f"h(u) of {shown(self.name)}")
        if not (self.kernel is None or isinstance(self.kernel, Kernel)):
            raise InputError(
                f"kernel must be a kernel, as NTK(net), or None; got {shown(self.kernel)}"
            )
        object.__setattr__(self, "radius", _radius(self.radius))

    def __call__(self, u: Any) -> np.ndarray:
        t = interval(u)
        what = f"h(u) of {shown(self.name)}"
        values = array(called(self.function, what, t), what)
        if values.shape != t.shape:
            raise InputError(
                f"{what} gave shape {values.shape} for cosines of shape {t.shape}; "
                "it must work elementwise on arrays (np.vectorize makes it so)"
            )
        if not np.all(np.isfinite(values)):
            where = t[~np.isfinite(values)].flat[0]
            raise InputError(f"{what} is not finite at u = {where:g}")
        return values

    @cached_property
    def at_one(self) -> float:
        """h(1) = K(x, x)."""
        return float(self(np.ones(1))[0])

    @cached_property
    def reach(self) -> Reach:
        """The highest even and odd power in h; everything may be there in an unknown function."""
        if self.kernel is None:
            return Reach(math.inf, math.inf)
        arithmetic = walk.Arithmetic(reach_dual, _variance)
        zero = Reach()
        return walk.fold(self.kernel, lambda leaf: self._walk(leaf, Reach(odd=1), arithmetic, zero))

    def law(self, dim: int) -> float | str | None:
        """The exponent of decay that theory gives, or its kind in a word; None where unknown."""
        dim = whole(dim, "dim", 2)
        if self.kernel is None:
            return None
        if math.isfinite(max(self.reach.even, self.reach.odd)) or self.reach.zero:
            return "finite"
        arithmetic = walk.Arithmetic(edge_dual, _variance)
        edge = walk.fold(self.kernel, lambda leaf: self._walk(leaf, Edge(), arithmetic, Edge()))
        return edge.law(dim)

    def closed_form(self) -> Span | None:
        """h in the functions whose spectrum has a closed form, if it lies in their span."""
        if self.kernel is None:
            return None
        arithmetic = walk.Arithmetic(span_dual, _variance)

        def leaf(kernel: NetworkKernel) -> Span:
            line = Span(line=self.radius**2)
            span = self._walk(kernel, line, arithmetic, Span())
            size = span.at_one
            return span * (1 / size) if kernel.normalize and size > 0 else span

        try:
            return walk.fold(self.kernel, leaf)
        except NotClosed:
            return None

    @property
    def any_precision(self) -> bool:
        """Whether `values` can be computed in multiprecision."""
        return self.kernel is not None and all(
            supported(layer) for leaf in leaves(self.kernel) for layer in activations(leaf.net)
        )

    def values(self, t: np.ndarray, context: Multiprecision) -> Any:
        """h at an object array of multiprecision cosines."""
        assert self.kernel is not None
        return walk.fold(self.kernel, lambda leaf: network_values(leaf, self.radius, t, context))

    def finer(self) -> ZonalKernel | None:
        """The kernel with twice the Hermite coefficients in each quadrature; None without."""
        if self.kernel is None or not any(map(_has_series, leaves(self.kernel))):
            return None
        return sphere_kernel(_replace_nets(self.kernel, _more), radius=self.radius)

    def _walk(self, leaf: NetworkKernel, line: Any, arithmetic: walk.Arithmetic, zero: Any) -> Any:
        start = walk.State(line, None, self.radius**2)
        state = walk.walk(numbers_only(leaf.net), start, arithmetic)
        value = state.theta if leaf.kind == "ntk" else state.sigma
        return zero if value is None else value


def sphere_kernel(kernel: Any, kind: str = "ntk", *, radius: float = 1.0) -> ZonalKernel:
    """The kernel of a dense network on the sphere, as a function h(u) of the cosine.

    Args:
        kernel: a network (or its text form), an `NTK` or `NNGP`, or sums, products and multiples
            of these; any depth, biases, activations, residual branches.
        kind: "ntk" or "nngp", for a network; kernel objects know it themselves.
        radius: the norm of all inputs. Without biases and with homogeneous activations it only
            scales h.

    Raises:
        InputError: a network with layers that work on grids, whose kernel is no function of the
            cosine; a radius that is not a positive number.

    >>> import numpy as np
    >>> h = sphere_kernel("dense relu dense")
    >>> h(np.array([-1.0, 0.0, 1.0])).round(4) + 0.0
    array([0.    , 0.3183, 2.    ])
    """
    kind, size = choice(kind, "kind", ("ntk", "nngp")), _radius(radius)
    hint = "; a function h(u) of the cosine is passed to spectrum(...) as it is"
    kernel = as_kernel(kernel, NTK if kind == "ntk" else NNGP, hint=hint)
    for leaf in leaves(kernel):
        _check_dense(leaf)
    return ZonalKernel(kernel_name(kernel), partial(_kernel_function, kernel, size), kernel, size)


def _radius(value: Any) -> float:
    return number(value, "radius", above=0, most=_LARGEST)


def as_zonal(kernel: Any, radius: float = 1.0) -> ZonalKernel:
    """A zonal kernel from one, from a network kernel, or from a function h(u)."""
    if isinstance(kernel, ZonalKernel):
        return kernel
    found = as_kernel(kernel, functions="a function h(u) of the cosine")
    if isinstance(found, Kernel):
        return sphere_kernel(found, radius=radius)
    return ZonalKernel(getattr(found, "__name__", type(found).__name__), found)


def _kernel_function(kernel: Kernel, radius: float, t: np.ndarray) -> np.ndarray:
    return np.asarray(walk.fold(kernel, lambda leaf: _network_function(leaf, radius, t)))


def _network_function(kernel: NetworkKernel, radius: float, t: np.ndarray) -> np.ndarray:
    """h(t) in float64, by the reference engine on two unit vectors for each cosine."""
    steps = plan(numbers_only(kernel.net), (2,), Need.DIAGONAL)
    flat = np.append(np.ravel(t), 1.0)
    point = np.array([[radius, 0.0]])
    one = reference.marginals(steps, point)
    many = [np.repeat(q, flat.size, axis=0) for q in one]
    products = radius**2 * flat[None, :]
    pair = reference.block(steps, point, point, one, many, kernel.kind == "ntk", products)
    values = getattr(KernelPair(*pair), kernel.kind)
    values = np.zeros(flat.size) if values is None else np.asarray(values)[0]
    if kernel.normalize and values[-1] > 0:
        values = values / values[-1]
    return np.reshape(values[:-1], t.shape)


def _variance(layer: Any, q: float) -> float:
    variances = (np.asarray(float(q)) for _ in range(3))  # apart, as a dual may write to them
    return float(layer.dual(*variances)[0])


def leaves(kernel: Kernel) -> list[NetworkKernel]:
    """The network kernels inside a kernel."""
    found: list[NetworkKernel] = []

    def collect(leaf: NetworkKernel) -> Edge:
        found.append(leaf)
        return Edge()

    walk.fold(kernel, collect)
    return found


def activations(net: Sequential) -> list[Any]:
    """The activations of a dense network."""
    return activations_of(plan(net, (2,), Need.DIAGONAL).steps)


def _check_dense(kernel: NetworkKernel) -> None:
    if kernel.input_shape is not None and len(kernel.input_shape) != 1:
        raise InputError(
            f"input_shape={kernel.input_shape} makes signals on a grid, but a kernel on the sphere "
            "takes vectors; leave input_shape out"
        )
    try:
        plan(kernel.net, (2,), Need.DIAGONAL)
    except NetworkError as error:
        raise InputError(
            f"the network {str(kernel.net)!r} is not dense, so that its kernel is no function of "
            f"the cosine alone: {error}"
        ) from None


def _has_series(leaf: NetworkKernel) -> bool:
    return any(layer.of_another_length() is not None for layer in activations(leaf.net))


def _more(net: Sequential) -> Sequential:
    return with_activations(net, lambda layer: layer.of_another_length() or layer)


def _replace_nets(kernel: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(kernel, NetworkKernel):
        return replace(kernel, net=change(kernel.net))
    if hasattr(kernel, "parts"):
        return replace(kernel, parts=tuple(_replace_nets(part, change) for part in kernel.parts))
    return replace(kernel, kernel=_replace_nets(kernel.kernel, change))
