"""Learning curves: fair splits, and a table that says what the curves hold."""

import numpy as np
import pytest

import tangency as tg
from tangency import InputError
from tangency.data import DataError
from tangency.report.learning import measure_learning


def points(n=60, seed=0):
    random = np.random.default_rng(seed)
    y = np.arange(n) % 3
    return random.normal(size=(n, 4)) + 2 * np.eye(4)[y], y


def kernels(X):
    return {
        "NTK": tg.NTK("dense relu dense", engine="reference")(X),
        "last-layer": tg.NNGP("dense relu dense", engine="reference")(X),
    }


X, Y = points()
K = kernels(X)


def test_every_draw_is_a_split_of_its_own():
    found = measure_learning(K, Y, draws=3)
    curve = found.curves["NTK"]
    assert list(curve.sizes) == [20, 40]
    assert [len(scores) for scores in curve.scores] == [3, 3]
    assert (found.tested, found.redrawn, found.draws) == (20, True, 3)
    assert len(set(curve.scores[0])) > 1


def test_scores_are_those_of_a_direct_fit():
    from tangency.data import stratified_split

    found = measure_learning(K, Y, draws=1, seed=4)
    train, test = stratified_split(Y, 1 / 3, 4)
    model = tg.KernelClassifier(tg.NNGP("dense relu dense"), alpha="loo").fit(X[train], Y[train])
    assert found.curves["last-layer"].scores[-1] == [model.score(X[test], Y[test])]


def test_a_fixed_test_part_is_never_trained_on():
    test = np.arange(40, 60)
    found = measure_learning(K, Y, test, draws=2)
    # Labels of the test part that are turned into nonsense spoil every score, and no fit.
    spoilt = Y.copy()
    spoilt[test] += 3
    for scores in measure_learning(K, spoilt, test, draws=2).curves["NTK"].scores:
        assert scores == [0.0] * len(scores)
    assert [len(scores) for scores in found.curves["NTK"].scores] == [2, 1]
    assert not found.redrawn
    assert "draws of the training part" in found.reading


def test_targets_are_scored_by_r2():
    y = X @ np.array([1.0, -2.0, 0.5, 0.0])
    found = measure_learning(K, y, draws=2)
    assert found.score == "R²"
    assert found.curves["NTK"].mean[-1] > 0.8
    assert "test R²" in found.plot().axes[0].get_ylabel()
    assert "%" not in found.summary


def test_table_and_sentences():
    found = measure_learning(K, Y, draws=2, examples="points")
    table = found.table()
    assert table.columns[0] == "training points"
    ntk, last = (found.curves[name] for name in ("NTK", "last-layer"))
    assert table.rows[0][:4] == [20, 2, 100 * ntk.mean[0], pytest.approx(100 * ntk.spread[0])]
    difference = 100 * (np.array(ntk.scores[1]) - np.array(last.scores[1]))
    assert table.rows[1][-2:] == [
        pytest.approx(difference.mean()),
        pytest.approx(difference.std(ddof=1)),
    ]
    assert found.value(ntk, -1) in found.summary
    assert "40 points" in found.summary
    assert found.reading.count(".") == 1


@pytest.mark.parametrize(
    ("n", "error", "message"),
    [
        (24, InputError, "needs 30 examples or more, got 24"),
        (60, DataError, "class 99 has one example only"),
    ],
)
def test_refused(n, error, message):
    y = Y[:n].copy()
    if n == 60:
        y[0] = 99
    with pytest.raises(error, match=message):
        measure_learning({"NTK": K["NTK"][:n, :n]}, y)
