"""The diagonal of (K + αI)⁻¹ from random probes, with the preconditioner as control variate.

With G = K + αI and random signs v, v ∘ G⁻¹v has the diagonal of G⁻¹ as its mean (Bekas,
Kokiopoulou & Saad 2007). B = (F Fᵀ + βI)⁻¹ is known; its sample v ∘ Bv errs in part as that of G⁻¹
does, and where its error is known, that part is taken off: c times, with the c that leaves least.
The preconditioner itself, β = α, would do for large α only. What F Fᵀ lacks of K acts like a larger
α, and β = α + δ/2, δ the mean diagonal of K - F Fᵀ, serves for all α.

The mean over probes still scatters. It is drawn towards a linear function of the diagonal of B,
fitted over all samples, by as much as the scatter among the probes says that it should (James &
Stein 1961). As the number of probes grows, they alone count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .preconditioner import Preconditioner

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class InverseDiagonal:
    """An estimate of the diagonal of (K + αI)⁻¹, (n,), and its expected error.

    `error` is the root mean square of the errors, relative to the mean.
    """

    values: Matrix
    error: float


def draw_probes(n: int, count: int, seed: int) -> Matrix:
    """Return `count` columns of n random signs."""
    return np.random.default_rng([seed, n]).choice([-1.0, 1.0], size=(n, count))


def inverse_diagonal(
    preconditioner: Preconditioner,
    diagonal: Matrix,
    alpha: float,
    probes: Matrix,
    solved: Matrix,
) -> InverseDiagonal:
    """Estimate the diagonal of G⁻¹ from `solved` = G⁻¹ probes, (n, s) with s ≥ 2.

    `diagonal` (n,) is that of K. The estimate lies between 1/Gᵢᵢ and the diagonal of
    (F Fᵀ + αI)⁻¹, as G⁻¹ itself does.
    """
    beta = alpha + 0.5 * float(preconditioner.left.mean())
    known = preconditioner.inverse_diagonal(beta)
    samples, control = probes * solved, probes * preconditioner.solve(probes, beta)
    spread = control - control.mean(axis=1, keepdims=True)
    weight = float(np.sum(np.square(spread)))
    # ones and zeros are met by F Fᵀ = 0, whose B = I/β has no error to learn from
    share = float(np.sum(samples * spread)) / weight if weight > 0 else 0.0
    samples = samples - share * (control - known[:, None])
    mean = samples.mean(axis=1)
    noise = float(samples.var(axis=1, ddof=1).mean()) / probes.shape[1]
    guess = _line(known, mean)
    scatter = float(np.mean(np.square(mean - guess)))
    trust = max(0.0, 1.0 - noise / scatter) if scatter > 0 else 0.0
    lowest = 1.0 / (diagonal + alpha)
    highest = np.maximum(preconditioner.inverse_diagonal(alpha), lowest)
    values = np.clip(guess + trust * (mean - guess), lowest, highest)
    error = _error(trust, noise, scatter, len(mean))
    return InverseDiagonal(values, error / float(values.mean()))


def _line(known: Matrix, mean: Matrix) -> Matrix:
    """The linear function of `known` nearest to `mean`."""
    centred = known - known.mean()
    weight = float(centred @ centred)
    # less than rounding in all of them is no slope
    slope = float(centred @ mean) / weight if weight > 1e-20 * float(known @ known) else 0.0
    return mean.mean() + slope * centred


def _error(trust: float, noise: float, scatter: float, n: int) -> float:
    """The expected error of a value: of its share of noise, and of what is lost of the truth.

    The truth may scatter by as much as n samples cannot show beside the noise; and the line, with
    two numbers fitted to them, has its own share of that.
    """
    truth = max(scatter - noise, scatter * np.sqrt(2.0 / n))
    return float(np.sqrt(trust**2 * noise + (1.0 - trust) ** 2 * truth + 2.0 * noise / n))
