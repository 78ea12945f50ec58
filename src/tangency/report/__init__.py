"""Reports: figures that compare kernels, and the demo on real digits.

Private by convention: the commands `tangency report` and `tangency demo` make the pages.
"""

from ..figures.learning import (
    Accuracy,
    Curve,
    Repeated,
    accuracy_comparison,
    learning_curves,
)
from ..figures.style import save_figure
from .matrices import KernelMatrices, kernel_matrices

__all__ = [
    "Accuracy",
    "Curve",
    "KernelMatrices",
    "Repeated",
    "accuracy_comparison",
    "kernel_matrices",
    "learning_curves",
    "save_figure",
]
