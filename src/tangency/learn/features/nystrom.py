"""Nyström features: a kernel seen from a few samples of the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from sklearn.utils.validation import check_is_fitted

from ...checks import choice
from ...errors import InputError
from ...kernels import Kernel
from ...matrix.checked import is_precomputed, kernel_diagonal, require_symmetric
from ...matrix.indefinite import require_sample, sample_of
from ...norms import norm
from ..grams import cross_gram, resolve_kernel
from ..lowrank import METHODS, LowRank, Method, low_rank
from ..samples import predict_samples
from .base import FeatureMap, at_least_one, blocks, generator

if TYPE_CHECKING:
    from ...typing import ArrayLike, KernelLike, RandomState

Matrix = NDArray[np.float64]
# Columns of K that the error is estimated from.
_PROBES = 32


class NystromFeatures(FeatureMap):
    """Features φ(x) = L⁻¹ K(S, x) of any kernel, from r landmarks S with K(S, S) = L Lᵀ.

    ⟨φ(x), φ(y)⟩ = K(x, S) K(S, S)⁻¹ K(S, y), which equals K(x, y) if x or y is a landmark.
    A linear model on φ is kernel regression restricted to the span of the
    K(·, s), in time and memory that grow with the number of samples, not with its square.

    Parameters
    ----------
    kernel : a kernel object or callable kernel(X, Y); a network or its text form stands for its
        NTK, None for that of `dense relu dense`.
    n_components : the number of landmarks r, and of features; there are fewer features if the rank
        of K is smaller.
    method : how landmarks are chosen. "rpcholesky" (randomly pivoted Cholesky): each with a
        probability proportional to what the earlier ones leave of K(x, x); "leverage": by estimated
        ridge leverage scores; "uniform": all with the same probability.
    max_samples : landmarks are chosen among at most this many samples, drawn at random; None is
        all. `fit` takes memory for max_samples × n_components numbers.
    random_state : a number, a `RandomState` or `Generator`, or None.

    Attributes
    ----------
    components_ : the landmarks, (r, d) or (r, *space, channels); `component_indices_` (r,) are
        their positions among the samples of the fit.
    error_ : Σ (K(x, x) - ‖φ(x)‖²) / Σ K(x, x) over the samples used, the relative trace norm
        of K - K̂, where K̂ᵢⱼ = ⟨φ(xᵢ), φ(xⱼ)⟩.
    frobenius_error_ : an estimate of ‖K - K̂‖_F / ‖K‖_F from 32 columns drawn at random.
    kernel_ : the kernel used; `n_features_in_` the number of values in one sample.

    K is computed in the dtype of X, the features in float64, and returned in the dtype of X. With a
    kernel of this library, X may be `Masked` or `Graphs`.

    Source: Williams & Seeger 2001; landmarks as in `tangency.learn.lowrank`.

    Examples
    --------
    >>> import numpy as np
    >>> import tangency as tg
    >>> X = np.random.default_rng(0).standard_normal((100, 3))
    >>> kernel = tg.NTK("dense relu dense")
    >>> features = tg.NystromFeatures(kernel, n_components=60, random_state=0)
    >>> F = features.fit_transform(X)
    >>> F.shape, features.error_ < 0.02
    ((100, 60), True)
    """

    structured = True  # it takes `Masked` and `Graphs`
    components_: Any
    component_indices_: NDArray[np.intp]
    error_: float
    frobenius_error_: float
    kernel_: Any

    def __init__(
        self,
        kernel: KernelLike | Callable[..., Any] | None = None,
        n_components: int = 500,
        *,
        method: Method = "rpcholesky",
        max_samples: int | None = 50_000,
        random_state: RandomState = None,
    ) -> None:
        self.kernel = kernel
        self.n_components = n_components
        self.method = method
        self.max_samples = max_samples
        self.random_state = random_state

    def residual(self, X: ArrayLike) -> Matrix:
        """Return the part of each K(x, x) that the features miss, (m,), from 0 to 1.

        It is 1 - ‖φ(x)‖²/K(x, x): near 1 for a sample unlike all landmarks, of which a model on
        these features knows nothing. Where K(x, x) = 0 it is 0.
        """
        check_is_fitted(self)
        samples = predict_samples(self, X, self._sample_shape)
        diagonal = kernel_diagonal(self.kernel_, samples)
        found = np.zeros(len(samples))
        for rows in blocks(len(samples), self._work_per_row):
            part = self._map(samples[rows])
            found[rows] = np.einsum("ij,ij->i", part, part)
        positive = diagonal > 0
        missing = np.zeros(len(samples))
        missing[positive] = 1.0 - found[positive] / diagonal[positive]
        return np.clip(missing, 0.0, 1.0)

    @property
    def _sample_shape(self) -> tuple[int, ...]:
        return self.components_.shape[1:]

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def _fit(self, X: np.ndarray) -> None:
        count = at_least_one(self.n_components, "n_components")
        choice(self.method, "method", METHODS)
        if is_precomputed(self.kernel):
            raise InputError(
                'NystromFeatures computes the entries it needs, so it takes no "precomputed" '
                "matrix; pass a kernel, or factorise your matrix with tangency.learn.low_rank"
            )
        kernel, rng = resolve_kernel(self.kernel), generator(self.random_state)
        rows = np.arange(len(X))
        if self.max_samples is not None:
            most = at_least_one(self.max_samples, "max_samples")
            if most < len(X):
                rows = np.sort(rng.choice(len(X), most, replace=False))
                X = X[rows]

        def columns(wanted: NDArray[np.intp]) -> np.ndarray:
            return cross_gram(kernel, X, X[wanted], len(wanted))

        def entries(some: NDArray[np.intp], others: NDArray[np.intp]) -> np.ndarray:
            return cross_gram(kernel, X[some], X[others], len(others))

        diagonal = kernel_diagonal(kernel, X)
        if not isinstance(kernel, Kernel):
            places = sample_of(len(X))
            block = entries(places, places)
            require_symmetric(block)
            require_sample(block, places, diagonal, float(np.finfo(block.dtype).eps))
        found = low_rank(columns, diagonal, count, method=self.method, seed=rng, entries=entries)
        if found.rank == 0:
            raise InputError(
                "the kernel is zero for every sample, so it has no features; a network without "
                "biases maps an input of zeros to zero"
            )
        self.kernel_ = kernel
        self.components_ = X[found.pivots]  # a copy: the samples themselves can go
        self.component_indices_ = rows[found.pivots]
        self._lower = np.tril(found.factor[found.pivots])
        self.error_ = found.error
        probes = np.sort(rng.choice(len(X), min(_PROBES, len(X)), replace=False))
        self.frobenius_error_ = _frobenius_error(columns(probes), found, probes)

    def _map(self, X: np.ndarray) -> np.ndarray:
        part = cross_gram(self.kernel_, X, self.components_, len(self.components_))
        part = part.astype(np.float64, copy=False)
        return solve_triangular(self._lower, part.T, lower=True, check_finite=False).T


def _frobenius_error(columns: np.ndarray, found: LowRank, probes: NDArray[np.intp]) -> float:
    """‖K - F Fᵀ‖_F/‖K‖_F from some columns, (n, p): both norms are sums over columns."""
    exact = columns.astype(np.float64)
    size = float(norm(exact))
    exact -= found.factor @ found.factor[probes].T
    return float(norm(exact)) / size if size > 0 else 0.0
