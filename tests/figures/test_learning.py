"""Figures: what is drawn is what was given, and nonsense is refused."""

import numpy as np
import pytest

from tangency import InputError
from tangency.figures.style import line_style
from tangency.report import (
    Accuracy,
    Curve,
    Repeated,
    accuracy_comparison,
    kernel_matrices,
    learning_curves,
    save_figure,
)

LABELS = np.array([1, 0, 2, 1, 0, 2])


def matrix(seed=0):
    features = np.random.default_rng(seed).normal(size=(6, 9)) + 1
    return features @ features.T


def panels(figure):
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def test_kernel_matrices_are_sorted_by_class_and_share_a_scale():
    K, other = matrix(), matrix(1)
    figure = kernel_matrices({"NTK": K, "last-layer": 5 * other}, LABELS, ["a", "b", "c"])
    first, second = panels(figure)
    order = [1, 4, 0, 3, 2, 5]
    size = np.sqrt(np.diag(K))
    shown = first.images[0].get_array()
    assert np.allclose(shown, (K / np.outer(size, size))[np.ix_(order, order)])
    assert first.images[0].get_clim() == second.images[0].get_clim()
    assert [text.get_text() for text in first.get_xticklabels()] == ["a", "b", "c"]
    boundaries = sorted(line.get_ydata()[0] for line in first.lines if line.get_xdata()[0] == 0)
    assert boundaries == [1.5, 3.5]
    assert "NTK (all layers trained)" in first.get_title()
    same = (LABELS[:, None] == LABELS) & ~np.eye(6, dtype=bool)
    inside = (K / np.outer(size, size))[same].mean()
    assert f"mean {inside:.3f} within a class" in first.get_title()


@pytest.mark.parametrize(
    ("kernels", "names", "message"),
    [
        ({"K": np.eye(5)}, None, r"'K' has shape \(5, 5\), expected \(6, 6\) for 6 labels"),
        ({"K": np.zeros((6, 6))}, None, "zero or negative values on its diagonal"),
        ({"K": np.eye(6)}, ["a"], "1 class names for 3 classes"),
    ],
)
def test_kernel_matrices_refuse(kernels, names, message):
    with pytest.raises(InputError, match=message):
        kernel_matrices(kernels, LABELS, names)


def test_curves_know_mean_and_spread():
    curve = Curve([10, 20], [[0.5, 0.7], [0.9]])
    assert np.allclose(curve.mean, [0.6, 0.9])
    assert np.allclose(curve.spread, [np.sqrt(0.02), 0])


@pytest.mark.parametrize(
    ("sizes", "scores", "message"),
    [
        ([10], [], "one list of scores for each size, got 1 sizes and 0 lists"),
        ([], [], "one list of scores for each size"),
        ([10], [[]], "at least one score for every size"),
    ],
)
def test_curves_refuse(sizes, scores, message):
    with pytest.raises(InputError, match=message):
        Curve(sizes, scores)


def test_learning_curves_draw_the_means_on_common_axes():
    curve, lower = Curve([10, 100], [[0.5, 0.7], [0.9]]), Curve([10, 50], [[0.4], [0.6]])
    figure = learning_curves({"dense": {"NTK": curve, "last-layer": lower}, "conv": {"NTK": lower}})
    first, second = panels(figure)
    assert np.allclose(first.containers[0].lines[0].get_ydata(), [60, 90])
    assert np.allclose(first.containers[0].lines[0].get_xdata(), [10, 100], rtol=0.05)
    assert first.get_xlim() == second.get_xlim()
    assert first.get_ylim() == second.get_ylim()
    assert first.get_xscale() == "log"
    legend = [text.get_text() for text in second.get_legend().get_texts()]
    assert "dense, NTK" in legend
    assert first.get_ylabel() == "test accuracy (%)"


def test_learning_curves_refuse_nothing():
    with pytest.raises(InputError, match="at least one panel with one curve"):
        learning_curves({"dense": {}})


def test_accuracies_and_their_errors():
    row = Accuracy("dense", "NTK", 90, 100)
    assert row.value == 0.9
    assert row.error == pytest.approx(np.sqrt(92 * 12 / 104**3))
    assert 0 < Accuracy("dense", "NTK", 360, 360).error < 0.005
    rows = [row, Accuracy("dense", "last-layer", 80, 100), Accuracy("linear", None, 95, 100)]
    axes = accuracy_comparison(rows).axes[0]
    points = [float(container.lines[0].get_xdata()[0]) for container in axes.containers]
    assert sorted(points) == [80, 90, 95]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["dense", "linear"]
    assert sorted(text.get_text() for text in axes.texts) == ["80.0", "90.0", "95.0"]
    with pytest.raises(InputError, match="at least one row"):
        accuracy_comparison([])


def test_accuracies_of_several_draws():
    rows = [Repeated("dense", "NTK", [0.7, 0.9]), Repeated("linear", None, [0.5, 0.5])]
    assert rows[0].value == pytest.approx(0.8)
    assert rows[0].error == pytest.approx(np.sqrt(0.02))
    figure = accuracy_comparison(rows)
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["50.0", "80.0"]
    assert "standard deviation over random draws" in figure.get_supxlabel()


def test_each_kernel_has_a_look_of_its_own():
    looks = [line_style("NTK"), line_style("last-layer"), line_style("other", 0)]
    assert len({look["color"] for look in looks}) == 3
    assert len({look["marker"] for look in looks}) == 3


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_saving_is_repeatable_and_leaves_nothing_else(tmp_path, suffix, start):
    contents = []
    for name in ("a", "b"):
        figure = kernel_matrices({"NTK": matrix()}, LABELS)
        path = save_figure(figure, tmp_path / f"{name}{suffix}")
        contents.append(path.read_bytes())
    assert contents[0].startswith(start)
    assert contents[0] == contents[1]
    assert len(list(tmp_path.iterdir())) == 2


def test_saving_refuses_other_kinds(tmp_path):
    figure = kernel_matrices({"NTK": matrix()}, LABELS)
    with pytest.raises(InputError, match=r"written as \.png, \.svg, \.pdf, not '\.bmp'"):
        save_figure(figure, tmp_path / "a.bmp")


def test_no_global_state_of_matplotlib_is_touched():
    import subprocess
    import sys

    code = (
        "import sys, tangency.bias, tangency.learn, numpy as np\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import tangency.report\n"
        "tangency.report.kernel_matrices({'K': np.eye(2) + 1}, np.array([0, 1]))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
