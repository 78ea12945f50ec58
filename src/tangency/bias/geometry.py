"""What a kernel finds near: deformations of an image, its translations, its class, other classes.

The figure of Bietti & Mairal 2019 on digits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import plain_array, whole, within_memory
from ..errors import InputError
from ..kernels.base import Kernel
from ..kernels.coerce import Kernels, named_kernels
from ..results import Result, Table
from .deformations import Deformation, Translation, deform, smooth
from .distances import chosen, cross_distances, moved_distances, some_images
from .families import Family, drawn, elastic, increasing

if TYPE_CHECKING:
    from ..typing import ArrayLike

STRENGTHS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Mean relative distances ‖Φ(x') − Φ(x)‖/‖Φ(x)‖ from an image x, for one kernel.

    deformed, both: (strengths,) to its deformations, and to deformations that are translated too;
    *_spread: their standard deviations over images and draws. translated: to its translations.
    same, other: to other images of its class, and to images of other classes.
    """

    deformed: np.ndarray
    deformed_spread: np.ndarray
    both: np.ndarray
    both_spread: np.ndarray
    translated: float
    same: float
    other: float


@dataclass(frozen=True, eq=False)
class Geometry(Result):
    """Distances from images to those that should be near or far; made by `geometry`.

    Attributes:
        strengths: (s,) ‖∇τ‖_∞ of the deformations.
        displacements: (s, 2) mean ‖τ‖_∞ in pixels, of the deformations and of those that are
            translated too.
        neighbours: kernel -> `Neighbours`.
        shift: length of the translations, in pixels.
        images, draws: how many.
    """

    strengths: np.ndarray
    displacements: np.ndarray
    neighbours: Mapping[str, Neighbours]
    shift: int
    images: int
    draws: int

    @property
    def title(self) -> str:
        return "What a kernel finds near an image"

    @property
    def reading(self) -> str:
        return (
            "The lower a line, the nearer to the image; a kernel that is stable to deformations "
            "keeps the deformed copies well below the other images of the class (grey lines)."
        )

    @property
    def summary(self) -> str:
        parts = [
            f"{name}: {n.deformed[-1]:.2f} to deformations with ‖∇τ‖ = {self.strengths[-1]:.2g}, "
            f"{n.translated:.2f} to translations by {_pixels(self.shift)}, {n.same:.2f} to the "
            f"same class, {n.other:.2f} to other classes"
            for name, n in self.neighbours.items()
        ]
        return f"Mean relative distances from {self.images} images. {'; '.join(parts)}."

    def table(self) -> Table:
        """One row for each kernel and kind of neighbour; deformations strength by strength."""
        rows: list[tuple[Any, ...]] = []
        for name, n in self.neighbours.items():
            for i, strength in enumerate(self.strengths.tolist()):
                alone, moved = self.displacements[i].tolist()
                rows.append((name, "deformation", strength, alone, n.deformed[i]))
                rows.append((name, "deformation and translation", strength, moved, n.both[i]))
            rows.append((name, "translation", 0.0, float(self.shift), n.translated))
            rows.append((name, "same class", "", "", n.same))
            rows.append((name, "other classes", "", "", n.other))
        columns = ("kernel", "neighbour", "‖∇τ‖", "‖τ‖ (pixels)", "relative distance")
        return Table(columns, rows)


def _pixels(count: int) -> str:
    return "1 pixel" if count == 1 else f"{count} pixels"


@within_memory()
def geometry(
    kernels: Kernels,
    images: ArrayLike,
    labels: ArrayLike,
    deformations: Family | None = None,
    strengths: Sequence[float] = STRENGTHS,
    draws: int = 5,
    seed: int = 0,
    *,
    shift: int | None = None,
    count: int | None = 20,
    others: int | None = 100,
    antialias: float = 0.5,
    order: int = 3,
    mode: str = "zeros",
) -> Geometry:
    """Mean relative distances from images to their deformed copies and to other images.

    Args:
        kernels: one kernel, or several by name; a network stands for both its kernels.
        images: (n, height, width[, channels]). labels: (n,) classes; two or more, and some class
            with two of the images that are compared.
        deformations: a function from a seed to a deformation; default: `families.elastic`, the
            random fields of Infinite MNIST.
        strengths: ‖∇τ‖_∞ that they are scaled to; at least one, increasing.
        draws: deformations for each strength; all images share them.
        shift: length in pixels of the translations, up, down, left and right; default: one pixel
            for each 14 of the image, at least 1.
        count: how many images distances start from; others: how many they are compared with for
            the classes. Both are drawn at random; None for all.
        antialias, order, mode: as in `deform`; every image goes through A₀.

    Source: Bietti & Mairal 2019, the figure on digits, where images and deformations are
    those of Infinite MNIST (Loosli, Canu & Bottou 2007).

    Raises:
        InputError: invalid images, labels or options.

    >>> import tangency as tg
    >>> from sklearn.datasets import load_digits
    >>> from tangency.bias.geometry import geometry
    >>> data = load_digits()
    >>> kernel = tg.NTK("conv3 relu gauss2 conv3 relu gap dense")
    >>> found = geometry(kernel, data.images / 16, data.target, draws=2, count=5, others=40)
    >>> near = found.neighbours["NTK"]
    >>> bool(near.deformed[0] < near.same < near.other)
    True
    """
    named = named_kernels(kernels)
    seed = whole(seed, "seed", 0)
    x = some_images(images, 2, None, seed)
    y = _labels(labels, len(x))
    starts, rest = chosen(len(x), count, seed), chosen(len(x), others, seed + 1)
    space = x.shape[1:-1]
    if shift is None:
        shift = max(1, round(min(space) / 14))
    family = elastic(space) if deformations is None else deformations
    fields, turns = _drawn(family, draws, shift, seed)
    sizes = increasing(strengths, "strengths")
    taus = [[tau.scale_to(space, gradient=size) for tau in fields] for size in sizes]
    both = [[step @ tau for step, tau in zip(turns, row, strict=True)] for row in taus]
    copies = partial(_copies, x[starts], order, antialias, mode)
    moved = copies(taus), copies(both), copies([_directions(shift)])
    still = smooth(x, antialias, mode)
    same, other = _pairs(y, starts, rest)
    at, among = still[starts], still[rest]
    near = {name: _neighbours(k, at, moved, among, same, other) for name, k in named.items()}
    displacements = np.stack([_displacements(rows, space) for rows in (taus, both)], axis=1)
    return Geometry(sizes, displacements, near, shift, len(starts), len(fields))


def _drawn(
    family: Family, draws: int, shift: int, seed: int
) -> tuple[list[Deformation], list[Deformation]]:
    """Deformations of the family, and a translation to go with each."""
    rng = np.random.default_rng(seed)
    fields = drawn(family, draws, rng)
    directions = _directions(whole(shift, "shift", 1))
    return fields, [directions[i] for i in rng.integers(4, size=len(fields))]


def _copies(
    x: np.ndarray, order: int, antialias: float, mode: str, rows: list[list[Deformation]]
) -> np.ndarray:
    return np.stack([[deform(x, tau, order, antialias, mode) for tau in row] for row in rows])


def _displacements(rows: list[list[Deformation]], space: tuple[int, ...]) -> np.ndarray:
    return np.array([np.mean([tau.sup_norm(space) for tau in row]) for row in rows])


def _directions(shift: int) -> list[Deformation]:
    return [Translation(step) for step in ((shift, 0), (0, shift), (-shift, 0), (0, -shift))]


def _neighbours(
    kernel: Kernel,
    images: np.ndarray,
    moved: tuple[np.ndarray, np.ndarray, np.ndarray],
    rest: np.ndarray,
    same: np.ndarray,
    other: np.ndarray,
) -> Neighbours:
    """moved: copies deformed, deformed and translated, translated, each (rows, draws, n, ...)."""
    deformed, both, translated = (moved_distances(kernel, images, copies) for copies in moved)
    others = cross_distances(kernel, images, rest)
    return Neighbours(
        deformed.mean(axis=(1, 2)),
        deformed.std(axis=(1, 2)),
        both.mean(axis=(1, 2)),
        both.std(axis=(1, 2)),
        float(translated.mean()),
        float(others[same].mean()),
        float(others[other].mean()),
    )


def _labels(labels: Any, count: int) -> np.ndarray:
    y = plain_array(labels, "labels")
    if y.shape != (count,):
        raise InputError(f"labels must be of shape ({count},), one per image; got shape {y.shape}")
    return y


def _pairs(y: np.ndarray, starts: np.ndarray, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Masks (starts, rest): another image of the same class, an image of another class."""
    equal = y[starts][:, None] == y[rest][None, :]
    itself = starts[:, None] == rest[None, :]
    same, other = equal & ~itself, ~equal
    if not same.any() or not other.any():
        raise InputError(
            f"the {len(starts)} images and the {len(rest)} they are compared with hold no two of "
            "the same class, or none of different classes; raise count= or others=, or check labels"
        )
    return same, other
