"""Layerwise features: the network's own feature map, each layer projected onto landmarks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from array_api_compat import array_namespace, is_torch_array
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from ...checks import choice
from ...errors import InputError
from ...kernels import KernelPair
from ...matrix.sources import Rows
from ...matrix.store import folder
from ..archive import write_archive
from ..lowrank import METHODS, Method
from .base import FeatureMap, at_least_one, finite, generator
from .chain import Fit, readers
from .quality import centred, relative_error, warn_if_worse_than_nothing
from .readout import Readout, at_end
from .saved import Arrays, asked, dtype_of, map_to_dict
from .stages import row_norms
from .stored import map_of, stored
from .subject import Subject, resolved
from .tensors import back, checked_device, like_samples, numbers_at_once, placed, tensors
from .widths import chosen_widths

if TYPE_CHECKING:
    from ...matrix.view import StoredGram
    from ...typing import FilePath

Array = NDArray[Any]

# Numbers that the features of one block of inputs take, patches included.
_BLOCK = 2**23
# Inputs on which the error is measured.
_HELD_OUT = 64
# Numbers that the features of all inputs of a fit take behind an activation; fewer inputs are
# looked at where they would take more.
_HELD = 2**28


class LayerwiseFeatures(FeatureMap):
    """Features φ of a network's NTK or last-layer kernel, in time linear in inputs and positions.

    Every activation's infinite-dimensional features are projected onto the span of a few
    landmarks: local features (patches, in the first layer) taken from the samples of the fit.
    Layers between two activations (convolutions, pooling, biases, residual sums) act on the
    features as they do in the network. ⟨φ(x), φ(y)⟩ ≈ K(x, y), and they are equal if there are as
    many landmarks as the rank.

    Parameters
    ----------
    kernel : `NTK(net)` or `NNGP(net)` (or a multiple of one); a network or its text form stands
        for its NTK, None for that of `dense relu dense`. Any network of the library.
    n_components : the largest number of features. If the last layers give more, they are
        projected onto that many inputs of the fit, or onto those that fit in 1 GiB in float32.
    widths : landmarks at each activation, one number for all or one for each in order of
        evaluation. None: 256, or half of `n_components` if that is less, but at least 128,
        and at the last activation as many as `n_components` allows.
    method : how landmarks are chosen among local features, as in `NystromFeatures`; "uniform" is
        as good on photographs and faster, but wastes landmarks on blank parts of images.
    max_samples : number of inputs used in `fit`, drawn at random; fewer
        if the features after an inner activation would take more than 1 GiB in float32.
    random_state : a number, a `RandomState` or `Generator`, or None.
    device : the device on which PyTorch transforms NumPy arrays, "cpu", "cuda", "cuda:1" or
        a `torch.device`; None: NumPy transforms them. Landmarks are chosen in NumPy. Tensors are
        transformed on their own device.

    Attributes
    ----------
    error_ : ‖K - K̂‖_F / ‖K‖_F on 64 inputs (or all, if there are fewer), held out from the
        choice of landmarks if possible; `error_std_` is its standard error over inputs.
    centred_error_ : the same for the centred kernel HKH, H = I - 11ᵀ/n, which matters for a model
        with an intercept.
    widths_ : the number of landmarks at each activation; `kernel_` the kernel.

    X is (n, d) or (n, *space, channels); features are computed in the dtype of the fit, and
    returned in that of X, float32 or float64. Features of a tensor are a tensor on its device, and
    differentiable. If the error is too large, raise `widths` (inner layers cost time) and
    `n_components` (the last layer is cheap); with float64 inputs smaller directions are kept.

    Raises:
        NetworkError: a layer that has no feature map; the message names it.
        InputError: a device that is not there; tensors in forward-mode differentiation.

    Source: Bietti & Mairal 2019 for the map, projected as in `tangency.learn.features.projection`;
    Mairal 2016 for the last-layer kernel.

    Examples
    --------
    >>> import numpy as np
    >>> import tangency as tg
    >>> X = np.random.default_rng(0).standard_normal((40, 6, 6, 1))
    >>> kernel = tg.NTK("conv3 relu avg2 conv3 relu gap dense")
    >>> features = tg.LayerwiseFeatures(kernel, n_components=200, random_state=0).fit(X)
    >>> F = features.transform(X)
    >>> F.shape, features.error_ < 0.05
    ((40, 40), True)
    """

    streams = True  # samples may stay in a file

    kernel_: Any
    widths_: tuple[int, ...]
    error_: float
    error_std_: float
    centred_error_: float

    def __init__(
        self,
        kernel: Any = None,
        n_components: int = 2000,
        *,
        widths: int | Sequence[int] | None = None,
        method: Method = "rpcholesky",
        max_samples: int = 1000,
        random_state: Any = None,
        device: Any = None,
    ) -> None:
        self.kernel = kernel
        self.n_components = n_components
        self.widths = widths
        self.method = method
        self.max_samples = max_samples
        self.random_state = random_state
        self.device = device

    def transform_pair(self, X: ArrayLike) -> KernelPair:
        """Return the features of both kernels from one pass, `KernelPair(nngp, ntk)`.

        Raises:
            InputError: fitted to an `NNGP`, whose map has no Θ.
        """
        check_is_fitted(self)
        if not self._subject.tangent:
            raise InputError(
                "transform_pair needs the features of both kernels; fit to NTK(net), whose map "
                "holds those of the last layer"
            )
        found = self._by_block(self._samples(X))
        return KernelPair(*(_concat(parts) for parts in zip(*found, strict=True)))

    @property
    def size(self) -> int:
        """The number of features, of a fitted map."""
        check_is_fitted(self)
        return self._n_features_out

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample of the fit."""
        check_is_fitted(self)
        return self._subject.shape

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the samples of the fit."""
        check_is_fitted(self)
        return dtype_of(self._chain)

    @property
    def _sample_shape(self) -> tuple[int, ...]:
        return self._subject.shape

    @property
    def _n_features_out(self) -> int:
        return self._readout[self._subject.tangent].size

    def _fit(self, X: np.ndarray) -> None:
        most = at_least_one(self.n_components, "n_components")
        method: Any = choice(self.method, "method", METHODS)
        checked_device(self.device, X.dtype)
        most_samples = at_least_one(self.max_samples, "max_samples")
        subject = Subject.of(self.kernel, X.shape[1:], type(self).__name__)
        rng = generator(self.random_state)
        widths = chosen_widths(self.widths, subject.plan, most, subject.tangent)
        self._subject, self._work = subject, subject.work(widths)
        self._asked = asked(self)
        self.kernel_ = subject.given
        order = rng.permutation(len(X))
        looked_at = min(most_samples, len(X), max(1, _HELD // subject.held(widths)))
        pool = np.sort(order[:looked_at])
        fit = Fit(method, rng, widths, readers(subject.plan.steps))
        starts = [subject.start(_taken(X, pool[rows])) for rows in self._blocks(looked_at)]
        self._chain = fit.whole(subject.plan.steps, starts)
        self.widths_ = tuple(fit.found)
        kinds = (False, True) if subject.tangent else (False,)
        ends: list[list[Array]] = [[] for _ in kinds]

        def look_at(start: Any) -> int:
            """Puts the features of a block at the end, and says how wide they are."""
            end = self._chain(start).local
            for parts, tangent in zip(ends, kinds, strict=True):
                parts.append(at_end(end, tangent))
            return max(parts[0].shape[1] for parts in ends)

        for start in starts:
            width = look_at(start)
            if width <= most:
                break  # they are the features as they are, of which the first block tells
        used = looked_at
        if width > most:
            # As many features take as many inputs, which nothing else needs to hold.
            used = max(looked_at, min(most, len(X), _HELD // width))
            more = np.sort(order[looked_at:used])
            for rows in self._blocks(len(more)):
                look_at(subject.start(_taken(X, more[rows])))
        self._readout = [Readout.fitted(parts, most, rng) for parts in ends]
        others = np.sort(order[used:][:_HELD_OUT])
        self._measure(_taken(X, others if len(others) > 1 else pool[:_HELD_OUT]))

    def resolved_kernel(self) -> Any:
        """The kernel that the parameter `kernel` stands for."""
        return resolved(self.kernel)

    def transform_to(
        self,
        X: ArrayLike,
        store: FilePath,
        *,
        client: Any = None,
        resume: bool = True,
        progress: bool | None = None,
    ) -> StoredGram:
        """Compute the features of X into a store that a crash cannot harm; resume if it was begun.

        X may be larger than memory: a memory map, or an array of Zarr or HDF5, read by blocks of
        rows. The store, a Zarr v3 group with the array "features" (n, n_features_out), is read like
        an array, a part at a time, and later by `tangency.gram.open`; it holds the map as well, in
        map.npz. `client`, `resume` and `progress` are those of `tangency.gram.compute`, whose
        stores have the same safety: workers may be killed, and no block is sent to one twice.

        Raises:
            InputError: samples of another shape, NaN or infinity in them.
            StoreError: a store of another job, in use, or that cannot be written.
        """
        check_is_fitted(self)
        return stored(self, X, store, client=client, resume=resume, progress=progress)

    def map_in(self, store: FilePath) -> Self | None:
        """The map that `transform_to` has put into a store, fitted there; None without one.

        Raises:
            StoreError: a map with other parameters than these, or a damaged one.
        """
        return map_of(self, folder(store))

    def save(self, path: FilePath) -> Path:
        """Write the fitted map to one file without pickle; `tangency.learn.load` reads it.

        The file, in NumPy's .npz format, appears whole or not at all. Returns the path. Raises
        `InputError` for a network that holds functions or layers of your own.
        """
        check_is_fitted(self)
        arrays: Arrays = {}
        header = {"class": type(self).__name__, "map": map_to_dict(self, "", arrays)}
        return write_archive(path, header, arrays)

    def _measure(self, X: np.ndarray) -> None:
        exact = self._subject.scale**2 * np.asarray(self._subject.network_kernel(X), np.float64)
        features = finite(self._map(X)).astype(np.float64)
        found = features @ features.T
        self.error_, self.error_std_ = relative_error(exact, found)
        self.centred_error_, _ = relative_error(centred(exact), centred(found))
        warn_if_worse_than_nothing(self.error_, X.dtype)

    def _samples(self, X: Any) -> Any:
        checked_device(self.device, dtype_of(self._chain))
        samples = super()._samples(X)
        return like_samples(X, samples) if is_torch_array(X) else samples

    def _features(self, samples: Any) -> Any:
        return self._map(samples) if is_torch_array(samples) else super()._features(samples)

    def _map(self, X: Any) -> Any:
        which = self._subject.tangent
        return _concat([pair[which] for pair in self._by_block(X, which)])

    def _by_block(self, X: Any, only: bool | None = None) -> list[list[Any]]:
        at_once = numbers_at_once(X, self.device)
        # Of tensors, whose gradients are asked for, covariances are kept.
        each = self._work if at_once is None else max(self._work, self._subject.marginals.pairs)
        rows = self._blocks(len(X), at_once, each)
        return [self._pair(X[some], only) for some in rows]

    def _pair(self, X: Any, only: bool | None = None) -> list[Any]:
        """Features of the last-layer kernel and the NTK; one of them alone if asked for."""
        x = tensors(X, self.device, dtype_of(self._chain))
        end = placed(self._chain, x)(self._subject.start(x)).local
        features: list[Any] = [None, None]
        for tangent in (False, True) if only is None else (only,):
            found = placed(self._readout[tangent], x)(at_end(end, tangent))
            if self._subject.network_kernel.normalize:
                found = found / row_norms(found)
            features[tangent] = back(found * self._subject.scale, X)
        return features

    def _blocks(
        self, n: int, at_once: int | None = None, each: int | None = None
    ) -> Iterator[slice]:
        step = max(1, (at_once or _BLOCK) // (each or self._work))
        return (slice(start, min(start + step, n)) for start in range(0, n, step))


def _taken(X: Any, places: NDArray[np.intp]) -> np.ndarray:
    return X.take(places) if isinstance(X, Rows) else X[places]


def _concat(parts: Sequence[Any]) -> Any:
    return array_namespace(parts[0]).concat(parts)
