"""How a store lies on the disk: a Zarr v3 group, and beside the tiles a record of each."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import StoreError
from ..files import drafts, temporary_name
from . import atomic
from .description import grid_of, short, wrong_fields
from .grid import Grid
from .job import FORMAT, fingerprint

RECORDS = "tiles"
"""The folder of the records, which to Zarr is an array without values."""

ABOUT = "zarr.json"
"""The file that says what a store is."""

# Seconds after which nobody works on a new store any more.
_ABANDONED = 60
# What must be right in metadata for values to be found; the rest may differ between versions.
_MATTERS = (
    *("zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding"),
    *("codecs", "fill_value"),
)
# What the system says where there is no file of a description.
_NOTHING_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG)
# Bytes of a description, beyond which a file is none.
_LONGEST = 2**24
_NOTE = "records of finished tiles, I.J.json; this array itself holds no values"


@dataclass(frozen=True)
class Header:
    """What a store says about itself.

    Attributes:
        job: the description of the job, as `Job.description` gives it.
    """

    job: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.job)

    @property
    def grid(self) -> Grid:
        return grid_of(self.job)

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(self.job["kinds"])

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.job["dtype"])

    @property
    def tile_bytes(self) -> int:
        """Bytes of a stored tile of one kind, with its checksum."""
        rows, columns = self.grid.chunk
        return rows * columns * self.dtype.itemsize + 4


def diagonal(kind: str) -> str:
    """The name of the array that holds the diagonal of a symmetric matrix."""
    return f"{kind}_diag"


def folders(header: Header) -> list[str]:
    """The folders that a store begins with."""
    names = [*header.kinds, *(diagonal(k) for k in header.kinds if header.grid.symmetric)]
    return [*names, RECORDS]


def create(path: Path, header: Header) -> bool:
    """Make an empty store, in one step; False if something is at `path` already."""
    path = Path(os.path.realpath(path))  # a folder cannot take the place of a link to one
    if path.is_symlink():
        path.stat()  # says what is wrong with a link that leads to itself
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep_drafts(path)
    draft = temporary_name(path, atomic.SUFFIX)
    try:
        for name, text in _metadata(header).items():
            atomic.write(draft / name, [text])
        # Once and small; without these files, all tiles would be worth nothing.
        atomic.force_to_disk(draft)
        try:
            os.rename(draft, path)
        except OSError:
            if path.exists() and any(path.iterdir()):
                return False  # another job was faster
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return True


def _sweep_drafts(path: Path) -> None:
    """Remove what was left where a process was killed while it made a store of this name."""
    for draft in drafts(path, atomic.SUFFIX):
        with contextlib.suppress(OSError):
            # Others may make one just now, perhaps on another machine, in a fraction of a second.
            if draft.is_dir() and time.time() - draft.stat().st_mtime > _ABANDONED:
                shutil.rmtree(draft)


def problems(path: Path, header: Header) -> list[str]:
    """The files of metadata in which a Zarr reader would not find what it needs."""
    found = []
    for name, text in _metadata(header).items():
        try:
            file = require_inside(path, path / name)
            there, expected = json.loads(atomic.read(file, _LONGEST)), json.loads(text)
            if any(there[key] != expected[key] for key in _MATTERS if key in expected):
                found.append(name)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            found.append(name)
    return found


def restore(path: Path, header: Header) -> None:
    """Write again what is damaged of the metadata."""
    wrong = problems(path, header)
    for name, text in _metadata(header).items():
        if name in wrong:
            atomic.write(path / name, [text])


def _metadata(header: Header) -> dict[str, bytes]:
    """The files that describe a store to Zarr, by their place in it."""
    return _written_by_zarr(json.dumps(header.job))


@lru_cache(maxsize=4)
def _written_by_zarr(job: str) -> dict[str, bytes]:
    """The files, which Zarr itself writes, from the text of a job's description."""
    import zarr
    from zarr.codecs import BytesCodec, Crc32cCodec
    from zarr.storage import MemoryStore

    header = Header(json.loads(job))
    about = {"tangency": {"job": header.job, "fingerprint": header.fingerprint}}
    files: dict[str, Any] = {}
    group = zarr.create_group(store=MemoryStore(files), zarr_format=3, attributes=about)
    grid = header.grid
    arrays: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    for kind in header.kinds:
        arrays[kind] = ((grid.n, grid.m), grid.chunk)
        if grid.symmetric:
            arrays[diagonal(kind)] = ((grid.n,), grid.chunk[:1])
    for name, (shape, chunks) in arrays.items():
        group.create_array(
            name,
            shape=shape,
            chunks=chunks,
            dtype=header.dtype,
            serializer=BytesCodec(endian="little"),
            compressors=[Crc32cCodec()],
            filters=[],
            fill_value=float("nan"),
            attributes={"symmetric": True, "stored": "j >= i"} if grid.symmetric else {},
        )
    # Zarr warns of folders that it does not know, but never looks into an array.
    group.create_array(
        RECORDS, shape=grid.shape, chunks=grid.shape, dtype="uint8", attributes={"note": _NOTE}
    )
    return {name: text.to_bytes() for name, text in files.items()}


def require_inside(root: Path, path: Path) -> Path:
    """`path` itself, somewhere below the folder `root`, if no link lies between.

    Raises:
        StoreError: a link, by which another place would be read or written.
    """
    place, begin = os.fspath(path), len(os.fspath(root)) + 1
    ends = [k for k, c in enumerate(place) if c == os.sep and k > begin]
    for end in (*ends, len(place)):
        if os.path.islink(place[:end]):
            raise StoreError(
                f"{root}: {place[begin:end]} is a link, and a store holds all of its files itself; "
                "put in its place what it leads to, if that is known to be right"
            )
    return path


def read_header(path: Path) -> Header:
    """What the store at `path` says about itself.

    Raises:
        StoreError: no store, one that cannot be read, one that another version of this library has
            written, or one whose description cannot be that of a job.
    """
    try:
        if not path.exists():
            raise StoreError(f"{path}: there is no such store; gram.compute writes one")
        text = atomic.read(require_inside(path, path / ABOUT), _LONGEST)
        about = json.loads(text)["attributes"]["tangency"]
        job, said = about["job"], about["fingerprint"]
        version, expected = job["format"], fingerprint(job)
    except StoreError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, OSError) and error.errno not in _NOTHING_THERE:
            raise StoreError(
                f"{path} cannot be read ({error}); get the right to read there, or see what is "
                "wrong with that disk"
            ) from None
        raise StoreError(
            f"{path} is not a store of a kernel matrix (it has no description of one); give "
            "another path; nothing in it was changed"
        ) from None
    if type(version) is not int or version != FORMAT:
        raise StoreError(
            f"{path} has layout {short(version)}, and this version of the library reads layout "
            f"{FORMAT}; read it with the version that wrote it, or compute it again under another "
            "path"
        )
    if said != expected:
        raise StoreError(
            f"{path}: the description of the job does not match its fingerprint, so that it was "
            "changed or damaged; restore zarr.json, or compute the matrix again under another path"
        )
    wrong = wrong_fields(job)
    if wrong:
        raise StoreError(
            f"{path}: the description of the job cannot be right: {wrong}; restore zarr.json, or "
            "compute the matrix again under another path"
        )
    return Header(job)
