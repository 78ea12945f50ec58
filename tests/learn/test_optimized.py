"""Estimators that choose the numbers in their network before the fit: `optimize=`."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import tangency as tg
from tangency import NNGP, NTK, GaussianProcess, KernelClassifier, KernelRegressor
from tangency.errors import InputError, NetworkError
from tangency.learn import CG, Gamma, LogNormal, ModelFileError, load

pytest.importorskip("torch")
# Leave-one-out errors of few samples are flat towards bounds, which is no matter here.
pytestmark = pytest.mark.filterwarnings("ignore:the best values stand at the edge")

ERF = "dense:w=?,b=? erf dense"
FAST = {"restarts": 0}


@pytest.fixture
def wave(rng):
    X = rng.standard_normal((30, 2))
    return X, np.sin(2 * X[:, 0] + 1.5) + 0.5 * X[:, 1] ** 2 + 0.1 * rng.standard_normal(30)


@pytest.fixture
def kinds(rng):
    X = rng.standard_normal((30, 2))
    return X, np.where(X[:, 0] * X[:, 1] > 0, "same", np.where(X[:, 0] > 0, "far", "other"))


class TestWhatIsFitted:
    def test_a_process_by_the_marginal_likelihood(self, wave):
        X, y = wave
        model = GaussianProcess(ERF, optimize=FAST).fit(X, y)
        found = tg.tune(ERF, X, y, restarts=0)
        assert model.tuned_.chosen == found.chosen
        assert model.kernel_ == found.kernel
        assert model.noise_ == found.noise
        assert model.amplitude_ == pytest.approx(found.amplitude, rel=1e-9)
        assert model.log_marginal_likelihood_ == pytest.approx(found.value, rel=1e-9)
        mean, std = model.predict(X, return_std=True)
        expected, spread = found.estimator().predict(X, return_std=True)
        np.testing.assert_allclose(mean, expected, rtol=1e-7)
        np.testing.assert_allclose(std, spread, rtol=1e-6)
        plain = GaussianProcess("dense erf dense").fit(X, y)
        assert plain.tuned_ is None
        assert plain.log_marginal_likelihood_ < model.log_marginal_likelihood_

    def test_ridge_regression_by_leaving_out(self, wave):
        X, y = wave
        model = KernelRegressor(ERF, optimize=FAST).fit(X, y)
        found = tg.tune(ERF, X, y, kind="ntk", objective="leave_one_out", restarts=0)
        assert model.tuned_.chosen == found.chosen
        assert model.kernel_ == NTK(found.net)
        assert model.alpha_ == found.noise
        assert model.loo_losses_ == pytest.approx([found.value], rel=1e-8)
        held = KernelRegressor(NNGP("dense erf dense"), alpha=0.3, optimize=FAST).fit(X, y)
        assert held.alpha_ == 0.3
        assert "noise" not in held.tuned_.chosen
        assert held.kernel_ == NNGP(held.tuned_.net)
        assert held.loo_losses_ == pytest.approx([held.tuned_.value], rel=1e-8)

    def test_a_classifier_by_the_error_of_all_classes_alike(self, kinds):
        X, labels = kinds
        model = KernelClassifier(ERF, optimize=FAST).fit(X, labels)
        assert model.tuned_.objective == "leave_one_out"
        shares = np.unique(labels, return_counts=True)[1] / len(labels)
        variance = np.mean(shares * (1 - shares))  # one unit for all classes
        assert model.loo_losses_ == pytest.approx([model.tuned_.value * variance], rel=1e-8)
        plain = KernelClassifier("dense erf dense").fit(X, labels)
        assert model.loo_losses_[0] < plain.loo_losses_.min()
        assert model.predict_proba(X).shape == (30, 3)

    def test_names_options_and_the_seed(self, wave):
        X, y = wave
        named = KernelRegressor("dense erf dense", optimize=["0__bias_std"]).fit(X, y)
        assert list(named.tuned_.chosen) == ["0__bias_std", "noise"]
        assert len(named.tuned_.history) == 4
        one, two, other = (
            KernelRegressor(ERF, optimize={"restarts": 1}, random_state=s).fit(X, y).tuned_
            for s in (1, 1, 2)
        )
        assert one.chosen == two.chosen
        assert one.history[1][0] != other.history[1][0]
        options = {**FAST, "objective": "predictive_density", "bounds": {"noise": (1e-3, 1.0)}}
        found = KernelRegressor(ERF, optimize=options).fit(X, y).tuned_
        assert found.objective == "predictive_density"
        assert found.chosen["noise"] >= 1e-3

    def test_options_of_the_kernel_stay(self, rng):
        X = rng.standard_normal((12, 32))
        y = X[:, 0] + 0.1 * rng.standard_normal(12)
        kernel = NTK("conv3:b=0.3 relu gap dense", input_shape=(4, 4, 2), n_jobs=1)
        model = KernelRegressor(kernel, optimize={**FAST, "free": ["0__bias_std"]}).fit(X, y)
        assert model.kernel_.input_shape == (4, 4, 2)
        assert model.kernel_.n_jobs == 1
        assert model.kernel_ != kernel
        assert model.predict(X).shape == (12,)

    @pytest.mark.parametrize("estimator", [KernelRegressor, GaussianProcess])
    def test_units_of_the_targets_change_nothing(self, wave, estimator):
        X, y = wave
        one, scaled, moved = (
            estimator(ERF, optimize=FAST).fit(X, t) for t in (y, 1e6 * y, y + 1e6)
        )
        for other in (scaled, moved):
            for name, value in one.tuned_.chosen.items():
                assert other.tuned_.chosen[name] == pytest.approx(value, rel=1e-3)
        np.testing.assert_allclose(scaled.predict(X) / 1e6, one.predict(X), atol=1e-4)
        np.testing.assert_allclose(moved.predict(X) - 1e6, one.predict(X), atol=1e-4)

    def test_weights_of_zero_leave_samples_out(self, wave):
        X, y = wave
        weights = (np.arange(30) < 20).astype(float)
        model = KernelRegressor(ERF, optimize=FAST).fit(X, y, weights)
        few = KernelRegressor(ERF, optimize=FAST).fit(X[:20], y[:20])
        assert model.tuned_.chosen == few.tuned_.chosen
        np.testing.assert_array_equal(model.predict(X), few.predict(X))

    def test_a_fit_without_forgets_the_one_with(self, wave):
        model = KernelRegressor(ERF, optimize=FAST).fit(*wave)
        model.set_params(kernel="dense erf dense", optimize=None).fit(*wave)
        assert model.tuned_ is None
        assert model.kernel_ == NTK("dense erf dense")
        process = GaussianProcess(ERF, optimize=FAST).fit(*wave)
        assert process.set_params(kernel=None, optimize=False).fit(*wave).tuned_ is None


class TestAsAnEstimator:
    def test_parameters_copies_and_searches(self, wave):
        model = KernelRegressor(ERF, optimize={**FAST, "priors": {"noise": Gamma(0.1)}})
        assert model.get_params()["kernel"] == ERF
        again = clone(model)
        assert again.get_params() == model.get_params()
        assert not hasattr(clone(model.fit(*wave)), "kernel_")
        grid = {"optimize": [None, FAST, ["0__bias_std"]]}
        search = GridSearchCV(KernelRegressor("dense erf dense"), grid, cv=2).fit(*wave)
        assert search.best_params_["optimize"] is not None
        assert search.best_estimator_.tuned_ is not None
        inner = {"kernel__net__0__bias_std": [0.1, 1.0]}
        model = KernelRegressor(NTK("dense erf dense"), optimize={**FAST, "free": ()})
        GridSearchCV(model, inner, cv=2).fit(*wave)
        assert "leave_one_out" not in repr(model)

    @pytest.mark.parametrize("estimator", [KernelRegressor, GaussianProcess, KernelClassifier])
    def test_files_hold_what_was_chosen(self, wave, kinds, tmp_path, estimator):
        X, y = kinds if estimator is KernelClassifier else wave
        options = {**FAST, "bounds": {"noise": (1e-4, 1.0)}}
        options["priors"] = {
            "bias_std": LogNormal(1.0, 3.0),
            "noise": Gamma(0.01),
            "0__weight_std": (1, 9),
        }
        model = estimator(ERF, optimize=options).fit(X, y)
        again = load(model.save(tmp_path / "model.npz"))
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        assert again.kernel_ == model.kernel_
        assert again.tuned_ is None
        assert again.kernel == ERF
        assert again.optimize["priors"]["bias_std"] == LogNormal(1.0, 3.0)
        assert again.fit(X, y).tuned_.chosen == model.tuned_.chosen
        model.set_params(kernel="dense:w=?,b=? relu dense")
        with pytest.raises(ModelFileError, match=r"changed after the fit .*with other numbers"):
            model.save(tmp_path / "model.npz")
        model.set_params(kernel="dense erf dense", optimize=None)
        with pytest.raises(ModelFileError, match="changed after the fit"):
            model.save(tmp_path / "model.npz")

    def test_the_solver_is_explained_with_one_alpha(self, wave):
        X, _ = wave
        model = KernelRegressor(ERF, optimize=True)
        assert model.explain_solver(X).startswith("cholesky: one alpha > 0")
        model = KernelRegressor(ERF, optimize=FAST, solver="eigh").fit(*wave)
        assert model.solver_ == "eigh"
        assert (
            KernelRegressor(ERF, optimize=FAST, solver="cholesky").fit(*wave).solver_ == "cholesky"
        )


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"solver": "cg"},
                r'optimize=True needs the whole .* solver="cg" .*or tune beforehand',
            ),
            ({"solver": CG(tol=1e-3)}, 'solver="cg" is there to avoid'),
            ({"solver": "nystrom"}, 'solver="nystrom"'),
            ({"solver": "features"}, 'solver="features"'),
            ({"store": "K.zarr"}, "store='K.zarr' holds the matrix of one"),
            ({"training_time": 3.0}, "no closed form for training_time=3.0"),
            ({"alpha": [0.1, 1.0]}, "chooses alpha together with the kernel"),
            ({"center": False}, "chooses for centred targets"),
            ({"kernel": "precomputed"}, "is not the NTK or NNGP of one"),
            ({"kernel": np.inner}, "is not the NTK or NNGP of one"),
            ({"kernel": 2 * NTK("dense")}, "is not the NTK or NNGP of one"),
            ({"kernel": NTK("dense", normalize=True)}, "without normalize"),
            ({"optimize": 3}, "optimize must be True, names .* got 3"),
            ({"optimize": "0__bias_std"}, "optimize must be True"),
            ({"optimize": {"noise": 3}}, "optimize has 'noise'; options of tune that it takes are"),
            ({"optimize": ["1__slope"]}, "free has '1__slope'"),
            ({"kernel": "dense:w=? relu dense:q=?"}, "unknown option"),
            ({"random_state": "x"}, "random_state|seed"),
        ],
    )
    def test_of_what_has_no_place_beside_it(self, wave, options, message):
        if options.get("kernel") == "precomputed":
            wave = np.eye(30), wave[1]
        with pytest.raises((InputError, NetworkError), match=message):
            KernelRegressor(**{"kernel": "dense erf dense", "optimize": True, **options}).fit(*wave)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"inference": "ensemble"}, 'inference="ensemble" does not have'),
            ({"noise": 0.1}, r'leave noise="ml".*got noise=0.1'),
            ({"noise": [0.1, 1.0]}, 'leave noise="ml"'),
            ({"center": False}, "chooses for centred targets"),
            ({"kernel": "precomputed"}, "is not the NTK or NNGP of one"),
        ],
    )
    def test_of_a_process(self, wave, options, message):
        with pytest.raises(InputError, match=message):
            GaussianProcess(**{"kernel": ERF, "optimize": True, **options}).fit(*wave)

    def test_of_marks_without_it(self, wave):
        with pytest.raises(InputError, match=r"is not a number; .* with optimize=True"):
            KernelRegressor(ERF).fit(*wave)

    def test_of_weights_batches_and_structured_inputs(self, wave):
        X, y = wave
        with pytest.raises(InputError, match="leave sample_weight out"):
            KernelRegressor(ERF, optimize=True).fit(X, y, np.arange(1.0, 31.0))
        with pytest.raises(InputError, match='solver="features" is there to avoid'):
            KernelRegressor("dense", alpha=1.0, optimize=True, solver="features").partial_fit(X, y)
        masked = tg.Masked([np.ones((4, 2)), np.ones((3, 2))])
        model = KernelRegressor(NTK("conv3 relu gap dense"), optimize=True)
        with pytest.raises(InputError, match="Masked"):
            model.fit(masked, [1.0, 2.0])

    def test_a_refused_fit_leaves_the_model_as_it_was(self, wave):
        X, y = wave
        model = KernelRegressor(ERF, optimize=FAST).fit(X, y)
        before = model.predict(X)
        with pytest.raises(InputError, match="does not vary"):
            model.fit(X, np.ones(30))
        np.testing.assert_array_equal(model.predict(X), before)
        assert model.tuned_ is not None


class TestDegenerateData:
    def test_constant_targets_and_one_sample(self):
        model = KernelRegressor(ERF, optimize=FAST)
        with pytest.raises(InputError, match="output 1 of y does not vary"):
            model.fit(np.eye(3), [2.0, 2.0, 2.0])
        with pytest.raises(InputError, match="two"):
            model.fit(np.eye(1), [2.0])

    @pytest.mark.parametrize("estimator", [KernelRegressor, GaussianProcess, KernelClassifier])
    def test_copies_and_fewer_samples_than_features(self, rng, estimator):
        X = rng.standard_normal((6, 20))
        X = np.concatenate([X, X[:2]])
        y = np.array([1.0, 0.0, 1.0, 2.0, 2.0, 0.0, 1.0, 0.0])
        model = estimator("dense:b=? relu dense", optimize=FAST).fit(X, y)
        assert np.isfinite(model.predict(X)).all()

    def test_one_sample_for_each_class(self, rng):
        X = rng.standard_normal((3, 2))
        model = KernelClassifier(ERF, optimize=FAST).fit(X, ["a", "b", "c"])
        assert model.predict(X).tolist() == ["a", "b", "c"]
