"""The fused CPU engine: all layers of a pair of images in cache, compiled with Numba."""

from .engine import WORKING_BYTES, diagonal, gram, uncovered

__all__ = ["WORKING_BYTES", "diagonal", "gram", "uncovered"]
