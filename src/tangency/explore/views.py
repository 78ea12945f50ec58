"""The list of what the page shows: how each is measured, drawn, and written as Python."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

from matplotlib.figure import Figure

from . import code, measure
from .figures import (
    draw_learning,
    draw_matrices,
    draw_moved,
    draw_profile,
    draw_spectra,
    panel,
)
from .state import State

Key = Callable[[State], Hashable]


@dataclass(frozen=True)
class View:
    """One card of the page.

    key: the part of the state on which it depends. measure: (subject, state) -> result, or
    (subject, state, matrices) where `matrices` is set. draw: its figure, None for pictures only.
    code: (subject, state, result) -> Python.
    """

    name: str
    title: str
    key: Key
    measure: Callable[..., Any]
    code: Callable[..., str]
    draw: Callable[[Any], Figure] | None = None
    matrices: bool = False


def matrices_key(state: State) -> Hashable:
    """What the kernel matrices depend on."""
    return state.net, state.examples


def _image_key(state: State) -> Hashable:
    return state.net, state.examples, state.image


VIEWS = (
    View(
        *("profile", "Profile κ(u)", lambda s: s.net, measure.profile, code.profile_code),
        partial(panel, draw_profile),
    ),
    View("nearest", "What lies near", _image_key, measure.nearest, code.nearest_code),
    View(
        *("moved", "A deformation", lambda s: (_image_key(s), s.motion)),
        *(measure.moved, code.moved_code, partial(panel, draw_moved)),
    ),
    View(
        *("spectrum", "Spectrum on the sphere", lambda s: (s.net, s.dim)),
        *(measure.spectra, code.spectrum_code, partial(panel, draw_spectra)),
    ),
    View(
        *("matrices", "Kernel matrices by class", matrices_key),
        *(measure.by_class, code.matrices_code, draw_matrices),
        matrices=True,
    ),
    View(
        *("learning", "Learning curve", matrices_key),
        *(measure.learning, code.learning_code, partial(panel, draw_learning)),
        matrices=True,
    ),
)
