"""Weights of samples, by which any fit of weighted samples is a plain one of scaled samples.

With S = diag(√w), the minimum of Σᵢ wᵢ (f(xᵢ) - yᵢ)² + α ‖f‖² has the coefficients c = S c̃, where
c̃ fits the targets Sy with SKS in the place of K; so it is for gradient flow on half of that,
stopped at any time, and for α = 0. A residual of the scaled problem is √wᵢ times that of the
sample, and the function that the mean is a multiple of, 1, becomes √w.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import is_number, number, plain_array, shown
from ..errors import InputError
from ..kernels.plain import plain
from ..matrix.checked import is_precomputed, require_finite
from ..matrix.sources import Rows
from ..matrix.view import is_stored
from .fitted import DualFit
from .grams import TrainGram

Matrix = NDArray[np.float64]

_ROWS = 1024


@dataclass(frozen=True)
class Training:
    """The samples that a fit looks at: X and y (m, ...) at the places `kept` (m,) of `size`.

    `weights` (m,) are above zero; they are None where all are 1, and `kept` is None where all
    samples are.
    """

    X: Any
    y: np.ndarray
    size: int
    weights: Matrix | None = None
    kept: NDArray[np.intp] | None = None

    @cached_property
    def roots(self) -> Matrix | None:
        """√w, (m,)."""
        return None if self.weights is None else np.sqrt(self.weights)

    def scaled(self, values: Matrix) -> Matrix:
        """Return S values, (m, k)."""
        return values if self.roots is None else values * self.roots[:, None]

    def unscaled(self, values: Matrix) -> Matrix:
        """Return S⁻¹ values, (m, k)."""
        return values if self.roots is None else values / self.roots[:, None]

    def places(self, landmarks: NDArray[np.intp] | None) -> NDArray[np.intp] | None:
        """Return where coefficients belong among all samples; None for one each, in order."""
        if self.kept is None or landmarks is None:
            return self.kept if landmarks is None else landmarks
        return self.kept[landmarks]

    def restored(self, fit: DualFit) -> DualFit:
        """Return the fit of scaled samples as that of the samples themselves.

        The losses, means of wᵢ rᵢ² over samples, become means of rᵢ² with these weights.
        """
        if self.roots is None or self.weights is None:
            return fit
        dual = fit.dual
        if fit.features is None:
            roots = self.roots if fit.landmarks is None else self.roots[fit.landmarks]
            dual = dual * roots[:, None]
        share = len(self.weights) / float(self.weights.sum())
        return dataclasses.replace(
            fit,
            dual=dual,
            residuals=None if fit.residuals is None else self.unscaled(fit.residuals),
            losses=None if fit.losses is None else fit.losses * share,
        )


def training(X: Any, y: np.ndarray, sample_weight: Any, kernel: Any) -> Training:
    """Return what is left of checked X and y without samples of weight zero.

    Raises `InputError` for weights that are none, and for zeros with a matrix in a store, which is
    not cut.
    """
    weights = checked(sample_weight, len(y))
    if weights is None:
        return Training(X, y, len(y))
    if not weights.any():
        raise InputError(
            f"sample_weight is zero for all {len(y)} samples, so that nothing is left to fit; give "
            "some of them a weight above zero"
        )
    if weights.all():
        return Training(X, y, len(y), weights)
    kept = np.flatnonzero(weights)
    if isinstance(X, Rows):
        some = _mapped(X, kept)
    elif is_stored(X):
        raise InputError(
            f"sample_weight is zero for {len(y) - len(kept)} of {len(y)} samples, and the rows of "
            f"the stored matrix {X.path} cannot be left out; pass the matrix of the other samples, "
            "or all of it in memory, X[:]"
        )
    else:
        some = X[np.ix_(kept, kept) if is_precomputed(kernel) else kept]
    left = weights[kept]
    return Training(some, y[kept], len(y), None if (left == 1).all() else left, kept)


def _mapped(X: Rows, kept: NDArray[np.intp]) -> np.ndarray:
    """Some rows of a memory map; those of other files are not left out."""
    if isinstance(X.data, np.memmap):
        return X.take(kept)
    raise InputError(
        f"sample_weight is zero for {len(X) - len(kept)} of {len(X)} samples, and rows of an array "
        "in a file are not left out; give them a tiny weight, or pass the others only"
    )


def checked(sample_weight: Any, n: int) -> Matrix | None:
    """Return weights (n,), each of them one; None where all are 1."""
    if sample_weight is None:
        return None
    if is_number(sample_weight):
        weights = np.full(n, number(sample_weight, "sample_weight", least=0))
    else:
        weights = plain_array(plain(sample_weight, "sample_weight"), "sample_weight")
    if weights.shape != (n,) or weights.dtype.kind not in "biuf":
        raise InputError(
            f"sample_weight must be a number, or one for each of the {n} samples, (n,); got "
            f"{shown(sample_weight)}"
        )
    weights = weights.astype(np.float64)
    bad = ~(np.isfinite(weights) & (weights >= 0))
    if bad.any():
        first = int(np.argmax(bad))
        raise InputError(
            f"sample_weight must be finite and at least 0; {int(bad.sum())} of {n} are not, the "
            f"first is {weights[first]:g} for sample {first}; a weight of 0 leaves a sample out"
        )
    with np.errstate(over="ignore"):
        total = float(weights.sum())
    require_finite(np.array(total), "the sum of sample_weight overflowed", "scale the weights down")
    return None if (weights == 1).all() else weights


def weighted(gram: TrainGram, roots: Matrix | None) -> TrainGram:
    """Return SKS, exactly symmetric, in the memory of K."""
    if roots is None:
        return gram
    with np.errstate(over="ignore", invalid="ignore"):  # reported just below, in words
        for start in range(0, gram.size, _ROWS):
            rows = slice(start, start + _ROWS)
            gram.matrix[rows] *= np.multiply.outer(roots[rows], roots)
    require_finite(gram.matrix, "the weighted kernel matrix overflowed", "scale the weights down")
    return dataclasses.replace(gram, trace=float(np.trace(gram.matrix)), roots=roots)
