"""The one error of this folder, and the one warning."""

from __future__ import annotations

from ..errors import InputError


class DataError(InputError):
    """A file or an array that cannot be read as a set of examples."""


class DataWarning(UserWarning):
    """Data that may have been meant in another way than they are read."""
