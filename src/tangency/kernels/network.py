"""The kernels of a network: NTK, NNGP, both at once, and a word on how they are computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from array_api_compat import array_namespace, is_torch_array

from .. import checks
from ..checks import flag, is_whole
from ..engines import dispatch, precision
from ..engines.engine import Computing, KernelPair, Wanted
from ..engines.order import NAMES
from ..engines.pairs import Differences
from ..engines.prepared import Prepared
from ..engines.select import select
from ..errors import InputError, NetworkError
from ..nets import Layer, Sequential
from ..nets.base import arguments, whole
from ..nets.coerce import as_network
from ..nets.identity import described, unsaved
from ..nets.parameters import tensors
from ..nets.summary import summary_table
from .base import Kernel
from .blocks import normalized
from .differences import Request
from .foreign import refuse_transformed
from .inputs import checked, prepared_inputs
from .kinds import kinds_of
from .variances import met_variances
from .work import Work, plan_for, vector_plan, whole_bytes

if TYPE_CHECKING:
    from ..typing import Array, Inputs, NetworkLike


@dataclass(frozen=True, repr=False)
class NetworkKernel(Kernel):
    """A kernel of an infinitely wide network.

    Args:
        net: the network, a single layer, or the text form.
        input_shape: (*space, channels) of one input. If given, 2-d arrays whose rows are flattened
            inputs are accepted too (scikit-learn passes such rows).
        normalize: divide by √(K(x,x)K(y,y)); 0 where one of these is 0.
        engine: "auto", "fused", "blocked" or "reference"; `explain` says which one "auto" takes.
        max_memory: bytes of working memory, besides the inputs. Default for the reference engine: a
            quarter of what is free; compiled engines need little besides the result.
        n_jobs: threads of compiled engines; default: what the machine, NUMBA_NUM_THREADS and
            OMP_NUM_THREADS allow. Results do not depend on it.
        progress: show a progress bar for calls of more than two seconds.

    Raises:
        NetworkError: a network whose layers do not fit the input, or that ends on a grid.
        InputError: data with NaN or infinity, of the wrong shape or type, or empty; values of the
            kernel beyond the range of the dtype.
        MemoryLimitError: a matrix that does not fit in `max_memory`.

    float32 inputs are computed in float64, and the result is rounded, if the range of float32 is
    too small or rounding would be more than about 2e-3 of √(K(x,x)K(y,y)); `explain(net, X)` says
    so. If float64 would lose as much, an `InputWarning` says so. Wherever two inputs are equal,
    the entry is that of `diag`, to the last bit.
    """

    kind: ClassVar[str]
    """Which of the two kernels this is: its name in a `KernelPair`."""

    net: Sequential
    input_shape: tuple[int, ...] | None = None
    normalize: bool = False
    engine: str = field(default="auto", compare=False)
    max_memory: int | None = field(default=None, compare=False)
    n_jobs: int | None = field(default=None, compare=False)
    progress: bool = field(default=False, compare=False)

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        # `copy` and `pickle` pass no arguments.
        if len(args) > 1 and any(isinstance(each, Layer) for each in args[1:]):
            raise NetworkError(
                f"{cls.__name__} takes one network; got layers one by one: pass "
                f"{cls.__name__}(Sequential(Dense(), ReLU(), Dense())), or its text form"
            )
        return super().__new__(cls)

    if TYPE_CHECKING:
        # What may be passed is more than what is stored.
        def __init__(
            self,
            net: NetworkLike,
            input_shape: tuple[int, ...] | list[int] | None = None,
            normalize: bool = False,
            engine: str = "auto",
            max_memory: int | None = None,
            n_jobs: int | None = None,
            progress: bool = False,
        ) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "net", as_network(self.net))
        for tensor in tensors(self.net):
            if is_torch_array(tensor):
                refuse_transformed(tensor, "a parameter of the network")
        object.__setattr__(self, "normalize", flag(self.normalize, "normalize"))
        object.__setattr__(self, "progress", _progress(self.progress))
        object.__setattr__(self, "engine", checks.choice(self.engine, "engine", NAMES))
        if self.input_shape is not None:
            shape = _shape(self.input_shape)
            object.__setattr__(self, "input_shape", shape)
            vector_plan(self.net, shape)
        object.__setattr__(self, "max_memory", whole_bytes(self.max_memory))
        object.__setattr__(self, "n_jobs", checks.jobs(self.n_jobs))

    def __call__(self, X: Inputs, Y: Inputs | None = None) -> Array:
        work = Work(self.net, X, Y, self.input_shape, Wanted.only(self.kind), self.normalize)
        matrix = getattr(work.gram(self._computing), self.kind)
        if self.normalize:
            first = self._diagonal(work.x)
            matrix = normalized(matrix, first, first if work.y is None else self._diagonal(work.y))
        return work.narrowed(matrix)

    def diag(self, X: Inputs) -> Array:
        work = Work(
            self.net, X, None, self.input_shape, Wanted.only(self.kind), self.normalize, True
        )
        values = self._diagonal(work.x)
        xp = array_namespace(values)
        if self.normalize:
            return work.narrowed(xp.astype(values > 0, values.dtype))
        # A copy: what is kept for the inputs is nobody else's to write to.
        return work.narrowed(1 * values)

    @property
    def _computing(self) -> Computing:
        return Computing(self.engine, self.max_memory, self.n_jobs, self.progress)

    def _diagonal(self, x: Prepared) -> Any:
        steps = plan_for(self.net, x)
        pair = dispatch.diagonal(steps, x, self.kind == "ntk", self._computing)
        return getattr(pair, self.kind)

    def _differences(self, X: Any, Y: Any | None, paired: bool, rtol: float) -> Differences:
        first, second = prepared_inputs(self.net, X, Y, self.input_shape)
        x, y = first.inputs, None if second is None else second.inputs
        xp = array_namespace(x)
        if paired and y is not None and x.shape[0] != y.shape[0]:
            raise InputError(
                f"inputs are taken two by two, but X has {x.shape[0]} of them and Y {y.shape[0]}; "
                "pass as many of one as of the other, or use distance(X, Y) for all pairs"
            )
        x = xp.astype(x, xp.float64, copy=False)
        y = None if y is None else xp.astype(y, xp.float64, copy=False)
        request = Request(
            plan_for(self.net, first),
            self.kind,
            self.normalize,
            rtol,
            self._computing,
        )
        return request.of_pairs(x, x if y is None else y) if paired else request.of_all(x, y)

    @property
    def _limit(self) -> int | None:
        return self.max_memory

    def _within(self, max_memory: int) -> NetworkKernel:
        return replace(self, max_memory=max_memory)

    def to_dict(self) -> dict[str, Any]:
        self._require(NTK, NNGP)
        if problem := unsaved(self.net):
            raise InputError(
                f"a kernel whose network holds {problem[0]} cannot be saved: {problem[1]}"
            )
        return {
            "type": type(self).__name__,
            **described(self.net),
            "input_shape": None if self.input_shape is None else list(self.input_shape),
            "normalize": self.normalize,
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(arguments(self))})"


@dataclass(frozen=True, repr=False, init=False)
class NTK(NetworkKernel):
    """The neural tangent kernel Θ of a network, all of whose layers are trained.

    Arguments and errors as in `NetworkKernel`: `net`, `input_shape`, `normalize`, `engine`,
    `max_memory`, `n_jobs`, `progress`. Called with X (n, *space, channels) and
    Y (m, *space, channels), channels last, it returns an (n, m) array in
    the dtype of the inputs; integers become float64 with their values unchanged.

    The recursion is written out in `engines/reference.py`; `nets/operators.py` has it as a table.

    Source: Jacot, Gabriel & Hongler 2018; the recursion of Bietti & Mairal 2019, section 2.

    >>> import numpy as np
    >>> from tangency import NTK
    >>> NTK("dense relu dense")(np.array([[3.0, 4.0], [0.0, 1.0]]))
    array([[50.        ,  7.31...],
           [ 7.31...,  2.        ]])
    """

    kind: ClassVar[str] = "ntk"


@dataclass(frozen=True, repr=False, init=False)
class NNGP(NetworkKernel):
    """The last-layer kernel Σ of a network: the covariance of its random output.

    It is the kernel of training the last layer only (random features), the kernel of the neural
    network Gaussian process, and that of convolutional kernel networks. Arguments, shapes and
    errors as in `NTK`.

    Source: Neal 1996; Lee et al. 2018; Mairal 2016.

    >>> import numpy as np
    >>> from tangency import NNGP
    >>> NNGP("dense relu dense").diag(np.array([[3.0, 4.0], [0.0, 1.0]]))
    array([25.,  1.])
    """

    kind: ClassVar[str] = "nngp"


def gram(
    net: NetworkLike,
    X: Inputs,
    Y: Inputs | None = None,
    kind: str | Sequence[str] = "both",
    *,
    input_shape: tuple[int, ...] | None = None,
    engine: str = "auto",
    max_memory: int | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
) -> Any:
    """Kernel matrices (n, m) of a network: both in one pass, or one of them.

    Args:
        net, input_shape, engine, max_memory, n_jobs, progress: as in `NetworkKernel`.
        X, Y: inputs (n, *space, channels) and (m, *space, channels), or `Prepared` ones; no Y is a
            symmetric call.
        kind: "both" gives a `KernelPair` (nngp, ntk); "ntk" or "nngp" give one array; a tuple of
            these two words gives a tuple in their order.

    >>> import numpy as np
    >>> import tangency as tg
    >>> pair = tg.gram("dense relu dense", np.eye(2))
    >>> pair.ntk.shape, bool(np.all(pair.nngp <= pair.ntk))
    ((2, 2), True)
    """
    wanted, progress = kinds_of(kind), _progress(progress)
    engine = checks.choice(engine, "engine", NAMES)
    input_shape = None if input_shape is None else _shape(input_shape)
    work = Work(as_network(net), X, Y, input_shape, Wanted.only(*wanted), False)
    found = work.gram(Computing(engine, whole_bytes(max_memory), n_jobs, progress))
    result = KernelPair(*(None if k is None else work.narrowed(k) for k in found))
    if isinstance(kind, str) and kind != "both":
        return getattr(result, kind)
    chosen = tuple(getattr(result, name) for name in wanted)
    return result if wanted == KernelPair._fields else chosen


def explain(net: NetworkLike, X: Inputs, engine: str = "auto") -> str:
    """How the kernel of `net` would be computed on `X`.

    Args:
        net: as in `NetworkKernel`.
        X: inputs (n, *space, channels), also `Prepared` ones, or the shape (*space, channels) of
            one input as a tuple, which is taken as it is.
        engine: "auto", "fused", "blocked" or "reference".

    >>> from tangency import explain
    >>> print(explain("dense relu dense", (784,)))
    engine: fused (it knows every layer of this network)
    input: vectors of 784 features
    layer  output  Σ for a pair  operations
    input  vector  1                    784
    dense  vector  1                      4
    relu   vector  1                     40
    dense  vector  1                      4
    total                               832
    """
    network = as_network(net)
    given: Any = X
    if isinstance(X, tuple) and all(map(is_whole, given)):
        data, shape = None, tuple(map(int, given))
        steps = vector_plan(network, shape)
    else:
        inputs = checked(X, None)
        data, shape = inputs.inputs, inputs.input_shape
        steps = plan_for(network, inputs)
    choice = select(steps, *(() if data is None else (data,)), engine=engine)
    digits = ""
    if data is not None and precision.verdict(steps, True, [Prepared(data)], normalize=False)[0]:
        digits = "precision: float64, as float32 would round too much away, or has not the range\n"
    space = "×".join(map(str, shape[:-1]))
    what = f"signals on a grid of {space}, {shape[-1]} channels"
    if not space:
        what = f"vectors of {shape[-1]} features"
    head = f"engine: {choice.engine.name} ({choice.reason})\n{digits}input: {what}\n"
    variances = None if data is None else met_variances(steps, data)
    note = "" if data is None else choice.engine.note(steps, Prepared(data))
    return head + summary_table(network, shape, variances) + (f"\n{note}" if note else "")


def _progress(progress: Any) -> bool:
    return progress is not None and flag(progress, "progress")


def _shape(shape: Any) -> tuple[int, ...]:
    sizes = cast("Sequence[Any]", shape if isinstance(shape, tuple | list) else (shape,))
    return tuple(whole(n, "input_shape", 1, most=2**62) for n in sizes)
