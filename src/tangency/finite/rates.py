"""How long a step of gradient descent may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg as sla

from ..checks import plain_array
from ..errors import InputError
from .losses import find_loss

if TYPE_CHECKING:
    from ..typing import ArrayLike


def max_learning_rate(K: ArrayLike, loss: str = "squared") -> float:
    """The rate of gradient descent below which it is stable: 2/λ_max(K) for the squared loss.

    K: (n, n), or (n, n, outputs, outputs) as `empirical_ntk(..., outputs="full")` gives it; the
    kernel on the training inputs. loss: "squared", ½ Σ (f − y)² summed over examples, or
    "cross_entropy", summed likewise, whose limit is 4/λ_max(K), as no curvature exceeds 1/2. For
    a loss averaged over n examples, multiply by n.

    Raises:
        InputError: no kernel matrix, or one that is zero.

    >>> import numpy as np
    >>> from tangency.finite import max_learning_rate
    >>> max_learning_rate(np.diag([1.0, 4.0]))
    0.5
    """
    matrix = _square(K)
    top = len(matrix) - 1
    largest = float(sla.eigvalsh(matrix, subset_by_index=[top, top])[0])
    if largest <= 0:
        raise InputError(
            f"the kernel matrix has no positive eigenvalue (its largest is {largest:.3g}): the "
            "function does not depend on any trained parameter"
        )
    return 2.0 / (find_loss(loss).curvature * largest)


def _square(K: Any) -> np.ndarray:
    K = plain_array(K, "the kernel matrix")
    if K.ndim == 4 and K.shape[0] == K.shape[1] and K.shape[2] == K.shape[3]:
        size = K.shape[0] * K.shape[2]
        K = K.transpose(0, 2, 1, 3).reshape(size, size)
    if K.ndim != 2 or K.shape[0] != K.shape[1] or K.size == 0 or K.dtype.kind not in "iuf":
        raise InputError(
            "expected a kernel matrix (n, n), or (n, n, outputs, outputs), on the training "
            f"inputs; got {K.dtype} of shape {K.shape}"
        )
    if not np.isfinite(K).all():
        raise InputError("the kernel matrix holds NaN or infinity")
    return K.astype(np.float64)
