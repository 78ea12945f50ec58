"""The log marginal likelihood of a kernel by any of the solvers, for many samples too."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg as sla
from numpy.typing import NDArray

from ..checks import number
from ..engines.progress import progress_bar
from ..errors import InputError
from ..kernels import NNGP
from ..matrix.checked import is_precomputed
from ..matrix.tiles import KernelTiles
from .grams import resolve_kernel, train_gram
from .lanczos import trace_log
from .lowrank import low_rank
from .process import fit_posterior
from .regularization import Regularization
from .solvers import block_cg
from .solvers.cg import make_preconditioner, make_product
from .solvers.features import layerwise
from .solvers.options import CG, Features, Nystrom, name_of
from .solvers.preconditioner import Preconditioner
from .solvers.predict import quiet
from .solvers.probes import draw_probes
from .solvers.rules import choose, require_solver_memory
from .threads import blas_threads
from .tuning.choice import samples

if TYPE_CHECKING:
    from ..typing import ArrayLike, KernelLike
    from .solvers.options import Solver

Matrix = NDArray[np.float64]

_STEPS = 300  # of Lanczos' recurrence
_EXACT = 1e-2  # of a log density: what the error of yᵀG⁻¹y may change
_TRIES = 4


@dataclass(frozen=True)
class Likelihood:
    """A log marginal likelihood.

    value: summed over outputs, of centred targets, at the `amplitude` of greatest likelihood, a
    number or (k,) as y was. error: the standard error of the value, 0 for what is not estimated.
    solver: what computed it; products: with K, by "cg", else None.
    """

    value: float
    error: float
    amplitude: Any
    solver: str
    products: int | None


def marginal_likelihood(
    kernel: KernelLike | Callable[..., Any],
    X: ArrayLike,
    y: ArrayLike,
    noise: float,
    *,
    solver: str | Solver = "auto",
) -> Likelihood:
    """Return the log density of y under the prior s²K with noise of the variance s²·noise.

    The amplitude s is the best one for each output, as in `tune`: with G = K + noise·I and centred
    y, -n/2 log(2πe s²) - ½ log|G| with s² = yᵀG⁻¹y/n.

    Args:
        kernel: a kernel, a callable kernel(X, Y), or a network, which stands for its NNGP.
        X, y: samples and targets (n,) or (n, k), as in `tune`.
        noise: > 0, in units of K.
        solver: "cholesky" and "eigh" are exact. "nystrom" and "features" are so for the low-rank
            matrix that they put in the place of K, in n r² operations. "cg" takes products with K
            only: yᵀG⁻¹y by conjugate gradients, and log|G| by Lanczos' recurrence from `probes`
            random vectors, preconditioned, which is unbiased and has the standard error `error`.
            "auto" takes "cholesky" up to 15,000 samples, where its memory is there, else "cg".

    Raises:
        InputError: data or arguments that make no sense, a G that is singular to rounding.
        MemoryLimitError: a solver whose memory is not there.

    Source: Gardner et al. 2018, *GPyTorch*, sections 3 and 4, with the preconditioner's
    determinant apart and exact; Wenger et al. 2022 for why that takes few probes.

    >>> import numpy as np
    >>> from tangency.learn import CG, marginal_likelihood
    >>> X = np.linspace(-2, 2, 40)[:, None]
    >>> y = np.sin(2 * X[:, 0] + 1)
    >>> exact = marginal_likelihood("dense:b=1 erf dense", X, y, noise=0.01)
    >>> found = marginal_likelihood("dense:b=1 erf dense", X, y, 0.01, solver=CG(rank=5))
    >>> exact.error, abs(found.value - exact.value) < 4 * found.error + 0.02
    (0.0, True)
    """
    kernel = resolve_kernel(kernel, NNGP)
    if is_precomputed(kernel):
        raise InputError('kernel="precomputed" is for estimators; pass a kernel and samples')
    noise = number(noise, "noise", above=0)
    x, targets, units = samples(X, y)
    n = len(x)
    choice = choose(n, Regularization((noise,), math.inf), solver)
    require_solver_memory(choice.solver, n, targets.shape[1])
    with blas_threads(n):
        if isinstance(choice.solver, CG):
            squares, log_det, error, products = _by_products(
                kernel, x, targets, noise, choice.solver
            )
        elif isinstance(choice.solver, Features | Nystrom):
            factor = _factor(kernel, x, choice.solver)
            squares, log_det = _of_factor(factor, targets, noise)
            error, products = 0.0, None
        else:
            squares, log_det = _of_matrix(kernel, x, targets, noise)
            error, products = 0.0, None
    variances = squares / n
    each = n * (math.log(2.0 * math.pi * math.e) + np.log(variances)) + log_det
    value = float(-0.5 * np.sum(each) - n * np.log(units).sum())
    sizes = np.sqrt(variances) * units
    amplitude = float(sizes[0]) if np.ndim(y) == 1 else sizes
    error *= 0.5 * targets.shape[1]
    return Likelihood(value, error, amplitude, name_of(choice.solver), products)


def _of_matrix(kernel: Any, x: Any, targets: Matrix, noise: float) -> tuple[Matrix, float]:
    """yᵀG⁻¹y (k,) and log|G|."""
    gram = train_gram(kernel, x)
    fit = fit_posterior(gram, targets, Regularization((noise,), math.inf))
    if fit.evidence is None:
        raise InputError(f"K + noise·I is singular at noise={noise:.3g}; raise the noise")
    squares = np.einsum("ij,ij->j", targets, fit.dual)
    n, k = targets.shape
    # what the evidence for amplitude 1 says of the determinant
    log_det = -(2.0 * fit.evidence + float(squares.sum())) / k - n * math.log(2.0 * math.pi)
    return squares, log_det


def _factor(kernel: Any, x: Any, solver: Features | Nystrom) -> Matrix:
    """F (n, r) with F Fᵀ in the place of K."""
    if isinstance(solver, Features):
        return np.asarray(layerwise(quiet(kernel), solver).fit(x).transform(x), np.float64)
    tiles = KernelTiles(quiet(kernel), x)
    tiles.require_kernel()
    found = low_rank(
        tiles.columns,
        tiles.diagonal(),
        solver.n_components,
        method=solver.method,
        seed=solver.seed,
        entries=tiles.entries,
    )
    return found.factor


def _of_factor(factor: Matrix, targets: Matrix, noise: float) -> tuple[Matrix, float]:
    """yᵀG⁻¹y (k,) and log|G| of G = F Fᵀ + noise·I.

    With the ridge weights w, yᵀG⁻¹y = ‖y - F w‖²/noise + ‖w‖², a sum without cancellation.
    """
    n, r = factor.shape
    values, basis = sla.eigh(factor.T @ factor, check_finite=False, driver="evd")
    values = np.maximum(values, 0.0)
    weights = basis @ ((basis.T @ (factor.T @ targets)) / (values + noise)[:, None])
    left = targets - factor @ weights
    squares = np.square(left).sum(axis=0) / noise + np.square(weights).sum(axis=0)
    return squares, float(np.log(values + noise).sum()) + (n - r) * math.log(noise)


def _by_products(
    kernel: Any, x: Any, targets: Matrix, noise: float, options: CG
) -> tuple[Matrix, float, float, int]:
    """yᵀG⁻¹y (k,), log|G|, the standard error of that, and how many products it took."""
    if options.checkpoint is not None or options.probes < 2:
        raise InputError(
            "marginal_likelihood by CG has no checkpoint, and needs two probes, got "
            f"{options.probes}"
        )
    tiles = KernelTiles(quiet(kernel), x)
    tiles.require_kernel()
    with progress_bar(None, options.progress, "product") as bar:
        diagonal = tiles.diagonal()
        product = make_product(tiles, options.matrix, options.client)
        conditioner = make_preconditioner(tiles, diagonal, options, bar)
        squares, products = _squares(
            block_cg.System(product, conditioner, targets, noise, np.empty(0)), options, bar
        )

        def apply(vectors: Matrix) -> Matrix:
            bar.update(1)
            half = _half_solved(conditioner, vectors, noise)
            return _half_solved(conditioner, product(half) + noise * half, noise)

        probes = draw_probes(len(x), options.probes, options.seed)
        trace = trace_log(apply, probes, _STEPS)
    rest = len(x) - len(conditioner.values)
    known = float(np.log(conditioner.values + noise).sum()) + rest * math.log(noise)
    return squares, known + trace.value, trace.error, products + trace.products


def _squares(system: block_cg.System, options: CG, bar: Any) -> tuple[Matrix, int]:
    """yᵀG⁻¹y (k,), and how many products it took.

    What conjugate gradients lack of it is at most ‖M^(-1/2) r‖², for M ⪯ G.
    """
    y, n = system.targets, len(system.targets)
    solved = system.preconditioner.solve(y, system.alpha)
    guess = np.einsum("ij,ij->j", y, solved)
    state, products = block_cg.start(system), 0
    for _ in range(_TRIES):
        system = block_cg.System(
            system.product, system.preconditioner, y, system.alpha, np.sqrt(_EXACT * guess / n)
        )
        state = block_cg.run(system, state, options.max_iter, lambda _: bar.update(1))
        products = state.iteration
        found = np.einsum("ij,ij->j", y, state.solution)
        if (np.square(state.bounds) <= _EXACT * found / n).all():
            return found, products
        guess = np.minimum(guess, np.abs(found))
    raise InputError(
        f"conjugate gradients found yᵀG⁻¹y to {float(np.max(np.square(state.bounds) / found)):.1e} "
        "only; raise the noise, max_iter or the rank of the preconditioner"
    )


def _half_solved(conditioner: Preconditioner, vectors: Matrix, noise: float) -> Matrix:
    """M^(-1/2) vectors."""
    shrink = 1.0 - np.sqrt(noise / (conditioner.values + noise))
    U = conditioner.vectors
    return (vectors - U @ (shrink[:, None] * (U.T @ vectors))) / math.sqrt(noise)
