"""IDX files, the format of MNIST and its successors, plain or gzipped."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from .errors import DataError
from .inputs import RawParts

# The format's own table: third byte of the magic number -> big-endian element type.
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_IMAGES = re.compile(r"images[-.]idx\d", re.IGNORECASE)
_TEST = re.compile(r"t10k|test", re.IGNORECASE)


def is_idx_name(name: str) -> bool:
    """Whether a file name looks like IDX: `train-images-idx3-ubyte.gz`, `digits.idx`."""
    return re.search(r"[-.]idx\d?([-.]|$)", name, re.IGNORECASE) is not None


def read_idx(path: Path) -> np.ndarray:
    """The array in one IDX file, in the machine's byte order.

    Raises `DataError` for a wrong magic number, a length that its header does not promise, and a
    damaged gzip stream.
    """
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rb") as stream:
            return _parse(cast(BinaryIO, stream), path)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path}: damaged or truncated gzip file ({error}); fetch it again"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be opened: {error}") from error


def _parse(stream: BinaryIO, path: Path) -> np.ndarray:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or magic[3] == 0:
        raise DataError(
            f"{path}: not an IDX file: it begins with {magic.hex() or 'nothing'}, expected 0000, "
            "a type (08 to 0e) and a number of axes"
        )
    dtype, axes = np.dtype(_TYPES[magic[2]]), magic[3]
    header = stream.read(4 * axes)
    if len(header) < 4 * axes:
        raise DataError(f"{path}: truncated in its header; fetch it again")
    shape = tuple(int(size) for size in np.frombuffer(header, dtype=">u4"))
    wanted = int(np.prod(shape, dtype=object)) * dtype.itemsize
    body = _read_at_most(stream, wanted + 1)
    if len(body) != wanted:
        found = "more" if len(body) > wanted else f"{len(body):,}"
        raise DataError(
            f"{path}: its header promises {wanted:,} bytes of data (shape {shape}), the file holds "
            f"{found}; it is damaged or truncated, fetch it again"
        )
    return np.frombuffer(body, dtype=dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _read_at_most(stream: BinaryIO, size: int) -> bytes:
    # In pieces, so that a header that promises too much does not reserve memory for it.
    body = bytearray()
    while len(body) < size and (piece := stream.read(min(size - len(body), 1 << 24))):
        body += piece
    return bytes(body)


def read_idx_pair(images: Path, labels: Path | None) -> RawParts:
    """Images with their labels, which lie beside them under the usual name unless given."""
    if labels is None:
        labels = _labels_of(images)
    y = None if labels is None else read_idx(labels)
    return RawParts(read_idx(images), y, name=images.name.split(".")[0])


def idx_folder(folder: Path) -> bool:
    """Whether a folder holds IDX images."""
    return any(_IMAGES.search(entry.name) for entry in folder.iterdir() if entry.is_file())


def read_idx_folder(folder: Path) -> RawParts:
    """`train-images-idx3-ubyte` and its labels, and the `t10k-` (or `test-`) part if it is there.

    Raises `DataError` if the folder holds two sets.
    """
    images = sorted(e for e in folder.iterdir() if e.is_file() and _IMAGES.search(e.name))
    train = _only([path for path in images if not _TEST.search(path.name)], "training", folder)
    test = [path for path in images if _TEST.search(path.name)]
    parts = read_idx_pair(train, None)._replace(name=folder.resolve().name)
    if not test:
        return parts
    tests = read_idx_pair(_only(test, "test", folder), None)
    return parts._replace(X_test=tests.X_train, y_test=tests.y_train)


def _only(paths: list[Path], what: str, folder: Path) -> Path:
    if len(paths) == 1:
        return paths[0]
    if not paths:
        raise DataError(f"{folder}: holds test images but no training images; give the file itself")
    names = ", ".join(path.name for path in paths)
    raise DataError(f"{folder}: holds several files of {what} images ({names}); give one of them")


def _labels_of(images: Path) -> Path | None:
    stem = images.name.removesuffix(".gz")
    wanted = re.sub("idx3", "idx1", re.sub("images", "labels", stem))
    if wanted == stem:
        return None
    for name in (wanted, f"{wanted}.gz"):
        if (images.parent / name).is_file():
            return images.parent / name
    return None
