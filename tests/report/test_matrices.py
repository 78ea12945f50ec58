"""The result behind the figure of kernel matrices."""

import numpy as np
import pytest

from tangency.data import Dataset
from tangency.errors import InputError
from tangency.report.material import Options, prepare
from tangency.report.matrices import KernelMatrices, cosine_matrix

K = np.array(
    [[1.0, 0.8, 0.2, 0.1], [0.8, 1.0, 0.4, 0.3], [0.2, 0.4, 4.0, 1.0], [0.1, 0.3, 1.0, 4.0]]
)
LABELS = np.array([0, 0, 1, 1])


def result(labels=LABELS, names=("a", "b")):
    return KernelMatrices({"NTK": K, "last-layer": 2 * K}, labels, names, "images")


def test_table():
    table = result().table()
    assert table.columns[:4] == ["class", "images", "NTK, within", "NTK, to others"]
    first, second = table.rows
    assert first[:2] == ["a", 2]
    assert first[2] == pytest.approx(0.8)
    assert first[3] == pytest.approx(np.mean([0.1, 0.05, 0.2, 0.15]))
    assert second[2] == pytest.approx(0.25)
    assert first[2:4] == pytest.approx(first[4:6])  # a multiple of a kernel has the same cosines


def test_classes_of_one_example_have_no_mean_within():
    table = result(np.array([0, 0, 0, 1])).table()
    assert table.rows[1][2] == "-"


def test_sentences():
    assert "4 images, sorted by class" in result().title
    assert "NTK: mean 0.525 within a class, 0.125 between classes" in result().summary
    assert result().reading.count(".") == 1


def test_one_class_is_shown_too():
    alone = result(np.zeros(4, int), ["all"])
    assert "between different inputs" in alone.plot().axes[0].get_title()
    assert alone.table().rows[0][3] == "-"


@pytest.mark.parametrize("name", ["$\\frac$", "$5", "a_b^c", "<b>"])
def test_names_are_no_mathematics(name):
    figure = result(names=(name, "b")).plot()
    figure.draw_without_rendering()
    assert figure.axes[0].get_xticklabels()[0].get_text() == name


def test_long_and_many_names():
    figure = result(names=("a" * 40, "b")).plot()
    assert figure.axes[0].get_xticklabels()[0].get_text() == "a" * 13 + "…"
    many = KernelMatrices({"NTK": np.eye(60) + 1}, np.arange(60) // 2, [str(i) for i in range(30)])
    assert {label.get_text() for label in many.plot().axes[0].get_xticklabels()} == {""}


def test_narrow():
    figure = result().plot_narrow()
    assert figure.get_size_inches()[0] < 5
    figure.draw_without_rendering()
    first, second = figure.axes[:2]
    assert first.get_position().y0 > second.get_position().y1


def test_classes_of_one_example_each_have_no_mean_to_tell():
    summary = result(np.arange(4), ("a", "b", "c", "d")).summary
    assert "between classes, of which each has one input" in summary
    assert "nan" not in summary


def test_an_input_of_zeros_is_named():
    zero = K.copy()
    zero[2] = zero[:, 2] = 0
    with pytest.raises(InputError, match="at 1 of 4 inputs, the first is number 2; leave out"):
        cosine_matrix(zero, 4, "NTK")


def test_one_input_has_none_to_compare_with():
    with pytest.raises(InputError, match="needs 2 inputs or more, got 1 labels"):
        KernelMatrices({"NTK": np.eye(1)}, np.zeros(1, int), ["a"]).plot()
    data = Dataset(np.ones((1, 3)), np.zeros(1, int), name="single")
    with pytest.raises(InputError, match="needs 2 or more; single has 1 to train on"):
        prepare(data, "dense relu dense", Options())
