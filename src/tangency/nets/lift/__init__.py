"""Descriptions of the networks that people have: modules of PyTorch, lifted to their kernels.

A module is traced (`trace.py`), attention in it is found (`attend.py`), each of its operations is
translated into layers with the infinite width that it has (`translate.py`, standard deviations by
`spread.py`), the graph is nested into branches that meet (`nest.py`), and activations are moved to
where they act on Gaussian values (`moving.py`).
"""

from .lifted import from_torch

__all__ = ["from_torch"]
