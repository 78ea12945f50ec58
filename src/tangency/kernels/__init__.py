"""The public kernel objects: NTK, NNGP, both at once, and their algebra.

`network` has them, `algebra` sums and products, `base` what all can do (`distance`, `diag`), and
`coerce` what people may pass as a kernel. How they are computed: `tangency.engines`.
"""

from ..engines.engine import KernelPair
from ..engines.prepared import Prepared
from .algebra import Product, Scaled, Sum, kernel_from_dict
from .base import Kernel
from .coerce import both_kernels
from .inputs import InputWarning
from .layers import LayerKernels, layer_kernels
from .network import NNGP, NTK, explain, gram
from .structured import Graphs, Masked

__all__ = [
    "NNGP",
    "NTK",
    "Graphs",
    "InputWarning",
    "Kernel",
    "KernelPair",
    "LayerKernels",
    "Masked",
    "Prepared",
    "Product",
    "Scaled",
    "Sum",
    "both_kernels",
    "explain",
    "gram",
    "kernel_from_dict",
    "layer_kernels",
]
