"""Ridge regression by conjugate gradients, with leave-one-out over a grid of alphas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from ...engines.progress import progress_bar
from ...matrix.indefinite import require_psd_products
from ...matrix.products import Operator, Product, RemoteOperator
from ...matrix.tiles import Tiles
from ..conditioning import rank_cutoff, warn_below_noise
from ..fitted import DualFit
from ..grid import edge_of, warn_at_edge
from ..loo import Criterion, alpha_grid
from ..lowrank import low_rank
from ..regularization import Regularization
from ..threads import blas_threads
from .options import CG
from .preconditioner import Preconditioner, from_factor, no_preconditioner
from .rules import require_memory
from .search import Search
from .weighted import WeightedTiles

Matrix = NDArray[np.float64]


def fit_cg(
    tiles: Tiles,
    targets: Matrix,
    regularization: Regularization,
    options: CG,
    criterion: Criterion,
    *,
    centred: bool,
) -> DualFit:
    """Fit the targets, (n, k), for one alpha > 0 or the best of several.

    `criterion` and `centred` as in `fit_dual`. Several alphas are taken from the largest down,
    each from the best combination of the last three solutions and to a tolerance of 1e-3; the
    best is then solved for again, to `options.tol`. The grid of "loo" is left early once nothing
    better is in sight: see `search.levels_off`. Warns with scikit-learn's `ConvergenceWarning`
    where the tolerance is not reached, and with `SearchWarning` where the best alpha stands at an
    edge of the grid.
    """
    shows = bool(options.progress)
    with blas_threads(tiles.size), progress_bar(None, shows, "product") as bar:
        bar.set_description("preconditioner")
        tiles.require_kernel()
        diagonal = tiles.diagonal()
        product = make_product(tiles, options.matrix, options.client)
        preconditioner = make_preconditioner(tiles, diagonal, options, bar)
        search = Search(
            product,
            preconditioner,
            diagonal,
            targets,
            options,
            criterion,
            centred,
            bar,
            tiles.roots,
        )
        cutoff = _noise(preconditioner, diagonal, tiles.eps)
        if regularization.alphas is None:
            alphas = alpha_grid(float(diagonal.mean()), cutoff, tiles.size)
        else:
            alphas = np.array(regularization.alphas)
        if options.checkpoint is not None:
            search.attach(Path(options.checkpoint), tiles, alphas)
        if not tiles.trusted and search.resumed is None:
            search.products += require_psd_products(
                product, preconditioner.approximation, diagonal, tiles.eps, options.seed
            )
        found = search.best_of(alphas, stops_early=regularization.alphas is None)
    _warn_if_noisy(preconditioner, tiles, cutoff, found.alpha)
    if regularization.alphas is None and found.losses is not None:
        edge = edge_of(list(found.losses))
        # a search that has ended before the lowest alpha found nothing more to gain, or said why
        if edge == "upper" or found.alphas[0] == alphas[0]:
            warn_at_edge(edge, found.alpha, "alpha", str(tiles.dtype))
    return found


def make_preconditioner(tiles: Tiles, diagonal: Matrix, options: CG, bar: Any) -> Preconditioner:
    """Return the preconditioner that the options describe; `bar` shows how far it is."""

    def show(columns: int, error: float) -> None:
        bar.set_postfix_str(f"{columns} of {rank} columns, {error:.1e} of the trace left")

    rank = options.rank_for(tiles.size)
    if rank == 0:
        return no_preconditioner(diagonal)
    found = low_rank(
        tiles.columns,
        diagonal,
        rank,
        method=options.precondition,
        seed=options.seed,
        progress=show,
        entries=tiles.entries,
    )
    tiles.require_psd(found.pivots)
    return from_factor(found.factor, diagonal)


def _noise(preconditioner: Preconditioner, diagonal: Matrix, eps: float) -> float:
    """The eigenvalue of K below which there is only rounding."""
    trace = float(diagonal.sum())
    values = preconditioner.values
    largest = float(values.max()) if len(values) else trace
    return rank_cutoff(trace, largest, len(diagonal), eps)


def _warn_if_noisy(
    preconditioner: Preconditioner, tiles: Tiles, cutoff: float, alpha: float
) -> None:
    """Warn if K has eigenvalues below the noise and alpha lies there too."""
    rest = max(tiles.size - len(preconditioner.values), 1)
    smallest = float(preconditioner.left.sum()) / rest  # an eigenvalue of K is no larger
    if alpha < cutoff and smallest < cutoff:
        warn_below_noise(
            found=f"noise level {cutoff:.1e}",
            alpha=alpha,
            rank=tiles.size,
            cutoff=cutoff,
            dtype=str(tiles.dtype),
            samples=getattr(tiles, "samples", None),
            weighted=tiles.roots is not None,
        )


def make_operator(tiles: Tiles, storage: str, client: Any = None) -> Operator | RemoteOperator:
    """Return the operator for a solver's `matrix` option; tells the tiles how many to keep.

    Raises `MemoryLimitError` if "memory" is asked for and K does not fit.
    """
    if storage == "memory":
        require_memory(tiles.nbytes, f"K of {tiles.size:,} samples in memory", "cg")
        tiles.keep_up_to(tiles.nbytes)
    elif storage == "auto":
        tiles.keep_up_to(psutil.virtual_memory().available // 2)
    if client is None:
        return Operator(tiles)
    return RemoteOperator(tiles, client, storage == "auto")


def make_product(tiles: Tiles, storage: str, client: Any = None) -> Product:
    """Return products with what the tiles stand for; `storage` and `client` as `make_operator`."""
    if not isinstance(tiles, WeightedTiles):
        return make_operator(tiles, storage, client)
    operator, roots = make_operator(tiles.tiles, storage, client), tiles.roots[:, None]
    return lambda vectors: roots * operator(roots * vectors)
