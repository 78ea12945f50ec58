"""The section on finite networks, and the data that networks are trained on."""

import numpy as np
import pytest

import tangency as tg
from made import CONV, small_images
from tangency.data import DataError, Dataset, load
from tangency.report.build import build_report
from tangency.report.lazy import (
    _forward_operations,
    affordable_widths,
    lazy_section,
    targets,
    training_parts,
)
from tangency.report.material import Options, prepare

pytest.importorskip("torch")


def material(net=CONV, data=None, effort=0.006, **options):
    data = small_images() if data is None else data
    means = {"engine": "reference"}
    return prepare(data, net, Options(limit=40, means=means, effort=effort, **options))


def test_the_section_and_its_figure():
    found = lazy_section(material())
    assert (found.key, found.title, found.missing) == ("finite", "Finite networks", [])
    assert "tell a from the rest" in found.text[0]
    assert "trained on 20 images" in found.text[0]
    (shown,) = found.exhibits
    assert "From width 16 to" in shown.summary
    assert len(shown.table.rows) == 9
    assert shown.narrow


def test_targets_of_a_regression():
    found = lazy_section(material("dense relu dense", load("diabetes")))
    assert "predict the target" in found.text[0]
    assert found.exhibits


@pytest.mark.parametrize(
    ("net", "effort", "message"),
    [
        (CONV, 1e-6, "tangency lazy trains them"),
        ("conv3 gap layernorm", 1.0, "add Dense"),
    ],
)
def test_why_there_is_no_figure(net, effort, message):
    found = lazy_section(material(net, effort=effort))
    assert not found.exhibits
    assert message in found.missing[0]


def test_without_labels():
    data = Dataset(small_images().X_train, None, name="bare")
    assert lazy_section(material(data=data)).missing == ["The data have no labels to learn."]


def test_widths_follow_the_work():
    x = material().X[:2].astype(np.float32)
    net = material().net
    few, more = (affordable_widths(net, x, 20, effort) for effort in (0.003, 0.012))
    assert len(few) < len(more) <= 4
    assert few == more[: len(few)]
    assert affordable_widths(net, x, 20, 1.0)[-1] == 1024


def test_the_page_says_that_networks_were_drawn(monkeypatch):
    monkeypatch.setattr("tangency.report.build.BIAS", {})
    page = build_report(material(effort=1e-6), "tangency report DATA")
    assert page.sections[-1].key == "finite"
    assert "only the section on finite networks draws" in page.method[0]
    monkeypatch.setattr("tangency.report.build.FINITE", {})
    page = build_report(material(effort=1e-6), "tangency report DATA")
    assert "Nothing on this page is simulated" in page.method[0]


def test_training_parts():
    data = small_images(n=30)
    x, y, x_test = training_parts(data, 12, 6, seed=0)
    assert (len(x), len(y), len(x_test)) == (12, 12, 6)
    known = {
        image.tobytes(): label for image, label in zip(data.X_train, data.y_train, strict=True)
    }
    assert [known[image.tobytes()] for image in x] == y.tolist()
    assert not {image.tobytes() for image in x} & {image.tobytes() for image in x_test}
    assert not np.array_equal(training_parts(data, 12, 6, seed=1)[0], x)
    x, _, x_test = training_parts(data, 100, 100, seed=0)
    assert (len(x), len(x_test)) == (20, 10)
    split = data.split(0.2, seed=0)
    x, _, x_test = training_parts(split, 100, 3, seed=0)
    assert (len(x), len(x_test)) == (24, 3)
    assert {image.tobytes() for image in x_test} <= {image.tobytes() for image in split.X_test}


def test_targets():
    np.testing.assert_allclose(targets(np.array([1.0, 2.0, 6.0])), [-2, -1, 3])
    np.testing.assert_allclose(
        targets(np.array(["b", "a", "b", "b"])),
        [[-0.25, 0.25], [0.75, -0.75], *[[-0.25, 0.25]] * 2],
    )
    assert targets(np.array([5, 3, 5]), "cross_entropy").tolist() == [1, 0, 1]
    with pytest.raises(DataError, match="all of class 4"):
        targets(np.array([4, 4]))


def test_work_is_counted_without_weights():
    """As many multiply-adds as networks with values count, however wide."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from tangency.finite import build

    net, x = tg.NTK("conv3 relu avg2 conv3 gelu flatten dense").net, np.ones((1, 4, 4, 2), "f4")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        build(net, 24, (4, 4, 2))(torch.as_tensor(x))
    assert _forward_operations(net, x, 24) == counter.get_total_flops() / 2
    assert _forward_operations(net, x, 10**5) > 10**11  # 90 billion weights fit no memory
