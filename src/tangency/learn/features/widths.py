"""How many landmarks each activation gets."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...checks import items
from ...errors import InputError
from ...nets.plan import Plan, activations
from .base import at_least_one
from .chain import features_out

# Landmarks at all activations but the last, where nothing else is asked for, and the fewest for
# few features: errors of inner layers do not go away behind them.
_INNER, _FEWEST = 256, 128


def chosen_widths(given: Any, plan_: Plan, most: int, tangent: bool) -> tuple[int, ...]:
    """Landmarks at each activation; the last takes what `most` features leave for it."""
    count = len(activations(plan_.steps))
    if isinstance(given, int | np.integer):
        return (at_least_one(given, "widths"),) * count
    if given is not None:
        found = tuple(at_least_one(width, "each of widths") for width in items(given, "widths"))
        if len(found) != count:
            raise InputError(
                f"widths has {len(found)} numbers, and the network {count} activations; give one "
                "for each, or one number for all"
            )
        return found
    inner = (min(_INNER, max(most // 2, _FEWEST)),) * count
    if not count:
        return inner

    def size(last: int) -> int:
        return features_out(plan_.steps, plan_.input_shape[-1], (*inner[:-1], last), tangent)

    step = size(2) - size(1)
    room = (most - size(1)) // step + 1 if step > 0 else inner[-1]
    return (*inner[:-1], max(room, inner[-1] if size(inner[-1]) > most else 1))
