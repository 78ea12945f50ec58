"""max(u, 0)^a on the sphere: the norm of every degree, in closed form."""

from __future__ import annotations

import math

import numpy as np

from .arccosine import log_beta, log_central_beta
from .degrees import Vector, log_multiplicities


def half_power_logs(a: float, dim: int, degree: int) -> Vector:
    """log ‖f_k‖ of (u)_+^a: |∫ (u)_+^a P_k dτ| √N(p, k)."""
    k = np.arange(degree + 1, dtype=float)
    # All Gamma functions in pairs, as Beta functions: alone, they lose digits at large a and p.
    logs = np.full(degree + 1, float(log_beta(dim / 2, a + 1)))
    # Γ(a+1+p/2)/(Γ(x)Γ(y)) is 1/B(x, y), for x + y = a + 1 + p/2.
    x, y = (a - k) / 2 + 1, (a + k + dim) / 2
    small, large = (x >= 0.5) & (x < 16), x >= 16
    logs[small] -= log_beta(x[small], y[small]) + (a + 1) * math.log(2)
    logs[large] -= log_central_beta(x[large], y[large]) - dim / 2 * math.log(2)
    # For smaller x, 1/Γ(x) = Γ(z) sin(πz)/π with z = 1 - x, and Γ(z)/Γ(y) = B(z, b)/Γ(b).
    far, b = x < 0.5, a + dim / 2
    # |sin(πz)|, by the parity of k, is one of these; exactly zero at whole numbers.
    turn = math.remainder(a, 4.0) / 2
    sines = [0.0 if (turn + h) % 1 == 0 else abs(math.sin(math.pi * (turn + h))) for h in (0, 0.5)]
    sine = np.array(sines)[np.arange(degree + 1)[far] % 2]
    with np.errstate(divide="ignore"):
        logs[far] += log_beta((k[far] - a) / 2, b) + np.log(sine / np.pi * b)
    logs[far] -= (a + 1) * math.log(2)
    return logs + 0.5 * log_multiplicities(dim, degree)
