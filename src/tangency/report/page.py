"""A page: sections of text and figures, each figure with its numbers; written as one HTML file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ..figures.narrow import narrowed
from ..printable import printable
from ..results import Table
from .svg import inline_svg, small_print

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure


class Shown(Protocol):
    """What can be shown: the results of `tangency.bias`, and those of this package."""

    @property
    def title(self) -> str: ...
    @property
    def reading(self) -> str: ...
    @property
    def summary(self) -> str: ...
    def plot(self) -> Figure: ...
    def table(self) -> Table: ...


@dataclass(frozen=True)
class Exhibit:
    """A figure of the page: a sentence on how to read it, what it shows, and its numbers.

    wide, narrow: the picture as an `<svg>` element, for wide and for narrow screens; `narrow` is ""
    where there is one form only, which then scrolls in a box of its own.
    """

    key: str
    title: str
    reading: str
    summary: str
    wide: Markup
    narrow: Markup | str
    table: Table
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A raster picture: its address (a data URI), its size on the page in pixels, and in words."""

    address: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading of its own.

    text: paragraphs before the figures. missing: what is not shown, and why.
    """

    key: str
    title: str
    text: Sequence[str] = ()
    picture: Picture | None = None
    tables: Sequence[tuple[str, Table]] = ()
    exhibits: Sequence[Exhibit] = ()
    missing: Sequence[str] = ()


@dataclass(frozen=True)
class Fact:
    """A number at the top of the page; look: "ntk" or "last-layer", for their colours."""

    name: str
    value: str
    detail: str = ""
    look: str = ""


@dataclass(frozen=True)
class Page:
    """All of a report.

    kicker: the line above the title. layers: the network's layers in text form. method: how the
    page was made; command: what makes it again.
    """

    title: str
    subject: str
    kicker: str
    lead: str
    layers: Sequence[str]
    facts: Sequence[Fact]
    sections: Sequence[Section]
    method: Sequence[str]
    command: str

    @property
    def findings(self) -> list[Exhibit]:
        """All figures, to be listed at the top with what they show."""
        return [item for section in self.sections for item in section.exhibits]

    def html(self) -> str:
        """The page as one HTML document without scripts, styles or pictures outside it."""
        from jinja2 import Environment, PackageLoader, StrictUndefined

        from ..version import __version__

        environment = Environment(
            loader=PackageLoader("tangency.report"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["numeric_columns"] = numeric_columns
        environment.filters["powers"] = with_powers
        page = environment.get_template("page.html").render(page=self, version=__version__)
        return printable(page, keep="\n\t")


def exhibit(result: Shown, key: str, **words: str) -> Exhibit:
    """A figure of the page from a result; words: a `title`, `reading` or `note` of your own."""
    figure = result.plot()
    note = small_print(figure)
    wide = inline_svg(figure, f"{key}-w", result.summary)
    slim = narrowed(result)
    narrow = inline_svg(slim, f"{key}-n", result.summary) if slim is not None else ""
    parts: dict[str, Any] = {
        "title": result.title,
        "reading": result.reading,
        "summary": result.summary,
        "note": note,
        **words,
    }
    return Exhibit(key=key, wide=wide, narrow=narrow, table=result.table(), **parts)


def with_powers(text: str) -> Markup:
    """A sentence for the page: n^0.5 and 2e-05 with raised exponents, all else as it is.

    >>> str(with_powers("n^-0.38 < 2e-05 & so on"))
    'n<sup>−0.38</sup> &lt; 2×10<sup>−5</sup> &amp; so on'
    """
    from markupsafe import Markup, escape

    text = re.sub(r"(?<=\d)e([+-])0*(\d+)\b", lambda e: f"×10^{e[1].strip('+')}{e[2]}", text)
    raised = re.split(r"\^(-?\d+(?:\.\d+)?|[a-z]\b)", text)
    parts = [escape(part) for part in raised]
    parts[1::2] = [Markup("<sup>{}</sup>").format(p.replace("-", "−")) for p in raised[1::2]]
    return Markup("").join(parts)


def numeric_columns(table: Table) -> list[bool]:
    """For each column, whether all its cells are numbers, which are set flush right."""
    cells = table.cells()
    return [all(map(_numeric, column)) for column in zip(*cells, strict=True)] or [
        False for _ in table.columns
    ]


def _numeric(cell: str) -> bool:
    try:
        float(cell.replace(",", "").replace("−", "-"))
    except ValueError:
        return cell in ("", "-", "–")
    return True
