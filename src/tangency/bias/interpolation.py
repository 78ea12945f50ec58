"""The RKHS norm that a kernel needs to fit data exactly, as the data grow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import array, called, flag, plain_array, shown, whole, within_memory
from ..errors import InputError
from ..kernels import Kernel
from ..kernels.coerce import as_kernel, named_kernels
from ..learn.conditioning import count_copies, warn_singular
from ..learn.grams import as_train_gram
from ..learn.spectrum import decompose
from ..learn.threads import blas_threads
from ..matrix.checked import kernel_diagonal
from ..norms import norm
from .interpolants import EXACT, InterpolationNorms, KernelInterpolation

if TYPE_CHECKING:
    from ..typing import ArrayLike

_MOST_DRAWS = 100_000
"""Each solves a system for every size: more would take hours without a word."""


@within_memory()
def interpolation_norms(
    kernels: Any,
    X: ArrayLike,
    y: ArrayLike,
    sizes: Any = None,
    draws: int = 5,
    *,
    seed: int = 0,
    shuffle: bool = False,
) -> InterpolationNorms:
    """√(yᵀK⁻¹y), the minimum RKHS norm of a function through n samples, as n grows.

    Args:
        kernels: a kernel K(X, Y), a mapping name -> kernel, or a network for both its kernels.
        X: (N, d) or (N, *space, channels).
        y: (N,) or (N, outputs) numbers; encode classes as ±1 first.
        sizes: (s,) numbers of samples; default: doubling from 16 to N/2 at most.
        draws: number of random orders of the samples; the sets of one draw are nested.
        seed: of the orders.
        shuffle: also with y in random order, as a control.

    One K(X, X) is computed for each kernel, N² numbers. Directions of K that are rounding are
    left out, as in `tangency.learn`. If y has a part in them, the norm is a lower bound, and
    `missed` and an `IllConditionedWarning` say so. If equal inputs have different targets, there
    is no interpolant, and the norm is ∞.

    Raises:
        InputError: X and y that do not fit, targets that are not numbers, bad sizes or draws.

    >>> import numpy as np
    >>> from tangency import NNGP, NTK
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((64, 3))
    >>> net = "dense relu dense"
    >>> kernels = {"NTK": NTK(net), "last-layer": NNGP(net)}
    >>> norms = interpolation_norms(kernels, X, np.sign(X[:, 0]), [16, 64], draws=3)
    >>> bool(norms["last-layer"].growth > norms["NTK"].growth)
    True
    """
    inputs, targets = _data(X, y)
    wanted = _sizes(sizes, len(inputs))
    draws, shuffle = whole(draws, "draws", 1, _MOST_DRAWS), flag(shuffle, "shuffle")
    rng = np.random.default_rng(whole(seed, "seed", 0))
    orders = [rng.permutation(len(inputs)) for _ in range(draws)]
    mixed = [rng.permutation(len(inputs)) for _ in range(draws)] if shuffle else None
    size = math.sqrt(float(np.mean(targets**2)))
    if size == 0:
        raise InputError("all targets are zero, and so is every norm; pass y that varies")
    found = {}
    for name, kernel in named_kernels(kernels, _kernel).items():
        matrix, dtype = _gram(kernel, inputs)
        diagonal = float(np.mean(kernel_diagonal(kernel, inputs)))
        _require_digits(name, diagonal, dtype)
        norms, missed = _norms(kernel, matrix, inputs, targets, wanted, orders)
        _warn(name, missed, wanted, matrix, dtype, inputs)
        control = None
        if mixed is not None:
            pairs = [
                _norms(kernel, matrix, inputs, targets[other], wanted, [order])[0]
                for order, other in zip(orders, mixed, strict=True)
            ]
            control = np.concatenate(pairs, axis=1)
        scale = math.sqrt(diagonal) / size
        growth = _growth(wanted, norms)
        found[name] = KernelInterpolation(name, norms, missed, control, scale, growth)
    return InterpolationNorms(wanted, draws, found)


def _kernel(kernel: Any) -> Any:
    return as_kernel(kernel, functions="a callable kernel(X, Y)")


def _gram(kernel: Any, X: np.ndarray) -> tuple[np.ndarray, str]:
    gram = as_train_gram(_called(kernel, X), kernel, X)
    return gram.matrix.astype(gram.dtype), gram.dtype


def _require_digits(name: str, diagonal: float, dtype: str) -> None:
    """Refuses a kernel whose smaller eigenvalues lie below the range of its dtype."""
    if diagonal == 0:
        raise InputError(
            f"the {name} kernel is 0 on all these inputs, so that no interpolant exists; leave out "
            "inputs that are 0 everywhere"
        )
    limits = np.finfo(dtype)
    if not diagonal > float(limits.tiny) / float(limits.eps):
        raise InputError(
            f"the mean of K(x, x) is {diagonal:.3g} for the {name} kernel, at the end of the range "
            f"of {dtype}, where norms have no digits; multiply the inputs by a number, so that "
            "K(x, x) comes nearer to 1"
        )


def _called(kernel: Any, X: np.ndarray) -> Any:
    if isinstance(kernel, Kernel):
        return kernel(X)
    return called(kernel, "a kernel, which is called as K(X, Y),", X, X)


def _norms(
    kernel: Any,
    matrix: np.ndarray,
    X: np.ndarray,
    y: np.ndarray,
    sizes: np.ndarray,
    orders: list[np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    norms, missed = np.empty((len(sizes), len(orders))), np.empty((len(sizes), len(orders)))
    for j, order in enumerate(orders):
        for i, size in enumerate(sizes):
            rows = order[:size]
            gram = as_train_gram(matrix[np.ix_(rows, rows)], kernel, X[rows])
            with blas_threads(gram.size):
                spectrum = decompose(gram)
            energies = np.sum(spectrum.to_basis(y[rows]) ** 2, axis=1)
            kept = spectrum.values > spectrum.cutoff
            # Roots first: a quotient may overflow where its root does not.
            parts = np.sqrt(energies[kept]) / np.sqrt(spectrum.values[kept])
            norms[i, j] = float(norm(parts[None], 1)[0, 0])
            missed[i, j] = float(np.sum(energies[~kept])) / max(float(energies.sum()), 1e-300)
            if _contradictory(X[rows], y[rows]):
                norms[i, j] = math.inf
    return norms, missed


def _contradictory(X: np.ndarray, y: np.ndarray) -> bool:
    """Equal inputs have different targets."""
    first: dict[bytes, int] = {}
    for i, row in enumerate(X):
        j = first.setdefault(row.tobytes(), i)
        if j != i and not np.array_equal(y[i], y[j]):
            return True
    return False


def _warn(
    name: str, missed: np.ndarray, sizes: np.ndarray, K: np.ndarray, dtype: str, X: np.ndarray
) -> None:
    if not (missed > EXACT).any():
        return
    worst = np.unravel_index(int(np.argmax(missed)), missed.shape)
    cutoff = float(np.trace(K)) * float(np.finfo(dtype).eps)
    warn_singular(
        found=f"{missed[worst]:.2g} of the targets' square, for {sizes[worst[0]]} samples, lies in "
        f"directions of the {name} kernel that are rounding",
        cutoff=cutoff,
        dtype=dtype,
        copies=count_copies(X),
        consequence="The norms are lower bounds there.",
        remedy="add about {value} to the kernel, as noise",
    )


def _growth(sizes: np.ndarray, norms: np.ndarray) -> float:
    """The slope of log norm in log n over the larger half of the sizes."""
    half = len(sizes) // 2
    mean = norms.mean(axis=1)[half:]
    if len(mean) < 2:
        half, mean = 0, norms.mean(axis=1)
    if len(mean) < 2 or not np.isfinite(mean).all() or (mean <= 0).any():
        return math.nan
    return float(np.polyfit(np.log(sizes[half:]), np.log(mean), 1)[0])


def _data(X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    inputs = plain_array(X, "X")
    try:
        targets = array(y, "targets")
    except InputError as error:
        raise InputError(
            f"{error}; encode two classes as -1 and 1, more classes as one column of 0 and 1 for "
            "each"
        ) from None
    if targets.ndim not in (1, 2) or inputs.ndim < 2 or len(inputs) != len(targets):
        raise InputError(
            f"X of shape {inputs.shape} and y of shape {targets.shape} do not fit; expected "
            "(n, features) or (n, *space, channels), and (n,) or (n, outputs)"
        )
    if not np.isfinite(targets).all():
        raise InputError("targets hold NaN or infinity; leave those samples out")
    return inputs, targets.reshape(len(targets), -1)


def _sizes(sizes: Any, samples: int) -> np.ndarray:
    if sizes is None:
        # Draws of more than half of the samples would be much the same.
        return np.array([2**j for j in range(4, 63) if 2 * 2**j <= samples] or [samples])
    values = np.atleast_1d(plain_array(sizes, "sizes"))
    if values.dtype.kind in "iu" and values.size:
        values = np.unique(values)
    if values.dtype.kind not in "iu" or values.size == 0 or values[0] < 1 or values[-1] > samples:
        raise InputError(f"sizes must be whole numbers from 1 to {samples}, got {shown(sizes)}")
    return values
