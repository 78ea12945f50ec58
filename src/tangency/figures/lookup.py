"""Which function draws which result: the one list of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

#: Class of a result -> module and function that draw it.
DRAWINGS = {
    "MercerSpectrum": "spectrum.draw_spectrum",
    "SpectrumComparison": "spectrum.draw_spectra",
    "EmpiricalSpectrum": "spectrum.draw_cluster",
    "EmpiricalComparison": "spectrum.draw_clusters",
    "RkhsNorm": "norms.draw_norm",
    "SmoothnessCondition": "norms.draw_condition",
    "InterpolationNorms": "norms.draw_interpolation",
    "ApproximationCurve": "approximation.draw_approximation",
    "Modulus": "smoothness.draw_modulus",
    "Geometry": "geometry.draw_geometry",
    "Geometries": "geometry.draw_geometries",
    "StabilityCurve": "stability.draw_stability",
    "StabilityConstants": "stability.draw_constants",
    "StabilityTrends": "stability.draw_trends",
    "PatchCondition": "patches.draw_patches",
    "LayerKernels": "depth.draw_layers",
    "Training": "training.draw_training",
    "LazyTraining": "training.draw_lazy",
    "Tuned": "tuning.draw_tuned",
    "Searched": "searching.draw_searched",
    "RegressionCalibration": "uncertainty.draw_coverage",
    "ClassCalibration": "uncertainty.draw_reliability",
}
#: The few that are drawn in another way on a narrow page.
NARROW = {"LazyTraining": "training.draw_lazy_narrow"}


def drawing(result: Any, drawings: Mapping[str, str] = DRAWINGS) -> Callable[..., Any] | None:
    """The function that draws a result, by the name of its class or of a base; None without one.

    By name, so that drawing one result imports neither the other drawings nor PyTorch.
    """
    for kind in type(result).__mro__:
        if kind.__name__ in drawings and kind.__module__.startswith("tangency."):
            room, name = drawings[kind.__name__].split(".")
            return getattr(import_module(f"{__package__}.{room}"), name)
    return None
