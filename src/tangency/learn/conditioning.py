"""When a kernel matrix is too close to singular to be inverted, and what to say about it."""

from __future__ import annotations

import sys
import warnings

import numpy as np

SOLVE_EPS = float(np.finfo(np.float64).eps)


class IllConditionedWarning(UserWarning):
    """A kernel matrix is singular to working precision, so the fit depends on rounding."""


def rank_cutoff(trace: float, largest: float, size: int, eps: float) -> float:
    """Return the eigenvalue below which an (n, n) kernel matrix holds only rounding.

    Two errors add up. Entries computed with relative precision `eps` (that of the dtype the
    kernel was computed in) perturb the matrix by at most `eps` times its trace, because
    |K(x, x')| is at most √(K(x, x) K(x', x')). The float64 eigensolver adds about
    n · 2.2e-16 times the largest eigenvalue.

    >>> rank_cutoff(trace=100.0, largest=50.0, size=100, eps=2.0**-52) < 1e-11
    True
    """
    return eps * trace + size * SOLVE_EPS * largest


def warn_singular(
    *,
    found: str,
    cutoff: float,
    dtype: str,
    copies: int,
    consequence: str,
    remedy: str,
    weighted: bool = False,
) -> None:
    """Issue an `IllConditionedWarning` that says what was found and what to do."""
    remedies = [remedy.format(value=suggested_value(cutoff)), "standardise or normalise the inputs"]
    if dtype != "float64":
        remedies.append(f"pass the inputs as float64 (they are {dtype})")
    if weighted:
        remedies.append("bring the weights of samples nearer to each other")
    if copies:
        remedies.append(f"drop the {copies} sample(s) that are exact copies of another")
    warnings.warn(
        f"the kernel matrix is singular to working precision: {found}. {consequence} "
        f"To do: {'; or '.join(remedies)}.",
        IllConditionedWarning,
        stacklevel=caller_level(),
    )


def warn_below_noise(
    *,
    found: str,
    alpha: float,
    rank: int,
    cutoff: float,
    dtype: str,
    samples: np.ndarray | None,
    weighted: bool,
    name: str = "alpha",
) -> None:
    """Warn that a ridge called `name` lies below the noise of K, `rank` directions above it."""
    consequence = f"{name}={alpha:.3g} lies below the noise, so the fit depends on rounding."
    if alpha == 0:
        consequence = (
            f"With {name}=0 the {rank} directions above the noise were fitted and the "
            "others left out, so the training targets need not be met exactly."
        )
    warn_singular(
        found=found,
        cutoff=cutoff,
        dtype=dtype,
        copies=count_copies(samples),
        consequence=consequence,
        remedy=f"set {name} to about {{value}} or more",
        weighted=weighted,
    )


def caller_level() -> int:
    """Return the stack level of the first frame outside this package: the user's own line."""
    level, frame = 1, sys._getframe(1)
    package = __name__.rpartition(".")[0] + "."
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(package):
        level, frame = level + 1, frame.f_back
    return level


def suggested_value(cutoff: float) -> str:
    """Return ten times the cutoff, as one digit and a power of ten.

    >>> suggested_value(3.2e-8)
    '3e-07'
    """
    return f"{10.0 * cutoff:.0e}"


def count_copies(samples: np.ndarray | None) -> int:
    """Return how many rows of (n, ...) samples repeat an earlier row exactly."""
    if samples is None:
        return 0
    return len(samples) - len({row.tobytes() for row in samples})
