"""The choice of a network's parameters: objectives, gradients, what is found, what is refused."""

from __future__ import annotations

import sys
from importlib import import_module

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import tangency as tg
from manual import follow_links, run_examples
from tangency import NNGP, NTK, GaussianProcess, KernelRegressor
from tangency.errors import InputError, NetworkError
from tangency.learn import SearchWarning
from tangency.learn.tuning import descent, free, objectives
from tangency.learn.tuning.choice import samples
from tangency.learn.tuning.free import Free
from tangency.learn.tuning.problem import NOISE, Problem, without_effect

torch = pytest.importorskip("torch")

ERF = "dense:w=?,b=? erf dense"


@pytest.fixture
def K(vectors):
    return NNGP("dense relu dense")(vectors)


@pytest.fixture
def y(rng):
    return rng.standard_normal((14, 2)) * [1.0, 30.0]


@pytest.fixture
def wave(rng):
    """40 samples of a smooth function with noise; no best value stands at a bound."""
    X = rng.standard_normal((40, 2))
    return X, np.sin(2 * X[:, 0] + 1.5) + 0.5 * X[:, 1] ** 2 + 0.1 * rng.standard_normal(40)


def tables(X):
    """X as tables of the libraries that are here."""
    for name in ("pandas", "polars"):
        try:
            yield import_module(name).DataFrame({"a": X[:, 0]})
        except ImportError:
            continue


def judged(name, K, y, noise):
    y = torch.from_numpy(y - y.mean(axis=0))
    return objectives.OBJECTIVES[name](torch.from_numpy(K), y, noise).numpy()


def drawn(net, X, noise, amplitude, outputs, seed=0):
    cov = NNGP(net)(X) + noise * np.eye(len(X))
    normal = np.random.default_rng(seed).standard_normal((len(X), outputs))
    return amplitude * np.linalg.cholesky(cov) @ normal


class TestObjectives:
    def test_the_likelihood_is_that_of_a_normal_at_its_best_amplitude(self, K, y):
        found = judged("marginal_likelihood", K, y, 0.3)
        for j, column in enumerate((y - y.mean(axis=0)).T):
            cov = K + 0.3 * np.eye(14)
            best = column @ np.linalg.solve(cov, column) / 14
            values = [multivariate_normal(cov=s * cov).logpdf(column) for s in best * GRID]
            assert found[j] == pytest.approx(values[0], rel=1e-10)
            assert values[0] > max(values[1:])

    def test_the_likelihood_is_that_of_the_gaussian_process(self, vectors, K, y):
        noises = [0.1, 0.3]
        model = GaussianProcess("dense relu dense", noise=noises).fit(vectors, y)
        assert model.log_marginal_likelihoods_ is not None
        ours = [judged("marginal_likelihood", K, y, noise).sum() for noise in noises]
        np.testing.assert_allclose(ours, model.log_marginal_likelihoods_, rtol=1e-10)

    def test_leaving_out_is_fitting_without(self, K, y):
        residuals, spreads = left_out(K, y, 0.3)
        expected = np.square(residuals).mean(axis=0)
        np.testing.assert_allclose(judged("leave_one_out", K, y, 0.3), expected, rtol=1e-10)
        found = judged("predictive_density", K, y, 0.3)
        for j, r in enumerate(residuals.T):
            best = np.mean(r**2 / spreads)
            values = [
                np.sum(-0.5 * np.log(2 * np.pi * s * spreads) - r**2 / (2 * s * spreads))
                for s in best * GRID
            ]
            assert found[j] == pytest.approx(values[0], rel=1e-10)
            assert values[0] > max(values[1:])

    def test_amplitudes_are_those_of_the_objective(self, K, y):
        centred = torch.from_numpy(y - y.mean(axis=0))
        matrix = torch.from_numpy(K)
        model = GaussianProcess("precomputed", noise=[0.1, 0.3]).fit(K, y)
        likeliest = objectives.amplitudes(matrix, centred, model.noise_, "marginal_likelihood")
        np.testing.assert_allclose(likeliest.numpy(), model.amplitude_, rtol=1e-10)
        residuals, spreads = left_out(K, y, 0.3)
        expected = np.sqrt(np.mean(residuals**2 / spreads[:, None], axis=0))
        for name in ("leave_one_out", "predictive_density"):
            found = objectives.amplitudes(matrix, centred, 0.3, name).numpy()
            np.testing.assert_allclose(found, expected, rtol=1e-10)

    def test_units_shift_a_density_and_scale_an_error(self, K, y):
        for name in ("marginal_likelihood", "predictive_density"):
            shift = judged(name, K, 1e6 * y, 0.3) - judged(name, K, y, 0.3)
            np.testing.assert_allclose(shift, -14 * np.log(1e6), rtol=1e-12)
        ratio = judged("leave_one_out", K, 1e6 * y, 0.3) / judged("leave_one_out", K, y, 0.3)
        np.testing.assert_allclose(ratio, 1e12, rtol=1e-9)

    @pytest.mark.parametrize("name", objectives.OBJECTIVES)
    def test_what_cannot_be_judged_is_refused(self, name, K, y):
        centred = y - y.mean(axis=0)
        judge = objectives.OBJECTIVES[name]

        def refused(K, y, noise, message):
            with pytest.raises(InputError, match=message):
                judge(torch.as_tensor(K), torch.as_tensor(y), noise)

        refused(K, centred * [1, 0], 0.3, "output 2 of y does not vary")
        refused(K[:1, :1], centred[:1], 0.3, "one sample is not enough")
        refused(K, centred * [1, np.nan], 0.3, "y has values that are not finite")
        refused(K * np.nan, centred, 0.3, "K has values that are not finite")
        refused(K, y + 5, 0.3, "subtract its mean")
        refused(K[:3, :3], centred, 0.3, r"K has shape \(3, 3\), but y has 14")
        refused(K, centred.astype(np.float32), 0.3, "in float64")
        singular = np.ones((14, 14))
        refused(singular, centred, 0.0, r"at noise=0 \(sample 2 of 14 says nothing")
        copies = np.ix_([0, *range(13)], [0, *range(13)])
        refused(K[copies], centred, 0.0, r"at noise=0 \(sample 2 of 14 says nothing")
        assert np.isfinite(judged(name, K[copies], y, 1e-8)).all()


GRID = np.array([1.0, 0.9, 1.1, 0.5])


def left_out(K, y, noise):
    """Residuals (n, k) of fits without each sample, and variances (n,) for amplitude 1."""
    residuals, spreads = np.empty(y.shape), np.empty(len(y))
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        G = K[np.ix_(rest, rest)] + noise * np.eye(len(y) - 1)
        weights = np.linalg.solve(G, K[rest, i])
        mean = y[rest].mean(axis=0)
        residuals[i] = y[i] - mean - weights @ (y[rest] - mean)
        spreads[i] = K[i, i] + noise - weights @ K[rest, i]
    return residuals, spreads


class TestGradients:
    @pytest.mark.parametrize("objective", objectives.OBJECTIVES)
    @pytest.mark.parametrize("kind", ["nngp", "ntk"])
    @pytest.mark.parametrize("net", ["dense:w=?,b=? relu dense:b=? gauss1:a=? dense", "conv"])
    def test_they_are_differences(self, rng, objective, kind, net):
        X, scales = rng.standard_normal((9, 3)), 3
        net = net.replace("gauss1:a=?", "erf:a=?")
        if net == "conv":
            net = "conv3:w=?,b=? relu gap dense:w=?,b=? sine:frequency=? dense"
            X, scales = rng.standard_normal((9, 4, 4, 2)), 2
        problem = given(X, rng.standard_normal((9, 2)), net, kind, objective, scales)
        point = problem.start + 0.2 * rng.standard_normal(len(problem.free))
        loss, gradient = problem.value_and_gradient(point)
        assert loss == pytest.approx(problem.value(point), rel=1e-12)
        for i, step in enumerate(1e-3 * np.eye(len(point))):
            near, far = (
                (problem.value(point + m * step) - problem.value(point - m * step)) / (2e-3 * m)
                for m in (1, 2)
            )
            expected = (4 * near - far) / 3
            assert gradient[i] == pytest.approx(expected, rel=1e-6, abs=1e-8)

    def test_copies_of_a_sample_have_finite_ones(self, vectors, rng):
        X = np.concatenate([vectors, vectors[:3], -vectors[:1], np.zeros((2, 5))])
        problem = given(X, rng.standard_normal((20, 1)), "dense:w=?,b=? relu dense", "ntk")
        assert np.isfinite(problem.value_and_gradient(problem.start)[1]).all()


def given(X, y, net, kind, objective="marginal_likelihood", scales=0):
    x, targets, units = samples(X, y)
    network, names = free.read(net, None)
    variables = [*free.bounded(network, names, 1.0, {}), Free(NOISE, 0.1, 1e-8, 1.0)]
    variables += [Free(f"input_scales__{i}", 1.0, 0.1, 10.0) for i in range(scales)]
    return Problem(network, kind, x, targets, units, objective, tuple(variables), None)


class TestWhatIsFound:
    def test_noise_bias_and_amplitude_of_a_prior(self, rng):
        X = rng.standard_normal((60, 2))
        y = drawn("dense:w=0.8,b=1.5 erf dense", X, noise=0.02, amplitude=5.0, outputs=12)
        found = tg.tune(ERF, X, y, restarts=1)
        assert found.chosen["0__weight_std"] == pytest.approx(0.8, rel=0.25)
        assert found.chosen["0__bias_std"] == pytest.approx(1.5, rel=0.4)
        ratio = found.noise * found.amplitude**2 / (0.02 * 25)
        np.testing.assert_allclose(np.exp(np.log(ratio).mean()), 1.0, rtol=0.15)

    @pytest.mark.parametrize("objective", objectives.OBJECTIVES)
    def test_nothing_depends_on_the_units_of_the_targets(self, wave, objective):
        X, y = wave
        found, other, moved = (
            tg.tune(ERF, X, target, objective=objective, restarts=1)
            for target in (y, 1e6 * y, y + 1e6)
        )
        for again in (other, moved):
            for name, value in found.chosen.items():
                assert again.chosen[name] == pytest.approx(value, rel=1e-3)
        assert other.amplitude == pytest.approx(1e6 * found.amplitude, rel=1e-3)
        assert moved.value == pytest.approx(found.value, rel=1e-6)
        shift = 40 * np.log(1e6)
        expected = found.value * 1e12 if objective == "leave_one_out" else found.value - shift
        assert other.value == pytest.approx(expected, rel=1e-6)

    def test_the_best_of_all_starts_and_of_its_neighbours(self, wave):
        found = tg.tune(ERF, *wave, restarts=2)
        assert len(found.history) == 3
        assert found.value == pytest.approx(max(h.max() for h in found.history), rel=1e-9)
        for profile in found.profiles(9):
            assert np.nanmax(profile.scores) <= found.value + 1e-6
            assert profile.best in profile.values

    def test_a_descent_that_stops_on_a_slope_goes_on(self, wave, monkeypatch):
        monkeypatch.setattr(descent, "_STEPS", 3)
        found = tg.tune(ERF, *wave, restarts=0)
        monkeypatch.setattr(descent, "_AGAIN", 1)
        assert found.value > tg.tune(ERF, *wave, restarts=0).value + 0.01

    def test_the_same_seed_finds_the_same(self, wave):
        one, two = (tg.tune(ERF, *wave, restarts=1, random_state=3) for _ in range(2))
        assert one.chosen == two.chosen
        other = tg.tune(ERF, *wave, restarts=1, random_state=4)
        assert not np.array_equal(one.history[1][:1], other.history[1][:1])

    def test_input_scales_find_the_features_that_matter(self, rng):
        X = rng.standard_normal((40, 3))
        y = np.sin(2 * X[:, 0]) + 0.1 * rng.standard_normal(40)
        found = tg.tune("dense:b=1 erf dense", X, y, free=(), input_scales=True, restarts=0)
        assert found.input_scales is not None
        assert found.relevance[0] == 1.0
        assert found.relevance[1:].max() < 0.2
        assert "most relevant features 0 (1)" in found.reading
        model = found.estimator()
        mean, _ = model.predict(X, return_std=True)
        assert np.square(mean - y).mean() < 0.02
        inner = model.named_steps["model"]
        np.testing.assert_array_equal(inner.predict(found.scaled(X)), mean)
        assert inner.log_marginal_likelihood_ == pytest.approx(found.value, rel=1e-8)

    def test_a_noise_that_is_given_stays(self, wave):
        found = tg.tune(ERF, *wave, noise=0.2, restarts=0)
        assert found.noise == 0.2
        assert "noise" not in found.chosen

    def test_fewer_samples_than_features_and_copies_of_them(self, rng):
        X = rng.standard_normal((5, 30))
        X = np.concatenate([X, X[:2]])
        y = np.array([1.0, 2.0, 0.5, -1.0, 0.0, 1.3, 1.7])
        found = tg.tune("dense:b=0.3 relu dense", X, y, free=(), restarts=1)
        assert np.isfinite(found.value)
        assert np.isfinite(found.estimator().predict(X)).all()

    def test_signals_have_a_scale_for_each_channel(self, rng):
        X = rng.standard_normal((24, 4, 4, 2))
        net = "conv3:b=0.5 erf gap dense"
        y = drawn(net, X * [1.0, 0.05], noise=1e-4, amplitude=1.0, outputs=6)
        found = tg.tune(net, X, y, free=(), input_scales=True, restarts=1)
        assert found.input_scales is not None
        assert found.input_scales[0] == pytest.approx(1.0, rel=0.5)
        assert found.relevance[0] == 1.0
        assert found.relevance[1] < 0.3
        assert found.estimator().predict(X[:3]).shape == (3, 6)

    def test_tables_tensors_and_what_is_read_only(self, wave):
        pandas = pytest.importorskip("pandas")
        X, y = wave
        expected = tg.tune(ERF, X, y, restarts=0).chosen
        table = pandas.DataFrame(X, columns=["a", "b"])
        fixed = X.copy()
        fixed.flags.writeable = False
        with torch.inference_mode():
            tensors = torch.tensor(X), torch.tensor(y)
            kinds = [(table, pandas.Series(y)), tensors, (fixed, y.tolist())]
            for one, other in kinds:
                found = tg.tune(ERF, one, other, restarts=0)
                assert found.chosen == expected
                assert found.estimator().predict(one).shape == (40,)


class TestTheResult:
    def test_its_estimator_has_noise_and_amplitude(self, wave):
        X, y = wave
        found = tg.tune(ERF, X, y, restarts=0)
        model = found.estimator()
        assert isinstance(model, GaussianProcess)
        assert model.log_marginal_likelihood_ == pytest.approx(found.value, rel=1e-9)
        own = GaussianProcess(found.kernel, noise=[found.noise, 1e12]).fit(X, y)
        mean, std = model.predict(X, return_std=True)
        expected, spread = own.predict(X, return_std=True)
        np.testing.assert_allclose(mean, expected, rtol=1e-7)
        np.testing.assert_allclose(std, spread, rtol=1e-6)

    def test_several_outputs_have_amplitudes_of_their_own(self, wave):
        X, y = wave
        two = np.stack([y, 100 * y], axis=1)
        found = tg.tune(ERF, X, two, restarts=0)
        assert found.amplitude[1] == pytest.approx(100 * found.amplitude[0], rel=1e-9)
        _, std = found.estimator().predict(X, return_std=True)
        np.testing.assert_allclose(std[:, 1], 100 * std[:, 0], rtol=1e-9)

    @pytest.mark.filterwarnings("ignore::tangency.learn.SearchWarning")
    @pytest.mark.parametrize("scaled", [False, True])
    def test_float32_inputs_are_learned_from_in_float64(self, scaled):
        X = np.linspace(-2, 2, 30, dtype=np.float32)[:, None]
        for data in (X, torch.from_numpy(X), X.tolist(), *tables(X)):
            found = tg.tune(ERF, data, np.sin(2 * X[:, 0]), restarts=0, input_scales=scaled)
            model = found.estimator()[-1] if scaled else found.estimator()
            assert model.log_marginal_likelihood_ == pytest.approx(found.value, rel=1e-5)

    @pytest.mark.parametrize("unit", [1e-170, 1e-160, 1e300])
    def test_amplitudes_whose_squares_are_no_numbers(self, wave, unit):
        X, y = wave
        mean, std = tg.tune(ERF, X, y, restarts=0).estimator().predict(X[:3], return_std=True)
        found = tg.tune(ERF, X, unit * y, restarts=0).estimator()
        means, stds = found.predict(X[:3], return_std=True)
        np.testing.assert_allclose(means / unit, mean, rtol=1e-5)
        np.testing.assert_allclose(stds / unit, std, rtol=1e-4)

    def test_errors_of_several_outputs_are_in_their_variances(self, wave):
        X, y = wave
        two = np.stack([y, 1000 * y[::-1]], axis=1)
        found = tg.tune(ERF, X, two, objective="leave_one_out", restarts=0)
        residuals, _ = left_out(found.kernel(X), two, found.noise)
        errors = np.square(residuals).mean(axis=0) / two.var(axis=0)
        assert found.value == pytest.approx(errors.mean(), rel=1e-6)
        assert "error / variance" in found.reading

    def test_the_ntk_is_for_ridge_regression(self, wave):
        X, y = wave
        found = tg.tune(ERF, X, y, kind="ntk", objective="leave_one_out", restarts=0)
        model = found.estimator()
        assert isinstance(model, KernelRegressor)
        assert found.kernel == NTK(found.net)
        assert model.loo_losses_ == pytest.approx([found.value], rel=1e-8)

    def test_its_sentence_table_and_text(self, wave):
        found = tg.tune("dense:w=?,b=? relu dense:w=?,b=0.3 relu dense", *wave, restarts=0)
        assert found.without_effect == ("2__weight_std",)
        assert "left as it was" in found.reading
        assert f"bias_std of layer 0 {found.chosen['0__bias_std']:.3g}" in found.reading
        assert f"{found.value:.4g}" in found.summary
        assert tg.parse(str(found.net)) == found.net
        rows = {row[0]: row for row in found.table().rows}
        assert list(rows) == [
            *("0__weight_std", "0__bias_std", "noise", "2__weight_std", "amplitude")
        ]
        assert rows["0__bias_std"][1] == "dense:w=?,b=?"
        assert found.text == "dense:w=?,b=? relu dense:b=0.3 relu dense"

    def test_its_figure_has_a_panel_for_each_parameter(self, wave):
        found = tg.tune(ERF, *wave, restarts=0)
        panels = [axes for axes in found.plot().axes if axes.get_visible()]
        assert [axes.get_xlabel() for axes in panels] == [
            "weight_std of layer 0",
            "bias_std of layer 0",
            "noise / mean K(x, x)",
        ]
        for axes, value in zip(panels, found.chosen.values(), strict=True):
            dot = axes.lines[1]
            (x,), (best,) = map(np.asarray, (dot.get_xdata(), dot.get_ydata()))
            assert x == value
            assert np.nanmax(np.asarray(axes.lines[0].get_ydata())) <= best + 1e-6
        one = found.plot(axes=panels[0].figure.subplots())
        assert len(one.axes[-1].lines) == 4


class TestWhatIsFree:
    def test_question_marks_come_back(self):
        for text in (
            ERF,
            "conv3:w=? relu res(relu conv3:b=?) gap dense",
            "dense leaky? dense:b=?",
            "conv3:b=? sum(conv1 | conv3:w=? relu conv3) gap dense",
        ):
            net, names = free.read(text, None)
            assert free.marked_text(net, names) == text
            assert free.read(free.marked_text(net, names), None) == (net, names)

    def test_without_marks_all_hidden_layers_are(self):
        net, names = free.read("dense relu res(dense relu dense) dense", None)
        layers = ("0", "2__body__0", "2__body__2")
        assert names == tuple(f"{i}__{kind}" for i in layers for kind in free.WEIGHTS)
        assert str(net) == "dense relu res(dense relu dense) dense"
        _, names = free.read("conv2 posembed:w=0.5 conv1 relu gap dense", None)
        assert names == (
            *("0__weight_std", "0__bias_std", "1__weight_std", "2__weight_std", "2__bias_std"),
        )
        assert free.read("flatten", None)[1] == ()

    @pytest.mark.parametrize(
        ("net", "names", "message"),
        [
            ("conv3:stride=? relu gap dense", None, r"stride must be a whole number, got \?"),
            ("conv? relu gap dense", None, r"patch must be a whole number.* got \?"),
            ("dense relu dense:q=?", None, "unknown option 'q=\\?'"),
            ("dense:frozen=? relu dense", None, "unknown option"),
            ("dropout:keep=? dense relu dense", None, r"\? in 'dropout:keep.* is no parameter"),
            (ERF, ["0__bias_std"], "say the same twice"),
            ("dense relu dense", ["1__slope"], r"free has '1__slope', which is no .*0__weight_std"),
            ("dense relu dense", "0__bias_std", "free must be a sequence"),
        ],
    )
    def test_other_places_are_refused(self, net, names, message):
        with pytest.raises((InputError, NetworkError), match=message):
            tg.tune(net, np.eye(3), [1.0, 2.0, 3.0], free=names)

    def test_a_mark_is_no_number_elsewhere(self):
        with pytest.raises(
            NetworkError, match=r"\? in 'dense:w=\?' is not a number; tangency.tune"
        ):
            tg.NTK("dense:w=? relu dense")

    @pytest.mark.parametrize(
        ("net", "kind", "idle"),
        [
            ("dense:w=?,b=? relu dense:w=?,b=? relu dense", "nngp", {0: "w", 2: "w"}),
            ("dense:w=? relu dense:w=? relu dense", "nngp", {0: "w", 2: "w"}),
            ("dense:w=?,b=? erf dense:w=?,b=? erf dense:w=?", "nngp", {4: "w"}),
            ("dense:w=?,b=? relu dense:w=?", "ntk", {0: "w", 2: "w"}),
            ("dense:w=?,b=? erf dense:w=?", "ntk", {2: "w"}),
        ],
    )
    def test_what_others_make_up_for_is_left_out(self, vectors, net, kind, idle):
        problem = given(vectors, vectors[:, :1], net, kind)
        found = without_effect(problem, problem.start + np.linspace(0.1, 0.5, len(problem.free)))
        assert sorted(found) == [f"{layer}__weight_std" for layer in idle]


class TestRefusals:
    @pytest.mark.parametrize(
        ("X", "y", "message"),
        [
            (np.eye(3), [2.0, 2.0, 2.0], "output 1 of y does not vary"),
            (np.eye(3), [0.1 + 1e6] * 3, "output 1 of y does not vary"),
            (np.eye(3)[:1], [2.0], "one sample is not enough"),
            (np.eye(3), [1.0, np.nan, 2.0], "y has"),
            (np.eye(3), [1.0, np.inf, 2.0], "y has NaN or infinite"),
            (np.eye(3) * np.nan, [1.0, 2.0, 3.0], "X holds NaN"),
            (np.eye(3), [1.0, 2.0], "a target for each of the 3 samples"),
            (np.eye(3), ["a", "b", "c"], "y must be numbers"),
        ],
    )
    def test_data_that_nothing_can_be_chosen_by(self, X, y, message):
        with pytest.raises(InputError, match=message):
            tg.tune(ERF, X, y)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"kind": "NTK"}, "kind must be nngp or ntk, got 'NTK'"),
            ({"objective": "r2"}, "objective must be one of marginal_likelihood"),
            ({"noise": -1}, "noise must be a finite number of at least 0"),
            ({"restarts": -1}, "restarts must be a whole number"),
            ({"input_scales": 1}, "input_scales must be True or False"),
            ({"bounds": {"2__bias_std": (1, 2)}}, "which is not free"),
            ({"bounds": {"noise": (2, 1)}}, "must rise"),
            ({"bounds": {"noise": 3}}, "must be a sequence"),
            ({"bounds": {"noise": (1, 2, 3)}}, "must be two numbers"),
            ({"bounds": {"noise": (0, 1)}}, "greater than 0"),
            ({"random_state": "x"}, "random_state|seed"),
        ],
    )
    def test_options(self, wave, options, message):
        with pytest.raises((InputError, ValueError), match=message):
            tg.tune(ERF, *wave, **options)

    def test_nothing_free(self, wave):
        with pytest.raises(InputError, match="nothing is free"):
            tg.tune("dense relu dense", *wave, free=(), noise=0.1)
        with pytest.raises(InputError, match=r"has an effect of its own: .* that of 0__weight_std"):
            tg.tune("dense:w=? relu dense", *wave, noise=0.0)

    def test_copies_without_noise(self, wave):
        X, y = wave
        with pytest.raises(InputError, match=r"singular to working precision at noise=0 .*raise"):
            tg.tune(ERF, np.concatenate([X, X[:1]]), [*y, y[0]], noise=0, restarts=1)

    def test_an_optimum_at_a_bound_is_said(self, wave):
        with pytest.warns(SearchWarning, match="0__weight_std at its upper bound 0.1"):
            found = tg.tune(ERF, *wave, restarts=0, bounds={"weight_std": (0.01, 0.1)})
        assert ("0__weight_std", "upper", 0.1) in found.at_bounds

    def test_without_pytorch(self, wave, monkeypatch):
        monkeypatch.setitem(sys.modules, "torch", None)
        with pytest.raises(InputError, match=r'pip install "tangency\[torch\]"'):
            tg.tune(ERF, *wave)


def test_a_step_to_what_is_too_rough_for_quadrature_is_a_step_too_far(monkeypatch):
    X = np.linspace(-2, 2, 12)[:, None]
    y = np.sin(2 * X[:, 0])
    steps, answer = iter(range(100)), Problem.value_and_gradient

    def at_times(self, point):
        if next(steps) == 1:
            raise NetworkError("too rough")
        return answer(self, point)

    y += 0.3 * np.random.default_rng(0).normal(size=12)
    plain = tg.tune("dense:b=1,w=? erf dense", X, y, restarts=0)
    monkeypatch.setattr(Problem, "value_and_gradient", at_times)
    found = tg.tune("dense:b=1,w=? erf dense", X, y, restarts=0)
    assert found.value == pytest.approx(plain.value, abs=1e-3)


def test_the_page_says_what_the_code_does():
    run_examples("tuning.md", 21)
    follow_links("tuning.md", 2)
