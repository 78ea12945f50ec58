"""Which dual an activation is, with its parameters, for compiled loops."""

from __future__ import annotations

from ...nets.activations import ActivationLayer
from ...nets.facts import compiled
from . import scalars


def no_loop(activation: ActivationLayer) -> str | None:
    """Why there is no compiled dual; None where there is one."""
    if compiled(activation) is not None:
        return None
    if activation.quadrature:
        return f"{activation} is computed by quadrature"
    return f"{activation} has no compiled dual"


def kind_and_parameters(activation: ActivationLayer) -> tuple[int, tuple[float, ...]]:
    """The kind of `scalars.py` and its parameters; the fourth is a degree where there is one."""
    fact = compiled(activation)
    assert fact is not None, "uncovered() lets no other pass"
    name, *parameters = fact
    return scalars.KINDS[name], tuple(map(float, parameters))
