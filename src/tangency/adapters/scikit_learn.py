"""A kernel of a network for the Gaussian processes of scikit-learn."""

# Names as scikit-learn has them.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel

from ..learn.parameters import KernelParameters
from .free import Open, opened

if TYPE_CHECKING:
    from ..typing import ArrayLike, KernelLike

# Of central differences of fourth order in logarithms: their error, and that of rounding over the
# step, are about 1e-10 of K.
_STEP = 2e-3
_NODES = ((1.0, 8.0), (2.0, -1.0))  # steps, and their weights in twelfths


class SklearnKernel(KernelParameters, Kernel):
    """The kernel of a network as a kernel of `sklearn.gaussian_process`.

    For `GaussianProcessRegressor` and `GaussianProcessClassifier`, alone or in sums and products
    with scikit-learn's own: `ConstantKernel() * SklearnKernel(net) + WhiteKernel()`.

    Args:
        kernel: `NTK(net)`, `NNGP(net)`, or a network or its text, which stands for its NTK. For
            images give it their shape, `NTK(net, input_shape=(8, 8, 1))`: rows come in flat.
        free: names of the hyper-parameters, such as `0__bias_std` for the biases of the first
            layer. Default: what is marked by `?` in the text of a network, else the standard
            deviations of weights and biases that are not zero, of all layers but the last one;
            `()` leaves nothing to choose. One that is zero starts at 0.1.
        free_bounds: (low, high) of a name or of a kind, as in `{"bias_std": (1e-2, 1.0)}`. Default:
            a factor 100 to either side; of biases (1e-3, 10).

    `theta` are logarithms, and changing them changes `kernel`. Matrices are computed in float64,
    by the fastest engine. `eval_gradient=True` gives (n, n, p) derivatives, by central differences
    of fourth order for 4p more matrices: one pass backwards, of PyTorch, gives the derivatives of
    one number only, and n² passes take longer. They agree with those of PyTorch to about 1e-9 of
    K. `tangency.tune` searches with one pass backwards for a step, and is faster for many samples.

    Raises:
        InputError: no kernel of a network, unknown names, bounds that do not rise.
        NetworkError: a text that describes no network.

    >>> import numpy as np
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from tangency import NNGP
    >>> from tangency.adapters import SklearnKernel
    >>> X = np.linspace(-2, 2, 12)[:, None]
    >>> kernel = SklearnKernel(NNGP("dense:b=1 erf dense"))
    >>> [each.name for each in kernel.hyperparameters]
    ['0__weight_std', '0__bias_std']
    >>> model = GaussianProcessRegressor(kernel, alpha=1e-4).fit(X, np.sin(2 * X[:, 0]))
    >>> round(float(model.predict([[0.1]])[0]), 2)
    0.2
    """

    def __init__(
        self,
        kernel: KernelLike,
        free: Iterable[str] | None = None,
        free_bounds: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        self.kernel = kernel
        self.free = free
        self.free_bounds = free_bounds
        opened(kernel, free, free_bounds)

    @property
    def _open(self) -> Open:
        return opened(self.kernel, self.free, self.free_bounds)

    @property
    def hyperparameters(self) -> list[Hyperparameter]:
        """What is free, by name, with bounds."""
        return [
            Hyperparameter(each.name, "numeric", (each.lower, each.upper))
            for each in self._open.free
        ]

    @property
    def theta(self) -> NDArray[np.float64]:
        """Logarithms of what is free, (p,)."""
        return np.log([each.start for each in self._open.free], dtype=np.float64)

    @theta.setter
    def theta(self, theta: ArrayLike) -> None:
        now = self._open
        names = tuple(each.name for each in now.free)
        values = np.exp(np.asarray(theta, np.float64)).tolist()
        self.kernel, self.free = now.at(dict(zip(names, values, strict=True))), names
        # usual bounds are beside the first value, and stay there
        self.free_bounds = {each.name: (each.lower, each.upper) for each in now.free}

    def __call__(
        self, X: ArrayLike, Y: ArrayLike | None = None, eval_gradient: bool = False
    ) -> Any:
        """K(X, Y), (n, m); with `eval_gradient` also ∂K(X, X)/∂theta, (n, n, p)."""
        if eval_gradient and Y is not None:
            raise ValueError("Gradient can only be evaluated when Y is None.")
        now = self._open
        x, y = _numbers(X), None if Y is None else _numbers(Y)
        matrix = np.asarray(now.kernel(x, y))
        return (matrix, _gradient(now, x)) if eval_gradient else matrix

    def diag(self, X: ArrayLike) -> NDArray[np.floating[Any]]:
        """K(x_i, x_i), (n,)."""
        return np.asarray(self._open.kernel.diag(_numbers(X)))

    def is_stationary(self) -> bool:
        """Whether it depends on differences of inputs only: no."""
        return False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._open.kernel})"


def _numbers(X: Any) -> NDArray[np.float64]:
    """In float64, as differences need its digits."""
    return np.atleast_2d(np.asarray(X, np.float64))


def _gradient(now: Open, x: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.zeros((len(x), len(x), len(now.free)))
    for place, each in enumerate(now.free):
        for steps, weight in _NODES:
            for sign in (1.0, -1.0):
                value = each.start * float(np.exp(sign * steps * _STEP))
                found[..., place] += sign * weight * np.asarray(now.at({each.name: value})(x))
    return found / (12.0 * _STEP)
