"""Choosing among networks: by leave-one-out error, on more and more samples.

- `variants`: candidates from a text with alternatives in it; `pool`: from whatever else is given
- `judge`: the leave-one-out error of a candidate; `halving`: `search`, which drops the worse ones
- `searched`: what it found
"""

from .halving import search
from .searched import Searched, Trial
from .variants import variants

__all__ = ["Searched", "Trial", "search", "variants"]
