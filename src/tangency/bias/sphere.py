"""Kernels on the sphere as this package's functions take them, and the degrees they can use."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import InputError
from .degrees import DegreeNorms
from .mercer import MercerSpectrum
from .spectrum import spectrum
from .zonal import ZonalKernel, as_zonal

#: Norms of degrees that are under this part of the largest one count as zero.
_NEGLIGIBLE = 1e-13


def on_sphere(kernel: Any) -> MercerSpectrum | ZonalKernel:
    """A kernel on the sphere as a zonal function, or a spectrum as it is."""
    return kernel if isinstance(kernel, MercerSpectrum) else as_zonal(kernel)


def mercer_spectrum(kernel: Any, dim: int, degree: int) -> MercerSpectrum:
    """The spectrum of a kernel up to a degree; one that is given is checked and cut to it."""
    if isinstance(kernel, MercerSpectrum):
        if kernel.dim != dim or kernel.degree < degree:
            raise InputError(
                f"the spectrum given is for dim={kernel.dim}, degrees up to {kernel.degree}, but "
                f"dim={dim} and degree={degree} are needed; pass the kernel itself"
            )
        return first_degrees(kernel, degree + 1)
    return spectrum(kernel, dim, degree)


def first_degrees(mercer: MercerSpectrum, count: int) -> MercerSpectrum:
    """The first degrees of a spectrum."""
    return replace(
        mercer,
        eigenvalues=mercer.eigenvalues[:count],
        log_eigenvalues=mercer.log_eigenvalues[:count],
        errors=mercer.errors[:count],
        zeros=mercer.zeros[:count],
    )


def decay_exponent(mercer: MercerSpectrum) -> float | None:
    """The β of μ_k ~ k^-β in theory; ∞ for a faster decay, None where it is not known."""
    if isinstance(mercer.law, str):
        # Where finitely many are not zero, the exact zeros decide, not a decay.
        return None if mercer.law == "finite" else math.inf
    return None if mercer.law is None else -mercer.law


def present_degrees(norms: DegreeNorms) -> np.ndarray:
    """Degrees that f has, beyond rounding."""
    return norms.logs > np.max(norms.logs) + math.log(_NEGLIGIBLE)


def usable_degrees(norms: DegreeNorms, mercer: MercerSpectrum) -> int:
    """How many degrees come before the first one of f whose eigenvalue is only rounding."""
    blocked = present_degrees(norms) & ~(mercer.zeros | mercer.positive)
    return int(np.argmax(blocked)) if blocked.any() else len(norms.logs)
