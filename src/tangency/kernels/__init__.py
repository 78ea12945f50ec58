"""The public kernel objects: NTK, NNGP, both at once, and their algebra."""

from ..engines.engine import KernelPair
from ..engines.prepared import Prepared
from .algebra import Product, Scaled, Sum, kernel_from_dict
from .base import Kernel
from .coerce import both_kernels
from .inputs import InputWarning
from .network import NNGP, NTK, explain, gram

__all__ = [
    "NNGP",
    "NTK",
    "InputWarning",
    "Kernel",
    "KernelPair",
    "Prepared",
    "Product",
    "Scaled",
    "Sum",
    "both_kernels",
    "explain",
    "gram",
    "kernel_from_dict",
]
