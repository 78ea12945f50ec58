"""Which solver "auto" takes, why, and whether a solver's memory is there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import psutil

from ...checks import number, whole
from ...engines.tiles import size_text
from ...errors import InputError, MemoryLimitError
from ..regularization import Regularization, make_regularization
from .options import CG, Cholesky, Eigh, Features, Nystrom, Solver, as_solver, name_of

CHOLESKY_LIMIT = 15_000
EIGH_LIMIT = 8_000
_CG_BLOCKS = 20
_EDGE = 1024  # of the tiles of K, as in `tiles`
# Evaluations of duals for a whole matrix, about a day's on two cores, beyond which it is not
# computed unasked.
REACH = 1e14
_OUTPUTS = 10  # where their number is not known
_SHARE = 0.8  # of the free memory; the rest is for everything else


@dataclass(frozen=True)
class Choice:
    """A solver with the reason for it, and the bytes that it needs for n samples.

    `asked` says that it was not "auto" that chose it, `kept` how many bytes of K conjugate
    gradients keep in addition, at most, where there is room.
    """

    solver: Solver
    reason: str
    need: int
    asked: bool = False
    kept: int = 0

    def __str__(self) -> str:
        text = f"{name_of(self.solver)}: {self.reason}; needs {size_text(self.need)}"
        if isinstance(self.solver, CG):
            text += f" for {_OUTPUTS} outputs"
        return f"{text}, and keeps up to {size_text(self.kept)} of K" if self.kept else text


def choose_solver(
    n: int,
    *,
    alpha: Any = None,
    training_time: float | None = None,
    solver: Any = "auto",
    available: int | None = None,
    evaluations: float = 0.0,
) -> Choice:
    """Say which solver a fit of n samples takes, and why.

    The rules of "auto", the first that applies:

    1. a matrix out of reach, of more than 10¹⁴ evaluations of duals, which take two cores about a
       day: "features", which approximates; 10,000 pictures of 32×32 pixels through two
       convolutions and pooling are that far;
    2. alpha = 0 (or a list with 0), or a finite training time: "eigh", as "cholesky" and "cg" do
       neither;
    3. one alpha > 0: "cholesky" up to 15,000 samples, if its memory is there;
    4. several alphas, or "loo": "eigh" up to 8,000 samples, if its memory is there;
    5. else "cg". "nystrom", which approximates, is taken only when asked for.

    Args:
        alpha, training_time, solver: as in `KernelRegressor`.
        available: free memory in bytes; default: what is free now. 80 % of it count as there.
        evaluations: of duals of activations that K(X, X) takes, n²/2 times their number for one
            pair; 0 leaves rule 1 out. `explain_solver` of the estimators counts them.

    Raises:
        ValueError, InputError: parameters that do not go together.

    >>> print(choose_solver(1000, alpha=0.1, available=10**9))
    cholesky: one alpha > 0, up to 15,000 samples; needs 7.6 MiB
    >>> print(choose_solver(60_000, alpha="loo", available=16 * 10**9).reason)
    "loo" chooses among alphas, and 60,000 samples are more than 8,000
    """
    n = whole(n, "n", 1)
    free = None if available is None else whole(available, "available", 0)
    count = number(evaluations, "evaluations", least=0)
    return choose(n, make_regularization(alpha, training_time), solver, free, count)


def choose(
    n: int,
    regularization: Regularization,
    solver: Any,
    available: int | None = None,
    evaluations: float = 0.0,
) -> Choice:
    """`choose_solver` with what `alpha` and `training_time` ask for."""
    asked = as_solver(solver)
    if asked is not None:
        check_applies(asked, regularization)
        need = memory_need(asked, n)
        return Choice(asked, "asked for", need, asked=True, kept=_kept(asked, n, available))
    free = psutil.virtual_memory().available if available is None else available
    if evaluations > REACH:
        reason = (
            f"the matrix would take {evaluations:.0e} evaluations of duals, and {REACH:.0e} are "
            "about a day of two cores"
        )
        return Choice(Features(), reason, memory_need(Features(), n))
    spectral, factor = memory_need(Eigh(), n), memory_need(Cholesky(), n)
    if not math.isinf(regularization.time):
        return Choice(Eigh(), "a finite training time takes a spectrum", spectral)
    if regularization.alphas is not None and regularization.alphas[0] == 0:
        return Choice(Eigh(), "alpha = 0 takes a spectrum", spectral)
    if regularization.chooses:
        what = '"loo" chooses among alphas' if regularization.alphas is None else "several alphas"
        exact, limit, need = Eigh(), EIGH_LIMIT, spectral
    else:
        what, exact, limit, need = "one alpha > 0", Cholesky(), CHOLESKY_LIMIT, factor
    if n > limit:
        reason = f"{what}, and {n:,} samples are more than {limit:,}"
    elif need > _SHARE * free:
        reason = (
            f"{what}, and {name_of(exact)} would need {size_text(need)} of the {size_text(free)} "
            "that are free"
        )
    else:
        return Choice(exact, f"{what}, up to {limit:,} samples", need)
    return Choice(CG(), reason, memory_need(CG(), n), kept=_kept(CG(), n, available))


def _kept(solver: Solver, n: int, available: int | None) -> int:
    """Bytes of K, in float64, that a solver keeps: the upper triangle, as far as there is room."""
    if not isinstance(solver, CG) or solver.matrix == "on_the_fly":
        return 0
    triangle = 4 * n * (n + min(n, _EDGE))
    if solver.matrix == "memory":
        return triangle
    free = psutil.virtual_memory().available if available is None else available
    return min(triangle, free // 2)


def check_applies(solver: Solver, regularization: Regularization) -> None:
    """Refuse parameters that a solver was not made for.

    Raises `ValueError` with the remedy.
    """
    if isinstance(solver, Eigh | Features | Nystrom):
        return
    name = name_of(solver)
    if not math.isinf(regularization.time):
        raise InputError(
            f'solver="{name}" solves for the end of training; a finite training_time takes '
            'solver="eigh", "nystrom" or "features"'
        )
    if regularization.alphas is not None and regularization.alphas[0] == 0:
        raise InputError(
            f'solver="{name}" needs alpha > 0, got 0; give alpha a small number such as 1e-6 times '
            'the mean of K(x, x), or take solver="eigh"'
        )
    if isinstance(solver, Cholesky) and regularization.chooses:
        raise InputError(
            'solver="cholesky" takes one alpha > 0; to choose among several take solver="eigh", '
            '"cg" or "auto"'
        )


def memory_need(solver: Solver, n: int, outputs: int = _OUTPUTS) -> int:
    """Return the bytes that a fit of n samples takes at its peak, beside the samples.

    `outputs` are columns of targets, of which only conjugate gradients take room for many. What
    these keep of K, where there is room for it, is not counted.

    >>> memory_need(Cholesky(), 1000), memory_need(Eigh(), 1000)
    (8000000, 24000000)
    """
    if isinstance(solver, Cholesky):
        return 8 * n * n
    if isinstance(solver, Eigh):
        return 24 * n * n
    if isinstance(solver, CG):
        # the factor and its copy, a tile of K twice, and blocks of vectors: two states of the
        # iteration with what leads from one to the other, and solutions and residuals for the
        # last alphas
        vectors = 8 * _CG_BLOCKS * n * (outputs + 1 + solver.probes)
        return 16 * n * solver.rank_for(n) + vectors + 16 * min(n, _EDGE) ** 2
    if isinstance(solver, Features):
        # their products and the spectrum of these, in its workspace; the features themselves may
        # lie in a store
        return 32 * min(solver.n_components, 4 * n) ** 2
    assert isinstance(solver, Nystrom)
    # the factor, turned into its basis, and the squares of that
    return 24 * n * min(solver.n_components, n)


def require_memory(need: int, what: str, name: str, available: int | None = None) -> None:
    """Refuse, before anything is computed, what does not fit in the free memory.

    Raises `MemoryLimitError`, which names a solver that needs less.
    """
    free = psutil.virtual_memory().available if available is None else available
    if need <= free:
        return
    remedy = {
        "cg": 'CG(matrix="on_the_fly"), store="K.zarr", or float32 samples need less',
        "nystrom": "fewer n_components need less",
        "features": "fewer n_components need less",
    }.get(name, 'solver="cg" needs no more than a few columns of K; so does solver="nystrom"')
    raise MemoryLimitError(
        f"{what} needs {size_text(need)}, but {size_text(free)} are free; {remedy}"
    )


def require_solver_memory(
    solver: Solver, n: int, outputs: int = _OUTPUTS, *, beside: int = 0
) -> None:
    """`require_memory` for a fit of n samples, of whose need `beside` bytes are held already."""
    name = name_of(solver)
    need = memory_need(solver, n, outputs) - beside
    require_memory(need, f'solver="{name}" for {n:,} samples', name)
