"""The choice among networks: texts with alternatives, halving, what is found and refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.datasets import load_digits

import tangency as tg
from tangency import NNGP, NTK, KernelClassifier, KernelRegressor
from tangency.errors import InputError, NetworkError
from tangency.learn import CG, Features, variants
from tangency.learn.candidates import halving, judge
from tangency.learn.candidates.halving import rounds

SPEC = "{dense:b={0.3 | 1} {relu | erf}}*1..2 dense"


@pytest.fixture
def wave(rng):
    X = rng.standard_normal((80, 2))
    return X, np.sin(2 * X[:, 0] + 1.5) + 0.5 * X[:, 1] ** 2 + 0.1 * rng.standard_normal(80)


@pytest.fixture
def digits():
    data = load_digits()
    return data.images[:90, ..., None] / 16, data.target[:90]


class TestVariants:
    @pytest.mark.parametrize(
        ("spec", "expected"),
        [
            ("dense relu dense", ["dense relu dense"]),
            ("dense {relu | erf} dense", ["dense relu dense", "dense erf dense"]),
            ("{dense relu}*2 dense", ["dense relu dense relu dense"]),
            (
                "{dense relu}*0..1,3 dense",
                ["dense", "dense relu dense", f"{'dense relu ' * 3}dense"],
            ),
            ("conv{3|5}:b={0.1|1} gap", [f"conv{k}:b={b} gap" for k in (3, 5) for b in ("0.1", 1)]),
            (
                "conv3 {gap | {gauss2 | } flatten}",
                ["conv3 gap", "conv3 gauss2 flatten", "conv3 flatten"],
            ),
            ("{sum(conv1 | conv3) | conv5} gap", ["sum(conv1 | conv3) gap", "conv5 gap"]),
            (
                "sum({conv1 | conv5} | conv3) gap",
                ["sum(conv1 | conv3) gap", "sum(conv5 | conv3) gap"],
            ),
            ("conv[[0,0],[0,{1|2}]] gap", ["conv[[0,0],[0,1]] gap", "conv[[0,0],[0,2]] gap"]),
            (
                "dense:w=?,b={? | 0.1} relu dense",
                ["dense:w=?,b=? relu dense", "dense:w=?,b=0.1 relu dense"],
            ),
            ("{relu | relu} dense", ["relu dense"]),
        ],
    )
    def test_they_are_the_texts_that_are_meant(self, spec, expected):
        assert list(variants(spec)) == [str(tg.nets.text.parse_open(each)) for each in expected]

    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            ("dense {relu dense", "the brace at position 7 of .* is not closed"),
            ("dense } dense", "unexpected '}' at position 7"),
            ("{dense relu}*3..2", r"\*3\.\.2 in .* must rise"),
            ("{dense relu}*1..5000", "to at most 1000"),
            ("{relu | erf | gelu}" * 9, "more than 10,000 networks"),
            ("dense {rel | erf} dense", "rel"),
            (3, "spec must be a text"),
            ("", "no layer"),
        ],
    )
    def test_others_are_refused(self, spec, message):
        with pytest.raises((InputError, NetworkError), match=message):
            variants(spec)


class TestWhatIsFound:
    def test_errors_are_those_of_the_estimators(self, wave):
        X, y = wave
        found = tg.search(SPEC, X, y, kind="both")
        assert found.sizes == (80,)
        assert len(found.trials) == 16
        assert [t.error for t in found.trials] == sorted(t.error for t in found.trials)
        for trial in found.trials[::5]:
            model = KernelRegressor(trial.kernel).fit(X, y)
            assert trial.alpha == pytest.approx(model.alpha_, rel=1e-9)
            assert trial.error == pytest.approx(1 - model.loo_score_, rel=1e-9)
        second = found.trials[1]
        assert second.gap == pytest.approx(second.error - found.best.error, rel=1e-9)
        assert found.estimator().loo_score_ == pytest.approx(1 - found.best.error, rel=1e-9)
        assert found.kernel is found.best.kernel

    def test_classes_are_told_apart_as_a_classifier_does(self, digits):
        X, y = digits
        names = y.astype(str)
        found = tg.search(
            "conv3 relu {gauss2 | } {gap | flatten} dense", X, names, task="classification"
        )
        for trial in found.trials:
            model = KernelClassifier(trial.kernel).fit(X, names)
            assert trial.accuracy == pytest.approx(model.loo_score_)
            error = model.loo_losses_.min() / np.var(np.eye(10)[y], axis=0).mean()
            assert trial.error == pytest.approx(error, rel=1e-9)
        model = found.estimator()
        assert isinstance(model, KernelClassifier)
        assert model.loo_score_ == found.best.accuracy
        assert f"({found.best.accuracy:.1%} right)" in found.reading

    def test_each_round_has_the_better_ones_of_the_round_before(self, wave):
        X, y = wave
        found = tg.search(SPEC, X, y, least=20, keep=0.4)
        assert found.sizes == (20, 40, 80)
        by_round = [[t for t in found.trials if len(t.errors) > r] for r in range(3)]
        assert list(map(len, by_round)) == [8, 4, 2]
        for r, (all_of_it, further) in enumerate(itertools.pairwise(by_round)):
            dropped = [t.errors[r] for t in all_of_it if t not in further]
            assert max(t.errors[r] for t in further) <= min(dropped)
        few = tg.search(SPEC, X, y, least=20, most=40, keep=0.4)
        assert few.sizes == (20, 40)
        assert few.estimator().X_fit_.shape == (80, 2)

    @pytest.mark.parametrize(
        ("count", "n", "least", "expected"),
        [
            (27, 4000, 100, (1000, 2000, 4000)),
            (27, 199, 100, (199,)),
            (27, 200, 100, (100, 200)),
            (3, 4000, 100, (4000,)),
            (4, 4000, 100, (2000, 4000)),
            (1, 2, 100, (2,)),
            (2000, 1000, 100, (125, 250, 500, 1000)),
        ],
    )
    def test_how_many_samples_there_are(self, count, n, least, expected):
        assert rounds(count, n, least, 1 / 3, 2) == expected

    def test_nothing_depends_on_the_units_of_the_targets(self, wave):
        X, y = wave
        found, scaled, moved = (
            tg.search(SPEC, X, target, least=20) for target in (y, 1e6 * y, y + 1e6)
        )
        for other in (scaled, moved):
            assert [t.name for t in other.trials] == [t.name for t in found.trials]
            for one, two in zip(found.trials, other.trials, strict=True):
                np.testing.assert_allclose(two.errors, one.errors, rtol=1e-5)
        two = tg.search(SPEC, X, np.stack([y, 1e6 * y], axis=1), least=20)
        assert [t.name for t in two.trials] == [t.name for t in found.trials]

    def test_equal_ones_stay_in_their_order(self, wave):
        nets = ["dense:w=2 relu dense", "dense relu dense", "dense:w=3 relu dense"]
        found = tg.search(nets, *wave)
        assert [t.name for t in found.trials] == nets
        assert found.close == found.trials[1:]
        assert "within two standard errors of it: dense relu dense, dense:w=3" in found.reading

    def test_the_seed_decides_which_samples_come_first(self, wave):
        one, two, other = (tg.search(SPEC, *wave, least=20, random_state=s) for s in (1, 1, 2))
        errors = [[t.errors.tolist() for t in found.trials] for found in (one, two, other)]
        assert errors[0] == errors[1] != errors[2]

    def test_names_kernels_and_solvers(self, wave):
        X, y = wave
        given = {"shallow": "dense relu dense", "sum": NTK("dense erf dense") + NNGP("dense")}
        found = tg.search(given, X, y, solver="eigh")
        assert {t.name for t in found.trials} == {"shallow", "sum"}
        listed = tg.search(
            [tg.parse("dense relu dense"), NNGP("dense"), "{dense {relu|erf}}*1..2 dense"], X, y
        )
        assert len(listed.trials) == 5
        for solver in ("nystrom", Features(40), CG(tol=1e-3)):
            name = tg.search("dense {relu | erf} dense", X, y, solver=solver).best.name
            assert name == tg.search("dense {relu | erf} dense", X, y).best.name

    def test_one_that_overflows_is_last_and_says_why(self, wave):
        X, y = wave
        found = tg.search(["dense:w=1e+40 relu dense", "dense relu dense"], X * 1e140, y)
        last = found.trials[-1]
        assert last.name == "dense:w=1e+40 relu dense"
        assert "overflow" in last.failure or "range" in last.failure
        assert last.error == np.inf
        assert last.failure in str(found.table())
        assert found.plot().axes

    def test_its_table_figure_and_sentence(self, wave):
        found = tg.search(SPEC, *wave, least=20)
        assert len(found.table().rows) == 8
        assert found.best.name in found.reading
        assert found.best.name in found.summary
        left, right = found.plot().axes
        assert len(left.lines) == 8
        last = [t.name for t in found.trials if t.sizes == found.sizes]
        assert [text.get_text() for text in right.texts] == last
        one = found.plot(axes=left.figure.subplots())
        assert len(one.axes[-1].lines) == 8
        assert len(tg.search(SPEC, *wave).plot().axes) == 1


class TestTuning:
    @pytest.fixture(autouse=True)
    def _torch(self):
        pytest.importorskip("torch")

    def test_marks_are_chosen_before_a_candidate_is_judged(self, wave):
        X, y = wave
        found = tg.search("dense:w=?,b=? {relu | erf} dense", X, y, least=20)
        alone = tg.search(["dense:w=0.7,b=0.3 erf dense"], X, y)
        assert found.best.name == "dense:w=?,b=? erf dense"
        assert list(found.best.chosen) == ["0__weight_std", "0__bias_std"]
        assert found.best.error < alone.best.error
        assert found.kernel.net[0].bias_std == found.best.chosen["0__bias_std"]
        assert f"0__bias_std {found.best.chosen['0__bias_std']:.3g}" in str(found.table())
        model = KernelRegressor(found.kernel).fit(X, y)
        assert found.best.error == pytest.approx(1 - model.loo_score_, rel=1e-9)

    def test_of_others_where_it_is_asked_for(self, wave, monkeypatch):
        X, y = wave
        nets = "dense {relu | erf} dense"
        plain, tuned = tg.search(nets, X, y), tg.search(nets, X, y, tune=True)
        assert tuned.best.error < plain.best.error
        options = {"bounds": {"0__bias_std": (0.01, 0.02)}}
        held = tg.search("dense:b=? {relu | erf} dense", X, y, tune=options)
        assert held.best.chosen["0__bias_std"] <= 0.02
        monkeypatch.setattr(judge, "TUNED", 30)
        few = tg.search("{dense:b=? {relu | erf}}*1..2 dense", X, y, least=20)
        assert few.sizes == (40, 80)  # chosen on the first 30, and kept
        assert np.isfinite(few.best.error)
        with pytest.raises(InputError, match="has numbers to be chosen, but tune=False"):
            tg.search("dense:b=? relu dense", X, y, tune=False)
        with pytest.raises(InputError, match="tune has 'free'; options of tune that it takes"):
            tg.search("dense:b=? relu dense", X, y, tune={"free": ()})


class TestCheckpoint:
    def test_a_search_that_is_killed_goes_on_to_the_same(self, wave, tmp_path, monkeypatch):
        X, y = wave
        whole = tg.search(SPEC, X, y, least=20)
        path, judged, honest = tmp_path / "search.npz", [], halving.judge

        def counted(candidate, before, data, *rest):
            if len(judged) == stop:
                raise KeyboardInterrupt
            judged.append((candidate.name, len(data.X)))
            return honest(candidate, before, data, *rest)

        monkeypatch.setattr(halving, "judge", counted)
        monkeypatch.setattr("tangency.learn.solvers.checkpoint.SECONDS", 0.0)
        for stop in (3, 9):
            with pytest.raises(KeyboardInterrupt):
                tg.search(SPEC, X, y, least=20, checkpoint=path)
            assert len(judged) == stop
        stop = -1
        found = tg.search(SPEC, X, y, least=20, checkpoint=path)
        assert len(judged) == len(set(judged)) == sum(len(t.errors) for t in whole.trials)
        assert str(found.table()) == str(whole.table())
        for one, two in zip(found.trials, whole.trials, strict=True):
            assert one.errors.tolist() == two.errors.tolist()
            assert one.kernel == two.kernel

    def test_another_search_is_noticed(self, wave, tmp_path):
        X, y = wave
        path = tmp_path / "search.npz"
        tg.search(SPEC, X, y, checkpoint=path)

        def refused(difference, candidates=SPEC, X=X, y=y, **options):
            message = f"the checkpoint of another search: it differs in .*{difference}"
            with pytest.raises(InputError, match=message):
                tg.search(candidates, X, y, checkpoint=path, **options)

        refused("the samples or their order", X=X + 1e-9)
        refused("the samples or their order", random_state=1)
        refused("the targets", y=2 * y)
        refused("the candidates", "dense {relu | erf} dense")
        refused("the candidates", kind="nngp")
        refused("the rounds", least=20)
        refused("the solver", solver="eigh")
        with pytest.raises(InputError, match="cannot be saved"):
            tg.search(
                [tg.Sequential(tg.Dense(), tg.Activation(np.tanh), tg.Dense())],
                X,
                y,
                checkpoint=path,
            )


class TestRefusals:
    @pytest.mark.parametrize(
        ("X", "y", "options", "message"),
        [
            (np.eye(3), [2.0, 2.0, 2.0], {}, "output 1 of y does not vary"),
            (np.eye(3)[:1], [2.0], {}, "one sample is not enough"),
            (np.eye(3), [1.0, np.inf, 2.0], {}, "y has NaN or infinite"),
            (np.eye(3) * np.nan, [1.0, 2.0, 3.0], {}, "X holds NaN"),
            (np.eye(3), [1.0, 2.0], {}, "one for each of the 3 samples"),
            (np.eye(3), ["a", "b", "c"], {}, "names of classes are for"),
            (np.eye(3), ["a", "a", "a"], {"task": "classification"}, "y has one class only, 'a'"),
            (np.eye(3), np.eye(3), {"task": "classification"}, r"y must be \(n,\)"),
            (np.eye(3), [1.0, 2.0, 3.0], {"task": "x"}, "task must be regression or"),
            (np.eye(3), [1.0, 2.0, 3.0], {"kind": "x"}, "kind must be both, ntk or nngp"),
            (np.eye(3), [1.0, 2.0, 3.0], {"keep": 1.0}, "keep must be"),
            (np.eye(3), [1.0, 2.0, 3.0], {"least": 0}, "least must be"),
            (np.eye(3), [1.0, 2.0, 3.0], {"solver": "x"}, "solver='x' is not known"),
            (np.eye(3), [1.0, 2.0, 3.0], {"candidates": []}, "there are no candidates"),
            (np.eye(3), [1.0, 2.0, 3.0], {"candidates": 3}, "candidates must be networks"),
            (np.eye(3), [1.0, 2.0, 3.0], {"candidates": [3]}, "expected a kernel"),
            (np.eye(3), [1.0, 2.0, 3.0], {"candidates": {1: "dense"}}, "named by texts, got 1"),
            (np.eye(3), [1.0, 2.0, 3.0], {"candidates": "conv3 gap"}, "candidate 'conv3 gap': .*"),
            (
                np.eye(3),
                [1.0, 2.0, 3.0],
                {"solver": CG(probes=0)},
                "all candidates failed; .*probes",
            ),
        ],
    )
    def test_what_makes_no_sense(self, X, y, options, message):
        with pytest.raises((InputError, NetworkError), match=message):
            tg.search(**{"candidates": "dense relu dense", **options}, X=X, y=y)


class TestDegenerateData:
    def test_copies_one_sample_for_each_class_and_many_features(self, rng):
        X = rng.standard_normal((6, 20))
        X = np.concatenate([X, X[:2]])
        found = tg.search("dense {relu | erf} dense", X, [1.0, 0.0, 1.0, 2.0, 2.0, 0.0, 1.0, 0.0])
        assert np.isfinite(found.best.error)
        found = tg.search("dense {relu | erf} dense", X[:3], list("abc"), task="classification")
        assert found.estimator().predict(X[:3]).tolist() == list("abc")

    def test_targets_that_hardly_vary(self, rng):
        y = np.zeros(80)
        y[[17, 60]] = 1.0
        found = tg.search(SPEC, rng.standard_normal((80, 2)), y, least=2)
        assert all(np.isfinite(t.errors).all() for t in found.trials)

    def test_rare_classes_are_there_from_the_beginning(self, rng):
        labels = np.repeat([0, 1, 2], [60, 15, 5])
        X = rng.standard_normal((80, 2))
        data, _ = halving._data(X, labels, "classification", np.random.default_rng(0))
        for size in (16, 32, 64):
            counts = np.bincount(data.first(size).codes, minlength=3)
            np.testing.assert_allclose(counts, np.array([60, 15, 5]) * size / 80, atol=1.01)


def test_a_candidate_too_rough_for_its_samples_is_last():
    """Some inputs are too large for quadrature, which is found out when it is judged."""
    random = np.random.default_rng(0)
    X = random.normal(size=(20, 2))
    X[7] *= 1e4
    rough = tg.Sequential(tg.Dense(), tg.Activation(np.exp), tg.Dense())
    found = tg.search({"rough": rough, "relu": "dense relu dense"}, X, random.normal(size=20))
    assert [each.name for each in found.trials] == ["relu", "rough"]
    assert "'exp' is not finite" in found.trials[1].failure
