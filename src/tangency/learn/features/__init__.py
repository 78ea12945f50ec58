"""Features whose inner products approximate a kernel, so that linear models can stand in for it."""

from .layerwise import LayerwiseFeatures
from .nystrom import NystromFeatures
from .random_features import RandomFeatures

__all__ = ["LayerwiseFeatures", "NystromFeatures", "RandomFeatures"]
