"""Features of any number of samples in a store, which loses nothing and which workers can fill."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import _check_feature_names

from ...checks import flag
from ...engines.blas import blas_limit
from ...errors import InputError, StoreError
from ...kernels import Prepared
from ...matrix.blocks import Blocks
from ...matrix.client import check_client
from ...matrix.compute import fill
from ...matrix.grid import Grid
from ...matrix.job import Job
from ...matrix.layout import ABOUT, require_inside
from ...matrix.sources import Rows
from ...matrix.store import Store, folder
from ...matrix.view import StoredGram
from ..archive import ModelFileError, read_archive
from ..samples import in_a_few_lines
from .saved import map_from_dict, map_to_dict, plain_widths

if TYPE_CHECKING:
    from .layerwise import LayerwiseFeatures

# Samples of a tile: what a crash may cost, and what a worker is given; more where there would be
# more tiles than that, and no tile is larger than so many bytes.
_ROWS, _TILES, _BYTES = 256, 4000, 2**26
MAP = "map.npz"
"""The file in a store that holds the map."""


@dataclass(frozen=True)
class FeatureJob(Job):
    """Features to be computed: (n, r) in tiles of some rows, whose column block is the map."""

    threads: int | None = None

    def compute_tile(self, i: int, j: int, data: Any) -> dict[str, np.ndarray]:
        features, X = data.column(j).inputs, data.row(i).inputs
        if self.threads is None:
            return {"features": features.transform(X)}
        with blas_limit(self.threads):
            return {"features": features.transform(X)}

    def with_threads(self, n_jobs: int | None) -> FeatureJob:
        return replace(self, threads=n_jobs)


class _WithMap(Blocks):
    """Blocks of samples, and in the place of columns the map: each worker gets it once."""

    def __init__(self, grid: Grid, X: Any, Y: Any) -> None:
        super().__init__(grid, X)
        self.map = Prepared(Y)

    def column(self, j: int) -> Prepared:
        return self.map


def stored(
    features: LayerwiseFeatures,
    X: Any,
    store: Any,
    *,
    client: Any = None,
    resume: bool = True,
    progress: bool | None = None,
) -> StoredGram:
    """The features of X in a store, computed where they are missing; as `transform_to`."""
    if client is not None:
        check_client(client)
    path, resume = folder(store), flag(resume, "resume")
    progress = None if progress is None else flag(progress, "progress")
    features = _without_names(features, X)
    x = X if isinstance(X, Rows) else Rows(X, None, "X")
    if x.shape[1:] != features.sample_shape:
        raise InputError(
            f"X has samples of shape {x.shape[1:]}; the features were fitted to samples of shape "
            f"{features.sample_shape}"
        )
    n, r = len(x), features.size
    rows = min(max(_ROWS, math.ceil(n / _TILES)), max(1, _BYTES // (r * x.dtype.itemsize)))
    grid = Grid(n, r, min(rows, max(math.ceil(n / 4), 1)), False, r)
    job = FeatureJob(
        features.kernel_,
        ("features",),
        x.dtype.name,
        grid,
        x.shape[1:],
        (x.digest(), digest(features)),
        "layerwise",
    )
    place = Store.prepare(path, job)
    _keep_map(features, place)
    fill(place, job, _WithMap(grid, x, features), client=client, resume=resume, progress=progress)
    return StoredGram(place, "features")


def _without_names(features: LayerwiseFeatures, X: Any) -> LayerwiseFeatures:
    """The map for samples without names of their columns, which X was looked at for.

    Raises `InputError` for other names than those of the fit.
    """
    names = getattr(features, "feature_names_in_", None)
    if names is None:
        return features
    with in_a_few_lines():
        if hasattr(X, "columns"):
            _check_feature_names(features, X, reset=False)
    bare = copy.copy(features)
    del vars(bare)["feature_names_in_"]
    return bare


def digest(features: LayerwiseFeatures) -> str:
    """SHA-256 of a fitted map: of its numbers, and of what it is a map of."""
    arrays: dict[str, np.ndarray] = {}
    about = map_to_dict(features, "", arrays)
    found = hashlib.sha256(json.dumps([about["kernel"], about["shape"]]).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"\n{name} {array.shape} {array.dtype.name}\n".encode())
        found.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return found.hexdigest()


def _keep_map(features: LayerwiseFeatures, store: Store) -> None:
    """Write the map of a store where it is not there, or another one, or damaged."""
    file = require_inside(store.path, store.path / MAP)
    try:
        if os.path.lexists(file) and digest(_map_at(file, type(features))) == digest(features):
            return
    except InputError:
        pass
    features.save(file)


def map_of(wanted: Any, path: Path) -> Any:
    """The map that lies in a store, fitted there with the same parameters; None without one.

    Raises:
        StoreError: a map with other parameters, another one than that of the features, or a
            damaged one; a store of something else.
    """
    file, remedy = path / MAP, "give another path, or remove that folder to begin again"
    if not (os.path.lexists(path / ABOUT) or os.path.lexists(file)):
        return None
    store = Store.open(path)
    if store.header.kinds != ("features",):
        raise StoreError(f"{path} holds a kernel matrix, and no features; {remedy}")
    if not os.path.lexists(file):
        return None
    try:
        there = _map_at(require_inside(path, file), type(wanted))
    except ModelFileError as error:
        raise StoreError(f"{error}; {remedy}") from None
    if digest(there) != store.header.job["Y"]:
        raise StoreError(f"{file} is not the map of the features that are stored; {remedy}")
    old, new = there.get_params(deep=False), wanted.get_params(deep=False)
    for name in ("kernel", "n_components", "widths", "method", "max_samples", "random_state"):
        here = wanted.resolved_kernel() if name == "kernel" else new[name]
        here = plain_widths(here) if name == "widths" else here
        if here != old[name]:
            raise StoreError(
                f"{path} holds features of a map with {name}={old[name]!r}, and {name}={here!r} is "
                f"asked for; {remedy}"
            )
    return there.set_params(device=wanted.device)


def _map_at(file: Path, kind: type[LayerwiseFeatures]) -> LayerwiseFeatures:
    """The map in a file. Raises `ModelFileError` for anything else."""
    header, arrays = read_archive(file)
    if header.get("class") != kind.__name__:
        raise ModelFileError(f"{file} holds a {header.get('class')}, and no feature map")
    try:
        return map_from_dict(kind, header["map"], "", arrays)
    except (InputError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{file} is damaged ({error})") from None
