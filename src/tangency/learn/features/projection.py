"""An activation, projected onto the span of a few landmarks: local features met in the data.

With landmarks (s_j, t_j; q_j), j ≤ m, the features behind an activation with dual (k, k̇) are

    s'[u] = (k(⟨s[u], s_j⟩; q[u], q_j))_j · G^{-1/2}
    t'[u] = (k̇(⟨s[u], s_j⟩; q[u], q_j)·⟨t[u], t_j⟩)_j · H^{-1/2}

    G_ij = k(⟨s_i, s_j⟩; q_i, q_j)        H_ij = k̇(⟨s_i, s_j⟩; q_i, q_j)·⟨t_i, t_j⟩

G and H are positive semidefinite (Schur). ⟨s', s'⟩ and ⟨t', t'⟩ are inner products of orthogonal
projections of Bietti and Mairal's M(x, y)[u] = (φ₀(x[u]) ⊗ y[u], φ₁(x[u])), which is never formed.
For Σ alone this is the convolutional kernel network of Mairal 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from array_api_compat import is_numpy_array
from numpy.typing import NDArray

from ...engines.blas import by_strips, each
from ...engines.dual import dual
from ...engines.fused.duals import Duals, duals
from ...engines.fused.winograd import Winograd
from ...nets.activations import ActivationLayer
from ...nets.geometry import Box
from ...nets.special import bounded
from ..lowrank import Method, low_rank
from .convolved import Convolved, filters, patch_squares, strips
from .local import Local, Roots
from .products import product, squares

Array = NDArray[Any]

# Directions with less than so many roundings of the largest eigenvalue hold only rounding.
_ROUNDINGS = 8.0
# Landmarks are chosen by K_ij/(K_ii K_jj)^¼, between the kernel itself, by which those of high
# contrast come first, and correlations, by which all count alike: on photographs errors are as
# small as either leaves at its best.
_EVEN = 0.25


@dataclass(frozen=True, eq=False)
class Rows:
    """Local features as rows: `sigma` (N, d), `theta` (N, e) or None, q (N,); as in `Local`."""

    sigma: Array
    theta: Array | None
    shared: float
    q: Array

    def __getitem__(self, places: Any) -> Rows:
        theta = None if self.theta is None else self.theta[places]
        return Rows(self.sigma[places], theta, self.shared, self.q[places])

    def double(self) -> Rows:
        """The same in float64."""
        theta = None if self.theta is None else self.theta.astype(np.float64)
        return Rows(self.sigma.astype(np.float64), theta, self.shared, self.q.astype(np.float64))

    @property
    def diagonal(self) -> tuple[Array, Array | None]:
        """⟨s, s⟩ and ⟨t, t⟩ of each row."""
        own = squares(self.sigma)
        return own, None if self.theta is None else squares(self.theta) + self.shared**2 * own


def rows_of(local: Local, q: Array | None) -> Rows:
    """All positions of some inputs as rows; without q the variances are those of the features."""
    done = local.done()
    sigma = done.sigma.reshape(-1, done.sigma.shape[-1])
    theta = None if done.theta is None else done.theta.reshape(len(sigma), -1)
    return Rows(sigma, theta, done.shared, squares(sigma) if q is None else q.reshape(-1))


@dataclass(frozen=True, eq=False)
class Projection:
    """An activation and its landmarks; `roots` are G^{-1/2} and H^{-1/2}."""

    activation: ActivationLayer
    landmarks: Rows
    roots: Roots

    @classmethod
    def fitted(
        cls,
        activation: ActivationLayer,
        candidates: Rows,
        width: int,
        method: Method,
        rng: np.random.Generator,
    ) -> Projection:
        """At most `width` landmarks, chosen among the candidates by their kernel Σ + Θ."""
        pool = candidates.double()
        landmarks = pool[_chosen(activation, pool, width, method, rng)]
        k, slope = _kernels(activation, landmarks, landmarks)
        dtype = candidates.sigma.dtype
        theta = None if slope is None else _root(slope, dtype)
        rows = Rows(
            landmarks.sigma.astype(dtype),
            None if landmarks.theta is None else landmarks.theta.astype(dtype),
            landmarks.shared,
            landmarks.q.astype(dtype),
        )
        root = _root(k, dtype)
        if not root.shape[1]:  # inputs of zeros have one feature, which is zero
            root = np.zeros((len(k), 1), dtype)
        return cls(activation, rows, Roots(root, theta))

    def __call__(self, local: Local, q: Array | None) -> Local:
        """The features behind the activation; the multiplication with the roots is put off."""
        compiled = self._compiled if is_numpy_array(local.sigma) else None
        if compiled is not None and local.patch is not None:
            return self._convolved(local, local.patch, q, compiled)
        local = local.done()
        rows, space = rows_of(local, q), local.sigma.shape[:-1]
        if compiled is not None:
            k, theta = _in_loops(compiled, rows, self.landmarks)
        else:
            k, theta = _kernels(self.activation, rows, self.landmarks)
        theta = None if theta is None else theta.reshape(*space, -1)
        return Local(k.reshape(*space, -1), theta, roots=self.roots)

    def _convolved(self, local: Local, patch: Box, q: Array | None, compiled: Duals) -> Local:
        """The same from features whose patches are put off."""
        landmarks, space = self.landmarks, patch.space_out
        dtype, shape = landmarks.sigma.dtype, (len(local.sigma), *space, len(landmarks.sigma))
        k, s = np.empty(shape, dtype), Convolved(local.sigma, patch, self._filters[0])
        theta, t = None, None
        if local.theta is not None:
            theta = np.empty(shape, dtype)
            if self._filters[1] is not None:
                t = Convolved(local.theta, patch, self._filters[1])
            else:
                theta[...] = 0
        variances = (patch_squares(local.sigma, patch) if q is None else q).astype(dtype)
        share = float(local.shared**2)

        def strip(images: slice) -> None:
            s.into(images, k[images])
            tangent = None if theta is None else theta[images]
            if t is not None and tangent is not None:
                t.into(images, tangent)
            compiled(k[images], tangent, variances[images].reshape(-1), share)

        each(strip, strips(len(k), space))
        return Local(k, theta, roots=self.roots)

    @cached_property
    def _filters(self) -> tuple[Winograd, Winograd | None]:
        theta = self.landmarks.theta
        if theta is None or theta.shape[1] == 0:
            return filters(self.landmarks.sigma), None
        return filters(self.landmarks.sigma), filters(theta)

    @cached_property
    def _compiled(self) -> Duals | None:
        return duals(self.activation, self.landmarks.q)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("activation", "landmarks", "roots")}


def _in_loops(compiled: Duals, x: Rows, y: Rows) -> tuple[Array, Array | None]:
    """`_kernels` by strips of rows that stay in the processor's cache, on all threads."""
    dtype, shape = y.sigma.dtype, (len(x.sigma), len(y.sigma))
    k = np.empty(shape, dtype)
    theta = None if x.theta is None else np.empty(shape, dtype)
    q, share = x.q.astype(dtype), float(x.shared**2)

    def strip(rows: slice) -> None:
        np.matmul(x.sigma[rows], y.sigma.T, out=k[rows])
        if theta is not None and x.theta is not None and y.theta is not None:
            np.matmul(x.theta[rows], y.theta.T, out=theta[rows])
        compiled(k[rows], None if theta is None else theta[rows], q[rows], share)

    by_strips(len(k), strip)
    return k, theta


def _kernels(activation: ActivationLayer, x: Rows, y: Rows) -> tuple[Array, Array | None]:
    """k and k̇·⟨t, t'⟩ for all pairs of rows."""
    rows, columns = x.q[:, None], y.q[None, :]
    sigma = bounded(product(x.sigma, y.sigma.T), rows, columns)
    k, slope = dual(activation, sigma, rows, columns)
    if x.theta is None or y.theta is None:
        return k, None
    theta = x.shared**2 * sigma
    if x.theta.shape[1]:
        theta = theta + product(x.theta, y.theta.T)
    return k, slope * theta


def _chosen(
    activation: ActivationLayer, pool: Rows, width: int, method: Method, rng: np.random.Generator
) -> NDArray[np.intp]:
    own, tangent = pool.diagonal
    k, slope = dual(activation, own, pool.q, pool.q)
    weight = _over_sum(k)
    diagonal, weights = weight * k, (weight, 0.0)
    if tangent is not None:
        weights = (weight, _over_sum(slope * tangent))
        diagonal = diagonal + weights[1] * (slope * tangent)
    positive = diagonal > 0
    scales = np.where(positive, diagonal, 1.0) ** -_EVEN

    def entries(some: NDArray[np.intp], others: NDArray[np.intp]) -> Array:
        found, product_ = _kernels(activation, pool[some], pool[others])
        both = weights[0] * found + (0.0 if product_ is None else weights[1] * product_)
        return both * np.outer(scales[some], scales[others])

    def columns(wanted: NDArray[np.intp]) -> Array:
        return entries(np.arange(len(pool.q)), wanted)

    found = low_rank(
        columns,
        np.where(positive, diagonal, 0) * scales**2,
        width,
        method=method,
        seed=rng,
        entries=entries,
    )
    return found.pivots if found.rank else np.zeros(1, dtype=np.intp)


def _over_sum(values: Array) -> float:
    """One over the sum of values ≥ 0, which may leave the range; 0 where they are."""
    largest = float(values.max())
    if largest <= 0:
        return 0.0
    with np.errstate(over="ignore"):
        total = float(values.sum())
    return 1 / total if np.isfinite(total) else 1 / largest / float((values / largest).sum())


def _root(gram: Array, dtype: Any) -> Array:
    """G^{-1/2} on the directions of G that the dtype can tell from rounding, (m, r).

    G is that of float64. Rounding of k(⟨s, s_j⟩) to the dtype leaves ε√(m k²) of noise in each
    direction, divided by √λ; as λ is at most m·k, that is √(ε/8) of √k where the cut is.
    """
    values, vectors = np.linalg.eigh((gram + gram.T) / 2)
    kept = values > max(float(values[-1]), 0.0) * _ROUNDINGS * float(np.finfo(dtype).eps)
    return (vectors[:, kept] / np.sqrt(values[kept])).astype(dtype)
