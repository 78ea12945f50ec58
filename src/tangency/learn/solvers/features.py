"""Ridge regression and gradient flow on layerwise features, which are computed once, by blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from scipy import linalg
from scipy.linalg import blas

from ...engines.progress import progress_bar
from ...engines.tiles import size_text
from ...errors import MemoryLimitError
from ...matrix.checked import require_finite
from ..conditioning import rank_cutoff, warn_below_noise
from ..features import LayerwiseFeatures
from ..fitted import DualFit
from ..flow import flow_filter
from ..loo import Criterion
from ..regularization import Regularization
from ..threads import blas_threads
from .linear import LinearFit, Rotated, below_noise, choose_alpha, spectrum_of
from .options import Features
from .predict import AT_ONCE

Matrix = NDArray[np.float64]

# Features of a block in float64: this many numbers, but never fewer rows than that.
_BLOCK, _FEWEST_ROWS = 2**23, 128
_SHARE = 0.5  # of the free memory, for the features of all samples


@dataclass(frozen=True, eq=False)
class Table:
    """The features of n samples, (n, r), in memory or in a store: `rows[a:b]` is an array."""

    rows: Any
    n: int
    r: int
    dtype: np.dtype

    def slices(self) -> Iterator[slice]:
        step = max(_BLOCK // max(self.r, 1), _FEWEST_ROWS)
        return (slice(start, min(start + step, self.n)) for start in range(0, self.n, step))

    def blocks(self, roots: Matrix | None) -> Iterator[tuple[slice, Matrix]]:
        """Blocks of rows in float64, those of scaled samples where there are weights."""
        for rows in self.slices():
            block = np.asarray(self.rows[rows]).astype(np.float64)
            if roots is not None:
                block *= roots[rows, None]
            yield rows, block


@dataclass(eq=False)
class Sums:
    """FᵀF (r, r) in its upper triangle, Fᵀ targets (r, k) and Fᵀ1 (r,), added up by blocks."""

    gram: Matrix
    moments: Matrix
    sums: Matrix

    @classmethod
    def empty(cls, r: int, k: int) -> Sums:
        return cls(np.zeros((r, r), order="F"), np.zeros((r, k)), np.zeros(r))

    def add(self, block: Matrix, targets: Matrix, ones: Matrix) -> None:
        """Take in some rows (b, r) with their targets (b, k), and what 1 is there (b,)."""
        self.gram = blas.dsyrk(1.0, block.T, beta=1.0, c=self.gram, overwrite_c=1)
        self.moments += block.T @ targets
        self.sums += ones @ block

    def whole(self) -> Matrix:
        """FᵀF, both triangles."""
        return np.triu(self.gram) + np.triu(self.gram, 1).T


def fit_features(
    kernel: Any,
    X: Any,
    targets: Matrix,
    regularization: Regularization,
    options: Features,
    criterion: Criterion,
    *,
    centred: bool,
    roots: Matrix | None = None,
    table: Callable[[LayerwiseFeatures], Table] | None = None,
) -> DualFit:
    """Fit the targets, (n, k), with F Fᵀ in the place of K, F the features of the samples.

    Features are computed once. FᵀF and Fᵀ targets are added up over blocks of samples, and a
    second pass over the features gives leave-one-out residuals of all alphas, exact for F Fᵀ, with
    the landmarks as they are. `table` gives the features from a store; None keeps them in memory.

    Raises:
        MemoryLimitError: before anything is computed, features that have no room.
        NetworkError: a layer without a feature map.

    Warns with `IllConditionedWarning` where the fit depends on rounding.
    """
    n = len(targets)
    features = layerwise(kernel, options).fit(X)
    found = (table or (lambda each: in_memory(each, X, bool(options.progress))))(features)
    sums = Sums.empty(found.r, targets.shape[1])
    with blas_threads(max(n, found.r)):
        for rows, block in found.blocks(roots):
            ones = np.ones(len(block)) if roots is None else roots[rows]
            sums.add(block, targets[rows], ones)
        gram = sums.whole()
        require_finite(gram, "products of features overflowed", "scale the inputs down")
        trace, eps = float(np.trace(gram)), float(np.finfo(found.dtype).eps)
        spectrum = spectrum_of(gram, trace, n, eps)
        basis = spectrum.vectors

        def rotated() -> Iterator[Rotated]:
            for rows, block in found.blocks(roots):
                values = block @ basis
                yield Rotated(rows, values, np.square(values))

        fit = LinearFit(
            rotated, spectrum, targets, centred, roots, basis.T @ sums.moments, basis.T @ sums.sums
        )
        chosen = choose_alpha(fit, regularization, criterion, trace / n, str(found.dtype))
        alpha = chosen.alpha
        if spectrum.rank < min(found.r, n) and below_noise(spectrum, alpha, regularization.time):
            warn_below_noise(
                found=f"{spectrum.rank} of {found.r} features are independent, noise level "
                f"{spectrum.cutoff:.1e}",
                alpha=alpha,
                rank=spectrum.rank,
                cutoff=spectrum.cutoff,
                dtype=str(found.dtype),
                samples=None,
                weighted=roots is not None,
            )
        weights = fit.weights(alpha, regularization.time)
    return DualFit(
        weights,
        alpha,
        np.linalg.norm(weights, axis=0),
        chosen.residuals,
        chosen.alphas,
        chosen.losses,
        solver="features",
        features=features,
    )


@dataclass(eq=False)
class Stream:
    """What batches of samples leave, whatever their number: the map and sums over samples.

    The targets are as they came; `targets` (k,) is their sum, and `weight` that of the weights.
    """

    features: LayerwiseFeatures
    sums: Sums
    targets: Matrix
    weight: float = 0.0

    def take_in(self, X: Any, targets: Matrix, weights: Matrix | None) -> None:
        """Add some samples with their targets (n, k) and weights (n,)."""
        ones = np.ones(len(X)) if weights is None else np.sqrt(weights)
        for start in range(0, len(X), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            block = self.features.transform(X[rows]).astype(np.float64)
            scaled = ones[rows, None]
            self.sums.add(block * scaled, targets[rows] * scaled, ones[rows])
        self.targets = self.targets + np.square(ones) @ targets
        self.weight += float(np.square(ones).sum())

    def solved(self, alpha: float, time: float, centred: bool) -> tuple[Matrix, Matrix]:
        """w (r, k) and the mean (k,) of the function mean + Φ w that all samples so far give."""
        mean = self.targets / self.weight if centred else np.zeros_like(self.targets)
        moments = self.sums.moments - np.outer(self.sums.sums, mean)
        gram = self.sums.whole()
        for values in (gram, moments):
            require_finite(values, "sums over samples overflowed", "scale inputs or targets down")
        trace, r = float(np.trace(gram)), len(gram)
        eps = float(np.finfo(np.float64).eps)
        with blas_threads(r):
            if np.isinf(time) and alpha > rank_cutoff(trace, trace, r, eps):
                shifted = gram + alpha * np.eye(r)
                return linalg.solve(shifted, moments, assume_a="pos", check_finite=False), mean
            spectrum = spectrum_of(gram, trace, r, eps)
            basis = spectrum.vectors
            shrink = flow_filter(spectrum, alpha, time)[:, None]
            return basis @ (shrink * (basis.T @ moments)), mean


def layerwise(kernel: Any, options: Features) -> LayerwiseFeatures:
    """The map that these options describe, not fitted."""
    return LayerwiseFeatures(
        kernel,
        options.n_components,
        widths=options.widths,
        method=options.method,
        max_samples=options.max_samples,
        random_state=options.seed,
        device=options.device,
    )


def in_memory(features: LayerwiseFeatures, X: Any, progress: bool) -> Table:
    """The features of all samples, in their own dtype."""
    n, r, dtype = len(X), features.size, X.dtype
    need, free = n * r * dtype.itemsize, psutil.virtual_memory().available
    if need > _SHARE * free:
        raise MemoryLimitError(
            f"the features of {n:,} samples take {size_text(need)}, but {size_text(free)} are "
            "free, of which half is for them; give store= a path, where they are kept on the disk, "
            "or fewer n_components"
        )
    rows = np.empty((n, r), dtype=dtype)
    with progress_bar(n, progress, "sample") as bar:
        for start in range(0, n, AT_ONCE):
            part = slice(start, min(start + AT_ONCE, n))
            rows[part] = features.transform(X[part])
            bar.update(part.stop - start)
    return Table(rows, n, r, np.dtype(dtype))
