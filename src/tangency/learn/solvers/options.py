"""The solvers as frozen descriptions: what they are called and which options they have."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Literal, Self

from ...checks import choice, flag, is_whole, path, shown, whole
from ...errors import InputError

Preconditioning = Literal["rpcholesky", "uniform", "leverage", "none"]
Storage = Literal["auto", "memory", "on_the_fly"]


@dataclass(frozen=True)
class Solver:
    """A way to fit; one of the classes below."""

    def to_dict(self) -> dict[str, Any]:
        """The solver as JSON-able data, for `solver_from_dict`, without client and progress."""
        fields = (f for f in dataclasses.fields(self) if f.name not in ("client", "progress"))
        options = {f.name: getattr(self, f.name) for f in fields}
        lists = {name: list(v) for name, v in options.items() if isinstance(v, tuple)}
        return {"type": type(self).__name__, **options, **lists}

    def __getstate__(self) -> dict[str, Any]:
        # A client belongs to its process; what is fitted there needs none.
        left = {"client": None} if "client" in vars(self) else {}
        return {**vars(self), **left}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # frozen; and a client, which scikit-learn's clone would copy, has no copies


@dataclass(frozen=True)
class Cholesky(Solver):
    """One alpha > 0 through a Cholesky factor in the memory of K: 2n³/3 operations, 8n² bytes."""


@dataclass(frozen=True)
class Eigh(Solver):
    """Any alpha ≥ 0, many alphas, any training time, from one eigendecomposition: some 10n³
    operations and 24n² bytes."""


@dataclass(frozen=True)
class CG(Solver):
    """Preconditioned block conjugate gradients, which need only products with K.

    Args:
        tol: the largest error of a prediction at any x with K(x, x) no larger than among the
            training samples, in units of the root mean square of the (centred) targets; it holds
            by a bound, and errors are mostly far smaller.
        max_iter: products with K for one alpha, at most.
        rank: columns of K in the preconditioner F Fᵀ + αI; "auto" takes 5√n, at least 100 and at
            most 2,000.
        precondition: how these columns are picked, as in `low_rank`; "none" takes αI.
        matrix: "memory" keeps K (the upper triangle, in its own dtype), "on_the_fly" keeps
            nothing and computes each tile anew for each product, "auto" keeps what fits in half
            of the free memory and computes the rest anew. For a stored matrix the same with
            reading in the place of computing.
        probes: random vectors that estimate the diagonal of (K + αI)⁻¹, which leave-one-out
            needs: at least 2, as a single one does not show its own error; 0 does without
            leave-one-out.
        checkpoint: a file that is written as the iteration goes on, and from which the same fit
            goes on after an interruption.
        seed: of preconditioner and probes.
        progress: a bar with the residual; None does as the kernel's own `progress` says.
        client: a `dask.distributed.Client` whose workers compute or read the tiles.

    Raises:
        InputError: an option out of its range.

    >>> CG(tol=1e-4, rank=500)
    CG(tol=0.0001, rank=500)
    """

    tol: float = 1e-6
    max_iter: int = 1000
    rank: int | Literal["auto"] = "auto"
    precondition: Preconditioning = "rpcholesky"
    matrix: Storage = "auto"
    probes: int = 16
    checkpoint: str | None = None
    seed: int = 0
    progress: bool | None = None
    client: Any = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not (_is(self.tol, Real) and 0 < self.tol < 1):
            raise InputError(f"CG: tol must be a number between 0 and 1, got {shown(self.tol)}")
        _whole(self, "max_iter", 1)
        _whole(self, "probes", 0)
        _whole(self, "seed", 0)
        if not (isinstance(self.rank, str) and self.rank == "auto"):
            _whole(self, "rank", 1)
        _one_of(self, "precondition", ("rpcholesky", "uniform", "leverage", "none"))
        _one_of(self, "matrix", ("auto", "memory", "on_the_fly"))
        if self.progress is not None:
            object.__setattr__(self, "progress", flag(self.progress, "CG: progress"))
        if self.checkpoint is not None:
            place = str(path(self.checkpoint, "CG: checkpoint"))
            object.__setattr__(self, "checkpoint", place)
        if self.matrix == "memory" and self.client is not None:
            raise InputError(
                'CG: matrix="memory" keeps K in this process, so a client has nothing to do; leave '
                "one of the two out"
            )

    def __repr__(self) -> str:
        return _changed(self)

    def rank_for(self, n: int) -> int:
        """The rank of the preconditioner for n samples; 0 without one.

        >>> CG().rank_for(10_000), CG().rank_for(60), CG(precondition="none").rank_for(60)
        (500, 60, 0)
        """
        n = whole(n, "n", 1)
        if self.precondition == "none":
            return 0
        wanted = min(max(round(5 * n**0.5), 100), 2000) if self.rank == "auto" else self.rank
        return min(wanted, n)


@dataclass(frozen=True)
class Nystrom(Solver):
    """Ridge regression in the span of K(·, xᵢ) for chosen samples i, the landmarks.

    Args:
        n_components: the number of landmarks r: r columns of K and n r² operations.
        method: how they are chosen, as in `low_rank`.
        seed: of that choice.

    Raises:
        InputError: an option out of its range.

    >>> Nystrom(300)
    Nystrom(n_components=300)
    """

    n_components: int = 1000
    method: Literal["rpcholesky", "uniform", "leverage"] = "rpcholesky"
    seed: int = 0

    def __post_init__(self) -> None:
        _whole(self, "n_components", 1)
        _whole(self, "seed", 0)
        _one_of(self, "method", ("rpcholesky", "uniform", "leverage"))

    def __repr__(self) -> str:
        return _changed(self)


@dataclass(frozen=True)
class Features(Solver):
    """Ridge regression on `LayerwiseFeatures` of a network's kernel, without pairs of samples.

    Args:
        n_components: the number of features r, at most: n r² operations and 24r² bytes.
        widths, method, max_samples: as in `LayerwiseFeatures`.
        seed: of its choice of landmarks.
        device: where features are computed, as in `LayerwiseFeatures`.
        progress: a bar while features are computed; None does as the kernel's own `progress` says.
        client: a `dask.distributed.Client` whose workers compute features, block by block.

    Raises:
        InputError: an option out of its range.

    >>> Features(2000, widths=128)
    Features(n_components=2000, widths=128)
    """

    n_components: int = 4000
    widths: int | tuple[int, ...] | None = None
    method: Literal["rpcholesky", "uniform", "leverage"] = "rpcholesky"
    max_samples: int = 1000
    seed: int = 0
    device: str | None = None
    progress: bool | None = None
    client: Any = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("n_components", "max_samples"):
            _whole(self, name, 1)
        _whole(self, "seed", 0)
        _one_of(self, "method", ("rpcholesky", "uniform", "leverage"))
        if isinstance(self.widths, list | tuple):
            each = [whole(width, "Features: each of widths", 1) for width in self.widths]
            object.__setattr__(self, "widths", tuple(each))
        elif self.widths is not None:
            _whole(self, "widths", 1)
        if not (self.device is None or isinstance(self.device, str)):
            raise InputError(
                f'Features: device must be a name such as "cuda", or None, got {shown(self.device)}'
            )
        if self.progress is not None:
            object.__setattr__(self, "progress", flag(self.progress, "Features: progress"))

    def __repr__(self) -> str:
        return _changed(self)


NAMES: dict[str, type[Solver]] = {
    "cholesky": Cholesky,
    "eigh": Eigh,
    "cg": CG,
    "nystrom": Nystrom,
    "features": Features,
}


def as_solver(solver: Any) -> Solver | None:
    """Return the solver that a parameter names or is; None for "auto".

    Raises `InputError` for anything else.

    >>> as_solver("cg"), as_solver("auto")
    (CG(), None)
    """
    if isinstance(solver, Solver):
        return solver
    if isinstance(solver, str) and solver == "auto":
        return None
    if isinstance(solver, str) and solver in NAMES:
        return NAMES[solver]()
    raise InputError(
        f'solver={shown(solver)} is not known; expected "auto", {", ".join(map(repr, NAMES))}, or '
        "one of them with options, such as CG(tol=1e-4)"
    )


def name_of(solver: Solver) -> str:
    """Return the short name of a solver."""
    return next(name for name, kind in NAMES.items() if type(solver) is kind)


def solver_from_dict(data: dict[str, Any]) -> Solver:
    """Return the solver that `to_dict` described.

    >>> solver_from_dict(CG(rank=7).to_dict()) == CG(rank=7)
    True
    """
    options = dict(data)
    kind = {each.__name__: each for each in NAMES.values()}[options.pop("type")]
    return kind(**options)


def _changed(solver: Solver) -> str:
    """The constructor call with what differs from the defaults."""
    changed = [
        f"{f.name}={getattr(solver, f.name)!r}"
        for f in dataclasses.fields(solver)
        if f.repr and getattr(solver, f.name) != f.default
    ]
    return f"{type(solver).__name__}({', '.join(changed)})"


def _is(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _whole(solver: Solver, name: str, least: int) -> None:
    value = getattr(solver, name)
    if not (is_whole(value) and value >= least):
        also = ' or "auto"' if name == "rank" else ""
        raise InputError(
            f"{type(solver).__name__}: {name} must be a whole number of at least {least}{also}, "
            f"got {shown(value)}"
        )
    object.__setattr__(solver, name, int(value))


def _one_of(solver: Solver, name: str, allowed: tuple[str, ...]) -> None:
    value = getattr(solver, name)
    choice(value, f"{type(solver).__name__}: {name}", allowed)
