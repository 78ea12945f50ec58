"""Layerwise features: the network's own feature map, each layer projected onto landmarks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from array_api_compat import array_namespace, is_torch_array
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular
from sklearn.utils.validation import check_is_fitted

from ...checks import choice, is_whole, items
from ...engines import reference
from ...engines.blas import product
from ...errors import InputError
from ...kernels import NTK, KernelPair
from ...kernels.algebra import kernel_from_dict
from ...kernels.coerce import is_network
from ...kernels.inputs import signals
from ...kernels.network import NetworkKernel
from ...matrix.sources import Rows
from ...matrix.store import folder
from ...nets.parameters import numbers_only
from ...nets.plan import Plan, activations, plan
from ..archive import write_archive
from ..grams import resolve_kernel
from ..lowrank import METHODS, Method, low_rank
from .base import FeatureMap, at_least_one, generator
from .chain import Block, Chain, Fit, cheap_marginals, check_covered, features_out, numbers, readers
from .local import Local
from .products import times
from .random_features import unscaled
from .saved import Arrays, arrays_of, projections, restored
from .stages import row_norms
from .stored import map_of, stored
from .tensors import back, checked_device, like_samples, numbers_at_once, placed, tensors

if TYPE_CHECKING:
    from ...matrix.view import StoredGram
    from ...typing import FilePath

Array = NDArray[Any]

# Numbers that the features of one block of inputs take, patches included.
_BLOCK = 2**23
# Landmarks at all activations but the last, where nothing else is asked for.
_INNER = 256
# Inputs on which the error is measured.
_HELD_OUT = 64
_ERRORS = ("error_", "error_std_", "centred_error_")


class LayerwiseFeatures(FeatureMap):
    """Features φ of a network's NTK or last-layer kernel, in time linear in inputs and positions.

    Every activation's infinite-dimensional features are projected onto the span of a few
    landmarks, local features (patches, in the first layer) met in the samples of the fit. What is
    between two activations (convolutions, pooling, biases, residual sums) acts on the features as
    it does in the network. ⟨φ(x), φ(y)⟩ ≈ K(x, y), exactly where the landmarks reach the rank.

    Parameters
    ----------
    kernel : `NTK(net)` or `NNGP(net)` (or a multiple of one); a network or its text form stands
        for its NTK, None for that of `dense relu dense`. Any network of the library.
    n_components : the largest number of features. Where the last layers give more, they are
        projected onto as many inputs of the fit.
    widths : landmarks at each activation, one number for all or one for each in order of
        evaluation; None takes 256, or half of `n_components` where that is less, and at the last
        as many as `n_components` allows.
    method : how landmarks are chosen among candidates, as in `NystromFeatures`.
    max_samples : inputs of which the features are looked at during `fit`, drawn at random.
    random_state : a number, a `RandomState` or `Generator`, or None.
    device : where PyTorch transforms samples that are arrays of NumPy, "cpu", "cuda", "cuda:1" or
        a `torch.device`; None is NumPy. Landmarks are chosen in NumPy. Tensors are transformed
        where they lie.

    Attributes
    ----------
    error_ : ‖K - K̂‖_F / ‖K‖_F on 64 inputs (as many as there are, if less), held out from the
        choice of landmarks where there are others; `error_std_` its standard error over inputs.
    centred_error_ : the same of the centred kernel HKH, H = I - 11ᵀ/n, which is what a model with
        an intercept sees.
    widths_ : the number of landmarks at each activation; `kernel_` the kernel.

    X is (n, d) or (n, *space, channels); features are computed in the dtype of the fit, and
    returned in that of X, float32 or float64. Those of a tensor are a tensor on its device, and
    differentiable in it. If the error is too large, raise `widths` (inner layers cost time) and
    `n_components` (the last layer is cheap); float64 inputs let small directions in.

    Raises:
        NetworkError: a layer without a feature map of its own, by name.
        InputError: a device that is not there; tensors of forward mode, which is not followed.

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
    ((40, 200), True)
    """

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
        if not self._tangent:
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
        return self._shape

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the samples of the fit."""
        check_is_fitted(self)
        return _dtype_of(self._chain)

    @property
    def _sample_shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def _n_features_out(self) -> int:
        return self._readout[self._tangent].size

    def _fit(self, X: np.ndarray) -> None:
        most = at_least_one(self.n_components, "n_components")
        method: Any = choice(self.method, "method", METHODS)
        checked_device(self.device, X.dtype)
        looked_at = min(at_least_one(self.max_samples, "max_samples"), len(X))
        self._prepare(self.kernel, X.shape[1:])
        rng = generator(self.random_state)
        widths = _chosen_widths(self.widths, self._plan, most, self._tangent)
        self._set_work(widths)
        order = rng.permutation(len(X))
        pool = np.sort(order[:looked_at])
        fit = Fit(method, rng, widths, readers(self._plan.steps))
        starts = [self._start(_taken(X, pool[rows])) for rows in self._blocks(looked_at)]
        self._chain, ends = fit.chain(self._plan.steps, starts)
        self.widths_ = tuple(fit.found)
        self._readout = [
            _Readout.fitted([_of(end.local, tangent) for end in ends], most, rng)
            for tangent in ((False, True) if self._tangent else (False,))
        ]
        others = np.sort(order[looked_at:][:_HELD_OUT])
        self._measure(_taken(X, others if len(others) > 1 else pool[:_HELD_OUT]))

    def _prepare(self, kernel: Any, shape: tuple[int, ...]) -> None:
        """What follows from the kernel and the shape of a sample alone."""
        kernel = _resolved(kernel)
        network_kernel, factor = unscaled(kernel, type(self).__name__)
        self._tangent = isinstance(network_kernel, NTK)
        self._network_kernel, self._scale = network_kernel, math.sqrt(factor)
        self._shape = shape
        sample = _with_input_shape(np.zeros((1, *shape)), network_kernel)
        self._plan = plan(numbers_only(network_kernel.net), sample.shape[1:])
        check_covered(self._plan)
        self._cheap = cheap_marginals(self._plan)
        self.kernel_ = kernel

    def _set_work(self, widths: Sequence[int]) -> None:
        channels = self._plan.input_shape[-1]
        self._work = numbers(self._plan.steps, channels, iter(widths), self._tangent)

    def resolved_kernel(self) -> Any:
        """The kernel that the parameter `kernel` stands for."""
        return _resolved(self.kernel)

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
        header = {"class": type(self).__name__, "map": self.described("", arrays)}
        return write_archive(path, header, arrays)

    def described(self, prefix: str, arrays: Arrays) -> dict[str, Any]:
        """The fitted map as a JSON value, for `from_description`; its numbers go to `arrays`."""
        found = arrays_of(list(projections(self._chain)))
        for tangent, readout in enumerate(self._readout):
            if readout.matrix is not None:
                found[f"readout_{tangent}"] = readout.matrix
        arrays.update({prefix + name: array for name, array in found.items()})
        seed = self.random_state
        return {
            "kernel": self.kernel_.to_dict(),
            "shape": list(self._shape),
            "n_components": int(self.n_components),
            "widths": _plain(self.widths),
            "method": self.method,
            "max_samples": int(self.max_samples),
            "random_state": int(seed) if is_whole(seed) else None,
            "errors": [repr(float(getattr(self, name))) for name in _ERRORS],
        }

    @classmethod
    def from_description(cls, data: dict[str, Any], prefix: str, arrays: Arrays) -> Self:
        """The map that `described` tells of.

        Raises:
            InputError, KeyError, TypeError, ValueError: what no fit gives.
        """
        names = ("n_components", "widths", "method", "max_samples", "random_state")
        made = cls(kernel_from_dict(data["kernel"]), **{name: data[name] for name in names})
        most = at_least_one(made.n_components, "n_components")
        at_least_one(made.max_samples, "max_samples")
        choice(made.method, "method", METHODS)
        shape = tuple(at_least_one(size, "each of shape") for size in data["shape"])
        own = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        made._prepare(made.kernel, shape)
        _chosen_widths(made.widths, made._plan, most, made._tangent)
        made._chain = restored(made._plan.steps, own, made._tangent)
        made.widths_ = tuple(len(each.landmarks.q) for each in projections(made._chain))
        made._set_work(made.widths_)
        made.n_features_in_ = math.prod(shape)
        for name, value in zip(_ERRORS, data["errors"], strict=True):
            setattr(made, name, float(value))
        zero = np.zeros((1, *shape), dtype=_dtype_of(made._chain))
        end = made._chain(made._start(zero)).local  # what does not belong together shows here
        kinds = (False, True) if made._tangent else (False,)
        made._readout = [
            _Readout.restored(_of(end, tangent).shape[1], own.get(f"readout_{int(tangent)}"))
            for tangent in kinds
        ]
        return made

    def _measure(self, X: np.ndarray) -> None:
        exact = self._scale**2 * np.asarray(self._network_kernel(X), np.float64)
        features = self._map(X).astype(np.float64)
        found = features @ features.T
        self.error_, self.error_std_ = _relative_error(exact, found)
        self.centred_error_, _ = _relative_error(_centred(exact), _centred(found))

    def _samples(self, X: Any) -> Any:
        checked_device(self.device, _dtype_of(self._chain))
        samples = super()._samples(X)
        return like_samples(X, samples) if is_torch_array(X) else samples

    def _features(self, samples: Any) -> Any:
        return self._map(samples) if is_torch_array(samples) else super()._features(samples)

    def _map(self, X: Any) -> Any:
        which = self._tangent
        return _concat([pair[which] for pair in self._by_block(X, which)])

    def _by_block(self, X: Any, only: bool | None = None) -> list[list[Any]]:
        rows = self._blocks(len(X), numbers_at_once(X, self.device))
        return [self._pair(X[some], only) for some in rows]

    def _pair(self, X: Any, only: bool | None = None) -> list[Any]:
        """Features of the last-layer kernel and the NTK; one of them alone if asked for."""
        x = tensors(X, self.device, _dtype_of(self._chain))
        end = placed(self._chain, x)(self._start(x)).local
        features: list[Any] = [None, None]
        for tangent in (False, True) if only is None else (only,):
            found = placed(self._readout[tangent], x)(_of(end, tangent))
            if self._network_kernel.normalize:
                found = found / row_norms(found)
            features[tangent] = back(found * self._scale, X)
        return features

    def _start(self, X: Any) -> Block:
        """Inputs as features, with the variances that are known beforehand."""
        x = _with_input_shape(X, self._network_kernel)
        theta = x[..., :0] if self._tangent else None
        return Block(Local(x, theta), reference.marginals(self._plan, x) if self._cheap else None)

    def _blocks(self, n: int, at_once: int | None = None) -> Iterator[slice]:
        step = max(1, (at_once or _BLOCK) // self._work)
        return (slice(start, min(start + step, n)) for start in range(0, n, step))


def _resolved(kernel: Any) -> Any:
    return resolve_kernel(kernel) if kernel is None or is_network(kernel) else kernel


def _taken(X: Any, places: NDArray[np.intp]) -> np.ndarray:
    return X.take(places) if isinstance(X, Rows) else X[places]


def _with_input_shape(X: Any, kernel: NetworkKernel) -> Any:
    return signals(X, kernel.input_shape)


def _concat(parts: Sequence[Any]) -> Any:
    return array_namespace(parts[0]).concat(parts)


def _of(end: Local, tangent: bool) -> Array:
    """The features of Θ, or of Σ, at the end of the network: (n, d), positions side by side."""
    if not tangent:
        return _flat(end.done().sigma)
    whole = end.alone().done()
    assert whole.theta is not None
    return _flat(whole.theta)


def _flat(x: Array) -> Array:
    return x.reshape(len(x), -1)


@dataclass(frozen=True, eq=False)
class _Readout:
    """Features as they are, or projected onto those of some inputs: `matrix` (d, size)."""

    size: int
    matrix: Array | None

    @classmethod
    def fitted(cls, parts: list[Array], most: int, rng: np.random.Generator) -> _Readout:
        """At most so many features, of inputs chosen among these."""
        width = parts[0].shape[1]
        if width <= most:
            return cls(width, None)
        rows = np.concatenate(parts)
        double = rows.astype(np.float64)
        found = low_rank(
            lambda wanted: product(double, double[wanted].T),
            np.einsum("ij,ij->i", double, double),
            most,
            seed=rng,
        )
        if found.rank == 0:
            return cls(1, np.zeros((width, 1), dtype=rows.dtype))
        lower = np.tril(found.factor[found.pivots])
        matrix = solve_triangular(lower, double[found.pivots], lower=True, check_finite=False).T
        return cls(found.rank, matrix.astype(rows.dtype))

    @classmethod
    def restored(cls, width: int, matrix: Any) -> _Readout:
        """The one of a file; raises `InputError` for a matrix that is none."""
        if matrix is None:
            return cls(width, None)
        good = matrix.ndim == 2 and matrix.dtype.kind == "f" and len(matrix) == width
        if not (good and matrix.shape[1] and np.isfinite(matrix).all()):
            raise InputError("the readout does not belong to the landmarks")
        return cls(matrix.shape[1], matrix)

    def __call__(self, features: Array) -> Array:
        return features if self.matrix is None else times(features, self.matrix)


def _chosen_widths(given: Any, plan_: Plan, most: int, tangent: bool) -> tuple[int, ...]:
    """Landmarks at each activation; the last takes what `most` features leave for it."""
    count = len(activations(plan_.steps))
    if isinstance(given, int | np.integer):
        return (at_least_one(given, "widths"),) * count
    if given is not None:
        found = tuple(at_least_one(width, "each of widths") for width in items(given, "widths"))
        if len(found) != count:
            raise InputError(
                f"widths has {len(found)} numbers, and the network {count} activations; give one "
                "for each, or one number for all"
            )
        return found
    inner = (min(_INNER, max(most // 2, 1)),) * count
    if not count:
        return inner

    def size(last: int) -> int:
        return features_out(plan_.steps, plan_.input_shape[-1], (*inner[:-1], last), tangent)

    step = size(2) - size(1)
    room = (most - size(1)) // step + 1 if step > 0 else inner[-1]
    return (*inner[:-1], max(room, inner[-1] if size(inner[-1]) > most else 1))


def _plain(widths: Any) -> Any:
    """Widths as JSON has them."""
    if widths is None or is_whole(widths):
        return None if widths is None else int(widths)
    return [int(width) for width in widths]


def _dtype_of(chain: Chain) -> Any:
    found = next(projections(chain), None)
    return np.dtype(np.float64) if found is None else found.landmarks.sigma.dtype


def _relative_error(exact: Array, found: Array) -> tuple[float, float]:
    """‖K - K̂‖_F / ‖K‖_F, and its standard error by leaving out one input at a time."""
    misses, sizes = np.square(exact - found), np.square(exact)
    n = len(exact)

    def root(miss: Any, size: Any) -> Any:
        return np.sqrt(miss / np.where(size > 0, size, 1))

    whole = float(root(misses.sum(), sizes.sum()))
    if n < 3:
        return whole, math.nan
    left = [m.sum() - m.sum(axis=0) - m.sum(axis=1) + np.diagonal(m) for m in (misses, sizes)]
    without = root(np.maximum(left[0], 0), left[1])
    return whole, float(np.sqrt((n - 1) / n * np.square(without - without.mean()).sum()))


def _centred(matrix: Array) -> Array:
    means = matrix.mean(axis=0)
    return matrix - means[None, :] - matrix.mean(axis=1)[:, None] + means.mean()
