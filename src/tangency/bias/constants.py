"""The constants of the stability bound, fitted to mean distances."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..checks import number, shown, whole, within_memory
from ..errors import InputError
from ..kernels.base import Kernel
from ..kernels.coerce import Kernels, named_kernels
from ..kernels.network import NetworkKernel
from ..results import Result, Table
from .checks import of_kernel
from .deformations import (
    Deformation,
    RandomField,
    Rotation,
    Scaling,
    Shear,
    Sinusoidal,
    Translation,
    deform,
    smooth,
)
from .deformations.checks import spatial_shape
from .distances import moved_distances, some_images
from .patches import pooling_scale

if TYPE_CHECKING:
    from ..typing import ArrayLike

#: ‖∇τ‖_∞ of the deformations that the constants are fitted to.
GRADIENTS = (0.003, 0.01, 0.03, 0.1, 0.3)


class Constants(NamedTuple):
    """C₁, C₂, C₃ ≥ 0 of C₁‖∇τ‖^{1/2} + C₂‖∇τ‖ + C₃‖τ‖/σ_n.

    error: root mean square of (fitted − measured)/measured.
    """

    root: float
    linear: float
    shift: float
    scale: float
    error: float

    def __call__(self, gradients: np.ndarray, displacements: np.ndarray) -> np.ndarray:
        """The fitted relative distances."""
        powers = self.root * np.sqrt(gradients) + self.linear * gradients
        return powers + self.shift * displacements / self.scale


@dataclass(frozen=True, eq=False)
class StabilityConstants(Result):
    """The stability bound, fitted to distances; made by `stability_constants`.

    Attributes:
        names: (m,) what each deformation is.
        gradients, displacements: (m,) ‖∇τ‖_∞ and ‖τ‖_∞ in pixels.
        distances: kernel -> (m,) mean relative distances over images.
        constants: kernel -> `Constants`.
    """

    names: tuple[str, ...]
    gradients: np.ndarray
    displacements: np.ndarray
    distances: Mapping[str, np.ndarray]
    constants: Mapping[str, Constants]

    def fitted(self, kernel: str) -> np.ndarray:
        """(m,) what the fit says for each deformation."""
        return of_kernel(self.constants, kernel)(self.gradients, self.displacements)

    @property
    def title(self) -> str:
        return "The form of the stability bound, fitted"

    @property
    def reading(self) -> str:
        return (
            "Each point is a deformation: where points lie on the diagonal, "
            "C₁√‖∇τ‖ + C₂‖∇τ‖ + C₃‖τ‖/σₙ describes how far images move on average."
        )

    @property
    def summary(self) -> str:
        parts = [
            f"{name}: C₁ = {c.root:.3g}, C₂ = {c.linear:.3g}, C₃ = {c.shift:.3g} (σₙ = "
            f"{c.scale:.3g} pixels, error {c.error:.0%})"
            for name, c in self.constants.items()
        ]
        return f"Fitted over {len(self.names)} deformations: {'; '.join(parts)}."

    def table(self) -> Table:
        """One row for each kernel."""
        return Table(
            ("kernel", "C₁ (√‖∇τ‖)", "C₂ (‖∇τ‖)", "C₃ (‖τ‖/σₙ)", "σₙ (pixels)", "relative error"),
            [(name, *map(float, values)) for name, values in self.constants.items()],
        )


def sample_deformations(shape: Sequence[int], seed: int = 0) -> dict[str, Deformation]:
    """Deformations of images to fit the constants to, by name: of each kind, all of `GRADIENTS`.

    Random fields of three correlation lengths, rotation, scaling, shear, a wave; and translations
    by whole pixels along both axes, up to a quarter of the image (at most 4 pixels).

    Translations are by whole pixels, because the theory's ‖τ‖/σ_n speaks of signals on a continuous
    domain, where translating commutes with convolving. A move by a fraction of a pixel changes
    the sampled image by interpolation, and the NTK answers to that with a square root.
    """
    shape, seed = spatial_shape(shape, 2), whole(seed, "seed", 0)
    side = min(shape)
    kinds: dict[str, Deformation] = {
        "rotation": Rotation(0.1),
        "scaling": Scaling(1.1),
        "shear": Shear(0.1),
        "wave": Sinusoidal((1.0, 0.0), (0.0, 2.0 / side)),
    }
    for i, part in enumerate((8, 4, 2)):
        kinds[f"field 1/{part}"] = RandomField(max(side / part, 1.0), seed=3 * seed + i)
    found = {
        f"{name} {size:g}": tau.scale_to(shape, gradient=size)
        for name, tau in kinds.items()
        for size in GRADIENTS
    }
    for length in range(1, max(1, min(side // 4, 4)) + 1):
        for step in ((length, 0), (0, length), (-length, 0), (0, -length)):
            found[f"translation {step[0]:+d} {step[1]:+d}"] = Translation(step)
    return found


@within_memory()
def stability_constants(
    kernels: Kernels,
    images: ArrayLike,
    deformations: Mapping[str, Deformation] | None = None,
    seed: int = 0,
    *,
    count: int | None = 20,
    antialias: float = 0.5,
    order: int = 3,
    mode: str = "zeros",
    scale: float | None = None,
) -> StabilityConstants:
    """The constants of the stability bound that fit mean relative distances best.

    d ≈ C₁‖∇τ‖^{1/2} + C₂‖∇τ‖ + C₃‖τ‖/σ_n with all C ≥ 0, by least squares on relative errors
    (so that small deformations count as much as large ones).

    Args:
        kernels, images, count, antialias, order, mode: as in `stability_curve`.
        deformations: by name; default: `sample_deformations`.
        scale: σ_n in pixels; default: `pooling_scale` of each kernel's network.

    The bound speaks of suprema on a continuous domain, with larger constants; these describe
    averages on pixels. There, displacements of less than a pixel make the NTK move like √‖τ‖,
    translations too, and C₁ takes that in; C₂ and C₃ are hard to tell apart on small images.

    Source: Bietti & Mairal 2019, stability of the NTK to deformations.

    Raises:
        InputError: fewer than three deformations, or a kernel without a pooling scale.

    >>> import tangency as tg
    >>> from sklearn.datasets import load_digits
    >>> from tangency.bias.constants import stability_constants
    >>> kernel = tg.NNGP("conv3 relu gauss2 conv3 relu gauss2 flatten dense")
    >>> found = stability_constants(kernel, load_digits().images / 16, count=3)
    >>> bool(found.constants["last-layer"].root < 0.01)
    True
    """
    named = named_kernels(kernels)
    x = some_images(images, _axes(deformations), count, seed)
    space = x.shape[1:-1]
    taus = sample_deformations(space, seed) if deformations is None else dict(deformations)
    if len(taus) < 3:
        raise InputError(f"three constants need at least 3 deformations, got {len(taus)}")
    moved = np.stack([deform(x, tau, order, antialias, mode) for tau in taus.values()])
    still = smooth(x, antialias, mode, axes=len(space))
    gradients = np.array([tau.gradient_norm(space) for tau in taus.values()])
    displacements = np.array([tau.sup_norm(space) for tau in taus.values()])
    distances = {n: moved_distances(k, still, moved).mean(axis=1) for n, k in named.items()}
    scales = {n: _scale(k, scale, x.shape[1:], antialias) for n, k in named.items()}
    constants = {
        name: fit_constants(gradients, displacements, d, scales[name])
        for name, d in distances.items()
    }
    return StabilityConstants(tuple(taus), gradients, displacements, distances, constants)


def fit_constants(
    gradients: np.ndarray, displacements: np.ndarray, distances: np.ndarray, scale: float
) -> Constants:
    """Nonnegative least squares on relative errors; all arrays (m,); rows of zeros are left out.

    >>> import numpy as np
    >>> from tangency.bias.constants import fit_constants
    >>> g, t = np.array([0.0, 0.01, 0.04, 0.09]), np.array([1.0, 0.0, 0.5, 0.0])
    >>> fit = fit_constants(g, t, 0.5 * np.sqrt(g) + 0.25 * t / 2, scale=2.0)
    >>> round(fit.root, 9), round(fit.linear, 9), round(fit.shift, 9)
    (0.5, 0.0, 0.25)
    """
    from scipy.optimize import nnls

    seen = (distances > 0) & ((gradients > 0) | (displacements > 0))
    if seen.sum() < 3:
        raise InputError(
            f"only {seen.sum()} of the {len(seen)} deformations move the images: nothing to fit; "
            "give at least 3 that do"
        )
    d = distances[seen]
    columns = np.stack([np.sqrt(gradients), gradients, displacements / scale], axis=1)[seen]
    found, residual = nnls(columns / d[:, None], np.ones(len(d)))
    root, linear, shift = map(float, found)
    return Constants(root, linear, shift, float(scale), float(residual / math.sqrt(len(d))))


def _axes(deformations: Mapping[str, Deformation] | None) -> int:
    if deformations is None:
        return 2
    if not isinstance(deformations, Mapping) or not all(
        isinstance(tau, Deformation) for tau in deformations.values()
    ):
        raise InputError("deformations must be given by name, as in {'turn': Rotation(0.1), ...}")
    dims = {tau.dims for tau in deformations.values()}
    if len(dims) > 1:
        raise InputError("deformations must all act on signals, or all on images; got both")
    return dims.pop() if dims else 2


def _scale(
    kernel: Kernel, scale: float | None, input_shape: tuple[int, ...], antialias: float
) -> float:
    if scale is not None:
        return number(scale, "scale", above=0)
    if not isinstance(kernel, NetworkKernel):
        raise InputError(
            f"{shown(kernel)} has no network of its own, so no pooling scale σ_n is known; give "
            "scale="
        )
    found = pooling_scale(kernel.net, input_shape, antialias)
    if found == 0:
        raise InputError(
            f"{kernel.net} has no pooling, and antialias is 0: σ_n = 0; give scale= or antialias="
        )
    return found
