"""The style sheets of the page: Panel's components each take their own."""

from __future__ import annotations

from .cards import templates


def _sheet(name: str) -> str:
    return templates().get_template(name).render()


WIDGET, CARD, PAGE = _sheet("widget.css"), _sheet("card.css"), _sheet("explore.css")
SCRIPT = _sheet("explore.js")
