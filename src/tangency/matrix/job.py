"""What is to be computed: a kernel on two sets of inputs, tile by tile, and its fingerprint."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from ..checks import shown
from ..engines.blas import one_blas_thread
from ..engines.engine import Engine
from ..engines.prepared import prepared
from ..engines.select import select
from ..errors import InputError
from ..kernels import NNGP, NTK, Kernel, Prepared, gram
from ..kernels.algebra import computed_by, leaves, taken
from ..kernels.coerce import as_kernel
from ..kernels.inputs import refuse_channels_first
from ..kernels.kinds import kinds_of
from ..kernels.network import NetworkKernel
from ..nets.plan import plan
from .grid import Grid
from .sources import Rows

FORMAT = 1
"""The version of the layout of a store."""

# The reference engine cuts its work to the memory it may use, and its sums depend on the cut. A
# tile is small already: without a limit, its values do not depend on what happens to be free.
_NO_LIMIT = 2**62


class Data(Protocol):
    """What gives the inputs of tiles, as `blocks.Blocks` does."""

    def row(self, i: int) -> Prepared | np.ndarray: ...

    def column(self, j: int) -> Prepared | np.ndarray: ...


@dataclass(frozen=True)
class Job:
    """A kernel matrix to be computed: picklable, and all that its values depend on.

    Attributes:
        kernel: what is computed; for two kinds the NTK, of which both come in one pass.
        kinds: names of the matrices: ("ntk",), ("nngp",), ("nngp", "ntk") or ("kernel",).
        dtype: "float32" or "float64".
        grid: the tiles.
        input_shape: of one input, as it is given.
        data: digests of X and, unless the matrix is symmetric, of Y.
        engine: the names of the engines that compute it.
    """

    kernel: Kernel
    kinds: tuple[str, ...]
    dtype: str
    grid: Grid
    input_shape: tuple[int, ...]
    data: tuple[str, ...]
    engine: str

    def description(self) -> dict[str, Any]:
        """All that the values depend on, as JSON gives it back, to be compared with stored ones."""
        from ..version import __version__

        data = {
            "format": FORMAT,
            "version": __version__,
            "kernel": self.kernel.to_dict(),
            "kinds": list(self.kinds),
            "dtype": self.dtype,
            "n": self.grid.n,
            "m": self.grid.m,
            "tile": self.grid.tile,
            "symmetric": self.grid.symmetric,
            "input_shape": list(self.input_shape),
            "X": self.data[0],
            "Y": self.data[-1],
            "engine": self.engine,
        }
        if self.grid.width:
            data["width"] = self.grid.width
        if foreign := foreign_classes(self.kernel):
            data["classes"] = foreign
        return json.loads(json.dumps(data))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the description."""
        return fingerprint(self.description())

    def evaluate(self, a: Any, b: Any | None = None) -> dict[str, np.ndarray]:
        """The values for two blocks of inputs by kind; without `b`, of a tile on the diagonal."""
        # How BLAS cuts a product, and so the last bits, depends on its threads.
        with one_blas_thread():
            return self._evaluate(a, b)

    def _evaluate(self, a: Any, b: Any | None) -> dict[str, np.ndarray]:
        kernel = self.kernel
        if len(self.kinds) == 1:
            blocks: list[Any] = [
                None if block is None else taken(kernel, prepared(block)) for block in (a, b)
            ]
            return {self.kinds[0]: kernel(*blocks)}
        assert isinstance(kernel, NetworkKernel)
        pair = gram(
            kernel.net,
            a,
            b,
            input_shape=kernel.input_shape,
            engine=kernel.engine,
            max_memory=kernel.max_memory,
            n_jobs=kernel.n_jobs,
        )
        return pair._asdict()

    def compute_tile(self, i: int, j: int, data: Data) -> dict[str, np.ndarray]:
        """The values of the tile (i, j) by kind; nothing else has an influence on them.

        What a kernel of the user's own returns in another precision is rounded to the job's dtype.
        """
        on_diagonal = self.grid.symmetric and i == j
        found = self.evaluate(data.row(i), None if on_diagonal else data.column(j))
        return {kind: self._as_dtype(values) for kind, values in found.items()}

    def _as_dtype(self, values: Any) -> np.ndarray:
        values = np.asarray(values)
        if values.dtype.kind not in "biuf":
            raise InputError(
                f"{self.kernel!r} returned values of dtype {values.dtype}; a kernel must return "
                f"real numbers, best in the dtype of its inputs, here {self.dtype}"
            )
        with np.errstate(over="ignore"):  # infinity is refused where tiles are written
            return values.astype(self.dtype, copy=False)

    def with_threads(self, n_jobs: int | None) -> Job:
        """The same job on so many threads for each tile, which changes no value."""
        return replace(self, kernel=computed_by(self.kernel, n_jobs=n_jobs))


def fingerprint(description: dict[str, Any]) -> str:
    """SHA-256 of a job's description."""
    text = json.dumps(description, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def kernel_and_kinds(kernel: Any, kind: str | None) -> tuple[Kernel, tuple[str, ...]]:
    """The kernel to compute and the names of its matrices.

    Raises:
        InputError: `kind` for a kernel, which has only one, or an unknown one for a network.
    """
    if isinstance(kernel, Kernel):
        if kind is not None:
            raise InputError(
                f"kind={shown(kind)} chooses between the kernels of a network, but a kernel was "
                f"given, {shown(kernel)}; leave kind out, or pass the network"
            )
        names = {NTK: "ntk", NNGP: "nngp"}
        return kernel, (names.get(type(kernel), "kernel"),)
    found = tuple(sorted(kinds_of("both" if kind is None else kind)))
    return as_kernel(kernel, NNGP if found == ("nngp",) else NTK), found


def settled(kernel: Kernel, n_jobs: int | None) -> Kernel:
    """The kernel with all that does not change its values set to what serves for tiles."""
    kernel = computed_by(kernel, progress=False, max_memory=_NO_LIMIT)
    return kernel if n_jobs is None else computed_by(kernel, n_jobs=n_jobs)


def described(kernel: Kernel) -> dict[str, Any]:
    """`kernel.to_dict()`; raises `InputError` for a kernel that has no description in JSON."""
    try:
        found = kernel.to_dict()
    except (InputError, NotImplementedError) as error:
        raise InputError(
            "a stored kernel matrix is known by the description of its kernel, and this kernel "
            f"has none: {str(error) or type(kernel).__name__ + ' lacks to_dict'}"
        ) from None
    try:
        return json.loads(json.dumps(found, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"to_dict of {kernel!r} must give what JSON can hold, dictionaries, lists, text and "
            f"finite numbers, by which a store knows its kernel; got {found!r} ({error})"
        ) from None


def engines(kernel: Kernel, X: Rows) -> str:
    """The names of the engines that a kernel uses on such data, with commas between them.

    One name for each network, in their order, as it matters which of them an engine computes; one
    in all if there is only one engine, and "own" where there is no network.

    Raises:
        NetworkError: a network that does not fit the inputs.
    """
    names = [engine_of(part, X).name for part in networks(kernel)]
    return ",".join(names if len(set(names)) > 1 else names[:1]) or "own"


def networks(kernel: Kernel) -> list[NetworkKernel]:
    """The kernels of networks that a kernel is made of."""
    return [leaf for leaf in leaves(kernel) if isinstance(leaf, NetworkKernel)]


def foreign_classes(kernel: Kernel) -> list[str]:
    """The user's own classes in a kernel, by their full names: `to_dict` need not tell them."""
    found = [type(leaf) for leaf in leaves(kernel)]
    return [f"{c.__module__}.{c.__qualname__}" for c in found if c not in (NTK, NNGP)]


def engine_of(kernel: NetworkKernel, X: Rows) -> Engine:
    """The engine of a network's kernel on such data."""
    if kernel.input_shape is None and X.attached is None:
        refuse_channels_first(X.shape, X.name)
    steps = plan(kernel.net, kernel.input_shape or X.shape[1:], attached=X.attached)
    return select(steps, np.empty(0, X.dtype), engine=kernel.engine).engine
