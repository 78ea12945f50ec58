"""What a fit of ridge regression or gradient flow leaves, whichever solver made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class DualFit:
    """f = Σᵢ cᵢ K(·, xᵢ): `dual` c (n, k), `alpha`, `norms` √(cᵀKc) (k,).

    `alpha` is one of `alphas` (a,), whose leave-one-out losses are `losses` (a,). `residuals`
    (n, k) are the leave-one-out ones of `alpha`; they and the losses are None where they are not
    known. `solver` names what was used. Iterations give the number of products with K, the
    largest error of a prediction that they leave, in units of the targets' root mean square, and
    the relative error of the leave-one-out residuals. Where the function is a sum over some
    samples only, `landmarks` (r,) are these, and c is (r, k). Where it is Σⱼ wⱼ φⱼ with `features`
    φ, a fitted map, w (r, k) is in the place of c.
    """

    dual: Matrix
    alpha: float
    norms: Matrix
    residuals: Matrix | None
    alphas: Matrix
    losses: Matrix | None
    solver: str = "eigh"
    products: int | None = None
    tolerance: float | None = None
    loo_error: float | None = None
    landmarks: NDArray[np.intp] | None = None
    features: Any = None
