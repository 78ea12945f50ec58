"""Small problems that the files of this folder share."""

from problems import matrix, ntk, samples, targets

__all__ = ["matrix", "ntk", "samples", "targets"]
