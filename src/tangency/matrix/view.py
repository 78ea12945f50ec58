"""A stored kernel matrix as an array that is read where it is used."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..checks import dtype_of, shown, whole, within_memory
from ..engines.tiles import size_text
from ..errors import InputError, MemoryLimitError, StoreError
from ..kernels import KernelPair
from .gather import groups, put_tile
from .grid import Grid
from .indexing import Outer, resolve
from .store import Store, TileMissing
from .words import NoArithmeticError, no_arithmetic, no_attribute, remedy

if TYPE_CHECKING:
    from ..typing import FilePath

# Bytes of tiles that a view keeps, at most, so that reading row by row does not read each tile
# again for each row; less where memory is short.
_KEPT = 2**30
# Bytes that are made without a look at what is free, which takes longer than reading one row does.
_LITTLE = 2**20


class StoredGram(NDArrayOperatorsMixin):
    """A kernel matrix in a store: sliced as a NumPy array, read tile by tile, checked each time.

    A symmetric matrix is whole to its reader, though the store holds the tiles on and above the
    diagonal. Indices are NumPy's: `K[i]`, `K[2:5, ::3]`, `K[idx]`, `K[np.ix_(a, b)]`, `K[mask]`;
    each gives a new array. `np.asarray(K)` is all of it, if it fits in memory.

    Attributes:
        path: the folder of the store.
        kind: "ntk", "nngp", or "kernel" for sums and the like.
        shape, dtype, ndim, size, nbytes: as of the whole matrix in memory.
        symmetric: it was computed without Y.
        tile: rows and columns of a tile.

    Raises:
        StoreError: when values are read that are missing or damaged.
        MemoryLimitError: when more is read than is free in memory.
    """

    ndim = 2

    def __array_ufunc__(self, ufunc: Any, *_: Any, **__: Any) -> Any:
        # NumPy must not turn the matrix into an array by itself, as in `a @ K`.
        raise NoArithmeticError(no_arithmetic(self.path, ufunc.__name__))

    # Unlike the other operators, these are asked by lists, caches and copies: of the object itself.
    def __eq__(self, other: Any) -> bool:
        return self is other

    def __ne__(self, other: Any) -> bool:
        return self is not other

    def __hash__(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return id(self)

    def __getattr__(self, name: str) -> Any:
        # Only where an attribute is not found: one of arrays has its counterpart here.
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        raise AttributeError(no_attribute(self.path, name), name=name, obj=self)

    def __contains__(self, value: Any) -> bool:
        raise NoArithmeticError(no_arithmetic(self.path, "in"))

    def __setitem__(self, key: Any, value: Any) -> None:
        raise NoArithmeticError(
            f"{self.path} is a matrix in a store, which is only read; change a copy, K[:]"
        )

    def __init__(self, store: Store, kind: str) -> None:
        self._store = store
        self.kind = kind
        self._kept: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def path(self) -> Path:
        return self._store.path

    @property
    def grid(self) -> Grid:
        """The tiles."""
        return self._store.grid

    @property
    def tile(self) -> int:
        return self.grid.tile

    @property
    def symmetric(self) -> bool:
        return self.grid.symmetric

    @property
    def shape(self) -> tuple[int, int]:
        return self.grid.n, self.grid.m

    @property
    def dtype(self) -> np.dtype:
        return self._store.header.dtype

    @property
    def size(self) -> int:
        return self.grid.n * self.grid.m

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def job(self) -> dict[str, Any]:
        """What was computed: kernel, digests of the data, dtype, tiles, version, engine."""
        return self._store.header.job

    @property
    def fingerprint(self) -> str:
        """SHA-256 of `job`."""
        return self._store.header.fingerprint

    @property
    def complete(self) -> bool:
        """All tiles have been computed; `gram.verify` says whether they are still whole."""
        return self._store.missing() == 0

    def __len__(self) -> int:
        return self.grid.n

    def __repr__(self) -> str:
        n, m = self.shape
        what = f"{n} x {m}, {self.dtype}, tiles of {self.tile}"
        return f"<StoredGram {self.kind} {what}, {self.path}>"

    def __getstate__(self) -> dict[str, Any]:
        return {"store": self._store, "kind": self.kind}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["store"], state["kind"])

    @within_memory()
    def __getitem__(self, key: Any) -> Any:
        chosen = resolve(key, self.shape)
        if isinstance(chosen, Outer):
            found = self._fetch(chosen.rows, chosen.columns)
            found = found[tuple(0 if k in chosen.squeeze else slice(None) for k in range(2))]
        else:
            found = self._elements(chosen.rows, chosen.columns)
        return found if found.ndim else found[()]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise InputError("a stored matrix is not in memory, so that an array of it is a copy")
        found = self.dtype if dtype is None else dtype_of(dtype)
        if found is None:
            raise InputError(f"dtype must be one of NumPy, got {shown(dtype)}")
        _check_memory("the stored matrix", self.size * found.itemsize, "slices of it")
        out = np.empty(self.shape, dtype=found)
        for rows, columns, values in self.tiles():
            if self.symmetric:
                put_tile(out, rows, columns, values)
            else:
                out[rows, columns] = values
        return out

    def read_tile(self, i: int, j: int) -> np.ndarray:
        """The tile (i, j) of the whole matrix, read from the disk; a new array."""
        i, j = whole(i, "i", 0), whole(j, "j", 0)
        if self.symmetric and i > j:
            return np.ascontiguousarray(self._store.read_tile(j, i, self.kind).T)
        return self._store.read_tile(i, j, self.kind)

    def tiles(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """(rows, columns, values) of each stored tile, row by row; j ≥ i only if symmetric.

        Off the diagonal of a symmetric matrix a tile stands for its mirror image too.
        """
        self._require_complete()
        for i, j in self.grid:
            values = self._store.read_tile(i, j, self.kind)
            yield self.grid.rows(i), self.grid.columns(j), values

    def diag(self) -> np.ndarray:
        """K(x_i, x_i), (n,); of a matrix with Y, the elements (i, i)."""
        if self.symmetric:
            parts = [self._store.read_diagonal(i, self.kind) for i in range(self.grid.shape[0])]
            return np.concatenate(parts)
        k = np.arange(min(self.shape))
        return self._elements(k, k)

    @property
    def dask(self) -> Any:
        """The whole matrix as a `dask.array`, in blocks that are the tiles and their mirror images.

        Blocks are read by the tasks that use them, on workers from the same path.
        """
        import dask.array as da

        edges = zip(self.shape, (self.tile, self.grid.across), strict=True)
        sides = [[edge] * (k // edge) + [k % edge] for k, edge in edges]
        chunks = tuple(tuple(k for k in side if k) for side in sides)
        name = f"gram-{self.kind}-{self.fingerprint[:16]}"
        # A tile is read whole anyway; the array itself is small enough to go into each task.
        options: Any = {"chunks": chunks, "name": name, "asarray": False, "inline_array": True}
        return da.from_array(_Blocks(self), **options)

    def _require_complete(self) -> None:
        missing = self._store.missing()
        if missing:
            raise StoreError(
                f"{self.path}: {missing} of {len(self.grid)} tiles are missing; "
                f"{remedy(self._store.header.kinds)}"
            )

    def _tile(self, i: int, j: int) -> np.ndarray:
        """A stored tile, from the disk or from those that were kept."""
        with self._lock:
            if (i, j) in self._kept:
                self._kept.move_to_end((i, j))
                return self._kept[i, j]
        try:
            values = self._store.read_tile(i, j, self.kind)
        except TileMissing:
            self._require_complete()
            raise
        room = min(_KEPT, psutil.virtual_memory().available // 8)
        most = max(1, room // self._store.header.tile_bytes)
        with self._lock:
            self._kept[i, j] = values
            while len(self._kept) > most:
                self._kept.popitem(last=False)
        return values

    def _mirrored(self, i: int, j: int) -> np.ndarray:
        """The tile (i, j) of the whole matrix."""
        return self._tile(j, i).T if self.symmetric and i > j else self._tile(i, j)

    def _fetch(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """All of some rows at some columns."""
        shape = len(rows), len(columns)
        need = shape[0] * shape[1] * self.dtype.itemsize
        if need > _LITTLE:
            _check_memory(f"this part of {shape[0]:,} x {shape[1]:,}", need, "smaller parts")
        out = np.empty(shape, dtype=self.dtype)
        down, across = groups(rows, self.tile), groups(columns, self.grid.across)
        for i, (to_rows, from_rows) in down.items():
            for j, (to_columns, from_columns) in across.items():
                tile = self._mirrored(i, j)
                if isinstance(from_rows, slice) and isinstance(from_columns, slice):
                    values = tile[from_rows, from_columns]
                else:
                    values = tile[from_rows][:, from_columns]
                if isinstance(to_rows, slice) or isinstance(to_columns, slice):
                    out[to_rows, to_columns] = values
                else:
                    out[np.ix_(to_rows, to_columns)] = values
        return out

    def _elements(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Single elements, in the shape of the index arrays."""
        out = np.empty(rows.shape, dtype=self.dtype)
        flat_rows, flat_columns, flat = rows.reshape(-1), columns.reshape(-1), out.reshape(-1)
        across = self.grid.across
        place = (flat_rows // self.tile) * self.grid.shape[1] + flat_columns // across
        order = np.argsort(place, kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(place[order])) + 1):
            if len(group) == 0:
                continue
            i, j = divmod(int(place[group[0]]), self.grid.shape[1])
            tile = self._mirrored(i, j)
            flat[group] = tile[flat_rows[group] % self.tile, flat_columns[group] % across]
        return out


def _check_memory(what: str, need: int, instead: str) -> None:
    free = psutil.virtual_memory().available
    if need > free:
        raise MemoryLimitError(
            f"{what} has {size_text(need)}, but {size_text(free)} are free; use {instead}, or "
            "K.dask"
        )


class _Blocks:
    """What dask needs of a matrix: its blocks, which are not kept, as each is used once."""

    def __init__(self, matrix: StoredGram) -> None:
        self.matrix = matrix
        self.shape, self.dtype, self.ndim = matrix.shape, matrix.dtype, 2

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        # dask makes an empty slice to learn the type of array.
        rows, columns = (range(size)[part] for part, size in zip(key, self.shape, strict=True))
        if not rows or not columns:
            return np.empty((len(rows), len(columns)), self.dtype)
        matrix = StoredGram(self.matrix._store, self.matrix.kind)
        return matrix[key]


def open(path: FilePath, kind: str | None = None) -> StoredGram | KernelPair:
    """The kernel matrix in the store at `path`; both, as a `KernelPair`, if there are two.

    Args:
        path: the folder that `gram.compute` has written, complete or not.
        kind: "ntk", "nngp" or "kernel", where only one is wanted.

    Raises:
        StoreError: no store, or one without this kind.
    """
    return opened(Store.open(path), kind)


def opened(store: Store, kind: str | None = None) -> StoredGram | KernelPair:
    """The matrices of a store, as `open` gives them."""
    kinds = store.header.kinds
    if kind is None and len(kinds) == 2:
        return KernelPair(*(StoredGram(store, name) for name in kinds))
    if kind is not None and not (isinstance(kind, str) and kind in kinds):
        raise StoreError(f"{store.path} holds {' and '.join(kinds)}, not {shown(kind)}")
    return StoredGram(store, kind or kinds[0])


def is_stored(X: Any) -> bool:
    """Tell whether X is a kernel matrix in a store, as `gram.open` gives it."""
    return isinstance(X, StoredGram)
