"""What the infinitely wide network predicts while it is trained, in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import array, number, plain_array, shown
from ..errors import InputError
from ..kernels import NNGP, NTK
from ..kernels.network import NetworkKernel


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
    kernel: NetworkKernel,
    X: Any,
    y: Any,
    X_test: Any | None = None,
    times: Sequence[float] | np.ndarray = (np.inf,),
    lr: float | None = None,
) -> KernelPredictions:
    """Mean and covariance over random networks of infinite width, trained on the squared loss.

    Args:
        kernel: `NTK(net)` where all layers are trained, `NNGP(net)` where only the last one is.
        X, y: training inputs (n, *space, channels) and targets (n,) or (n, outputs).
        X_test: (m, *space, channels) where to predict; the training inputs without it.
        times: of gradient flow on the loss summed over examples, as `Training.times` has them;
            infinity is the end.
        lr: with it, times are those of gradient descent in steps of lr, exactly.

    A network that starts as f₀ becomes f_t = f₀ + B(y − f₀(X)), with
    B = Θ(x, X) Θ⁻¹(I − exp(−tΘ)), or Θ⁻¹(I − (I − lr·Θ)^{t/lr}) for gradient descent, Θ the kernel
    that was given. Over networks f₀ ~ GP(0, K), K the NNGP kernel, hence the mean B y and the
    covariance K + B K Bᵀ − B K − K Bᵀ. Directions that cannot be told from rounding are left out.

    Raises:
        InputError: targets that do not fit, times below 0, a kernel that is no network's, or an lr
            beyond 2/λ_max.

    Source: Lee et al. 2019, "Wide neural networks of any depth evolve as linear models under
    gradient descent", section 2.3.

    >>> import numpy as np, tangency as tg
    >>> from tangency.finite.predictions import kernel_predictions
    >>> found = kernel_predictions(tg.NTK("dense relu dense"), np.eye(2), [1.0, -1.0])
    >>> found.mean.round(6).tolist(), bool(np.all(found.std < 1e-6))
    ([[1.0, -1.0]], True)
    """
    from ..learn.gp import both_grams
    from ..learn.grams import as_train_gram
    from ..learn.spectrum import decompose

    tangent = _network_kernel(kernel)
    X = plain_array(X, "X")
    X_test = None if X_test is None else plain_array(X_test, "X_test")
    if X.ndim < 2:
        raise InputError(f"X must be inputs (n, features) or (n, *space, channels), got {shown(X)}")
    lr = None if lr is None else number(lr, "lr", above=0)
    targets = _targets(y, len(X))
    moments = _times(times)
    both = both_grams(tangent, X)
    trained = both.ntk if isinstance(kernel, NTK) else both.nngp
    prior = np.array(both.nngp, dtype=np.float64)
    spectrum = decompose(as_train_gram(trained.copy(), kernel, X))
    if X_test is None:
        cross = both
        prior_test = prior
    else:
        cross = both_grams(tangent, X_test, X)
        prior_test = both_grams(tangent, X_test).nngp
    reach = cross.ntk if isinstance(kernel, NTK) else cross.nngp
    means, covariances = [], []
    for time in moments:
        operator = (spectrum.vectors * _weights(spectrum, time, lr)) @ spectrum.vectors.T
        b = reach @ operator
        half = b @ prior @ b.T - b @ cross.nngp.T - cross.nngp @ b.T
        means.append(b @ targets)
        covariances.append(prior_test + 0.5 * (half + half.T))
    mean = np.stack(means)
    return KernelPredictions(
        moments, mean[..., 0] if np.ndim(y) == 1 else mean, np.stack(covariances)
    )


def _weights(spectrum: Any, time: float, lr: float | None) -> np.ndarray:
    """φ(λ) such that B = Θ(x, X) Q diag(φ) Qᵀ."""
    from ..learn.flow import flow_filter

    if lr is None or np.isinf(time):
        return flow_filter(spectrum, 0.0, time)
    largest = float(spectrum.values[-1])
    if lr * largest > 2:
        raise InputError(
            f"gradient descent with lr={lr:g} diverges: the limit is {2 / largest:.3g} for this "
            "kernel; take a smaller lr"
        )
    kept = spectrum.values > spectrum.cutoff
    left = np.ones(spectrum.size)
    left[kept] = (1.0 - lr * spectrum.values[kept]) ** round(time / lr)
    return np.where(kept, (1.0 - left) / np.where(kept, spectrum.values, 1.0), 0.0)


def _network_kernel(kernel: Any) -> NTK:
    if isinstance(kernel, NTK | NNGP) and not kernel.normalize:
        from ..learn.gp import ensemble_kernel

        return ensemble_kernel(kernel)
    raise InputError(
        f"expected NTK(net), for training all layers, or NNGP(net), for the last one alone, "
        f"without normalize; got {shown(kernel)}"
    )


def _targets(y: Any, n: int) -> np.ndarray:
    y = plain_array(y, "targets")
    if y.ndim not in (1, 2) or len(y) != n or y.dtype.kind not in "iubf":
        raise InputError(
            f"targets must be numbers (n,) or (n, outputs) for {n} inputs; got {y.dtype} of shape "
            f"{y.shape}"
        )
    if not np.isfinite(y).all():
        raise InputError("y holds NaN or infinity; fill in or drop those examples")
    return y.astype(np.float64).reshape(n, -1)


def _times(times: Any) -> np.ndarray:
    found = np.atleast_1d(array(times, "times"))
    if found.ndim != 1 or len(found) == 0 or not np.all(found >= 0):
        raise InputError(f"times must be numbers, 0 or more; got {shown(times)}")
    return found
