"""What `tune` can have beside it: priors, a file to go on from, and landmarks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import gamma, lognorm

import tangency as tg
from tangency.errors import InputError
from tangency.learn import Gamma, LogNormal, Prior
from tangency.learn.tuning import choice, descent, problem
from tangency.learn.tuning.choice import _problem, samples
from tangency.learn.tuning.objectives import OBJECTIVES, LowRank, amplitudes

torch = pytest.importorskip("torch")

ERF = "dense:w=?,b=? erf dense"


@pytest.fixture
def wave(rng):
    X = rng.standard_normal((24, 2))
    return X, np.sin(2 * X[:, 0] + 1.5) + 0.5 * X[:, 1] ** 2 + 0.1 * rng.standard_normal(24)


class TestDensities:
    @pytest.mark.parametrize(
        ("prior", "known"),
        [
            (LogNormal(0.3, 4.0), lognorm(np.log(4.0), scale=0.3)),
            (Gamma(2.0), gamma(1.0, scale=2.0)),
            (Gamma(0.5, shape=3.0), gamma(3.0, scale=0.5 / 3.0)),
        ],
    )
    def test_they_are_those_of_the_logarithm(self, prior, known):
        for value in (0.01, 0.3, 5.0):
            expected = known.logpdf(value) + np.log(value)
            assert prior.log_density(value) == pytest.approx(expected, rel=1e-12)
            step = 1e-5
            up, down = (prior.log_density(value * np.exp(s)) for s in (step, -step))
            assert prior.slope(value) == pytest.approx((up - down) / (2 * step), rel=1e-7, abs=1e-8)
        total, _ = quad(lambda u: np.exp(prior.log_density(np.exp(u))), -30, 8, points=[-1, 0, 1])
        assert total == pytest.approx(1.0, rel=1e-6)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: LogNormal(0.0, 2.0), "LogNormal: median must be"),
            (lambda: LogNormal(1.0, 1.0), "LogNormal: factor must be"),
            (lambda: Gamma(-1.0), "Gamma: mean must be"),
            (lambda: Gamma(1.0, "x"), "Gamma: shape must be"),  # type: ignore[arg-type]
        ],
    )
    def test_what_is_none_is_refused(self, make, message):
        with pytest.raises(InputError, match=message):
            make()


class TestPriors:
    @pytest.mark.parametrize("objective", ["marginal_likelihood", "leave_one_out"])
    def test_they_are_added_with_their_gradient(self, wave, objective):
        priors = {"weight_std": (0.5, 2.0), "noise": Gamma(1e-3), "input_scales": Gamma(1.0)}
        data = samples(*wave)
        plain, held = (
            _problem(ERF, data, "nngp", objective, input_scales=True, priors=given)
            for given in (None, priors)
        )
        point = held.start + 0.1
        loss, gradient = held.value_and_gradient(point)
        before, slope = plain.value_and_gradient(point)
        added = sum(
            prior.log_density(value)
            for prior, value in zip(
                (LogNormal(0.5, 2.0), Gamma(1e-3), Gamma(1.0), Gamma(1.0)),
                np.exp(point)[[0, 2, 3, 4]],
                strict=True,
            )
        )
        assert loss == pytest.approx(before - added / 24, rel=1e-12)
        assert held.value(point) == pytest.approx(loss, rel=1e-12)
        assert held.log_prior(point) == pytest.approx(added, rel=1e-12)
        assert gradient[1] == slope[1]  # the bias has none
        assert (gradient != slope).tolist() == [True, False, True, True, True]
        for i, step in enumerate(1e-4 * np.eye(5)):
            difference = (held.value(point + step) - held.value(point - step)) / 2e-4
            assert gradient[i] == pytest.approx(difference, rel=1e-5, abs=1e-7)

    def test_a_sharp_one_decides_and_a_flat_one_does_not(self, wave):
        free = tg.tune(ERF, *wave, restarts=0)
        sharp = tg.tune(ERF, *wave, restarts=0, priors={"0__bias_std": (0.7, 1.001)})
        assert sharp.chosen["0__bias_std"] == pytest.approx(0.7, rel=1e-3)
        assert sharp.value < free.value
        assert sharp.score == pytest.approx(sharp.value + sharp.log_prior, rel=1e-9)
        assert free.score == free.value
        assert free.log_prior == 0.0
        flat = tg.tune(ERF, *wave, restarts=0, priors={"0__bias_std": (1.0, 1e9)})
        for name, value in free.chosen.items():
            assert flat.chosen[name] == pytest.approx(value, rel=1e-2)

    def test_units_of_the_targets_change_nothing(self, wave):
        X, y = wave
        for objective in ("marginal_likelihood", "leave_one_out"):
            found, other, moved = (
                tg.tune(ERF, X, t, objective=objective, restarts=0, priors={"noise": (1e-3, 3.0)})
                for t in (y, 1e6 * y, y + 1e6)
            )
            for again in (other, moved):
                for name, value in found.chosen.items():
                    assert again.chosen[name] == pytest.approx(value, rel=1e-3)

    def test_what_has_a_prior_is_not_left_out(self, wave):
        priors = {"0__weight_std": (0.2, 3.0)}
        found = tg.tune("dense:w=?,b=? relu dense", *wave, restarts=0, priors=priors)
        assert found.without_effect == ()
        assert "0__weight_std" in found.chosen

    def test_sentence_table_and_figure_say_so(self, wave):
        found = tg.tune(ERF, *wave, restarts=0, priors={"noise": Gamma(1e-3, 2.0)})
        assert f"best with the priors' log density, {found.log_prior:.4g}" in found.reading
        assert "with priors" in found.title
        rows = {row[0]: row for row in found.table().rows}
        assert rows["noise"][-1] == "times the mean of K(x, x); Gamma(mean=0.001, shape=2.0)"
        panel = found.plot().axes[2]
        assert np.asarray(panel.lines[1].get_ydata())[0] == found.score
        assert np.nanmax(np.asarray(panel.lines[0].get_ydata())) <= found.score + 1e-6

    def test_one_of_ones_own(self, wave):
        class Narrow(Prior):
            def log_density(self, value):
                return -1e6 * (value - 0.5) ** 2

            def slope(self, value):
                return -2e6 * (value - 0.5) * value

        found = tg.tune(ERF, *wave, restarts=0, priors={"weight_std": Narrow()})
        assert found.chosen["0__weight_std"] == pytest.approx(0.5, rel=1e-2)

    @pytest.mark.parametrize(
        ("priors", "message"),
        [
            ({"2__bias_std": (1, 2)}, "priors has '2__bias_std', which is not free"),
            ({3: (1, 2)}, "priors has 3, which is not free"),
            ({"noise": 3}, r"priors\['noise'\] must be LogNormal.* got 3"),
            ({"noise": (1, 2, 3)}, "two numbers, the median and the factor"),
            ({"noise": (1, 0.5)}, "factor must be .* greater than 1"),
            ([1], "priors must be given by name"),
        ],
    )
    def test_others_are_refused(self, wave, priors, message):
        with pytest.raises(InputError, match=message):
            tg.tune(ERF, *wave, priors=priors)


class TestCheckpoint:
    def test_a_search_that_is_killed_goes_on_to_the_same(self, wave, tmp_path, monkeypatch):
        whole = tg.tune(ERF, *wave, restarts=1)
        path, asked = tmp_path / "tune.npz", []
        honest = problem.Problem.value_and_gradient

        def counted(self, point):
            if len(asked) == stop:
                raise KeyboardInterrupt
            asked.append(point.copy())
            return honest(self, point)

        monkeypatch.setattr(problem.Problem, "value_and_gradient", counted)
        monkeypatch.setattr("tangency.learn.solvers.checkpoint.SECONDS", 0.0)
        stop = 15
        with pytest.raises(KeyboardInterrupt):
            tg.tune(ERF, *wave, restarts=1, checkpoint=path)
        stop = -1
        found = tg.tune(ERF, *wave, restarts=1, checkpoint=str(path))
        assert len(asked) == len({point.tobytes() for point in asked})  # none of them twice
        assert found.chosen == whole.chosen
        assert found.value == whole.value
        assert [h.tolist() for h in found.history] == [h.tolist() for h in whole.history]
        count = len(asked)
        again = tg.tune(ERF, *wave, restarts=1, checkpoint=path)
        assert len(asked) == count
        assert again.chosen == whole.chosen

    def test_another_search_is_noticed(self, wave, tmp_path, monkeypatch):
        X, y = wave
        monkeypatch.setattr(descent, "_STEPS", 1)
        path = tmp_path / "tune.npz"
        tg.tune(ERF, X, y, restarts=0, checkpoint=path)

        def refused(difference, net=ERF, X=X, y=y, **options):
            message = f"is the checkpoint of another search: it differs in .*{difference}"
            with pytest.raises(InputError, match=message):
                tg.tune(net, X, y, **{"restarts": 0, "checkpoint": path, **options})

        refused("the samples", X=X + 1e-9)
        refused("the targets", y=y[::-1])
        refused("the network", net="dense:w=?,b=? relu dense")
        refused("the network", kind="ntk")
        refused("the objective", objective="leave_one_out")
        refused("what is free", noise=0.1)
        refused("what is free", priors={"noise": (0.1, 2.0)})
        refused("the starts", restarts=1)
        path.write_bytes(b"nothing")
        with pytest.raises(InputError, match="no checkpoint of this search, or is damaged"):
            tg.tune(ERF, X, y, restarts=0, checkpoint=path)
        with pytest.raises(InputError, match="checkpoint must be the path of a file"):
            tg.tune(ERF, X, y, restarts=0, checkpoint=3)  # type: ignore[arg-type]


class TestLandmarks:
    @pytest.fixture
    def many(self, rng):
        X = rng.standard_normal((60, 2))
        return X, np.sin(2 * X[:, 0] + 1.5) + 0.1 * rng.standard_normal(60)

    @pytest.mark.parametrize("objective", OBJECTIVES)
    @pytest.mark.parametrize("noise", [1e-4, 0.3])
    def test_objectives_are_those_of_the_matrix_that_is_meant(self, rng, objective, noise):
        F = torch.from_numpy(rng.standard_normal((20, 6)))
        y = torch.from_numpy(rng.standard_normal((20, 2)))
        y = y - y.mean(dim=0)
        K = F @ F.T
        whole, short = (OBJECTIVES[objective](M, y, noise) for M in (K, LowRank(F, K.diagonal())))
        np.testing.assert_allclose(short.numpy(), whole.numpy(), rtol=1e-8)
        sizes = [amplitudes(M, y, noise, objective) for M in (K, LowRank(F, K.diagonal()))]
        np.testing.assert_allclose(sizes[1].numpy(), sizes[0].numpy(), rtol=1e-8)

    def test_so_many_as_there_are_directions_lose_nothing(self, many):
        X, y = many
        net = "dense:b=? poly2 dense"  # a kernel of rank 6
        exact, found = (tg.tune(net, X, y, restarts=0, landmarks=r) for r in (None, 8))
        assert len(found.problem.landmarks) == 6
        assert found.value == pytest.approx(exact.value, rel=1e-5)
        for name, value in exact.chosen.items():
            assert found.chosen[name] == pytest.approx(value, rel=1e-2)
        assert found.amplitude == pytest.approx(exact.amplitude, rel=1e-2)

    @pytest.mark.parametrize("kind", ["nngp", "ntk"])
    @pytest.mark.parametrize("objective", OBJECTIVES)
    def test_gradients_are_differences(self, many, kind, objective):
        X, y = many
        given = _problem(ERF, samples(X, y), kind, objective, input_scales=True)
        given = choice._with_landmarks(given, 10)
        assert len(given.landmarks) == 10
        point = given.start + 0.1
        loss, gradient = given.value_and_gradient(point)
        assert loss == pytest.approx(given.value(point), rel=1e-12)
        for i, step in enumerate(1e-3 * np.eye(len(point))):
            near, far = (
                (given.value(point + m * step) - given.value(point - m * step)) / (2e-3 * m)
                for m in (1, 2)
            )
            assert gradient[i] == pytest.approx((4 * near - far) / 3, rel=1e-5, abs=1e-7)

    def test_the_estimator_solves_with_landmarks_too(self, many):
        X, y = many
        found = tg.tune(ERF, X, y, restarts=0, landmarks=12, objective="leave_one_out")
        model = found.estimator()
        assert model.solver_ == "nystrom"
        assert model.alpha_ == found.noise
        assert model.score(X, y) > 0.8
        assert len(found.profiles(3)) == 3

    def test_units_change_nothing_and_others_are_refused(self, many, tmp_path):
        X, y = many
        one, scaled, moved = (
            tg.tune(ERF, X, t, restarts=0, landmarks=12) for t in (y, 1e6 * y, y + 1e6)
        )
        for other in (scaled, moved):
            for name, value in one.chosen.items():
                assert other.chosen[name] == pytest.approx(value, rel=1e-3)
        with pytest.raises(
            InputError, match="landmarks must be a whole number of at least 1 and at most 59"
        ):
            tg.tune(ERF, X, y, landmarks=60)
        with pytest.raises(InputError, match="give a noise above 0"):
            tg.tune(ERF, X, y, landmarks=5, noise=0.0)
        tg.tune(ERF, X, y, restarts=0, landmarks=12, checkpoint=tmp_path / "a.npz")
        with pytest.raises(InputError, match="it differs in the landmarks"):
            tg.tune(ERF, X, y, restarts=0, landmarks=13, checkpoint=tmp_path / "a.npz")
