"""The inductive bias, measured: spectra, norms, smoothness, approximation, deformations.

Each function takes kernels (`tg.NTK(net)`, `tg.NNGP(net)`, or a mapping from names to them, to
compare them; a network stands for both, or for its NTK where one kernel is measured) and gives a
result with `.plot()`, `.table()`, and one sentence each on how to read the figure (`.reading`) and
on what was found (`.summary`).

Functions share their names with the modules that they come from: `tg.bias.spectrum` is the
function.
"""

from ..results import Table
from . import deformations, targets
from .approximation import approximation_curve
from .condition import smoothness_condition
from .constants import sample_deformations, stability_constants
from .deformations import deform
from .empirical import EmpiricalSpectrum, empirical_spectrum
from .geometries import geometries
from .geometry import geometry
from .harmonics import legendre, multiplicity, spherical_harmonics
from .interpolation import interpolation_norms
from .jets import gammas, lipschitz_constant
from .mercer import MercerSpectrum
from .norms import rkhs_norm
from .patches import patch_condition
from .quadrature import funk_hecke
from .smoothness import modulus
from .spectrum import spectrum
from .stability import stability_curve
from .trends import stability_trends
from .zonal import ZonalKernel, sphere_kernel

__all__ = [
    "EmpiricalSpectrum",
    "MercerSpectrum",
    "Table",
    "ZonalKernel",
    "approximation_curve",
    "deform",
    "deformations",
    "empirical_spectrum",
    "funk_hecke",
    "gammas",
    "geometries",
    "geometry",
    "interpolation_norms",
    "legendre",
    "lipschitz_constant",
    "modulus",
    "multiplicity",
    "patch_condition",
    "rkhs_norm",
    "sample_deformations",
    "smoothness_condition",
    "spectrum",
    "sphere_kernel",
    "spherical_harmonics",
    "stability_constants",
    "stability_curve",
    "stability_trends",
    "targets",
]
