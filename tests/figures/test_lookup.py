"""Every result has its drawing, and every drawing its result."""

import importlib
import inspect
import pkgutil

import pytest
from matplotlib.figure import Figure

import tangency as tg
from tangency import bias, figures, finite, learn
from tangency.errors import InputError
from tangency.figures.lookup import DRAWINGS, NARROW, drawing
from tangency.results import Result, Table

pytest.importorskip("torch")


def results():
    for room in (bias, finite, learn):
        for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            importlib.import_module(found.name)
    kinds = [Result]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return {k.__name__ for k in kinds[1:] if k.__module__.startswith("tangency.")}


def test_results_and_drawings_are_the_same():
    assert results() == set(DRAWINGS)
    assert set(NARROW) <= set(DRAWINGS)


@pytest.mark.parametrize("place", [*DRAWINGS.values(), *NARROW.values()])
def test_a_drawing_takes_a_result_and_axes(place):
    room, name = place.split(".")
    function = getattr(importlib.import_module(f"tangency.figures.{room}"), name)
    assert len(inspect.signature(function).parameters) == (1 if place in NARROW.values() else 2)


class Own(Result):
    title, reading, summary = "Mine", "Read it.", "It is mine."

    def table(self):
        return Table(("a",), [(1,)])


def test_a_result_of_ones_own_is_told_to_draw_itself():
    assert drawing(Own()) is None
    with pytest.raises(InputError, match=r"no drawing for .*Own.*draws itself in plot\(axes\)"):
        Own().plot()


def test_a_subclass_is_drawn_as_its_base():
    found = bias.spectrum(tg.NTK("dense relu dense"), dim=3, degree=8)
    mine = type("Mine", (type(found),), {})(
        **{field: getattr(found, field) for field in found.__dataclass_fields__}
    )
    axes = Figure().subplots()
    assert figures.draw(mine, axes) is axes.figure
    with pytest.raises(InputError, match="axes"):
        figures.draw(mine, "axes")
