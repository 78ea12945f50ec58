"""What a ball of an RKHS can do for every Lipschitz function at once.

The Lipschitz constant of a kernel's own features is `lipschitz_constant`, in `jets.py`.
"""

from __future__ import annotations

import math

import numpy as np

from .degrees import Vector


def lipschitz_bound(
    log_eigenvalues: Vector, dim: int, radii: Vector, lipschitz: float = 1.0
) -> Vector:
    """An upper bound on min over ‖g‖_H ≤ δ of ‖f - g‖_{L²}, for all f with |f|, |∇f| ≤ η.

    log_eigenvalues: (degree + 1,) of a kernel on the sphere in R^dim, -inf for exact zeros; f has
    no components there. radii: (r,) values of δ. lipschitz: η. Returns (r,) bounds, NaN where δ
    is too small to hold the mean of f, or so large that degrees beyond the last one decide.

    Such an f satisfies Σ k(k+p-2) ‖f_k‖² = ∫ |∇f|² ≤ η² and ‖f_0‖ ≤ η. The mean is taken whole,
    which costs η²/μ_0 of δ² and leaves δ'². For the rest, by convex duality,
    sup_f min_g ‖f - g‖ = sup_w η √(Σ w_k/(k(k+p-2))) - δ' √(Σ w_k μ_k) over all weights w ≥ 0 of
    sum 1. Between two degrees, where both sums are linear in w, this has a stationary value that
    is positive only as a minimum; so the worst f is a single harmonic, and the bound is
    max_k η/√(k(k+p-2)) - δ' √μ_k.
    For μ_k ~ k^-β it falls as δ^(-1/(β/2 - 1)): the rate of Bietti & Mairal 2019
    (β = p), and of Bach 2017 (β = p + 2), here in L² and without their logarithm.

    >>> import numpy as np
    >>> logs = -4.0 * np.log(np.arange(1, 2000))
    >>> bound = lipschitz_bound(logs, 3, np.array([10.0, 100.0, 1000.0]))
    >>> [round(float(b), 4) for b in bound]
    [0.0265, 0.0025, nan]
    """
    out = np.full(len(radii), np.nan)
    if not np.isfinite(log_eigenvalues[:1]).all():
        return out
    k = np.arange(1, len(log_eigenvalues))[np.isfinite(log_eigenvalues[1:])]
    roots = np.exp(0.5 * log_eigenvalues[k])
    heights = lipschitz / np.sqrt(k * (k + dim - 2.0))
    for i, radius in enumerate(np.asarray(radii, dtype=float)):
        left = radius**2 - lipschitz**2 * math.exp(-log_eigenvalues[0])
        if left <= 0 or len(k) == 0:
            continue
        missed = heights - math.sqrt(left) * roots
        best = int(np.argmax(missed))
        # One of the last two may be exceeded by a degree beyond.
        if best < len(k) - 2 and missed[best] >= 0:
            out[i] = missed[best]
    return out
