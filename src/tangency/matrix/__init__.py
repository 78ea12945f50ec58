"""Kernel matrices beyond memory: their tiles, the stores that hold them, the workers that compute.

`grid` and `tiles` cut a matrix up; `compute` fills a `store`, `cluster` does so on Dask; `view`
reads it as an array; `estimate` says what it takes; `verify` looks for damage.

Private by convention: what users need of it is `tangency.gram`.
"""
