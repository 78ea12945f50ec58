"""The one error of this folder."""

from __future__ import annotations

from ..errors import InputError


class DataError(InputError):
    """A file or an array that cannot be read as a set of examples."""
