"""What the infinitely wide network predicts while it is trained, in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import array, plain_array, real, shown
from ..errors import InputError
from ..kernels import NNGP, NTK, KernelPair
from ..kernels.coerce import as_kernel
from ..kernels.foreign import refuse_unlike_columns
from ..kernels.network import NetworkKernel
from ..kernels.packing import Structured
from ..nets import Layer
from .flow import flow_filter
from .gp import both_grams, ensemble_kernel
from .grams import as_train_gram
from .spectrum import Spectrum, decompose

if TYPE_CHECKING:
    from ..typing import ArrayLike, Inputs


@dataclass(frozen=True, eq=False)
class KernelPredictions:
    """The ensemble of infinitely wide networks at some times; made by `kernel_predictions`.

    Attributes:
        times: (t,) of training.
        mean: (t, m) or (t, m, outputs), as y is.
        covariance: (t, m, m) between points, the same for every output; outputs are independent.
    """

    times: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray

    @property
    def std(self) -> np.ndarray:
        """(t, m) standard deviations over networks."""
        return np.sqrt(np.maximum(np.diagonal(self.covariance, axis1=1, axis2=2), 0.0))


def kernel_predictions(
    kernel: NetworkKernel | Layer | str,
    X: Inputs,
    y: ArrayLike,
    X_test: Inputs | None = None,
    times: Sequence[float] | np.ndarray = (np.inf,),
    lr: float | None = None,
    *,
    f0: ArrayLike | None = None,
    f0_test: ArrayLike | None = None,
) -> KernelPredictions:
    """Mean and covariance over random networks of infinite width, trained on the squared loss.

    Args:
        kernel: `NTK(net)`, or the network, where all layers are trained, `NNGP(net)` where only the
            last one is.
        X, y: training inputs (n, *space, channels) and targets (n,) or (n, outputs).
        X_test: (m, *space, channels) where to predict; the training inputs without it.
        times: of gradient flow on the loss summed over examples, as `Training.times` has them;
            infinity is the end.
        lr: with it, times are those of gradient descent in steps of lr, exactly; the number of
            steps is that nearest to times/lr.
        f0: values (n,) or (n, outputs) on X of one network before training, as y is. The mean is
            then that network's path, and the covariance zero. f0_test: its values on X_test.

    A network that starts as f₀ becomes f_t = f₀ + B(y − f₀(X)), with
    B = Θ(x, X) Θ⁻¹(I − exp(−tΘ)), or Θ⁻¹(I − (I − lr·Θ)^{t/lr}) for gradient descent, Θ the kernel
    that was given. Over networks f₀ ~ GP(0, K), K the NNGP kernel, hence the mean B y and the
    covariance K + B K Bᵀ − B K − K Bᵀ. Directions that cannot be told from rounding are left out.

    Raises:
        InputError: targets that do not fit, times below 0, a kernel that is no network's, an lr
            that is no number above 0, or one beyond 2/λ_max.

    Source: Lee et al. 2019, "Wide neural networks of any depth evolve as linear models under
    gradient descent", section 2.3.

    >>> import numpy as np, tangency as tg
    >>> from tangency.learn import kernel_predictions
    >>> found = kernel_predictions(tg.NTK("dense relu dense"), np.eye(2), [1.0, -1.0])
    >>> found.mean.round(6).tolist(), bool(np.all(found.std < 1e-6))
    ([[1.0, -1.0]], True)
    """
    kernel = _network_kernel(kernel)
    tangent = ensemble_kernel(kernel)
    refuse_unlike_columns(X, X_test, ("X", "X_test"))
    inputs = _inputs(X, "X")
    points = None if X_test is None else _inputs(X_test, "X_test")
    targets, flat = _targets(y, len(inputs)), np.ndim(y) == 1
    moments, rate = _times(times), _rate(lr)
    both = both_grams(tangent, inputs)
    prior = np.array(both.nngp, dtype=np.float64)
    spectrum = decompose(as_train_gram(_own(kernel, both).copy(), kernel, inputs))
    if points is None:
        cross, prior_test = both, prior
    else:
        cross = both_grams(tangent, points, inputs)
        prior_test = both_grams(tangent, points).nngp
    reach = _own(kernel, cross)
    start, start_test = _start(f0, f0_test, targets, len(reach), points is None)
    means = []
    covariances = np.zeros((len(moments), len(reach), len(reach)))
    for time, covariance in zip(moments, covariances, strict=True):
        b = reach @ ((spectrum.vectors * _weights(spectrum, time, rate)) @ spectrum.vectors.T)
        means.append(start_test + b @ (targets - start))
        if f0 is None:
            half = b @ prior @ b.T - b @ cross.nngp.T - cross.nngp @ b.T
            covariance[:] = prior_test + 0.5 * (half + half.T)
    mean = np.stack(means)
    return KernelPredictions(moments, mean[..., 0] if flat else mean, covariances)


def _own(kernel: NTK | NNGP, both: KernelPair) -> np.ndarray:
    return both.ntk if isinstance(kernel, NTK) else both.nngp


def _inputs(X: Any, name: str) -> Any:
    if isinstance(X, Structured):
        return X
    found = plain_array(X, name)
    if found.ndim < 2:
        raise InputError(
            f"{name} must be inputs (n, features) or (n, *space, channels), got {shown(found)}"
        )
    return found


def _start(
    f0: Any, f0_test: Any, targets: np.ndarray, points: int, on_training: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The function before training, on the training points and where to predict."""
    if f0 is None:
        if f0_test is not None:
            raise InputError("f0_test needs f0, the values of the same network on X")
        return np.zeros_like(targets), np.zeros((points, targets.shape[1]))
    start = _targets(f0, len(targets), "f0")
    if on_training == (f0_test is not None):
        raise InputError("f0_test is for X_test: give both, or neither")
    start_test = start if on_training else _targets(f0_test, points, "f0_test")
    if start.shape[1] != targets.shape[1] or start_test.shape[1] != targets.shape[1]:
        raise InputError(
            f"f0 must have as many outputs as y, {targets.shape[1]}; got {start.shape[1]} on X and "
            f"{start_test.shape[1]} where to predict"
        )
    return start, start_test


def _weights(spectrum: Spectrum, time: float, lr: float | None) -> np.ndarray:
    """φ(λ) such that B = Θ(x, X) Q diag(φ) Qᵀ."""
    if lr is None:
        return flow_filter(spectrum, 0.0, time)
    largest = float(spectrum.values[-1])
    if lr * largest > 2:
        raise InputError(
            f"gradient descent with lr={lr:g} diverges: the limit is {2 / largest:.3g} for this "
            "kernel; take a smaller lr"
        )
    with np.errstate(over="ignore"):
        steps = np.round(np.float64(time) / lr)
    if not np.isfinite(steps):
        return flow_filter(spectrum, 0.0, time)
    kept = spectrum.values > spectrum.cutoff
    pull = lr * spectrum.values[kept]
    # By logarithms where 1 − pull would lose the pull to rounding.
    small = pull < 0.5
    done = 1.0 - (1.0 - pull) ** steps
    done[small] = -np.expm1(steps * np.log1p(-pull[small]))
    weights = np.zeros(spectrum.size)
    weights[kept] = done / spectrum.values[kept]
    return weights


def _rate(lr: Any) -> float | None:
    if lr is None:
        return None
    rate = real(lr)
    if rate is None or not 0 < rate < np.inf:
        raise InputError(
            f"lr must be a finite number greater than 0, or None for gradient flow; got {shown(lr)}"
        )
    return rate


def _network_kernel(kernel: Any) -> NTK | NNGP:
    kernel = as_kernel(kernel)
    if isinstance(kernel, NTK | NNGP) and not kernel.normalize:
        return kernel
    raise InputError(
        f"expected NTK(net), for training all layers, or NNGP(net), for the last one alone, "
        f"without normalize; got {shown(kernel)}"
    )


def _targets(y: Any, n: int, name: str = "y") -> np.ndarray:
    try:
        y = plain_array(y, name)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be numbers (n,) or (n, outputs): {error}") from None
    if y.ndim not in (1, 2) or len(y) != n or y.dtype.kind not in "iubf":
        what = "targets" if name == "y" else name
        raise InputError(
            f"{what} must be numbers (n,) or (n, outputs) for {n} inputs; got {y.dtype} of shape "
            f"{y.shape}"
        )
    if not np.isfinite(y).all():
        raise InputError(f"{name} holds NaN or infinity; fill in or drop those examples")
    return y.astype(np.float64).reshape(n, -1)


def _times(times: Any) -> np.ndarray:
    try:
        found = np.atleast_1d(array(times, "times"))
    except InputError:
        found = np.array([np.nan])
    if found.ndim != 1 or len(found) == 0 or not np.all(found >= 0):
        raise InputError(f"times must be numbers, 0 or more; got {shown(times)}")
    return found
