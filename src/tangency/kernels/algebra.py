"""Sums, products and multiples of kernels, which are kernels again."""

# Types are checked when called, too.
# pyright: reportUnnecessaryIsInstance=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from ..checks import cut, items, number
from ..engines.overflow import check_values, quiet
from ..engines.pairs import Differences
from ..engines.prepared import Prepared
from ..errors import InputError
from ..nets.base import shown
from ..nets.identity import from_description
from ..nets.special import positive_part
from ..nets.values import own
from .base import Kernel
from .coerce import as_kernel
from .network import NNGP, NTK, NetworkKernel

if TYPE_CHECKING:
    from ..typing import Array, Inputs


@dataclass(frozen=True)
class _Combination(Kernel):
    """Kernels joined by an operation on their values."""

    parts: tuple[Kernel, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(map(as_kernel, items(self.parts, "parts"))))
        if not self.parts:
            raise InputError(f"{type(self).__name__} needs one kernel or more, got none")

    def _with(self, other: Kernel) -> Kernel:
        """One kernel more, beside the others: a sum in a loop does not become a nest of sums."""
        return replace(self, parts=(*self.parts, other))

    def _join(self, total: Any, values: Any, in_place: bool) -> Any:
        raise NotImplementedError

    def __call__(self, X: Inputs, Y: Inputs | None = None) -> Array:
        first, *others = self.parts
        total = first(*apart(first, X, Y))
        limit = self._limit
        for part in others:
            if limit is not None:
                part = part._within(max(1, limit - _bytes_of(total)))
            # What a kernel of the user's own returns is its own.
            in_place = _ours(first) and not _differentiates(total)
            total = self._join(total, part(*apart(part, X, Y)), in_place)
        check_values(total)
        return total

    def diag(self, X: Inputs) -> Array:
        first, *others = self.parts
        total = first.diag(*apart(first, X))
        for part in others:
            total = self._join(total, part.diag(*apart(part, X)), False)
        check_values(total)
        return total

    @property
    def _limit(self) -> int | None:
        limits = [part._limit for part in self.parts]
        return min((limit for limit in limits if limit is not None), default=None)

    def _within(self, max_memory: int) -> Kernel:
        return replace(self, parts=tuple(part._within(max_memory) for part in self.parts))

    def _differences(self, X: Any, Y: Any | None, paired: bool, rtol: float) -> Differences:
        return reduce(
            self._join_differences, (p._differences(X, Y, paired, rtol) for p in self.parts)
        )

    @staticmethod
    def _join_differences(a: Differences, b: Differences) -> Differences:
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        self._require(Sum, Product)
        return {"type": type(self).__name__, "parts": [part.to_dict() for part in self.parts]}


@dataclass(frozen=True)
class Sum(_Combination):
    """The sum of kernels: the RKHS of sums of functions.

    >>> import numpy as np
    >>> from tangency import NNGP, NTK
    >>> k = NTK("dense relu dense") + NNGP("dense relu dense")
    >>> k.diag(np.ones((1, 1)))
    array([3.])
    """

    def __add__(self, other: Any) -> Kernel:
        return self._with(other) if isinstance(other, Kernel) else NotImplemented

    def _join(self, total: Any, values: Any, in_place: bool) -> Any:
        with quiet():
            if not in_place or total.dtype != values.dtype:
                return total + values
            total += values
            return total

    @staticmethod
    def _join_differences(a: Differences, b: Differences) -> Differences:
        return Differences(*(p + q for p, q in zip(a, b, strict=True)))


@dataclass(frozen=True)
class Product(_Combination):
    """The product of kernels: the RKHS of the tensor product.

    >>> import numpy as np
    >>> from tangency import NNGP, NTK
    >>> k = NTK("dense relu dense") * NNGP("dense relu dense")
    >>> k.diag(np.ones((1, 1)))
    array([2.])
    """

    def __mul__(self, other: Any) -> Kernel:
        return self._with(other) if isinstance(other, Kernel) else super().__mul__(other)

    def _join(self, total: Any, values: Any, in_place: bool) -> Any:
        with quiet():
            if not in_place or total.dtype != values.dtype:
                return total * values
            total *= values
            return total

    @staticmethod
    def _join_differences(a: Differences, b: Differences) -> Differences:
        # K K' at (x, x), (y, y) and (x, y) in terms of D² and of K(x,x) ± K(y,y): no two large
        # numbers cancel.
        mixed = a.total * b.squared + b.total * a.squared - a.squared * b.squared
        return Differences(
            positive_part(0.5 * (mixed + a.gap * b.gap)),
            0.5 * (a.gap * b.total + a.total * b.gap),
            0.5 * (a.total * b.total + a.gap * b.gap),
        )


@dataclass(frozen=True)
class Scaled(Kernel):
    """A kernel times a number of at least 0.

    >>> import numpy as np
    >>> from tangency import NTK
    >>> (0.5 * NTK("dense relu dense")).diag(np.ones((1, 1)))
    array([1.])
    """

    kernel: Kernel
    factor: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernel", as_kernel(self.kernel))
        try:
            factor = number(self.factor, "the factor of a kernel", least=0)
        except InputError:
            raise InputError(
                f"a kernel can be multiplied by a number of at least 0, got {shown(self.factor)}"
            ) from None
        object.__setattr__(self, "factor", factor)

    def __call__(self, X: Inputs, Y: Inputs | None = None) -> Array:
        values = self.kernel(X, Y)
        with quiet():
            if _ours(self.kernel) and not _differentiates(values):
                values *= self.factor
            else:
                values = self.factor * values
        check_values(values)
        return values

    def diag(self, X: Inputs) -> Array:
        with quiet():
            values = self.factor * self.kernel.diag(X)
        check_values(values)
        return values

    @property
    def _limit(self) -> int | None:
        return self.kernel._limit

    def _within(self, max_memory: int) -> Kernel:
        return replace(self, kernel=self.kernel._within(max_memory))

    def _differences(self, X: Any, Y: Any | None, paired: bool, rtol: float) -> Differences:
        found = self.kernel._differences(X, Y, paired, rtol)
        return Differences(*(self.factor * values for values in found))

    def to_dict(self) -> dict[str, Any]:
        self._require(Scaled)
        return {"type": "Scaled", "factor": self.factor, "kernel": self.kernel.to_dict()}


def _ours(kernel: Kernel) -> bool:
    """What it returns is new, and may be written to."""
    return isinstance(kernel, NetworkKernel | _Combination | Scaled)


def _differentiates(values: Any) -> bool:
    return bool(getattr(values, "requires_grad", False))


def _bytes_of(values: Any) -> int:
    return int(getattr(values, "nbytes", 0))


def without_factor(kernel: Kernel) -> tuple[Kernel, float]:
    """The kernel that this one is a multiple of, and the number it is multiplied by."""
    factor = 1.0
    while isinstance(kernel, Scaled):
        factor *= kernel.factor
        kernel = kernel.kernel
    return kernel, factor


def leaves(kernel: Kernel) -> list[Kernel]:
    """The kernels that a kernel is made of by sums, products and multiples, in their order.

    >>> from tangency import NNGP, NTK
    >>> leaves(2 * NTK("dense") + NNGP("dense"))
    [NTK(Sequential(Dense())), NNGP(Sequential(Dense()))]
    """
    if isinstance(kernel, Scaled):
        return leaves(kernel.kernel)
    if isinstance(kernel, Sum | Product):
        return [leaf for part in kernel.parts for leaf in leaves(part)]
    return [kernel]


def computed_by(kernel: Any, **means: Any) -> Any:
    """The kernel with `engine`, `max_memory`, `n_jobs` or `progress` of its networks changed."""
    if isinstance(kernel, NetworkKernel):
        return replace(kernel, **means)
    if isinstance(kernel, Scaled):
        return replace(kernel, kernel=computed_by(kernel.kernel, **means))
    if isinstance(kernel, Sum | Product):
        return replace(kernel, parts=tuple(computed_by(part, **means) for part in kernel.parts))
    return kernel


def takes_prepared(kernel: Any) -> bool:
    """Whether a kernel takes `Prepared` inputs: the library's do, others need arrays."""
    return all(isinstance(leaf, NetworkKernel) for leaf in leaves(kernel))


def taken(kernel: Any, inputs: Prepared) -> Any:
    """Inputs in the form in which a kernel takes them: as they are, or their array alone."""
    return inputs if takes_prepared(kernel) else apart(kernel, inputs.inputs)[0]


def apart(kernel: Any, *inputs: Any) -> tuple[Any, ...]:
    """Inputs as they are, or copies for a kernel of the caller's own, which may write to them."""
    return inputs if takes_prepared(kernel) else tuple(map(own, inputs))


def kernel_from_dict(data: dict[str, Any]) -> Kernel:
    """The kernel that `to_dict` described.

    Raises:
        InputError: a description of no kernel that this version knows.

    >>> from tangency import NTK
    >>> from tangency.kernels import kernel_from_dict
    >>> k = NTK("conv3 relu gap dense", input_shape=(8, 8, 1))
    >>> kernel_from_dict(k.to_dict()) == k
    True
    """
    readers: dict[str, Callable[[dict[str, Any]], Kernel]] = {
        "NTK": lambda d: NTK(from_description(d), d["input_shape"], d["normalize"]),
        "NNGP": lambda d: NNGP(from_description(d), d["input_shape"], d["normalize"]),
        "Sum": lambda d: Sum(tuple(kernel_from_dict(p) for p in d["parts"])),
        "Product": lambda d: Product(tuple(kernel_from_dict(p) for p in d["parts"])),
        "Scaled": lambda d: Scaled(kernel_from_dict(d["kernel"]), d["factor"]),
    }
    if not isinstance(data, Mapping):
        raise InputError(f"this does not describe a kernel: {shown(data)} (no dictionary)")
    try:
        return readers[data["type"]](data)
    except (KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {cut(str(error))}"
        raise InputError(f"this does not describe a kernel: {shown(data)} ({reason})") from None
