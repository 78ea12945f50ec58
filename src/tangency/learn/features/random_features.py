"""Random features: the neurons of a wide random network, and sketches of its gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...checks import shown
from ...errors import InputError
from ...kernels import NNGP, NTK
from ...kernels.algebra import without_factor
from ...kernels.coerce import is_network
from ...kernels.network import NetworkKernel
from ...nets.parameters import numbers_only
from ...nets.plan import plan
from ..grams import resolve_kernel
from .base import FeatureMap, at_least_one, generator
from .stages import (
    Draw,
    Features,
    Sizes,
    Stage,
    check_covered,
    draw_stages,
    row_norms,
    sizes_after,
)

if TYPE_CHECKING:
    from ...typing import KernelLike, RandomState


class RandomFeatures(FeatureMap):
    """Random features φ of a dense network's NTK or last-layer kernel: ⟨φ(x), φ(y)⟩ ≈ K(x, y).

    The error falls as 1/√n_components for all data. With one hidden layer the inner
    products have the right expectation; with more there is also a bias, which falls as
    1/n_components. `fit` uses only the dimension of the samples.

    Parameters
    ----------
    kernel : `NTK(net)` or `NNGP(net)` (or a multiple of one); a network or its text form stands
        for its NTK, None for that of `dense relu dense`. The network works on vectors and is made
        of Dense layers, activations that are functions of one number (for an NTK: ReLU,
        LeakyReLU, Abs, Erf, GELU, Sine, Cosine, Hermite), LayerNorm, Rescale and Residual.
    n_components : the number of features. As many neurons are drawn for each activation as it
        allows, at least one: all of it for an NNGP, one half for the NTK of a chain of layers.
        Where layers have features of their own (biases), there may be a few less.
    random_state : a number, a `RandomState` or `Generator`, or None.

    Attributes
    ----------
    kernel_ : the kernel that is approximated.
    n_neurons_ : neurons for each activation; `n_features_in_` the dimension of a sample.

    X is (n, d); features are computed and returned in its dtype, float32 or float64. Raises
    `NetworkError` for a network that it does not cover. Deep networks take n_neurons² operations
    a row and layer.

    Source: random features, Rahimi & Recht 2007, with the neurons of Cho & Saul 2009; Θ as in
    `tangency.learn.features.stages`, close to Zandieh et al. 2021, "Scaling neural tangent
    kernels via sketching and random features".

    Examples
    --------
    >>> import numpy as np
    >>> import tangency as tg
    >>> X = np.random.default_rng(0).standard_normal((50, 3))
    >>> kernel = tg.NTK("dense relu dense", normalize=True)
    >>> F = tg.RandomFeatures(kernel, n_components=4000, random_state=0).fit_transform(X)
    >>> F.shape, bool(np.abs(F @ F.T - kernel(X)).max() < 0.1)
    ((50, 4000), True)
    """

    kernel_: Any
    n_neurons_: int

    def __init__(
        self,
        kernel: KernelLike | None = None,
        n_components: int = 2000,
        *,
        random_state: RandomState = None,
    ) -> None:
        self.kernel = kernel
        self.n_components = n_components
        self.random_state = random_state

    @property
    def _sample_shape(self) -> tuple[int, ...]:
        return (self.n_features_in_,)

    @property
    def _n_features_out(self) -> int:
        return self._width

    @property
    def _work_per_row(self) -> int:
        return max(self._width, 2 * self.n_neurons_)

    def _fit(self, X: np.ndarray) -> None:
        most = at_least_one(self.n_components, "n_components")
        if X.ndim != 2:
            raise InputError(
                f"RandomFeatures takes vectors, (n, d); X has shape {X.shape}; flatten its "
                "samples, or use NystromFeatures, which takes images and any network"
            )
        kernel = self.kernel
        if kernel is None or is_network(kernel):
            kernel = resolve_kernel(kernel)
        network_kernel, factor = unscaled(kernel, type(self).__name__)
        self._tangent = isinstance(network_kernel, NTK)
        self._normalize, self._factor = network_kernel.normalize, factor**0.5
        net, start = numbers_only(network_kernel.net), Sizes(X.shape[1], 0)
        check_covered(net, self._tangent)
        steps = plan(net, X.shape[1:]).steps

        def width(neurons: int) -> int:
            sizes = sizes_after(steps, start, neurons, self._tangent)
            return sizes.theta if self._tangent else sizes.sigma

        self.n_neurons_ = _neurons(most, width(1), width(2))
        self._width = width(self.n_neurons_)
        draw = Draw(self.n_neurons_, self._tangent, generator(self.random_state), X.dtype)
        self._stage: Stage = draw_stages(steps, start, draw)
        self.kernel_ = kernel

    def _map(self, X: np.ndarray) -> np.ndarray:
        found = self._stage(Features(X, np.zeros((len(X), 0), dtype=X.dtype)))
        features = found.theta if self._tangent else found.sigma
        if self._normalize:
            features = features / row_norms(features)
        return self._factor * features


def unscaled(kernel: Any, needs: str) -> tuple[NetworkKernel, float]:
    """A network's kernel and the number it is multiplied by."""
    found, factor = without_factor(kernel)
    if isinstance(found, NTK | NNGP):
        return found, factor
    raise InputError(
        f"{needs} needs NTK(net), NNGP(net), a multiple of one, or a network; got "
        f"{shown(kernel)}; for a sum of kernels join the features of each with scikit-learn's "
        "FeatureUnion, or use NystromFeatures, which takes any kernel"
    )


def _neurons(most: int, one: int, two: int) -> int:
    """The neurons for at most `most` features, where one neuron makes `one` and two make `two`."""
    each, fixed = two - one, 2 * one - two
    if one == 0:
        raise InputError(
            "the NTK is zero, as no layer of the network is trainable; use NNGP(net), or leave "
            "a layer trainable"
        )
    return max((most - fixed) // each, 1) if each else 1
