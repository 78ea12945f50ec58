"""The report as a whole: all sections, or why not; few examples, so that it is quick."""

import numpy as np
import pytest

import tangency as tg
from made import CONV, QUICK, small_images
from pages import cells, check
from tangency.data import Dataset, load
from tangency.report import measured
from tangency.report.build import STEPS, build_report
from tangency.report.material import Options, prepare
from tangency.report.measured import dense_version, fitted, geometry_section, is_dense

SECTIONS = ["network", "data", "matrices", "learning", "spectra", "smoothness", "stability"]


def build(data, net, options=QUICK, **extra):
    return build_report(prepare(data, net, options), "tangency report DATA", **extra)


@pytest.fixture(scope="module")
def images(report):
    page, steps = report
    assert len(steps) == STEPS
    return page


def test_images_have_every_section(images):
    assert [section.key for section in images.sections] == [*SECTIONS, "geometry", "finite"]
    assert [s.missing for s in images.sections[:-1]] == [()] * 4 + [[]] * 4
    assert "take long to train" in images.sections[-1].missing[0]  # for so little effort
    assert len(images.findings) == 9
    root = check(images.html())
    assert len(root.all("svg")) == 18
    assert root.all("img")[0]["alt"] == "6 of the images, a column for each of a, b"


def test_every_table_of_the_page_is_that_of_its_figure(images):
    root = check(images.html())
    tables = {t.all("caption")[0]["id"]: t for t in root.all("table")}
    for item in images.findings:
        head, rows = cells(tables[f"{item.key}-table"])
        assert head == [" ".join(c.split()) for c in item.table.columns]
        assert rows == [[c.strip() for c in row] for row in item.table.cells()]


def test_the_dense_network_behind_the_spectra_is_named(images):
    spectra = images.sections[4]
    assert any("activations, dense relu dense;" in text for text in spectra.text)


def test_both_kernels_are_everywhere(images):
    for item in images.findings:
        words = " ".join([item.summary, *map(str, item.table.columns)])
        words += " ".join(str(cell) for row in item.table.rows for cell in row)
        assert "NTK" in words
        assert "last-layer" in words


@pytest.mark.slow
def test_tables_have_no_deformations():
    data = load("iris")
    page = build(data, "dense relu dense")
    by_key = {section.key: section for section in page.sections}
    for key in ("stability", "geometry"):
        assert "only images can be deformed" in by_key[key].missing[0]
        assert by_key[key].exhibits == ()
    assert by_key["data"].picture is None
    assert not any("same depth" in text for text in by_key["spectra"].text)
    assert {"setosa", "versicolor", "virginica"} <= {row[0] for row in page.findings[0].table.rows}
    check(page.html())


def test_targets_are_shown_by_quarters(monkeypatch):
    monkeypatch.setattr("tangency.report.build.BIAS", {})
    page = build(load("diabetes"), "dense relu dense")
    assert [row[0] for row in page.findings[0].table.rows] == [
        *("lowest quarter", "second quarter", "third quarter", "highest quarter")
    ]
    assert "R²" in page.facts[1].detail
    check(page.html())


def test_data_without_labels(monkeypatch):
    monkeypatch.setattr("tangency.report.build.BIAS", {"geometry": geometry_section})
    data = Dataset(small_images().X_train, None, name="bare")
    material = prepare(data, CONV, QUICK)
    assert material.classes is None
    page = build(data, CONV)
    by_key = {section.key: section for section in page.sections}
    assert by_key["learning"].missing == ["The data have no labels to learn."]
    assert "no classes" in by_key["geometry"].missing[0]
    assert len(page.facts) == 1
    check(page.html())


def test_too_few_examples_leave_out_the_learning_curve_only(monkeypatch):
    monkeypatch.setattr("tangency.report.build.BIAS", {})
    data = small_images(n=12)
    page = build(data, CONV)
    by_key = {section.key: section for section in page.sections}
    assert "needs 30 examples or more, got 12" in by_key["learning"].missing[0]
    assert by_key["matrices"].exhibits


def test_names_from_outside_stay_text(monkeypatch):
    monkeypatch.setattr("tangency.report.build.BIAS", {})
    word = "<script>alert(1)</script> $x_{"
    data = small_images(name=word)
    data = Dataset(data.X_train, data.y_train, name=word, class_names=(word, "b"))
    html = build(data, CONV).html()
    root = check(html)
    assert "<script" not in html
    assert word in root.all("title")[0].text
    assert word in root.all("img")[0]["alt"]


def test_a_test_part_is_used_for_tests_alone():
    data = small_images(n=80).split(0.25, seed=0)
    material = prepare(data, CONV, QUICK)
    assert len(material.X) == 60 + 20
    assert list(material.test) == list(range(60, 80))
    tested = {image.tobytes() for image in material.X[material.test]}
    assert tested == {image.tobytes() for image in data.X_test}


def test_examples_are_chosen_by_cost_and_limit():
    data = load("digits")
    assert len(prepare(data, "flatten dense relu dense", Options()).X) == 600
    assert len(prepare(data, CONV, Options(limit=70)).X) == 70
    large = Dataset(np.random.default_rng(0).random((90, 32, 32, 1)), np.arange(90) % 2)
    assert len(prepare(large, f"conv3 relu {CONV}", Options()).X) == 60
    shares = np.bincount(prepare(data, CONV, Options(limit=100)).y)
    assert shares.min() >= 9


def test_large_images_get_fewer_pairs_to_measure():
    small = prepare(load("digits"), CONV, Options())
    assert fitted(small, 12, 20, 5) == (1, 20, 5)
    large = Dataset(np.random.default_rng(0).random((40, 28, 28, 1)), np.arange(40) % 2)
    stride, images, draws = fitted(prepare(large, f"conv3 relu {CONV}", Options()), 12, 20, 5)
    assert stride == 2
    assert images * draws < 20


def test_preprocessing_is_fitted_on_the_training_part():
    from tangency.data import Standardize

    data = load("iris")
    material = prepare(data, "dense relu dense", Options(limit=50), [Standardize()])
    assert material.raw.mean() > 3
    expected = Standardize().fit(data.X_train).transform(material.raw)
    assert np.array_equal(material.X, expected)


@pytest.mark.parametrize(
    ("options", "net", "message"),
    [
        (Options(limit=1), CONV, "2 examples or more, got a limit of 1"),
        (Options(), "conv3 dense", "put Flatten"),
    ],
)
def test_refused(options, net, message):
    with pytest.raises(ValueError, match=message):
        prepare(small_images(), net, options)


def test_several_targets_are_refused():
    data = Dataset(np.eye(4), np.eye(4))
    with pytest.raises(tg.InputError, match=r"one label for each example, got .* \(4, 4\)"):
        prepare(data, "dense", Options())


@pytest.mark.parametrize(
    ("net", "dense"),
    [
        (
            "conv3:w=2,b=0.5 relu avg2 conv3 erf flatten dense",
            "dense:w=2,b=0.5 relu dense erf dense",
        ),
        ("conv3 res(relu conv3) gap dense", "dense res(relu dense) dense"),
        ("flatten dense relu dense:frozen", "dense relu dense:frozen"),
    ],
)
def test_dense_versions(net, dense):
    network = tg.parse(net)
    assert dense_version(network) == tg.parse(dense)
    assert is_dense(network) == net.startswith("flatten")


def test_a_measurement_that_cannot_be_made_is_said():
    def fail():
        raise tg.InputError("because")

    section = measured.section("key", "Title", [], [("a-figure", fail)])
    assert section.missing == ["A figure is not shown: because."]
