"""From an estimator's parameters to a fit by one of the solvers."""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checks import shown
from ...errors import InputError
from ...kernels import Kernel
from ...kernels.algebra import without_factor
from ...kernels.network import NetworkKernel
from ...kernels.packing import Structured
from ...matrix.checked import is_precomputed, require_finite
from ...matrix.compute import compute
from ...matrix.tiles import ArrayTiles, KernelTiles, StoredTiles, Tiles
from ...matrix.view import is_stored
from ...nets.parameters import numbers_only
from ...nets.plan import evaluations, plan
from ..conditioning import caller_level
from ..features.chain import covered
from ..fitted import DualFit
from ..grams import TrainGram, assembled, train_gram
from ..loo import Criterion
from ..regularization import Regularization
from ..weights import weighted
from .cg import fit_cg
from .direct import fit_dual
from .features import fit_features
from .nystrom import fit_nystrom
from .options import CG, Features, Nystrom
from .predict import quiet, shows_progress
from .rules import Choice, choose, require_solver_memory
from .weighted import WeightedTiles

Matrix = NDArray[np.float64]

# Samples up to which a matrix in memory is one call of the kernel, and the tiles of larger ones.
_WHOLE, _EDGE = 4096, 2048


@dataclass(frozen=True)
class Problem:
    """What is fitted: `kernel` on samples X, or X as the matrix itself, perhaps in a store.

    `store` is None or the path of a store that K(X, X) is computed into and read from. With
    `roots` √w (n,) of weights, K(X, X) is √wᵢ K(xᵢ, xⱼ) √wⱼ.
    """

    kernel: Any
    X: Any
    store: Any = None
    roots: Matrix | None = None

    def __post_init__(self) -> None:
        if self.store is None:
            return
        if is_precomputed(self.kernel):
            raise InputError(
                f"store={str(self.store)!r} is where K(X, X) is computed into, but with "
                'kernel="precomputed" there is nothing to compute; pass gram.open(path) as X'
            )
        if not isinstance(self.kernel, Kernel):
            raise InputError(
                f"store={str(self.store)!r} takes a kernel of this library, which it can tell from "
                f"another one; got {shown(self.kernel)}"
            )

    def choose(self, regularization: Regularization, solver: Any) -> Choice:
        """The solver that fits this problem."""
        reach = self._evaluations() if isinstance(solver, str) else 0.0
        return choose(len(self.X), regularization, solver, evaluations=reach)

    def _evaluations(self) -> float:
        """Of duals of activations, for K(X, X) of a network that has features; else 0."""
        known = isinstance(self.kernel, Kernel) and not is_stored(self.X) and self.store is None
        known = known and not isinstance(self.X, Structured)
        if not known or not isinstance(kernel := without_factor(self.kernel)[0], NetworkKernel):
            return 0.0
        steps = plan(numbers_only(kernel.net), kernel.input_shape or tuple(self.X.shape[1:]))
        if not covered(steps):
            return 0.0
        return evaluations(steps) * len(self.X) * (len(self.X) + 1) / 2

    def gram(self) -> TrainGram:
        """K(X, X) in memory, which solvers may overwrite."""
        return weighted(self._gram(), self.roots)

    def _gram(self) -> TrainGram:
        if is_stored(self.X):
            return assembled(StoredTiles(self.X), None)
        if self.store is not None:
            return assembled(StoredTiles(self._stored(None)), self.X)
        if isinstance(self.kernel, Kernel) and len(self.X) > _WHOLE:
            shows = shows_progress(self.kernel)
            return assembled(KernelTiles(quiet(self.kernel), self.X, _EDGE), self.X, shows)
        return train_gram(self.kernel, self.X)

    def tiles(self, client: Any) -> Tiles:
        """K(X, X) as tiles."""
        found = self._tiles(client)
        return found if self.roots is None else WeightedTiles(found, self.roots)

    def _tiles(self, client: Any) -> Tiles:
        if is_stored(self.X):
            return StoredTiles(self.X)
        if is_precomputed(self.kernel):
            return ArrayTiles(self.X)
        computed = KernelTiles(quiet(self.kernel), self.X)
        if self.store is None:
            return computed
        return StoredTiles(self._stored(client), computed)

    def _stored(self, client: Any) -> Any:
        return compute(
            quiet(self.kernel),
            self.X,
            store=self.store,
            client=client,
            progress=shows_progress(self.kernel),
        )


def fit(
    problem: Problem,
    targets: Matrix,
    regularization: Regularization,
    choice: Choice,
    criterion: Criterion,
    *,
    centred: bool,
) -> DualFit:
    """Fit the targets, (n, k), by the chosen solver; `criterion` and `centred` as in `fit_dual`.

    Raises `MemoryLimitError`, before anything is computed, where its memory is not there, and
    `InputError` where numbers leave the range of float64.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # reported just below, in words
        found = _fit(problem, targets, regularization, choice, criterion, centred=centred)
    if found.residuals is not None:
        what = f"the leave-one-out residuals overflowed in solver {found.solver!r}"
        remedy = "scale the inputs so that K(x, x) comes nearer to 1, or raise alpha"
        require_finite(found.residuals, what, remedy)
    return found


def _fit(
    problem: Problem,
    targets: Matrix,
    regularization: Regularization,
    choice: Choice,
    criterion: Criterion,
    *,
    centred: bool,
) -> DualFit:
    solver = choice.solver
    if isinstance(solver, Features):  # which knows its memory as soon as the map is fitted
        found = _on_features(problem, targets, regularization, solver, criterion, centred=centred)
        if not choice.asked:
            _say_approximate(found.features, choice)
        return found
    require_solver_memory(solver, *targets.shape, beside=-_copied(problem, solver))
    if isinstance(solver, CG):
        if solver.progress is None:
            solver = dataclasses.replace(solver, progress=shows_progress(problem.kernel))
        tiles = problem.tiles(solver.client)
        return fit_cg(tiles, targets, regularization, solver, criterion, centred=centred)
    if isinstance(solver, Nystrom):
        if problem.store is not None:
            raise InputError(
                f'solver="nystrom" computes a few columns of K only, so it has no use for '
                f"store={str(problem.store)!r}; leave store=None, or take another solver"
            )
        return fit_nystrom(
            problem.tiles(None), targets, regularization, solver, criterion, centred=centred
        )
    asked = solver if choice.asked else None
    return fit_dual(
        problem.gram(), targets, regularization, criterion, centred=centred, solver=asked
    )


def _say_approximate(features: Any, choice: Choice) -> None:
    warnings.warn(
        f'solver="auto" took "features", which approximate the kernel: {choice.reason}. Their '
        f"relative error is {features.error_:.2%}, that of the centred kernel "
        f'{features.centred_error_:.2%}; give solver="features" (or Features with more widths) to '
        'say that this is meant, or solver="cg" for the kernel itself',
        UserWarning,
        stacklevel=caller_level(),
    )


def _on_features(
    problem: Problem,
    targets: Matrix,
    regularization: Regularization,
    solver: Features,
    criterion: Criterion,
    *,
    centred: bool,
) -> DualFit:
    if is_precomputed(problem.kernel):
        raise InputError(
            'solver="features" looks at the samples, and with kernel="precomputed" there are '
            "none; pass the samples with kernel=NTK(net), or take another solver"
        )
    if solver.progress is None:
        solver = dataclasses.replace(solver, progress=shows_progress(problem.kernel))
    return fit_features(
        quiet(problem.kernel),
        problem.X,
        targets,
        regularization,
        solver,
        criterion,
        centred=centred,
        roots=problem.roots,
        store=problem.store,
    )


def _copied(problem: Problem, solver: Any) -> int:
    """Bytes of the matrix of a kernel of the user's own, which may keep it: solvers take a copy."""
    own = not isinstance(problem.kernel, Kernel) and not is_precomputed(problem.kernel)
    return 8 * len(problem.X) ** 2 if own and not isinstance(solver, CG | Features | Nystrom) else 0
