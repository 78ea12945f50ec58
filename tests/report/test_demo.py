"""The demo on a few digits: a fair comparison, and no use of the test part before the end."""

import csv
from dataclasses import replace

import numpy as np
import pytest

import tangency as tg
from pages import cells, check
from tangency.data import load
from tangency.report import demo
from tangency.report.demo import Settings, run_demo
from tangency.report.demo_page import STEPS, demo_page
from tangency.report.outputs import FILES, write_outputs
from tangency.report.table import table_text

SMALL = Settings(images=150, draws=2)


@pytest.fixture(scope="module")
def result():
    steps = []
    found = run_demo(SMALL, steps.append)
    assert len(steps) == SMALL.steps
    return found


def test_every_model_is_there_once(result):
    assert [(row.model, row.kernel) for row in result.rows] == [
        ("dense", "NTK"),
        ("dense", "last-layer"),
        ("conv + flatten", "NTK"),
        ("conv + flatten", "last-layer"),
        ("conv + average", "NTK"),
        ("conv + average", "last-layer"),
        ("RBF SVM", None),
        ("linear", None),
    ]
    assert all((row.trained_on, row.total) == (120, 30) for row in result.rows)
    assert all(row.correct > 15 for row in result.rows)


@pytest.mark.parametrize("position", [2, 4])
def test_rows_agree_with_a_direct_fit(result, position):
    row = result.rows[position]
    model = tg.KernelClassifier(tg.NTK(row.network), alpha="loo")
    model.fit(result.data.X_train, result.data.y_train)
    assert model.score(result.data.X_test, result.data.y_test) == row.accuracy.value
    assert model.rkhs_norm_ == pytest.approx(row.rkhs_norm, rel=1e-6)
    assert row.size == pytest.approx(np.sqrt(model.kernel.diag(result.data.X_train).mean()))


def test_parts_share_no_image(result):
    train = {image.tobytes() for image in result.data.X_train}
    assert not any(image.tobytes() in train for image in result.data.X_test)


def test_the_choice_of_parameters_does_not_see_the_test_labels(result):
    spoilt = replace(result.data, y_test=np.roll(result.data.y_test, 1))
    rows = demo.compare(spoilt, result.grams, seed=0)
    assert [row.chosen for row in rows] == [row.chosen for row in result.rows]
    assert [row.correct for row in rows] != [row.correct for row in result.rows]


def test_learning_curves_end_at_the_table(result):
    for position, (model, kernel) in enumerate([("dense", "NTK"), ("dense", "last-layer")]):
        curve = result.curves[model][kernel]
        assert list(curve.sizes) == [20, 50, 120]
        assert [len(scores) for scores in curve.scores] == [2, 2, 1]
        assert curve.scores[-1][0] == result.rows[position].accuracy.value
        assert curve.mean[-1] > curve.mean[0]


def test_few_images_are_the_draws_of_the_curves(result):
    size, few = result.few
    assert size == 50
    assert [(row.name, row.kernel) for row in few] == [
        (row.model, row.kernel) for row in result.rows
    ]
    assert few[0].scores == result.curves["dense"]["NTK"].scores[1]
    assert all(len(row.scores) == 2 for row in few)
    assert 0.3 < few[-1].value < result.rows[-1].accuracy.value + few[-1].error


def test_explanation_says_when_it_is_a_part(result):
    assert "only 150 of the 1,797 digits were used" in demo.explanation(result)
    whole = result._replace(data=demo.digits(Settings()))
    assert "quick look" not in demo.explanation(whole)


@pytest.fixture(scope="module")
def page(result):
    steps = []
    found = demo_page(result, SMALL, "tangency demo --images 150", steps.append)
    assert len(steps) == STEPS
    return found


def test_page(result, page):
    root = check(page.html())
    assert [section.key for section in page.sections] == [
        *("comparison", "network", "matrices"),
        *("spectra", "smoothness", "stability", "geometry"),
    ]
    assert [section.missing for section in page.sections if section.missing] == []
    head, rows = cells(root.all("table")[0])
    assert head[:3] == ["model", "kernel", "accuracy %"]
    assert [row[0] for row in rows] == [row.model for row in result.rows]
    few = page.sections[0].exhibits[0]
    assert [row[2] for row in few.table.rows] == [100 * row.value for row in result.few[1]]
    best = max(result.few[1], key=lambda row: row.value)
    assert f"{100 * best.value:.1f} ± {100 * best.error:.1f} %" in few.summary
    curves = page.sections[0].exhibits[1]
    assert f"{100 * result.curves['dense']['NTK'].mean[-1]:.1f} % (NTK)" in curves.summary


def test_outputs(result, page, tmp_path):
    paths = write_outputs(result, page, tmp_path)
    assert sorted(path.name for path in paths) == sorted(FILES)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    with (tmp_path / "table.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["correct"]) for row in rows] == [row.correct for row in result.rows]
    assert len(table_text(result.rows).splitlines()) == 1 + 2 + len(rows)


def test_all_digits_by_default():
    data = demo.digits(Settings())
    assert len(data.X_train) == 1437
    assert len(data.X_test) == 360
    assert len(load("digits").X_train) == 1797


@pytest.mark.parametrize("images", [99, 1798])
def test_refused(images):
    with pytest.raises(tg.InputError, match=f"100 to 1,797 images, got {images}"):
        run_demo(Settings(images=images))
