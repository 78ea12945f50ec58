"""What an engine is: the one protocol by which kernels are computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..nets.plan import Plan
from ..printable import fields
from .prepared import Prepared

if TYPE_CHECKING:
    from ..typing import Array


class KernelPair(NamedTuple):
    """The two kernels of one network, side by side: `nngp` (last layer) and `ntk` (all layers)."""

    nngp: Array
    ntk: Array

    def __repr__(self) -> str:
        return fields(self)


class Wanted(NamedTuple):
    """Which of the two kernels are wanted; the place of the other holds None."""

    nngp: bool = True
    ntk: bool = True

    @classmethod
    def only(cls, *kinds: str) -> Wanted:
        """Those of these kinds.

        >>> Wanted.only("ntk")
        Wanted(nngp=False, ntk=True)
        """
        return cls(*(kind in kinds for kind in cls._fields))


class Pulled(NamedTuple):
    """Where a cotangent of kernel matrices leads, one way back through all pairs.

    Attributes:
        x, y: gradients in the two sets of inputs, their shapes, through products of two inputs;
            y is None for a symmetric call, x holds both sides then.
        marginals_x, marginals_y: gradients in what is read of each input alone, the arrays of
            `reference.marginals`; None as above.
        weights: gradients in w²/fan and b² of each step with weights, in the order of `walk`,
            through all pairs; empty where they were not asked for.
    """

    x: Array
    y: Array | None
    marginals_x: list[Any]
    marginals_y: list[Any] | None
    weights: list[tuple[float, float]]


@dataclass(frozen=True)
class Computing:
    """How to compute, of which no result depends but for rounding.

    Attributes:
        engine: "auto", or the name of one.
        max_memory: bytes to work in, beside the inputs; None for what is free.
        n_jobs: threads; None for what the machine and its limits allow.
        progress: show a progress bar on long calls.
    """

    engine: str = "auto"
    max_memory: int | None = None
    n_jobs: int | None = None
    progress: bool = False


BOTH, DEFAULTS = Wanted(), Computing()


class Engine(Protocol):
    """A way to compute the kernels of a plan.

    An engine walks the operators of `nets.operators`, and says by name what it has no way for; it
    is known to everything else by an entry in `order.ENGINES`. Inputs are checked: arrays of one
    library and dtype, (n, *space, channels), without NaN. All engines give K(x, x) of equal inputs
    exactly as `diagonal` does, and the same bits for any number of threads.

    One for GPUs would take tensors on a CUDA device (and refuse others), lower the plan to kernels
    of its own as the fused one does, give `speed` for the device, and count what it allocates there
    against `max_memory`; it would come first in the order, and give tensors on the same device.

    Attributes:
        name: by which it is asked for.
        reason: what `explain` says of it where it is taken.
        speed: operations of the table that `explain` prints, in float32, per second of one
            processor, within a factor of ten.
    """

    name: str
    reason: str
    speed: float

    def refusal(self, plan: Plan, *arrays: Any) -> str | None:
        """Why it cannot compute a plan on such arrays, after "cannot: "; None where it can.

        Without arrays: on NumPy's.
        """
        ...

    def gram(
        self,
        plan: Plan,
        first: Prepared,
        second: Prepared | None,
        wanted: Wanted,
        computing: Computing,
    ) -> KernelPair:
        """K(x_i, y_j) for all pairs, (n, m) each; `second=None` is a symmetric call.

        Raises:
            MemoryLimitError: more than `max_memory`.
            InputError: values beyond the range of the dtype.
        """
        ...

    def diagonal(
        self, plan: Plan, given: Prepared, want_ntk: bool, computing: Computing
    ) -> KernelPair:
        """K(x_i, x_i) for each input, (n,) each; errors as above."""
        ...

    def pull(
        self,
        plan: Plan,
        first: Prepared,
        second: Prepared | None,
        cotangents: KernelPair,
        computing: Computing,
        parameters: bool,
    ) -> Pulled | None:
        """The gradient of Σ_ij ⟨cotangents, kernels⟩_ij, in loops of its own; None where it cannot.

        cotangents: (n, m) each, None for a kernel that is not there. parameters: whether gradients
        in weights are wanted.
        """
        ...

    def note(self, plan: Plan, given: Prepared) -> str:
        """A line of `explain` on what it does beside the recursion; "" for nothing."""
        ...

    def pays_for_pairs(self, entries: int, pairs: int, runs: int) -> bool:
        """Whether rows of its matrices are the faster way to `pairs` pairs.

        entries: numbers of Σ of one pair. runs: of equal first inputs, each of which is a row.
        """
        ...
