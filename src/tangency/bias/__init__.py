"""The inductive bias, measured: spectra, norms, smoothness, approximation, deformations.

Each function takes kernels (`tg.NTK(net)`, `tg.NNGP(net)`, or a mapping from names to them, to
compare them; a network stands for both, or for its NTK where one kernel is measured) and gives a
result with `.plot()`, `.table()`, and one sentence each on how to read the figure (`.reading`) and
on what was found (`.summary`).

Functions share their names with the modules that they come from: `tg.bias.spectrum` is the
function.

Where things are:

- kernels on the sphere as functions of the cosine: `zonal`, `sphere`, `walk`, `multiprecision`
- Mercer: `spectrum`, `mercer`; closed forms for ReLU `arccosine`; Funk-Hecke `quadrature`, `rules`;
  `harmonics` (Legendre, N(p, k)), `basis`; how fast μ_k falls `decay`; which are zero `parity`; on
  data `empirical`
- the space H: `norms`, `degrees`, `half_powers`, `series`; who lies in it `condition`, `targets`;
  interpolants of data `interpolation`, `interpolants`
- approximation by balls of H: `approximation`, `ball`, `curves`, `lipschitz_functions`
- smoothness of Φ: measured `smoothness`; γ_j and Lipschitz constants `jets`; theory `bounds`
- deformations τ: `deformations`, `families`, `distances`, `stability`, `constants` (C₁, C₂, C₃),
  `trends`; σ_k and patches `patches`; neighbours of a digit `geometry`, `geometries`
- arguments: `checks`
"""

from ..results import Table
from . import deformations, targets
from .approximation import approximation_curve
from .condition import SmoothnessCondition, smoothness_condition
from .constants import StabilityConstants, sample_deformations, stability_constants
from .curves import ApproximationCurve
from .decay import DecayFit
from .deformations import deform
from .empirical import Cluster, EmpiricalComparison, EmpiricalSpectrum, empirical_spectrum
from .geometries import Geometries, geometries
from .geometry import Geometry, geometry
from .harmonics import legendre, multiplicity, spherical_harmonics
from .interpolants import InterpolationNorms
from .interpolation import interpolation_norms
from .jets import gammas, lipschitz_constant
from .mercer import MercerSpectrum, SpectrumComparison
from .norms import RkhsNorm, rkhs_norm
from .patches import PatchCondition, patch_condition
from .quadrature import funk_hecke
from .smoothness import Modulus, modulus
from .spectrum import spectrum
from .stability import StabilityCurve, stability_curve
from .trends import StabilityTrends, stability_trends
from .zonal import ZonalKernel, sphere_kernel

__all__ = [
    "ApproximationCurve",
    "Cluster",
    "DecayFit",
    "EmpiricalComparison",
    "EmpiricalSpectrum",
    "Geometries",
    "Geometry",
    "InterpolationNorms",
    "MercerSpectrum",
    "Modulus",
    "PatchCondition",
    "RkhsNorm",
    "SmoothnessCondition",
    "SpectrumComparison",
    "StabilityConstants",
    "StabilityCurve",
    "StabilityTrends",
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
