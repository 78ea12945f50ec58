"""The choice of alpha by leave-one-out with conjugate gradients, and the solution for it."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from ...checks import cut, flag, whole
from ...errors import InputError
from ...matrix.checked import require_finite
from ...matrix.products import Product
from ...matrix.tiles import Tiles
from ..conditioning import caller_level
from ..fitted import DualFit
from ..loo import Criterion, loo_residuals
from .block_cg import NotDefiniteError, State, System, run, start
from .checkpoint import Checkpoint, digest
from .options import CG
from .preconditioner import Preconditioner
from .probes import draw_probes, inverse_diagonal
from .warm import Solved, start_from

Matrix = NDArray[np.float64]

_SEARCH_TOL = 1e-3  # of the solutions among which leave-one-out chooses
_SIDE_TOL = 1e-3  # of the solutions for probes and for the vector of ones, which only correct
_RESTARTS = 3
_STALE = 3
_REMEMBERED = 3


@dataclass
class Search:
    """Fits of `targets` (n, k) for alphas from the largest down, each from those before.

    The right-hand sides are [targets, 1, probes], the last two for leave-one-out. `diagonal` (n,)
    is that of K. With weights these are those of the scaled samples, and √w, `roots`, is in the
    place of 1. What has been found: `losses` in the order of the alphas, the solutions `best`, of
    the smallest one, and `last`, of the last alphas, and the number of `products` with K.
    """

    product: Product
    preconditioner: Preconditioner
    diagonal: Matrix
    targets: Matrix
    options: CG
    criterion: Criterion
    centred: bool
    bar: Any
    roots: Matrix | None = None
    losses: list[float] = field(default_factory=list)
    best: Solved | None = None
    last: list[Solved] = field(default_factory=list)
    products: int = 0
    restarts: int = 0
    final: bool = False
    checkpoint: Checkpoint | None = None
    resumed: State | None = None

    def __post_init__(self) -> None:
        n, self.outputs = self.targets.shape
        count = self.options.probes if n > 1 else 0
        # a single probe does not show its own error
        self.probes = draw_probes(n, max(count, 2) if count else 0, self.options.seed)
        ones = np.ones(n) if self.roots is None else self.roots
        sides = [ones[:, None], self.probes] if count else []
        self.columns = np.hstack([self.targets, *sides])
        scale = np.sqrt(np.mean(np.square(self.targets), axis=0))
        diagonal = self.diagonal
        if self.roots is not None:
            weights = np.square(self.roots)
            scale, diagonal = scale / math.sqrt(float(weights.mean())), diagonal / weights
        # √K(x, x) times the RKHS norm of what is missing bounds the error at x
        self.unit = scale / math.sqrt(max(float(diagonal.max()), np.finfo(float).tiny))

    def best_of(self, alphas: Matrix, stops_early: bool) -> DualFit:
        """Choose among alphas (ascending), then solve for the best to the end."""
        tried = alphas[::-1]
        if len(alphas) > 1:
            if not self.probes.shape[1]:
                raise InputError(
                    "CG(probes=0) does not estimate leave-one-out errors, which the choice among "
                    "several alphas needs; give one alpha, or set probes to 16"
                )
            if not self.final:
                self._search(tried, stops_early)
            tried = tried[: len(self.losses)]
        alpha = float(tried[_smallest(self.losses)])
        self.final = True
        state, worst = self._solve_to_the_end(alpha)
        dual = np.ascontiguousarray(state.solution[:, : self.outputs])
        # K c = targets - residual - alpha c, without another product
        image = self.targets - state.residual[:, : self.outputs] - alpha * dual
        norms = np.sqrt(np.maximum(np.einsum("ij,ij->j", dual, image), 0.0))
        residuals, error, losses = None, None, None
        if self.probes.shape[1]:
            residuals, error = self._leave_one_out(state, alpha)
            losses = np.array(self.losses[::-1] or [self.criterion(residuals)])
        return DualFit(
            dual,
            alpha,
            norms,
            residuals,
            np.array(tried[::-1]),
            losses,
            solver="cg",
            products=self.products,
            tolerance=worst * self.options.tol,
            loo_error=error,
        )

    def _search(self, descending: Matrix, stops_early: bool) -> None:
        """Fill `losses` for alphas from the largest down, until one cannot be solved for."""
        for alpha in map(float, descending[len(self.losses) :]):
            system = self._system(alpha, max(self.options.tol, _SEARCH_TOL))
            state, self.resumed = self.resumed or start_from(system, self.last), None
            try:
                state = run(system, state, self.options.max_iter, self._watch(system))
                failed = "" if state.worst(system.wanted) <= 1 else "the iteration did not converge"
            except NotDefiniteError as error:
                if not self.losses:
                    raise
                failed = str(error)
            if failed and self.losses:
                self._warn_left_out(alpha, failed)
                return
            self.losses.append(self.criterion(self._leave_one_out(state, alpha)[0]))
            solved = Solved(alpha, state.solution, state.residual)
            if _smallest(self.losses) == len(self.losses) - 1:
                self.best = solved
            self.last = [solved, *self.last][:_REMEMBERED]
            if failed or (stops_early and levels_off(self.losses)):
                return

    def _solve_to_the_end(self, alpha: float) -> tuple[State, float]:
        """Return a state whose residual was computed afresh, and its worst ratio to the wanted."""
        system = self._system(alpha, self.options.tol)
        known = [self.best, *self.last] if self.best is not None else []
        state, self.resumed = self.resumed or start_from(system, known), None
        while True:
            state = run(system, state, self.options.max_iter, self._watch(system))
            claimed = state.worst(system.wanted)
            # what the recurrence lost to rounding shows in the residual itself
            state = start(system, state.solution)
            self.products += 1
            if state.worst(system.wanted) <= 1 or claimed > 1 or self.restarts >= _RESTARTS:
                break
            self.restarts += 1
        worst = state.worst(system.wanted, self.outputs)
        if worst > 1:
            self._warn_unconverged(alpha, worst)
        if self.checkpoint is not None:
            self._save(state)
        return state, worst

    def _system(self, alpha: float, tol: float) -> System:
        wanted = np.empty(self.columns.shape[1])
        wanted[: self.outputs] = tol * self.unit
        sides = self.columns[:, self.outputs :]
        if sides.shape[1]:
            solved = self.preconditioner.solve(sides, alpha)
            wanted[self.outputs :] = _SIDE_TOL * np.sqrt(
                np.abs(np.einsum("ij,ij->j", sides, solved))
            )
        return System(self.product, self.preconditioner, self.columns, alpha, wanted)

    def _leave_one_out(self, state: State, alpha: float) -> tuple[Matrix, float]:
        """The leave-one-out residuals (n, k), and their relative error."""
        k, solution = self.outputs, state.solution
        found = inverse_diagonal(
            self.preconditioner, self.diagonal, alpha, self.probes, solution[:, k + 1 :]
        )
        residuals = loo_residuals(
            solution[:, :k],
            solution[:, k],
            found.values,
            self.targets,
            centred=self.centred,
            roots=self.roots,
        )
        return residuals, found.error

    def _watch(self, system: System) -> Any:
        def watch(state: State) -> None:
            self.products += 1
            self.bar.set_description(f"alpha {system.alpha:.3g}")
            self.bar.set_postfix_str(f"residual {state.worst(system.wanted):.1e} × tolerance")
            self.bar.update(1)
            if self.checkpoint is not None and self.checkpoint.due():
                self._save(state)

        return watch

    def attach(self, path: Path, tiles: Tiles, alphas: Matrix) -> None:
        """Take up the checkpoint at this path, or begin one."""
        o = self.options
        problem = {
            "the kernel matrix": tiles.digest(),
            "the targets": digest(self.targets, self.centred),
            "alpha": digest(alphas),
            "the solver's options": digest(o.tol, o.rank, o.precondition, o.probes, o.seed),
        }
        self.checkpoint = Checkpoint(path, problem)
        found = self.checkpoint.read()
        if found is None:
            return
        try:
            self._take_up(*found)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path} is a checkpoint of this fit, but its contents are damaged "
                f"({cut(str(error))}); delete it, or give another path as checkpoint"
            ) from None

    def _take_up(self, numbers: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Go on from what `_save` has written; raises for anything else."""
        n, p = self.columns.shape
        q = arrays["directions"].shape[-1]
        shapes = {"directions": (n, q), "shaped": (n, q), "bounds": (p,)}
        for name, values in arrays.items():
            if values.shape != shapes.get(name, (n, p)) or values.dtype != np.float64:
                raise ValueError(f"{name} has shape {values.shape} and dtype {values.dtype}")
            require_finite(values, f"{name} is not finite", "delete it")
        for name in ("products", "restarts", "iteration", "best_at"):
            whole(numbers[name], name, 0)
        self.final = flag(numbers["final"], "final")
        self.losses = [float(loss) for loss in numbers["losses"]]
        self.products, self.restarts = numbers["products"], numbers["restarts"]
        solved = [
            Solved(float(alpha), arrays.pop(f"solution_{i}"), arrays.pop(f"residual_{i}"))
            for i, alpha in enumerate(numbers["solved"])
        ]
        self.best, self.last = (solved[0], solved[1:]) if solved else (None, [])
        self.resumed = State(
            **arrays,
            iteration=numbers["iteration"],
            best=float(numbers["reached"]),
            best_at=numbers["best_at"],
        )

    def _save(self, state: State) -> None:
        assert self.checkpoint is not None
        solved = [] if self.best is None else [self.best, *self.last]
        numbers = {
            "solved": [each.alpha for each in solved],
            "losses": [repr(loss) for loss in self.losses],
            "products": self.products,
            "final": self.final,
            "restarts": self.restarts,
            "iteration": state.iteration,
            "reached": repr(state.best),
            "best_at": state.best_at,
        }
        names = ("solution", "residual", "directions", "shaped", "bounds")
        arrays = {name: getattr(state, name) for name in names}
        for i, each in enumerate(solved):
            arrays[f"solution_{i}"], arrays[f"residual_{i}"] = each.solution, each.residual
        self.checkpoint.write(numbers, arrays)

    def _warn_left_out(self, alpha: float, reason: str) -> None:
        warnings.warn(
            f"alpha={alpha:.3g} and smaller ones were left out of the choice: {reason}. To do: "
            'raise rank or max_iter of CG, pass the inputs as float64, or take solver="eigh".',
            ConvergenceWarning,
            stacklevel=caller_level(),
        )

    def _warn_unconverged(self, alpha: float, worst: float) -> None:
        warnings.warn(
            f"conjugate gradients stopped short of the tolerance at alpha={alpha:.3g}, after "
            f"{self.products} products: predictions may be wrong by {worst * self.options.tol:.1g} "
            f"of the targets' root mean square, where {self.options.tol:.1g} was asked for. To do: "
            "raise alpha, or rank or max_iter of CG, pass the inputs as float64, or take "
            'solver="cholesky" where memory allows.',
            ConvergenceWarning,
            stacklevel=caller_level(),
        )


def levels_off(losses: list[float]) -> bool:
    """Whether a search from large alphas down may end: the last three brought nothing.

    That is so where all three were worse than the best before; or brought it down by less than
    1 % each, which is within the error of the losses, once 10 % are gained over the first one.

    >>> levels_off([9.0, 5.0, 4.0, 4.1, 4.3, 4.2]), levels_off([9.0, 8.99, 8.98, 8.97])
    (True, False)
    """
    if len(losses) <= _STALE:
        return False
    best = np.minimum.accumulate(losses)
    last, before = np.array(losses[-_STALE:]), best[-_STALE - 1 : -1]
    gained = best[-1] < 0.9 * losses[0]
    return bool(np.all(last > best[-_STALE - 1]) or (gained and np.all(last > 0.99 * before)))


def _smallest(losses: list[float]) -> int:
    """The place of the smallest loss; of those equal to nine digits, the first; 0 for none."""
    smallest = min(losses, default=0.0)
    return next((i for i, x in enumerate(losses) if x <= smallest + 1e-9 * abs(smallest)), 0)
