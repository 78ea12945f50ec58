"""Ridge regression and gradient flow on layerwise features, which are computed once, by blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from ...engines.progress import progress_bar
from ...engines.tiles import size_text
from ...errors import InputError, MemoryLimitError, StoreError
from ...matrix.store import Store
from ..conditioning import SOLVE_EPS, rank_cutoff, warn_below_noise
from ..features import LayerwiseFeatures
from ..fitted import DualFit
from ..loo import Criterion
from ..regularization import Regularization
from ..spectrum import Spectrum
from ..threads import blas_threads
from .linear import LinearFit, Rotated, below_noise, choose_alpha, spectrum_of
from .options import Features
from .predict import AT_ONCE
from .rules import require_solver_memory
from .sums import Sums, added, finite_trace

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

    def slices(self, part: slice | None = None) -> Iterator[slice]:
        step = max(_BLOCK // max(self.r, 1), _FEWEST_ROWS)
        begin, end = (0, self.n) if part is None else (part.start, part.stop)
        return (slice(start, min(start + step, end)) for start in range(begin, end, step))

    def blocks(
        self, roots: Matrix | None, part: slice | None = None
    ) -> Iterator[tuple[slice, Matrix]]:
        """Blocks of rows in float64, of all or a part; scaled by `roots`, weights' of that part."""
        begin = 0 if part is None else part.start
        for rows in self.slices(part):
            block = np.asarray(self.rows[rows]).astype(np.float64)
            if roots is not None:
                block *= roots[rows.start - begin : rows.stop - begin, None]
            yield rows, block


def sums_of(table: Table, targets: Matrix, roots: Matrix | None, client: Any = None) -> Sums:
    """The sums over all samples; of features in a store, by the workers of a client that see it."""
    ones = np.ones(table.n) if roots is None else roots
    whole = slice(0, table.n)
    if client is None or not _seen_by_all(client, table.rows):
        return partial_sums(table, targets, ones, roots, whole)
    parts = list(table.slices())
    found = [
        client.submit(
            partial_sums,
            table,
            targets[part],
            ones[part],
            None if roots is None else roots[part],
            part,
            pure=False,
        )
        for part in parts
    ]
    while len(found) > 1:  # a tree: sums meet at the workers, two at a time
        pairs = [found[k : k + 2] for k in range(0, len(found), 2)]
        found = [client.submit(added, *p, pure=False) if len(p) > 1 else p[0] for p in pairs]
    return found[0].result()


def partial_sums(
    table: Table, targets: Matrix, ones: Matrix, roots: Matrix | None, part: slice
) -> Sums:
    """The sums over some rows of a table, whose targets and weights these are."""
    sums = Sums.empty(table.r, targets.shape[1])
    for rows, block in table.blocks(roots, part):
        own = slice(rows.start - part.start, rows.stop - part.start)
        sums.add(block, targets[own], ones[own])
    return sums


def _seen_by_all(client: Any, rows: Any) -> bool:
    """Whether every worker finds the store, and not a namesake, under its path."""
    found = client.run(fingerprint_at, str(rows.path))
    return bool(found) and set(found.values()) == {rows.fingerprint}


def fingerprint_at(path: str) -> str | None:
    """Of the store at a path, as a worker sees it."""
    try:
        return Store.open(path).header.fingerprint
    except StoreError:
        return None


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
    store: Any = None,
) -> DualFit:
    """Fit the targets, (n, k), with F Fᵀ in the place of K, F the features of the samples.

    Features are computed once. FᵀF and Fᵀ targets are added up over blocks of samples, and a
    second pass over the features gives leave-one-out residuals of all alphas, exact for F Fᵀ, with
    the landmarks as they are. They are kept in memory, or in a `store`, which a fit that was
    interrupted goes on with.

    Raises:
        InputError: workers of a client without a store.
        StoreError: a store of another fit.
        MemoryLimitError: features, or a spectrum, that have no room, before those of all samples
            are computed.
        NetworkError: a layer without a feature map.

    Warns with `IllConditionedWarning` where the fit depends on rounding.
    """
    n = len(targets)
    features, found = _table(kernel, X, options, store)
    with blas_threads(max(n, found.r)):
        sums = sums_of(found, targets, roots, options.client)
        gram = sums.whole()
        trace, eps = finite_trace(gram), float(np.finfo(found.dtype).eps)
        spectrum = spectrum_of(gram, trace, n, eps)
        basis = spectrum.vectors

        def rotated() -> Iterator[Rotated]:
            for rows, block in found.blocks(roots):
                values = block @ basis
                yield Rotated(rows, values, np.square(values))

        fit = LinearFit(
            rotated, spectrum, targets, centred, roots, basis.T @ sums.moments, basis.T @ sums.sums
        )
        # Rounding of features is the same for a sample whenever it is met, so that leave-one-out
        # sees what it costs; of float64 the sums are the limit.
        lowest = rank_cutoff(trace, float(spectrum.values.max(initial=0.0)), n, SOLVE_EPS)
        chosen = choose_alpha(fit, regularization, criterion, trace / n, "float64", lowest)
        alpha = chosen.alpha
        if regularization.alphas is not None and spectrum.rank < min(found.r, n):
            _warn_of_noise(spectrum, alpha, regularization.time, found, roots is not None)
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


def _warn_of_noise(
    spectrum: Spectrum, alpha: float, time: float, found: Table, weighted: bool
) -> None:
    """Say that the fit depends on rounding, if it moves in directions that hold nothing else."""
    if not below_noise(spectrum, alpha, time):
        return
    warn_below_noise(
        found=f"{spectrum.rank} of {found.r} features are independent, noise level "
        f"{spectrum.cutoff:.1e}",
        alpha=alpha,
        rank=spectrum.rank,
        cutoff=spectrum.cutoff,
        dtype=str(found.dtype),
        samples=None,
        weighted=weighted,
    )


def _table(kernel: Any, X: Any, options: Features, store: Any) -> tuple[LayerwiseFeatures, Table]:
    """The map, and the features of all samples."""
    wanted = layerwise(kernel, options)
    if store is None:
        if options.client is not None:
            raise InputError(
                "Features(client=…) has its workers write into a store; give store= a path"
            )
        features = wanted.fit(X)
        _require_memory(features, len(X))
        return features, in_memory(features, X, bool(options.progress))
    wanted.resolved_kernel().to_dict()  # one that no store can name is refused now
    features = wanted.map_in(store) or wanted.fit(X)
    _require_memory(features, len(X))
    rows = features.transform_to(X, store, client=options.client, progress=options.progress)
    return features, Table(rows, len(X), features.size, rows.dtype)


def _require_memory(features: LayerwiseFeatures, n: int) -> None:
    """Refuse a spectrum that has no room, before the features of all samples are computed."""
    require_solver_memory(Features(features.size), n)


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
