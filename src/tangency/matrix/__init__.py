"""Kernel matrices beyond memory: their tiles, the stores that hold them, the workers that compute.

Private by convention: what users need of it is `tangency.gram`.
"""
