"""Kernel matrices beyond memory: their tiles, the stores that hold them, the workers that compute.

What users need of it is `tangency.gram`.
"""
