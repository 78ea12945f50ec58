"""Low-rank approximations F Fᵀ of a kernel matrix from some of its columns.

All three methods pick pivots S, and F Fᵀ = K[:, S] K[S, S]⁺ K[S, :]. They differ in the choice of
S alone; columns that the pivots so far already explain, to rounding, are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from ..checks import called, choice, function, is_whole, plain_array, shown, whole
from ..errors import InputError
from ..kernels.plain import plain
from ..matrix.checked import require_finite
from .leverage import Entries, leverage_scores

Matrix = NDArray[np.float64]
Indices = NDArray[np.intp]
Columns = Callable[[Indices], Any]
Progress = Callable[[int, float], None]
Method = Literal["rpcholesky", "uniform", "leverage"]

METHODS: tuple[str, ...] = get_args(Method)
# Residuals of a row up to this many roundings of its entry on the diagonal count as zero.
_ROUNDINGS = 32.0
_SMALLEST_BLOCK, _LARGEST_BLOCK = 8, 128


@dataclass(frozen=True, eq=False)
class LowRank:
    """K ≈ F Fᵀ: `pivots` (r,), `factor` F (n, r), and the traces of K and of K - F Fᵀ.

    K - F Fᵀ is positive semidefinite up to rounding, and its diagonal is never negative.
    """

    pivots: Indices
    factor: Matrix
    trace: float
    residual_trace: float

    @property
    def rank(self) -> int:
        """The number of pivots r: the rank asked for, or less where K has no more."""
        return len(self.pivots)

    @property
    def error(self) -> float:
        """tr(K - F Fᵀ)/tr(K), from 0 to 1. No other unitarily invariant norm of K - F Fᵀ, nor
        any of its entries, exceeds its trace."""
        return self.residual_trace / self.trace if self.trace > 0 else 0.0


def low_rank(
    columns: Columns,
    diagonal: Any,
    rank: int,
    *,
    method: str = "rpcholesky",
    seed: Any = 0,
    tol: float = 0.0,
    progress: Progress | None = None,
    entries: Entries | None = None,
) -> LowRank:
    """Return an approximation F Fᵀ of rank `rank` of a kernel matrix K (n, n), or of less.

    Args:
        columns: maps indices (b,) to K[:, indices], (n, b); float32 is taken as it is, and
            everything else is done in float64.
        diagonal: the diagonal of K, (n,).
        rank: the largest number of pivots; more than n count as n.
        method: "rpcholesky" takes each pivot with a probability proportional to what the earlier
            ones left of its diagonal entry; "uniform" takes all alike; "leverage" goes by
            estimated ridge leverage scores.
        seed: of the random choice, a number or a `numpy.random.Generator`; the same seed gives
            the same pivots.
        tol: stop when tr(K - F Fᵀ) ≤ tol · tr(K). It stops at rounding in any case: `rank` is not
            reached where K has not as many independent columns.
        progress: called with the number of pivots and tr(K - F Fᵀ)/tr(K) after each block.
        entries: maps indices (a,), (b,) to K[a, b]; given, columns of candidates that are turned
            down are not computed.

    Takes r columns of K ("rpcholesky" without `entries` up to some 2r, "leverage" about as many
    in addition) and n r² operations; memory for F and one block of columns.

    Raises:
        InputError: K with NaN, infinity or a negative diagonal, or a bad argument.

    Source: Chen, Epperly, Tropp & Webber 2024, "Randomly pivoted Cholesky"; drawn a block at a
    time with rejection, which leaves the distribution of the pivots as it is: Epperly, Tropp &
    Webber 2024, "Embrace rejection".

    >>> import numpy as np
    >>> from tangency.learn.lowrank import low_rank
    >>> x = np.arange(6.0).reshape(6, 1) @ np.ones((1, 3))
    >>> K = x @ x.T
    >>> found = low_rank(lambda i: K[:, i], np.diag(K), 4)
    >>> found.rank, bool(np.allclose(found.factor @ found.factor.T, K))
    (1, True)
    """
    diagonal, rank = _check(diagonal, rank, method, tol)
    for given, name in ((columns, "columns"), (entries, "entries"), (progress, "progress")):
        if given is not None or name == "columns":
            function(given, name)
    rng = _generator(seed)
    state = _Factor(columns, entries, diagonal, rank, tol, progress)
    if method == "rpcholesky":
        _randomly_pivoted(state, rng)
    else:
        for block in _candidates(state, rng, method):
            state.extend(block, state.select(block, None))
            if state.finished:
                break
    return state.result()


@dataclass
class _Factor:
    """F as far as it has grown, and the diagonal that it leaves."""

    columns: Columns
    given_entries: Entries | None
    diagonal: Matrix
    rank: int
    tol: float
    progress: Progress | None
    pivots: list[int] = field(default_factory=list)
    eps: float = float(np.finfo(np.float64).eps)

    def __post_init__(self) -> None:
        # Column by column in memory: the columns so far are one block for BLAS.
        self.factor = np.zeros((len(self.diagonal), self.rank), order="F")
        self.residual = self.diagonal.copy()
        self.trace = float(self.diagonal.sum())

    @property
    def block(self) -> int:
        """How many candidates to look at together."""
        return min(max(self.rank // 8, _SMALLEST_BLOCK), _LARGEST_BLOCK)

    @property
    def floor(self) -> Matrix:
        """What counts as zero in the residual diagonal."""
        return _ROUNDINGS * self.eps * self.diagonal

    @property
    def finished(self) -> bool:
        done = float(self.residual.sum()) <= max(self.tol, _ROUNDINGS * self.eps) * self.trace
        return done or len(self.pivots) >= self.rank

    def entries(self, rows: Indices, columns: Indices) -> Matrix:
        """K[rows, columns] in float64."""
        if self.given_entries is None:
            return self._columns(columns)[rows]
        found = called(self.given_entries, "entries", rows, columns)
        found = plain_array(plain(found, "what entries gave"), "what entries gave")
        return self._real(found, (len(rows), len(columns)), "entries")

    def select(self, block: Indices, rng: np.random.Generator | None) -> _Selection:
        """Eliminate candidates (b,) in their order; a random choice rejects some of them.

        With `rng` a candidate stays with the probability that is left of its residual when
        those before it in the block are taken out; without, unless nothing is left of it.
        """
        unique, place = np.unique(block, return_inverse=True)
        computed = None
        if self.given_entries is None:
            computed = self._columns(unique)
            inner = computed[unique].copy()
        else:
            inner = self.entries(unique, unique)
        rows = self.factor[unique, : len(self.pivots)]
        inner -= rows @ rows.T
        # Not the rounding of another route to the same number: the first candidate must stay.
        np.fill_diagonal(inner, self.residual[unique])
        inner = inner[np.ix_(place, place)]
        draws = np.zeros(len(block)) if rng is None else rng.random(len(block))
        kept, lower = _eliminate(inner, draws * self.residual[block], self.floor[block])
        room = self.rank - len(self.pivots)
        kept, lower = kept[:room], lower[:room, :room]
        return _Selection(kept, lower, None if computed is None else computed[:, place[kept]])

    def extend(self, block: Indices, chosen: _Selection) -> None:
        """Add the columns of F that belong to the chosen candidates."""
        if len(chosen.kept) == 0:
            return
        new = block[chosen.kept]
        start, stop = len(self.pivots), len(self.pivots) + len(new)
        found = chosen.columns
        if found is None:
            found = self._columns(new)
        found -= self.factor[:, :start] @ self.factor[new, :start].T
        part = solve_triangular(chosen.lower, found.T, lower=True, check_finite=False).T
        squares = np.einsum("ij,ij->i", part, part)
        # Rounding can make a row longer than positive semidefiniteness allows, much so beside
        # near-copies of a pivot; cut back, F Fᵀ never exceeds K on the diagonal.
        long = squares > self.residual
        part[long] *= np.sqrt(self.residual[long] / squares[long])[:, None]
        self.factor[:, start:stop] = part
        self.residual = np.where(long, 0.0, self.residual - np.where(long, 0.0, squares))
        self.residual[new] = 0.0
        self.pivots.extend(int(i) for i in new)
        if self.progress is not None:
            share = float(self.residual.sum()) / self.trace
            called(self.progress, "progress, which is called with a rank and a share,", stop, share)

    def result(self) -> LowRank:
        rank = len(self.pivots)
        factor = self.factor if rank == self.rank else self.factor[:, :rank].copy(order="F")
        pivots = np.array(self.pivots, dtype=np.intp)
        return LowRank(pivots, factor, self.trace, float(self.residual.sum()))

    def _columns(self, indices: Indices) -> Matrix:
        found = called(self.columns, "columns", indices)
        found = plain_array(plain(found, "what columns gave"), "what columns gave")
        return self._real(found, (len(self.diagonal), len(indices)), "columns")

    def _real(self, found: np.ndarray, shape: tuple[int, ...], name: str) -> Matrix:
        if found.shape != shape or found.dtype.kind not in "iuf":
            raise InputError(
                f"{name} gave an array of shape {found.shape} and dtype {found.dtype}; expected "
                f"real numbers of shape {shape}"
            )
        if found.dtype == np.float32:
            self.eps = float(np.finfo(np.float32).eps)
        require_finite(found, "the columns of the kernel matrix", "scale the inputs down")
        return found.astype(np.float64)


@dataclass(frozen=True, eq=False)
class _Selection:
    """Which of a block's candidates stay, the Cholesky factor of their residual matrix, and
    their columns of K where these are known already."""

    kept: Indices
    lower: Matrix
    columns: Matrix | None


def _randomly_pivoted(state: _Factor, rng: np.random.Generator) -> None:
    while not state.finished:
        weights = np.where(state.residual > state.floor, state.residual, 0.0)
        total = weights.sum()
        if total == 0:
            return
        block = rng.choice(len(weights), size=state.block, p=weights / total)
        state.extend(block, state.select(block, rng))


def _eliminate(inner: Matrix, thresholds: Matrix, floor: Matrix) -> tuple[Indices, Matrix]:
    """Cholesky's steps on (b, b) in order, without the rows whose pivot is below a threshold.

    Returns the rows that stay and their lower triangular factor. `inner` is overwritten.
    """
    lower, kept = np.zeros_like(inner), []
    for j in range(len(inner)):
        pivot = inner[j, j]
        if pivot <= floor[j] or pivot < thresholds[j]:
            continue
        column = inner[j:, j] / np.sqrt(pivot)
        lower[j:, j] = column
        inner[j:, j:] -= np.outer(column, column)
        kept.append(j)
    return np.array(kept, dtype=np.intp), lower[np.ix_(kept, kept)]


def _candidates(state: _Factor, rng: np.random.Generator, method: str) -> Iterator[Indices]:
    """All rows of K, by blocks, in the order in which a method that looks at K once takes them."""
    n = len(state.diagonal)
    # Gumbel's trick: sorting by these draws without replacement, each weight in proportion.
    order = rng.gumbel(size=n)
    if method == "leverage" and state.trace > 0:
        scores = leverage_scores(state.entries, state.diagonal, state.rank, rng)
        with np.errstate(divide="ignore"):
            order += np.log(scores)
    permutation = np.argsort(-order, kind="stable")
    start = 0
    while start < n and not state.finished:
        stop = start + min(state.block, state.rank - len(state.pivots))
        yield permutation[start:stop]
        start = stop


def _generator(seed: Any) -> np.random.Generator:
    """NumPy's generator for a seed, or the one that was given."""
    if seed is None or isinstance(seed, np.random.Generator | np.random.SeedSequence):
        return np.random.default_rng(seed)
    given = seed if isinstance(seed, list | tuple) else [seed]
    numbers = [whole(n, "seed", 0) for n in given]
    return np.random.default_rng(numbers if isinstance(seed, list | tuple) else numbers[0])


def _check(diagonal: Any, rank: Any, method: Any, tol: Any) -> tuple[Matrix, int]:
    choice(method, "method", METHODS)
    if not is_whole(rank) or rank < 1:
        raise InputError(f"rank must be a whole number of at least 1, got {shown(rank)}")
    if isinstance(tol, bool) or not isinstance(tol, int | float) or not 0 <= tol < 1:
        raise InputError(f"tol must be a number from 0 up to 1, got {shown(tol)}")
    values = plain_array(plain(diagonal, "diagonal"), "diagonal")
    if values.ndim != 1 or len(values) == 0 or values.dtype.kind not in "iuf":
        raise InputError(
            f"diagonal must be real numbers of shape (n,), the diagonal of K; got shape "
            f"{values.shape}, dtype {values.dtype}"
        )
    require_finite(values, "the diagonal of the kernel matrix", "scale the inputs down")
    if values.min() < 0:
        raise InputError(
            f"the diagonal of the kernel matrix has a negative entry, {values.min():.3g}; a "
            "kernel has K(x, x) of at least 0"
        )
    return values.astype(np.float64), min(int(rank), len(values))
