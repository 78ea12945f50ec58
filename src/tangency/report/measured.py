"""The sections of a report that show the inductive bias itself, as `tangency.bias` measures it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import InputError, NetworkError
from ..kernels.coerce import both_kernels
from ..learn.conditioning import IllConditionedWarning
from ..nets import Layer, Sequential
from ..nets.base import lowered
from ..nets.operators import Positions
from .material import Material
from .page import Exhibit, Section, exhibit

# Of the sphere on which spectra are shown: with more dimensions, the eigenvalues of all degrees
# beyond the first few are too small for their decay to be of any interest.
_DIMENSIONS = 10
_DEGREE, _FOR_CONE = 100, 200
_INTERPOLATED = 256
_EMPIRICAL = 300
# Of the work of the largest matrix, for all pairs of one measurement of near inputs.
_PAIRS = 0.015
_OTHERS = 40


def dense_version(net: Sequential) -> Sequential:
    """The dense network of the same depth, weights and activations as a convolutional one.

    Convolutions become dense layers; pooling, flattening and normalising are left out.

    >>> import tangency as tg
    >>> str(dense_version(tg.parse("conv3:b=0.1 relu gauss2 conv3 relu gap dense")))
    'dense:b=0.1 relu dense relu dense'
    """
    return net.on_vectors() or Sequential()


def is_dense(net: Sequential) -> bool:
    """Whether a network is dense already, but for flattening its inputs."""
    return all(_flattens(layer) or layer.on_vectors() == layer for layer in net.layers)


def _flattens(layer: Layer) -> bool:
    try:
        return all(isinstance(operator, Positions) for operator in lowered(layer, ()))
    except NetworkError:  # it takes grids only
        return False


def spectrum_section(material: Material) -> Section:
    """Eigenvalues on the sphere and on the data, and what they say about approximation."""
    from ..bias.approximation import approximation_curve
    from ..bias.empirical import empirical_spectrum
    from ..bias.spectrum import spectrum

    net = dense_version(material.net)
    dim = max(2, min(math.prod(material.X.shape[1:]), _DIMENSIONS))
    kernels = both_kernels(net)
    text = [
        "For inputs on a sphere, the eigenfunctions of every dense network's kernel are the "
        "spherical harmonics, and the eigenvalue of a degree says how easily functions of that "
        f"frequency are learnt. Shown in {dim} dimensions."
    ]
    if not is_dense(material.net):
        text.append(
            "This holds for dense networks only. The theory shown here is that of the dense "
            f"network of the same depth and activations, {net}; eigenvalues on the data are those "
            "of the network itself."
        )
    rows = material.subset(material.affordable(0.25, 40, _EMPIRICAL))
    return section(
        "spectra",
        "Spectra",
        text,
        [
            ("spectrum", lambda: spectrum(kernels, dim, _DEGREE)),
            (
                "approximation",
                lambda: approximation_curve("cone", kernels, dim, degree=_FOR_CONE),
            ),
            ("empirical-spectrum", lambda: empirical_spectrum(material.kernels, material.X[rows])),
        ],
    )


def norms_exhibits(material: Material) -> list[Exhibit]:
    """How the norm of the interpolant grows with the data, for true and for shuffled labels."""
    from ..bias.interpolation import interpolation_norms

    if material.y is None:
        return []
    rows = material.subset(material.affordable(0.25, 40, _INTERPOLATED))
    y = material.y[rows]
    if (y == y[0]).all():
        return []  # there is nothing to interpolate, which the data's own section shows
    if material.classes is not None:
        y = np.where(y[:, None] == np.unique(y), 1.0, -1.0)
    else:
        y = y - y.mean()
    with warnings.catch_warnings():
        # The sentence under the figure says so too.
        warnings.simplefilter("ignore", IllConditionedWarning)
        found = interpolation_norms(
            material.kernels,
            material.X[rows],
            y,
            draws=material.options.draws,
            seed=material.options.seed,
            shuffle=True,
        )
    return [exhibit(found, "interpolant-norm")]


def smoothness_section(material: Material) -> Section:
    """How far features move when inputs move a little."""
    from ..bias.smoothness import RADII

    stride, inputs, directions = fitted(material, len(RADII), 16, 4)
    text = [
        f"{inputs} {material.examples}, scaled to norm 1, move by tiny to large steps in "
        f"{directions} random {'direction' if directions == 1 else 'directions'} each. A function "
        "of norm 1 in the kernel's space changes by no more than the features move."
    ]

    def measure() -> Any:
        seed = material.options.seed
        return smoothness_of(
            material.kernels, material.X, inputs, seed, RADII[::stride], directions=directions
        )

    return section("smoothness", "Smoothness", text, [("modulus", measure)])


def smoothness_of(
    kernels: Any, X: np.ndarray, inputs: int, seed: int, *radii: Any, **options: Any
) -> Any:
    """The modulus of continuity as the page and the command line show it."""
    from ..bias.smoothness import modulus

    return modulus(kernels, X, *radii, count=inputs, seed=seed, **options)


def stability_section(material: Material) -> Section:
    """How far deformed images move in feature space."""
    from ..bias.stability import SIZES, stability_curve

    title = "Stability to deformations"
    if len(material.space) != 2:
        return Section("stability", title, missing=[_no_images(material, "deformed")])
    stride, images, draws = fitted(material, len(SIZES), 20, material.options.draws)
    text = [
        f"The same smooth random deformations are applied to {images} images, and the distance in "
        "the kernel's feature space is measured relative to the norm of the image. ‖∇τ‖ is the "
        "largest stretch of a deformation: 0.1 stretches or squeezes by up to a tenth."
    ]

    def measure() -> Any:
        seed = material.options.seed
        return stability_curve(
            material.kernels, material.X, None, SIZES[::stride], draws, seed, count=images
        )

    return section("stability", title, text, [("stability-curve", measure)])


def geometry_section(material: Material) -> Section:
    """What is near an image: its deformations, its translations, its class, other classes."""
    from ..bias.geometry import STRENGTHS, geometry

    title = "Geometry"
    if len(material.space) != 2:
        return Section("geometry", title, missing=[_no_images(material, "deformed and moved")])
    if (classes := material.classes) is None:
        return Section("geometry", title, missing=["Not shown: the data have no classes."])
    stride, images, draws = fitted(material, 2 * len(STRENGTHS), 20, material.options.draws)
    others = max(_OTHERS, fitted(material, images, 100, 1)[1])
    text = [
        f"Distances from {images} images to their deformed and translated copies, beside those to "
        f"{others} other images. Where deformed copies are nearer than the rest of the class, the "
        "kernel ignores what does not change the class."
    ]

    def measure() -> Any:
        seed, strengths = material.options.seed, STRENGTHS[::stride]
        return geometry(
            *(material.kernels, material.X, classes, None, strengths, draws, seed),
            count=images,
            others=others,
        )

    return section("geometry", title, text, [("neighbours", measure)])


def fitted(material: Material, steps: int, images: int, draws: int) -> tuple[int, int, int]:
    """A stride through the steps, images and draws such that all pairs can be measured quickly.

    A pair of near inputs costs far more than an entry of a kernel matrix, as it carries more
    digits. Large networks on large images get fewer images, then fewer draws and steps.
    """
    pairs, stride = material.affordable(_PAIRS, 1, 10**9), 1
    while -(-steps // stride) * images * draws > pairs:
        if images > 6:
            images -= 1
        elif draws > 2:
            draws -= 1
        elif stride == 1:
            stride = 2
        elif images > 3:
            images -= 1
        elif draws > 1:
            draws -= 1
        else:
            break
    return stride, images, draws


def _no_images(material: Material, what: str) -> str:
    return (
        f"Not shown: only images can be {what}, and these examples are "
        f"{'vectors' if not material.space else material.examples}."
    )


def section(
    key: str, title: str, text: list[str], measures: list[tuple[str, Callable[[], Any]]]
) -> Section:
    """A section with a figure for each measurement that can be made, and why others cannot."""
    shown, missing = [], []
    for name, measure in measures:
        try:
            result = measure()
        except (InputError, NetworkError) as error:
            missing.append(f"{name.capitalize().replace('-', ' ')} is not shown: {error}.")
            continue
        shown.append(exhibit(result, name))
    return Section(key, title, text, exhibits=shown, missing=missing)
