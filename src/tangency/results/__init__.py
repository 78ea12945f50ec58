"""What a measurement gives back: a title, a figure, a table, and how to read them."""

from .base import Result
from .table import Table

__all__ = ["Result", "Table"]
