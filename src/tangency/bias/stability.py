"""How far an image moves in feature space when it is deformed, against the size of the deformation.

The bounds: ‖Φ(L_τ x) − Φ(x)‖ ≤ (C₁‖∇τ‖_∞^{1/2} + C₂‖∇τ‖_∞ + C₃‖τ‖_∞/σ_n)·‖x‖ for the NTK of a ReLU
network, with C₁ = 0 for the last-layer kernel (Bietti & Mairal 2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import choice, number, whole, within_memory
from ..kernels.coerce import Kernels, named_kernels
from ..results import Result, Table
from ..results.powers import PowerFit, fit_power
from .checks import of_kernel
from .deformations import Deformation, RandomField, deform, smooth
from .distances import moved_distances, some_images
from .families import Family, drawn, elastic, increasing

if TYPE_CHECKING:
    from ..typing import ArrayLike

SIZES = tuple(float(f"{size:.3g}") for size in np.geomspace(1e-3, 0.5, 10))


@dataclass(frozen=True, eq=False)
class StabilityCurve(Result):
    """Relative distances ‖Φ(A₀L_τ x) − Φ(A₀x)‖/‖Φ(A₀x)‖ by size; made by `stability_curve`.

    Attributes:
        by: "gradient" or "displacement", the norm that `sizes` prescribes.
        sizes: (s,) that norm.
        gradients, displacements: (s, draws) ‖∇τ‖_∞ and ‖τ‖_∞ (pixels) of every deformation.
        distances: kernel -> (s, draws, images).
        fits: kernel -> the power law at small sizes, or None where too few sizes are small.
        deformation: in words.
    """

    by: str
    sizes: np.ndarray
    gradients: np.ndarray
    displacements: np.ndarray
    distances: Mapping[str, np.ndarray]
    fits: Mapping[str, PowerFit | None]
    deformation: str

    def mean(self, kernel: str) -> np.ndarray:
        """(s,) mean over draws and images."""
        return of_kernel(self.distances, kernel).mean(axis=(1, 2))

    def spread(self, kernel: str) -> np.ndarray:
        """(s,) standard deviation over draws and images, 0 where there is one."""
        values = of_kernel(self.distances, kernel).reshape(len(self.sizes), -1)
        return values.std(axis=1, ddof=1) if values.shape[1] > 1 else np.zeros(len(values))

    @property
    def exponents(self) -> dict[str, float]:
        """Kernel -> fitted exponent, NaN where there is no fit."""
        return {name: fit.exponent if fit else np.nan for name, fit in self.fits.items()}

    @property
    def title(self) -> str:
        return "How far a deformed image moves in feature space"

    @property
    def reading(self) -> str:
        return (
            "Both axes are logarithmic: a slope of 1/2 means that halving the deformation shrinks "
            "the distance by only √2 (the NTK of a ReLU network), a slope of 1 that it halves it "
            "(the last-layer kernel)."
        )

    @property
    def summary(self) -> str:
        draws, images = next(iter(self.distances.values())).shape[1:]
        parts = [
            f"{name}: {fit.exponent:.3f} (± {fit.error:.1g})" if fit else f"{name}: not fitted"
            for name, fit in self.fits.items()
        ]
        fit = next(iter(self.fits.values()))
        where = ""
        if fit is not None:
            where = f" over {_NAMES[self.by]} from {fit.low:.2g} to {fit.high:.2g}{_UNIT[self.by]}"
        return (
            f"Relative distance ∝ size^a with a = {'; '.join(parts)}{where}; {images} images, "
            f"{draws} {'draw' if draws == 1 else 'draws'} of {self.deformation}."
        )

    def table(self) -> Table:
        """Size by size: both norms (means over draws), then mean and spread for each kernel."""
        columns = ["‖∇τ‖", "‖τ‖ (pixels)"]
        values = [self.gradients.mean(axis=1), self.displacements.mean(axis=1)]
        for name in self.distances:
            columns += [f"{name}: mean", f"{name}: standard deviation"]
            values += [self.mean(name), self.spread(name)]
        return Table(columns, [tuple(map(float, row)) for row in zip(*values, strict=True)])


_NAMES = {"gradient": "‖∇τ‖", "displacement": "‖τ‖"}
_UNIT = {"gradient": "", "displacement": " pixels"}


@within_memory()
def stability_curve(
    kernels: Kernels,
    images: ArrayLike,
    deformation: Deformation | Family | None = None,
    sizes: Sequence[float] = SIZES,
    draws: int = 5,
    seed: int = 0,
    *,
    by: str = "gradient",
    count: int | None = 20,
    antialias: float = 0.5,
    order: int = 3,
    mode: str = "zeros",
    fit_below: float = 0.02,
) -> StabilityCurve:
    """Mean relative distance between images and their deformations, size by size.

    Args:
        kernels: one kernel, or several by name; a network stands for both its kernels.
        images: (n, height, width[, channels]), or (n, length[, channels]) for a deformation of
            signals; no image may be 0 everywhere.
        deformation: one deformation, or a function from a seed to one (then `draws` of them are
            taken); only its shape matters, not its size. Default: `families.elastic`.
        sizes: increasing values of ‖∇τ‖_∞ (`by="gradient"`), or of ‖τ‖_∞ in pixels
            (`by="displacement"`).
        seed: of the draws, and of the choice of images.
        count: how many of the images are used, drawn at random; None for all.
        antialias, order, mode: as in `deform`; the images themselves go through A₀ too.
        fit_below: the exponents are fitted over the sizes up to this one, if there are three.

    Distances are accurate to 1e-2. Very small sizes (below 1e-3, as a rule) need more digits than
    float64 has, which takes seconds for a pair of images of 28×28 pixels and pooling.

    Measured here: averages over images, sampled on pixels. The bounds are on suprema over
    continuous signals, so only exponents can be compared, not constants.

    Source: Bietti & Mairal 2019, stability of the NTK to deformations.

    Raises:
        InputError: invalid images, sizes or options; a deformation whose norm is 0.

    >>> import tangency as tg
    >>> from sklearn.datasets import load_digits
    >>> from tangency.bias.stability import stability_curve
    >>> net = "conv3 relu gauss2 conv3 relu gap dense"
    >>> kernels = {"NTK": tg.NTK(net), "last-layer": tg.NNGP(net)}
    >>> curve = stability_curve(kernels, load_digits().images / 16, draws=2, count=4)
    >>> {name: round(a, 1) for name, a in curve.exponents.items()}
    {'NTK': 0.5, 'last-layer': 1.0}
    """
    found = named_kernels(kernels)
    by, seed = choice(by, "by", _NAMES), whole(seed, "seed", 0)
    fit_below = number(fit_below, "fit_below", above=0)
    sizes_ = increasing(sizes, "sizes")
    fields = _fields(images, deformation, draws, seed)
    x = some_images(images, fields[0].dims, count, seed)
    space = x.shape[1:-1]
    taus = [[tau.scale_to(space, **{by: size}) for tau in fields] for size in sizes_.tolist()]
    moved = np.stack([[deform(x, t, order, antialias, mode) for t in row] for row in taus])
    still = smooth(x, antialias, mode, axes=fields[0].dims)
    distances = {name: moved_distances(k, still, moved) for name, k in found.items()}
    return StabilityCurve(
        by,
        sizes_,
        np.array([[tau.gradient_norm(space) for tau in row] for row in taus]),
        np.array([[tau.sup_norm(space) for tau in row] for row in taus]),
        distances,
        {name: fit_power(sizes_, d.mean(axis=2), fit_below) for name, d in distances.items()},
        _words(fields),
    )


def _fields(
    images: Any, deformation: Deformation | Family | None, draws: int, seed: int
) -> list[Deformation]:
    """The deformations to scale: `draws` of a family, or the one that was given."""
    if isinstance(deformation, Deformation):
        return [deformation]
    if deformation is None:
        deformation = elastic(some_images(images, 2, 1, seed).shape[1:-1])
    return drawn(deformation, draws, np.random.default_rng(seed))


def _words(fields: Sequence[Deformation]) -> str:
    first = fields[0]
    if isinstance(first, RandomField):
        return f"a random field with a correlation length of {first.correlation:.3g} pixels"
    name = type(first).__name__
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name.lower()}"
