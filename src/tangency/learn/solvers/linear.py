"""Linear regression on features, for every alpha from one spectrum, with its leave-one-out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg as sla
from numpy.typing import NDArray

from ..conditioning import rank_cutoff
from ..flow import flow_filter
from ..grid import best_place, search, warn_at_edge
from ..loo import Criterion, alpha_grid, loo_residuals
from ..regularization import Regularization
from ..spectrum import Spectrum

Matrix = NDArray[np.float64]

# Residuals of several alphas that are kept at a time, in numbers.
_RESIDUALS = 2**24


@dataclass(frozen=True, eq=False)
class Rotated:
    """Some rows of F Q, (b, r), where F are the features and Q their spectrum's vectors."""

    rows: slice
    values: Matrix
    squares: Matrix


Blocks = Callable[[], Iterator[Rotated]]


def spectrum_of(gram: Matrix, trace: float, n: int, eps: float) -> Spectrum:
    """The spectrum of FᵀF (r, r) for n samples, whose features have this relative precision."""
    values, basis = sla.eigh(gram, check_finite=False, driver="evd")
    values = np.maximum(values, 0.0)
    return Spectrum(values, basis, rank_cutoff(trace, float(values.max(initial=0.0)), n, eps))


def rotated_once(factor: Matrix, spectrum: Spectrum) -> Blocks:
    """F Q for features that are held in memory, as one block."""
    rotated = factor @ spectrum.vectors
    whole = Rotated(slice(0, len(factor)), rotated, np.square(rotated))
    return lambda: iter([whole])


class LinearFit:
    """Linear regression of targets (n, k) on the rows of F (n, r), from one spectrum of FᵀF.

    With `roots` √w (n,), rows and targets are those of the scaled samples; see `weights`.
    """

    def __init__(
        self,
        blocks: Blocks,
        spectrum: Spectrum,
        targets: Matrix,
        centred: bool,
        roots: Matrix | None = None,
        moments: Matrix | None = None,
        sums: Matrix | None = None,
    ) -> None:
        self.blocks, self.spectrum = blocks, spectrum
        self.targets, self.centred, self.roots = targets, centred, roots
        if moments is None or sums is None:
            moments, sums = self._moments()
        self.moments, self.sums = moments, sums

    def _moments(self) -> tuple[Matrix, Matrix]:
        """(FQ)ᵀ targets (r, k), and (FQ)ᵀ1 (r,)."""
        found: list[tuple[Matrix, Matrix]] = []
        for block in self.blocks():
            sums = (
                block.values.sum(axis=0)
                if self.roots is None
                else self.roots[block.rows] @ block.values
            )
            found.append((block.values.T @ self.targets[block.rows], sums))
        moments, sums = found[0]
        for more, others in found[1:]:
            moments, sums = moments + more, sums + others
        return moments, sums

    def weights(self, alpha: float, time: float) -> Matrix:
        """w (r, k) such that f = F w."""
        return self.spectrum.vectors @ (
            flow_filter(self.spectrum, alpha, time)[:, None] * self.moments
        )

    def residuals(self, alphas: Sequence[float]) -> list[Matrix]:
        """The leave-one-out residuals, (n, k), of each alpha, from one pass over the blocks.

        They are those of G = F Fᵀ + αI, with αG⁻¹ = I - F(FᵀF + αI)⁻¹Fᵀ; the factor α cancels.
        For α = 0 that is the projector on what F does not reach. A sample with nothing there has
        (F Fᵀ)⁺ = F (FᵀF)⁻² Fᵀ in the place of G⁻¹, as in `loo.spectral_residuals`.
        """
        n = len(self.targets)
        solved = [np.empty_like(self.targets) for _ in alphas]
        ones, left = np.empty((len(alphas), n)), np.empty((len(alphas), n))
        for block in self.blocks():
            for place, alpha in enumerate(alphas):
                found = self._left(block, alpha)
                solved[place][block.rows], ones[place][block.rows] = found[:2]
                left[place][block.rows] = found[2]
        return [
            loo_residuals(each, one, diagonal, self.targets, centred=self.centred, roots=self.roots)
            for each, one, diagonal in zip(solved, ones, left, strict=True)
        ]

    def _left(self, block: Rotated, alpha: float) -> tuple[Matrix, Matrix, Matrix]:
        """G⁻¹ times the targets and times 1, and its diagonal, at some rows, up to a factor."""
        shrink = flow_filter(self.spectrum, alpha)
        rotated = block.values
        # a sample that the features meet whatever the others say: nothing is known without it
        left = np.maximum(1.0 - block.squares @ shrink, np.finfo(np.float64).eps)
        solved = self.targets[block.rows] - rotated @ (shrink[:, None] * self.moments)
        own = 1.0 if self.roots is None else self.roots[block.rows]
        ones = own - rotated @ (shrink * self.sums)
        if alpha == 0:
            met = left <= np.sqrt(np.finfo(np.float64).eps)  # below that, left is only rounding
            rows, inverse = rotated[met], np.square(shrink)
            left[met] = block.squares[met] @ inverse
            solved[met] = rows @ (inverse[:, None] * self.moments)
            ones[met] = rows @ (inverse * self.sums)
        return solved, ones, left


@dataclass(frozen=True, eq=False)
class Chosen:
    """The best `alpha` of `alphas` (a,) by `losses` (a,), with its leave-one-out `residuals`."""

    alpha: float
    alphas: Matrix
    losses: Matrix | None
    residuals: Matrix | None


def choose_alpha(
    fit: LinearFit,
    regularization: Regularization,
    criterion: Criterion,
    mean_diagonal: float,
    dtype: str,
    lowest: float | None = None,
) -> Chosen:
    """Choose alpha by leave-one-out; warns where the best one stands at the end of the search.

    The search begins above the noise level of the spectrum, and goes down to `lowest`, or to that.
    """
    n = len(fit.targets)
    losses_of = _Losses(fit, criterion)
    exact = math.isinf(regularization.time) and n > 1
    if regularization.alphas is None:
        cutoff = fit.spectrum.cutoff
        grid = alpha_grid(mean_diagonal, cutoff, n)
        losses_of.add(grid)
        best = search(losses_of, grid, cutoff if lowest is None else lowest)
        warn_at_edge(best.at_edge, best.best, "alpha", dtype)
        return Chosen(best.best, best.alphas, best.losses, losses_of.residuals(best.best))
    alphas = np.array(regularization.alphas)
    if not exact:
        return Chosen(float(alphas[0]), alphas, None, None)
    losses_of.add(alphas)
    losses = np.array([losses_of(float(alpha)) for alpha in alphas])
    alpha = float(alphas[best_place(losses)])
    return Chosen(alpha, alphas, losses, losses_of.residuals(alpha))


class _Losses:
    """Losses of alphas, many from one pass; the residuals of the best one so far are kept."""

    def __init__(self, fit: LinearFit, criterion: Criterion) -> None:
        self.fit, self.criterion = fit, criterion
        self.known: dict[float, float] = {}
        self.best: tuple[float, Matrix] | None = None

    def add(self, alphas: Matrix) -> None:
        step = max(1, _RESIDUALS // max(self.fit.targets.size, 1))
        for start in range(0, len(alphas), step):
            some = [float(alpha) for alpha in alphas[start : start + step]]
            for alpha, residuals in zip(some, self.fit.residuals(some), strict=True):
                self.known[alpha] = loss = self.criterion(residuals)
                if self.best is None or loss <= self.known[self.best[0]]:
                    self.best = alpha, residuals

    def __call__(self, alpha: float) -> float:
        if alpha not in self.known:
            self.add(np.array([alpha]))
        return self.known[alpha]

    def residuals(self, alpha: float) -> Matrix:
        """Those of one alpha, again if they were not kept."""
        if self.best is None or self.best[0] != alpha:
            return self.fit.residuals([alpha])[0]
        return self.best[1]


def below_noise(spectrum: Spectrum, alpha: float, time: float) -> bool:
    """Whether a fit of this alpha and time moves in directions that are only rounding."""
    return alpha < spectrum.cutoff and time * spectrum.cutoff >= 1.0
