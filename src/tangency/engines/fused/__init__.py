"""The fused CPU engine: all layers of a pair of images in cache, compiled with Numba."""

from .engine import diagonal, gram, uncovered

__all__ = ["diagonal", "gram", "uncovered"]
