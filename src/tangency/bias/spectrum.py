"""The Mercer decomposition of kernels on the sphere: eigenvalues by degree, and how they decay."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, overload

import numpy as np

from ..errors import InputError
from ..kernels.coerce import named_kernels
from .arccosine import log_arccosine
from .checks import require_room
from .harmonics import degree_number, dimension
from .mercer import MercerSpectrum, SpectrumComparison
from .quadrature import Coefficients, float64_coefficients, multiprecision_coefficients
from .zonal import ZonalKernel, as_zonal, leaves

_EPS = float(np.finfo(np.float64).eps)
_WANTED = 1e-10
_NUMBERS_PER_DEGREE = 16  # some arrays each of numbers and of signs; quadrature takes more
_SLOWEST = 0.9
"""Between changes of a series that doubles each time: as its length to −0.15."""
_GROWING = 1.5
_MOST_BITS = 1152
"""Enough for every eigenvalue that float64 can hold; smaller ones only closed forms give."""


@overload
def spectrum(
    kernel: Mapping[str, Any], dim: int, degree: int = 100, *, radius: float = 1.0
) -> SpectrumComparison: ...


@overload
def spectrum(
    kernel: Any, dim: int, degree: int = 100, *, radius: float = 1.0
) -> MercerSpectrum: ...


def spectrum(
    kernel: Any, dim: int, degree: int = 100, *, radius: float = 1.0
) -> MercerSpectrum | SpectrumComparison:
    """The eigenvalues μ_k of a kernel on S^{p−1} under the uniform probability measure.

    Args:
        kernel: an `NTK` or `NNGP` of a dense network (or sums, products, multiples of these), the
            network itself for its NTK, a `ZonalKernel`, a function h(u) of the cosine, or a mapping
            name -> such kernel, which gives a `SpectrumComparison`.
        dim: the dimension p, at least 2.
        degree: the highest degree K.
        radius: the norm of all inputs, for network kernels.

    How it is computed: two-layer networks of ReLU type without biases before the activation have
    closed forms in Gamma functions (relative error below 1e-12 of eigenvalues that float64 can
    hold; K up to 10,000 and beyond in milliseconds). All other networks go through quadrature in
    the angle, in as many digits as the smallest eigenvalue needs (relative error below 1e-9,
    for eigenvalues down to 1e-300·h(1)); time grows as K², hardly with p: a second or so for
    K = 1,000, ten for a smooth activation whose eigenvalues leave the range of float64; K above
    20,000 is refused. Activations by quadrature whose Hermite series goes on too far are cut off;
    `errors` holds what that may leave out, by series of two and four times the length. A function
    h(u) goes through float64 quadrature, up to K = 60,000, with an error of about
    1e-15·sup|h|/√N(p, k), which `errors` relates to each μ_k.

    Raises:
        InputError: a network that is not dense, bad numbers, more degrees than quadrature does in
            a quarter of an hour or so, or a function that is not positive semidefinite.

    Source: Bietti & Mairal 2019, section 3.1; closed forms: Bach 2017, appendix D.

    >>> import tangency as tg
    >>> s = spectrum(tg.NTK("dense relu dense"), dim=3, degree=4)
    >>> s.eigenvalues.round(6)
    array([0.5     , 0.333333, 0.078125, 0.      , 0.005208])
    >>> s.law, s.multiplicities
    (-3.0, (1, 3, 5, 7, 9))
    """
    if isinstance(kernel, Mapping):
        named = named_kernels(kernel, lambda one: as_zonal(one, radius))
        every = {name: spectrum(one, dim, degree) for name, one in named.items()}
        return SpectrumComparison({k: replace(one, name=k) for k, one in every.items()})
    p, top = dimension(dim), degree_number(degree)
    require_room(_NUMBERS_PER_DEGREE * (top + 1), f"a spectrum of {top:,} degrees")
    zonal = as_zonal(kernel, radius)
    _check_dimension(zonal, p)
    zeros = ~zonal.reach.positive(top)
    span = zonal.closed_form()
    if span is not None:
        logs = span.log_eigenvalues(p, top)
        errors = np.where(np.isneginf(logs), 0.0, _EPS * (128 + 2 * np.abs(_finite(logs))))
        return _result(zonal, p, np.exp(logs), logs, errors, zeros, "closed form")
    found = (
        _in_multiprecision(zonal, p, top, zeros)
        if zonal.any_precision
        else float64_coefficients(zonal, p, top)
    )
    errors = found.relative + _EPS * (64 + 2 * np.abs(_finite(found.logs)))
    if (longer := zonal.finer()) is not None and (longest := longer.finer()) is not None:
        more, most = (_in_multiprecision(one, p, top, zeros) for one in (longer, longest))
        errors = _left_out(found, more, most, errors + _series_noise(zonal, found, p))
    _check_signs(zonal, found, zeros)
    values = np.where(zeros, 0.0, np.maximum(found.values, 0.0))
    logs = np.where(zeros | (found.values < 0), -np.inf, found.logs)
    return _result(zonal, p, values, logs, np.where(zeros, 0.0, errors), zeros, found.method)


def _result(
    zonal: ZonalKernel,
    dim: int,
    values: np.ndarray,
    logs: np.ndarray,
    errors: np.ndarray,
    zeros: np.ndarray,
    method: str,
) -> MercerSpectrum:
    for array in (values, logs, errors, zeros):
        array.setflags(write=False)
    law = zonal.law(dim)
    return MercerSpectrum(zonal.name, dim, values, logs, errors, zeros, zonal.at_one, law, method)


def _in_multiprecision(
    zonal: ZonalKernel, dim: int, degree: int, zeros: np.ndarray
) -> Coefficients:
    """Quadrature in as many digits as it takes to know every μ_k that is not zero."""
    least = float(np.min(log_arccosine(dim, degree)))
    bits = 64 + math.ceil(-(least + math.log(_WANTED)) / math.log(2) / 16) * 16
    bits = min(bits, _MOST_BITS)
    while True:
        found = multiprecision_coefficients(zonal, dim, degree, bits)
        enough = np.all(found.relative[~zeros] <= _WANTED)
        if enough or found.truncated or bits == _MOST_BITS:
            return found
        bits = min(2 * bits, _MOST_BITS)


def _series_noise(zonal: ZonalKernel, found: Coefficients, dim: int) -> np.ndarray:
    """The relative error of μ_k from the rounding of Hermite coefficients a_j in float64.

    μ_k is about a_k² times the part of t^k on P_k, and a_k is known to some 1e-14·√h(1).
    """
    k = np.arange(len(found.logs))
    part = np.concatenate([[0.0], np.cumsum(np.log(k[1:] / (dim + 2 * k[1:] - 2)))])
    half = (part + math.log(max(zonal.at_one, 1e-300)) - _finite(found.logs)) / 2
    return 1e-13 * np.exp(np.minimum(half, 700.0))


def _left_out(
    found: Coefficients, more: Coefficients, most: Coefficients, noise: np.ndarray
) -> np.ndarray:
    """The relative error of μ_k from the terms that Hermite series leave out, with their noise.

    What N terms leave out falls as a power of N, or faster: it is d/(1 − r), for the change d from
    N terms to 2N and the ratio r of the next change to that one. Three times as much is stated, as
    terms come in waves. Where changes grow (k² is far above N, and the series has hardly begun to
    hold μ_k), nothing is known.
    """
    first, second, both = (
        _difference(one, other) for one, other in ((found, more), (more, most), (found, most))
    )
    # Differences are relative to the larger; these two are to be in one unit.
    second = second * np.exp(np.clip(_finite(most.logs) - _finite(more.logs), 0.0, 700.0))
    ratio = second / np.maximum(first, 1e-300)
    share = np.minimum(ratio, _SLOWEST)
    left = 3 * np.maximum(first / (1 - share), both)
    grows = (ratio > _GROWING) & (np.maximum(first, second) > 10 * noise)
    return noise + np.where(grows, np.maximum(left, 1.0), left)


def _difference(found: Coefficients, other: Coefficients) -> np.ndarray:
    """How far two results are apart, relative to the larger."""
    top = np.maximum(found.logs, other.logs)
    top = np.where(np.isneginf(top), 0.0, top)
    return np.abs(np.exp(found.logs - top) - np.exp(other.logs - top))


def _check_signs(zonal: ZonalKernel, found: Coefficients, zeros: np.ndarray) -> None:
    bad = (found.values < 0) & (found.relative < 0.1) & ~zeros
    if np.any(bad):
        k = int(np.argmax(bad))
        raise InputError(
            f"{zonal.name!r} is not a positive semidefinite kernel: μ_{k} = {found.values[k]:.3g}; "
            "funk_hecke(...) gives the coefficients of any function"
        )


def _check_dimension(zonal: ZonalKernel, dim: int) -> None:
    for leaf in leaves(zonal.kernel) if zonal.kernel is not None else ():
        if leaf.input_shape is not None and leaf.input_shape != (dim,):
            raise InputError(
                f"the kernel has input_shape={leaf.input_shape}, but dim={dim}; leave input_shape "
                "out or make them equal"
            )


def _finite(logs: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(logs), logs, 0.0)
