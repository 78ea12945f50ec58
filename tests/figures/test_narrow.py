"""Figures on a telephone: narrow, with nothing lost and nothing on top of the data."""

from itertools import pairwise

import numpy as np
import pytest

from tangency.figures.narrow import WIDTH, narrowed
from tangency.figures.style import new_figure, plain_axes, put_title


class Shown:
    """A result with a given number of panels in a row."""

    def __init__(self, panels, legend="axes", bar=False):
        self.panels, self.legend, self.bar = panels, legend, bar

    def plot(self):
        figure = new_figure(1 + 4.3 * self.panels, 4.7)
        grid = np.atleast_1d(figure.subplots(1, self.panels, sharey=True))
        for i, axes in enumerate(grid):
            axes.plot([1, 2], [i, 2], label=f"line {i}")
            label = "a label that is longer than a panel is high" if i == 0 else ""
            plain_axes(axes, f"x {i}", label)
            axes.set_title("a title that is much too long for a telephone, so that it is broken")
            if self.legend == "axes":
                axes.legend(fontsize=10)
        if self.legend == "figure":
            figure.legend(loc="outside right center")
        if self.bar:
            figure.colorbar(grid[0].imshow(np.eye(3)), ax=list(grid))
        put_title(figure, "title")
        return figure


@pytest.mark.parametrize("panels", [1, 2, 3])
@pytest.mark.parametrize("legend", ["axes", "figure", None])
def test_panels_go_below_one_another_and_legends_above(panels, legend):
    figure = narrowed(Shown(panels, legend))
    assert figure is not None
    assert figure.get_size_inches()[0] <= WIDTH + 0.2
    figure.draw_without_rendering()
    drawn = [axes for axes in figure.axes if axes.lines]
    boxes = [axes.get_window_extent() for axes in drawn]
    for above, below in pairwise(boxes):
        assert above.y0 > below.y1
    for i, axes in enumerate(drawn):
        assert axes.get_xlabel() == f"x {i}"
        assert axes.get_ylabel().startswith("a label")
        assert axes.get_legend() is None
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
            assert figure.bbox.contains(*text.get_window_extent().min)
            assert figure.bbox.contains(*text.get_window_extent().max)
    if legend is not None:
        (box,) = figure.legends
        assert [text.get_text() for text in box.get_texts()] == [f"line {i}" for i in range(panels)]
        assert box.get_window_extent().y0 > boxes[0].y1


def test_figures_with_colour_bars_stay_as_they_are():
    assert narrowed(Shown(2, bar=True)) is None


def test_a_result_may_have_a_narrow_form_of_its_own():
    class Own(Shown):
        def plot_narrow(self):
            return new_figure(3, 3)

    assert narrowed(Own(2, bar=True)).get_size_inches()[0] == 3


def test_what_is_narrow_already_stays():
    class Small(Shown):
        def plot(self):
            figure = new_figure(4, 3)
            figure.subplots().plot([1, 2], label="x")
            figure.axes[0].legend()
            return figure

    assert narrowed(Small(1)).axes[0].get_legend() is not None
