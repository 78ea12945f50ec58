"""What every result has: a title, a sentence to read it by, what was found, a table, a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Result:
    """A result that can be read, printed and drawn; the base of all results of the library.

    A class of one's own states `title`, `reading`, `summary` and `table()`, and draws itself in
    its own `plot`.
    """

    @property
    def title(self) -> str:
        """What the figure shows."""
        raise NotImplementedError

    @property
    def reading(self) -> str:
        """How to read the figure, in one sentence."""
        raise NotImplementedError

    @property
    def summary(self) -> str:
        """What was found, in one sentence."""
        raise NotImplementedError

    def table(self) -> Table:
        """The numbers behind the figure."""
        raise NotImplementedError

    def plot(self, axes: Axes | None = None) -> Figure:
        """The figure; into given axes of Matplotlib, its main panel alone."""
        # Figures know results, not the other way round: this is the one place that looks up.
        from ..figures import draw

        return draw(self, axes)
