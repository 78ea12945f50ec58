"""The demo on a few digits: a fair comparison, and no use of the test part before the end."""

import csv
from dataclasses import replace

import numpy as np
import pytest

import tangency as tg
from tangency.data import load
from tangency.report import demo
from tangency.report.demo import Settings, affordable, run_demo
from tangency.report.outputs import FILES, write_outputs
from tangency.report.table import table_text

SMALL = Settings(images=300, slow_images=40, draws=2)


@pytest.fixture(scope="module")
def result():
    steps = []
    found = run_demo(SMALL, steps.append)
    assert len(steps) == SMALL.steps
    return found


def test_every_model_is_there_once_for_each_training_part(result):
    assert [(row.trained_on, row.model, row.kernel) for row in result.rows] == [
        (240, "dense", "NTK"),
        (240, "dense", "last-layer"),
        (240, "conv + flatten", "NTK"),
        (240, "conv + flatten", "last-layer"),
        (240, "RBF SVM", None),
        (240, "linear", None),
        (40, "dense", "NTK"),
        (40, "dense", "last-layer"),
        (40, "conv + flatten", "NTK"),
        (40, "conv + flatten", "last-layer"),
        (40, "conv + average", "NTK"),
        (40, "conv + average", "last-layer"),
        (40, "RBF SVM", None),
        (40, "linear", None),
    ]
    assert all(row.total == 60 for row in result.rows)
    assert all(row.correct > 30 for row in result.rows)


def test_rows_agree_with_a_direct_fit(result):
    row = result.rows[2]
    model = tg.KernelClassifier(tg.NTK(row.network), alpha="loo")
    model.fit(result.data.X_train, result.data.y_train)
    assert model.score(result.data.X_test, result.data.y_test) == row.accuracy.value
    assert model.rkhs_norm_ == pytest.approx(row.rkhs_norm, rel=1e-6)
    assert row.size == pytest.approx(np.sqrt(model.kernel.diag(result.data.X_train).mean()))


def test_a_subset_row_agrees_with_a_direct_fit(result):
    row, grams = result.rows[10], result.grams[2]
    X, y = result.data.X_train[grams.rows], result.data.y_train[grams.rows]
    model = tg.KernelClassifier(tg.NTK(row.network), alpha="loo").fit(X, y)
    assert model.score(result.data.X_test, result.data.y_test) == row.accuracy.value


def test_parts_share_no_image(result):
    train = {image.tobytes() for image in result.data.X_train}
    assert not any(image.tobytes() in train for image in result.data.X_test)


def test_the_choice_of_parameters_does_not_see_the_test_labels(result):
    spoilt = replace(result.data, y_test=np.roll(result.data.y_test, 1))
    rows = demo.compare(spoilt, result.grams, np.arange(240), seed=0)
    assert [row.chosen for row in rows] == [row.chosen for row in result.rows[:6]]
    assert [row.correct for row in rows] != [row.correct for row in result.rows[:6]]


def test_learning_curves_end_at_the_table(result):
    for position, (model, kernel) in enumerate([("dense", "NTK"), ("dense", "last-layer")]):
        curve = result.curves[model][kernel]
        assert list(curve.sizes) == [20, 50, 100, 240]
        assert [len(scores) for scores in curve.scores] == [2, 2, 2, 1]
        assert curve.scores[-1][0] == result.rows[position].accuracy.value
        assert curve.mean[-1] > curve.mean[0]
    assert list(result.curves["conv + average"]["NTK"].sizes) == [20, 40]


def test_explanation_says_what_is_a_subset(result):
    text = " ".join(demo.explanation(result).split())
    assert "conv + average: its kernels cost most, so it saw 40 of the 240 training images" in text
    whole = result._replace(grams=result.grams[:2])
    assert "cost most" not in demo.explanation(whole)


def test_outputs(result, tmp_path):
    paths = write_outputs(result, tmp_path)
    assert sorted(path.name for path in paths) == sorted(FILES)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    with (tmp_path / "table.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["correct"]) for row in rows] == [row.correct for row in result.rows]
    assert len(table_text(result.rows).splitlines()) == 2 + 2 + len(rows)


def test_all_digits_by_default():
    data = demo.digits(Settings())
    assert len(data.X_train) == 1437
    assert len(data.X_test) == 360
    assert len(load("digits").X_train) == 1797


@pytest.mark.parametrize(
    ("rate", "images"), [(1e9, 1437), (50_000, 1437), (6_000, 400), (2_000, 100), (1, 100)]
)
def test_affordable(rate, images):
    assert affordable(rate, 40, total=1437, tests=360) == images
    if 100 < images < 1437:
        assert images * (images + 1) / 2 + images * 360 <= 40 * rate


def test_affordable_of_a_small_set():
    assert affordable(1, 40, total=80, tests=20) == 80


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(images=99), "at least 100 images, got 99"),
        (Settings(images=100, slow_images=19), "at least 20 training images, got 19"),
    ],
)
def test_refused(settings, message):
    with pytest.raises(tg.InputError, match=message):
        run_demo(settings)
