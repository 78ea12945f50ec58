"""Pooling brings deformed copies nearer."""

import pytest
from sklearn.datasets import load_digits

from tangency.bias.geometries import POOLINGS, Geometries, geometries
from tangency.errors import InputError

DATA = load_digits()
DIGITS, LABELS = DATA.images / 16, DATA.target


@pytest.fixture(scope="module")
def found() -> Geometries:
    return geometries(POOLINGS, DIGITS, LABELS, draws=2, count=8, others=60, strengths=(0.1, 0.4))


@pytest.mark.parametrize("kernel", ["NTK", "last-layer"])
def test_wider_pooling_shortens_distances_to_deformations(found, kernel) -> None:
    near = [result.neighbours[kernel] for result in found.results.values()]
    for attribute in ("translated", "same", "other"):
        values = [getattr(n, attribute) for n in near]
        assert values == sorted(values, reverse=True)
    deformed = [n.deformed[-1] for n in near]
    assert deformed == sorted(deformed, reverse=True)
    # Translations: beyond the same class without pooling, nearer than it with a mean over all.
    assert near[0].translated > near[0].same
    assert near[-1].translated < near[-1].same


def test_table_words_and_figure(found) -> None:
    rows = found.table().rows
    assert len(rows) == 2 * len(POOLINGS)
    assert rows[0][:2] == ("no pooling", "NTK")
    assert "no pooling: NTK" in found.summary
    figure = found.plot()
    assert len(figure.axes) == 8
    assert figure.axes[0].get_title() == "no pooling"
    assert "NTK" in figure.axes[0].get_ylabel()
    from matplotlib.figure import Figure

    assert len(found.plot(Figure().subplots()).axes) == 1


def test_networks_need_names() -> None:
    with pytest.raises(InputError, match="networks must be given by name"):
        geometries("conv3 relu gap dense", DIGITS, LABELS)  # type: ignore[arg-type]
