"""The log determinant of a matrix that is known by its products, with an error bar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

_SETTLED = 0.02  # of the standard error, which a further step may change
_TWICE = 2


@dataclass(frozen=True)
class Trace:
    """tr log A as `value` with its standard error; `products` is the number of steps."""

    value: float
    error: float
    products: int


def trace_log(apply: Callable[[Matrix], Matrix], probes: Matrix, most: int) -> Trace:
    """Estimate tr log A of a positive definite A (n, n) from vectors of random signs (n, s), s ≥ 2.

    `apply` gives A times (n, s) vectors. Each zᵀ log(A) z, whose mean is the trace, is a Gauss
    quadrature by Lanczos' recurrence; it goes on until a step changes the mean by less than a
    fiftieth of the standard error twice, or for `most` steps. So it is unbiased but for that.

    Source: Ubaru, Chen & Saad 2017, *Fast estimation of tr(f(A)) via stochastic Lanczos
    quadrature*.

    >>> signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(4, 3))
    >>> found = trace_log(lambda v: np.diag([1.0, 2.0, 3.0, 4.0]) @ v, signs, 10)
    >>> round(float(np.exp(found.value)), 6)  # exact, as signs are for a diagonal matrix
    24.0
    """
    n, count = probes.shape
    before, vectors = np.zeros_like(probes), probes / np.sqrt(n)
    diagonals, besides = list[Matrix](), list[Matrix]()
    last, settled, value, error = np.inf, 0, 0.0, 0.0
    for _ in range(most):
        image = apply(vectors)
        alone = ~vectors.any(axis=0)  # its space is exhausted: a block of its own, log 1 = 0
        alphas = np.where(alone, 1.0, np.einsum("ij,ij->j", vectors, image))
        image -= alphas * vectors
        if besides:
            image -= besides[-1] * before
        betas = np.linalg.norm(image, axis=0)
        betas[betas <= 1e-10 * np.abs(alphas)] = 0.0
        diagonals.append(alphas)
        samples = n * _quadratures(np.array(diagonals), np.array(besides))
        value, error = float(samples.mean()), float(samples.std(ddof=1) / np.sqrt(count))
        settled = settled + 1 if abs(value - last) <= _SETTLED * error + 1e-10 * n else 0
        if settled == _TWICE or not betas.any():
            break
        last, before = value, vectors
        vectors = np.divide(image, betas, out=np.zeros_like(image), where=betas > 0)
        besides.append(betas)
    return Trace(value, error, len(diagonals))


def _quadratures(diagonals: Matrix, besides: Matrix) -> Matrix:
    """e₁ᵀ log(T) e₁ of the tridiagonal matrices, (s,), from columns of their entries."""
    size, count = diagonals.shape
    matrices = np.zeros((count, size, size))
    places = np.arange(size)
    matrices[:, places, places] = diagonals.T
    if size > 1:
        matrices[:, places[1:], places[:-1]] = matrices[:, places[:-1], places[1:]] = besides.T
    values, vectors = np.linalg.eigh(matrices)
    positive = np.maximum(values, np.finfo(np.float64).tiny)
    return np.einsum("sj,sj->s", np.square(vectors[:, 0]), np.log(positive))
