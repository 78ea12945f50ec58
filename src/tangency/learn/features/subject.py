"""What a layerwise map is of, before it has met any samples: a kernel, on samples of a shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...kernels import NTK
from ...kernels.coerce import is_network
from ...kernels.inputs import signals
from ...kernels.network import NetworkKernel
from ...nets.parameters import numbers_only
from ...nets.plan import Plan, plan
from ..grams import resolve_kernel
from .chain import Block, check_covered, held, numbers
from .local import Local
from .marginals import Marginals
from .random_features import unscaled


@dataclass(frozen=True, eq=False)
class Subject:
    """The kernel `given`, `scale`² times that of a network with this `plan`, on samples of a shape.

    marginals: the variances that are known exactly, before there are features.
    """

    given: Any
    network_kernel: NetworkKernel
    scale: float
    shape: tuple[int, ...]
    plan: Plan
    marginals: Marginals

    @classmethod
    def of(cls, kernel: Any, shape: tuple[int, ...], needs: str) -> Subject:
        """Raises `InputError` and `NetworkError` for what has no such map, on behalf of `needs`."""
        kernel = resolved(kernel)
        network_kernel, factor = unscaled(kernel, needs)
        sample = signals(np.zeros((1, *shape)), network_kernel.input_shape)
        found = plan(numbers_only(network_kernel.net), sample.shape[1:])
        check_covered(found)
        scale = math.sqrt(factor)
        return cls(kernel, network_kernel, scale, shape, found, Marginals.of(found))

    @property
    def tangent(self) -> bool:
        """Whether it is an NTK, which has features of Θ beside those of Σ."""
        return isinstance(self.network_kernel, NTK)

    def work(self, widths: Sequence[int]) -> int:
        """The most numbers that one sample takes on its way through so many landmarks."""
        return numbers(self.plan.steps, self.plan.input_shape[-1], widths, self.tangent)

    def held(self, widths: Sequence[int]) -> int:
        """The most numbers of one sample that a fit holds at a time, beside those on their way."""
        return held(self.plan.steps, self.plan.input_shape[-1], widths, self.tangent)

    def start(self, X: Any) -> Block:
        """Samples as features, with the variances that are known beforehand."""
        x = signals(X, self.network_kernel.input_shape)
        theta = x[..., :0] if self.tangent else None
        return Block(Local(x, theta), self.marginals(x))


def resolved(kernel: Any) -> Any:
    """The kernel that a parameter `kernel` stands for."""
    return resolve_kernel(kernel) if kernel is None or is_network(kernel) else kernel
