"""Reports: figures that compare kernels, and the demo on real digits."""

from .figures import (
    Accuracy,
    Curve,
    Repeated,
    accuracy_comparison,
    kernel_matrices,
    learning_curves,
)
from .style import save_figure

__all__ = [
    "Accuracy",
    "Curve",
    "Repeated",
    "accuracy_comparison",
    "kernel_matrices",
    "learning_curves",
    "save_figure",
]
