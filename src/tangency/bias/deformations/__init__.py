"""Deformations τ of signals and images, their norms, and L_τ x(u) = x(u − τ(u)) on pixels."""

from .affine import Affine, Rotation, Scaling, Shear, Translation
from .base import Deformation, pixel_grid
from .combined import Composition, Multiple, Sum
from .fields import RandomField, Sinusoidal
from .images import deform, smooth

__all__ = [
    "Affine",
    "Composition",
    "Deformation",
    "Multiple",
    "RandomField",
    "Rotation",
    "Scaling",
    "Shear",
    "Sinusoidal",
    "Sum",
    "Translation",
    "deform",
    "pixel_grid",
    "smooth",
]
