"""The library's own errors, all of them `ValueError`s: bad input, with what came and the remedy."""


class NetworkError(ValueError):
    """A network that cannot be: a bad option, or layers whose shapes do not fit."""


class InputError(ValueError):
    """Data that a kernel cannot take: wrong shape or type, NaN, infinity, nothing at all."""


class MemoryLimitError(MemoryError, ValueError):
    """A request that does not fit in the memory budget, even one pair at a time."""


class StoreError(InputError):
    """A stored kernel matrix that cannot serve: missing or damaged tiles, another job, in use."""
