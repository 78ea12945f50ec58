"""Closed forms of the infinitely wide network, beside the finite ones; they need no PyTorch."""

from __future__ import annotations

from ..learn.predictions import KernelPredictions, kernel_predictions

__all__ = ["KernelPredictions", "kernel_predictions"]
