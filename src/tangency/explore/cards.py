"""HTML of what is shown: a figure or pictures, what was found, the numbers, the code."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from ..report.page import numeric_columns, with_powers
from ..report.svg import inline_svg
from .results import Moved, Nearest, Neighbour
from .state import State
from .subject import Subject

if TYPE_CHECKING:
    from .views import View

#: Matplotlib draws in one thread at a time; windows have a thread each.
_DRAWING = Lock()


@dataclass(frozen=True)
class Card:
    """What is shown of one view: three pieces of HTML, and the text of the code.

    key: of the state that it belongs to.
    """

    name: str
    key: Hashable
    body: str
    numbers: str = ""
    code: str = ""


def card(view: View, state: State, result: Any, code: str, subject: Subject) -> Card:
    """The card of a result."""
    figure = ""
    if view.draw is not None:
        with _DRAWING:
            figure = inline_svg(view.draw(result), view.name, result.summary)
    body = _render(
        "body.html",
        result=result,
        figure=figure,
        pictures=_pictures(result, subject),
    )
    return Card(view.name, view.key(state), body, _render("numbers.html", result=result), code)


def without(view: View, state: State, why: str) -> Card:
    """A card that says why there is nothing on it."""
    return Card(view.name, view.key(state), _render("missing.html", why=why))


def choices(subject: Subject, rows: list[int], chosen: int) -> str:
    """Pictures to choose one from."""
    return _render("choices.html", shown=[_shown(subject, row) for row in rows], chosen=chosen)


def _pictures(result: Any, subject: Subject) -> dict[str, Any]:
    if isinstance(result, Nearest):
        rows = {
            name: [{**_shown(subject, one.row), "distance": one.distance} for one in near]
            for name, near in result.found.items()
        }
        return {"start": _shown(subject, result.row), "rows": rows}
    if isinstance(result, Moved):
        last = {"address": subject.picture_of(result.images[-1]), "label": "deformed"}
        return {
            "start": _shown(subject, result.row),
            "last": last,
            "near": {name: _near(subject, one) for name, one in result.near.items()},
        }
    return {}


def _near(subject: Subject, one: Neighbour) -> dict[str, Any]:
    return {**_shown(subject, one.row), "distance": one.distance}


def _shown(subject: Subject, row: int) -> dict[str, Any]:
    return {"row": row, "label": subject.name(row), "address": subject.picture(row)}


def _render(name: str, **values: Any) -> str:
    return templates().get_template(name).render(**values)


@cache
def templates() -> Any:
    """The templates of this folder, and those of reports."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader("tangency.explore"), PackageLoader("tangency.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["numeric_columns"] = numeric_columns
    environment.filters["powers"] = with_powers
    return environment
