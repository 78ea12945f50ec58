"""Descriptions of the networks that people have: modules of PyTorch, lifted to their kernels.

A module is traced (`trace.py`), each of its operations is translated into layers with the infinite
width that it has (`translate.py`, standard deviations by `spread.py`), and the graph is nested into
branches that meet (`nest.py`).
"""

from .lifted import from_torch

__all__ = ["from_torch"]
