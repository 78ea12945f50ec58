"""A symmetric kernel matrix as tiles of its upper triangle: in memory, stored, or computed anew."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engines.prepared import prepared
from ..engines.progress import progress_bar
from ..errors import InputError
from ..kernels import Kernel
from ..kernels.algebra import taken
from .blocks import Blocks
from .checked import as_matrix, kernel_diagonal, require_symmetric
from .gather import put_tile
from .grid import Grid
from .indefinite import (
    largest_partners,
    require_diagonal,
    require_pairs,
    require_sample,
    sample_of,
)

Matrix = NDArray[np.float64]
Pair = tuple[int, int]

EDGE = 1024
_PREPARED_BYTES = 2**30
_SAMPLED = 8
_LOOKED_AT = 64  # columns
_STRIP = 256  # rows
_LOCAL = ("_kept", "_room", "_held", "_lock")


class Tiles:
    """What all of them share: K (n, n) by a symmetric grid of tiles.

    `dtype` is that of the entries, `trusted` says that one of the library's own kernels made
    them; `roots` (n,) belong to weights of samples. Tiles are kept in memory, in that dtype, up to
    `keep_up_to` bytes.
    """

    grid: Grid
    dtype: np.dtype[Any]
    trusted: bool = False
    roots: Matrix | None = None
    ahead: int = 0  # tiles that a second thread fetches while products run
    threaded: bool = False  # whether making a tile keeps all processors busy by itself
    entries: Callable[[NDArray[np.intp], NDArray[np.intp]], Any] | None = None  # K[rows, columns]
    _room: int = 0

    @property
    def size(self) -> int:
        """The number n of rows and columns."""
        return self.grid.n

    def keep_up_to(self, room: int) -> None:
        """Keep tiles from now on; the first that are asked for, as the order never changes."""
        self._kept: dict[Pair, np.ndarray] = {}
        self._room, self._held, self._lock = room, 0, threading.Lock()

    @property
    def keeps(self) -> bool:
        """Whether tiles are kept."""
        return self._room > 0

    @property
    def whole(self) -> bool:
        """Whether all tiles are kept by now."""
        return self.keeps and len(self._kept) == len(self.grid)

    def tile(self, i: int, j: int) -> np.ndarray:
        """K at the rows of block i and the columns of block j ≥ i, finite."""
        if self._room == 0:
            return self.make(i, j)
        if (i, j) not in self._kept:
            made = self.make(i, j)
            with self._lock:
                if self._held + made.nbytes > self._room:
                    return made
                self._kept[i, j] = made
                self._held += made.nbytes
        return self._kept[i, j]

    def __getstate__(self) -> dict[str, Any]:
        # what is kept here is no use elsewhere
        return {k: v for k, v in vars(self).items() if k not in _LOCAL}

    @property
    def nbytes(self) -> int:
        """Bytes that it takes to keep all tiles."""
        squares = sum(self.grid.extent(i, i)[0] ** 2 for i in range(self.grid.shape[0]))
        return (self.size**2 + squares) // 2 * self.dtype.itemsize

    @property
    def eps(self) -> float:
        """The relative precision of the entries."""
        return float(np.finfo(self.dtype).eps)

    def make(self, i: int, j: int) -> np.ndarray:
        """`tile`, computed or read."""
        raise NotImplementedError

    def fetch(self, pairs: list[Pair]) -> Iterator[np.ndarray]:
        """The tiles of these pairs in order, some of them fetched `ahead` by another thread."""
        if self.ahead == 0 or len(pairs) < 2:
            yield from (self.tile(*pair) for pair in pairs)
            return
        with ThreadPoolExecutor(1) as reader:
            coming = [reader.submit(self.tile, *pair) for pair in pairs[: self.ahead]]
            try:
                for k in range(len(pairs)):
                    found = coming.pop(0).result()
                    if k + self.ahead < len(pairs):
                        coming.append(reader.submit(self.tile, *pairs[k + self.ahead]))
                    yield found
            finally:
                for future in coming:
                    future.cancel()

    def diagonal(self) -> Matrix:
        """The diagonal of K, (n,)."""
        raise NotImplementedError

    def columns(self, indices: NDArray[np.intp]) -> np.ndarray:
        """K[:, indices], (n, b)."""
        found = np.empty((self.size, len(indices)), self.dtype)
        places = indices // self.grid.tile
        for j in map(int, np.unique(places)):
            here = np.flatnonzero(places == j)
            local = indices[here] - j * self.grid.tile
            for i in range(self.grid.shape[0]):
                block = self.tile(i, j)[:, local] if i <= j else self.tile(j, i)[local].T
                found[self.grid.rows(i), here] = block
        return found

    def require_kernel(self) -> None:
        """Refuse a matrix of the user's own that is no kernel's, as far as a look at it shows."""
        if self.trusted:
            return
        assert self.entries is not None
        places = sample_of(self.size)
        block = as_matrix(self.entries(places, places), (len(places),) * 2, "precomputed")
        require_symmetric(block)
        require_sample(block, places, self.diagonal(), self.eps)

    def require_psd(self, places: NDArray[np.intp]) -> None:
        """The same as far as the columns show it that were picked, the largest so to say."""
        places = places[:_LOOKED_AT]
        if self.trusted or len(places) == 0:
            return
        columns, diagonal = self.columns(places), self.diagonal()
        partners = largest_partners(diagonal, self.eps)
        require_pairs(columns, np.arange(self.size), places, diagonal, partners)
        require_sample(columns[places], places, diagonal, self.eps)

    def digest(self) -> str:
        """What tells this matrix from another one: its size, diagonal and some columns."""
        sampled = np.linspace(0, self.size - 1, min(self.size, _SAMPLED)).astype(np.intp)
        found = hashlib.sha256(f"{self.size} {self.dtype}".encode())
        found.update(np.ascontiguousarray(self.diagonal()).data)
        found.update(np.ascontiguousarray(self.columns(sampled)).data)
        return found.hexdigest()


class ArrayTiles(Tiles):
    """A matrix (n, n) in memory, or mapped into it. Only its upper triangle is used in products.

    Raises `InputError` if it is not finite and symmetric up to rounding.
    """

    def __init__(self, matrix: Any, edge: int = EDGE) -> None:
        n = len(matrix)
        self.matrix = as_matrix(matrix, (n, n), "precomputed")
        require_symmetric(self.matrix)
        self.grid, self.dtype = _square(n, edge), self.matrix.dtype

    def require_kernel(self) -> None:
        diagonal, places = self.diagonal(), np.arange(self.size)
        require_diagonal(diagonal, self.eps)
        partners = largest_partners(diagonal, self.eps)
        for start in range(0, self.size, _STRIP):
            rows = slice(start, start + _STRIP)
            block = self.matrix[rows, start:]
            require_pairs(block, places[rows], places[start:], diagonal, partners)
        super().require_kernel()

    @property
    def nbytes(self) -> int:
        return 0  # all are kept already

    def keep_up_to(self, room: int) -> None:
        pass

    def make(self, i: int, j: int) -> np.ndarray:
        return self.matrix[self.grid.rows(i), self.grid.columns(j)]

    def diagonal(self) -> Matrix:
        return np.diagonal(self.matrix).astype(np.float64)

    def columns(self, indices: NDArray[np.intp]) -> np.ndarray:
        return self.matrix[indices].T  # rows lie together in memory

    def entries(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> np.ndarray:
        return self.matrix[np.ix_(rows, columns)]


class KernelTiles(Tiles):
    """K(X, X) computed tile by tile, whenever a tile is asked for.

    Norms and marginals of a block of samples are kept, as far as 1 GiB goes. Raises `InputError`
    if a kernel from outside the library is seen not to be symmetric.
    """

    threaded = True

    def __init__(self, kernel: Any, X: np.ndarray, edge: int = EDGE) -> None:
        self.kernel, self.samples = kernel, X
        self.grid = _square(len(X), edge)
        self.trusted = isinstance(kernel, Kernel)
        self._blocks = Blocks(self.grid, X, room=_PREPARED_BYTES)
        first = self.tile(0, 0)
        self.dtype = first.dtype
        if not self.trusted:
            require_symmetric(first)
            last = self.grid.shape[0] - 1
            mirrored = as_matrix(kernel(self._inputs(last), self._inputs(0)), None, kernel)
            require_symmetric(self.tile(0, last), mirrored.T)

    def make(self, i: int, j: int) -> np.ndarray:
        if self.trusted and i == j:
            found = self.kernel(self._inputs(i))
        else:
            found = self.kernel(self._inputs(i), self._inputs(j))
        return as_matrix(found, self.grid.extent(i, j), self.kernel)

    def diagonal(self) -> Matrix:
        return kernel_diagonal(self.kernel, self.samples)

    def columns(self, indices: NDArray[np.intp]) -> np.ndarray:
        chosen = prepared(self.samples[indices])
        found = np.empty((self.size, len(indices)), self.dtype)
        for i in range(self.grid.shape[0]):
            found[self.grid.rows(i)] = self.kernel(self._inputs(i), taken(self.kernel, chosen))
        return as_matrix(found, found.shape, self.kernel)

    def entries(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> np.ndarray:
        return self.kernel(self.samples[rows], self.samples[columns])

    def _inputs(self, block: int) -> Any:
        """The samples of a block, with what the engine derives from them."""
        return taken(self.kernel, self._blocks.row(block))


class StoredTiles(Tiles):
    """A complete, symmetric `StoredGram`, read tile by tile; columns come from `source` if given.

    `source` gives the same matrix by other means: picking columns out of a store would read all
    of it each time.
    """

    ahead = 2

    def __init__(self, stored: Any, source: KernelTiles | None = None) -> None:
        require_square_store(stored)
        self.stored, self.source = stored, source
        self.entries = None if source is None else source.entries
        self.grid = stored.grid
        self.dtype, self.trusted = np.dtype(stored.dtype), True

    def make(self, i: int, j: int) -> np.ndarray:
        return as_matrix(self.stored.read_tile(i, j), None, self.stored)

    def diagonal(self) -> Matrix:
        return np.asarray(self.stored.diag(), dtype=np.float64)

    def columns(self, indices: NDArray[np.intp]) -> np.ndarray:
        return super().columns(indices) if self.source is None else self.source.columns(indices)

    def digest(self) -> str:
        return self.stored.fingerprint


def in_memory(tiles: Tiles, progress: bool = False) -> Matrix:
    """Return the whole matrix, in float64.

    One call of a kernel may take room for more: both matrices of a network on a grid, all parts of
    a sum, and in float32 a copy.
    """
    matrix = np.empty((tiles.size, tiles.size))
    with progress_bar(len(tiles.grid), progress, "tile") as bar:
        for i, j in tiles.grid:
            put_tile(matrix, tiles.grid.rows(i), tiles.grid.columns(j), tiles.tile(i, j))
            bar.update(1)
    return matrix


def _square(n: int, tile: int) -> Grid:
    return Grid(n, n, tile, symmetric=True)


def require_square_store(stored: Any) -> None:
    """Refuse a stored matrix K(X, Y) where K(X, X) is needed."""
    if not stored.symmetric:
        raise InputError(
            f"{stored.path} holds a {stored.shape[0]} x {stored.shape[1]} matrix K(X, Y); a fit "
            "needs K(X, X), as gram.compute(kernel, X, store=...) writes it"
        )
