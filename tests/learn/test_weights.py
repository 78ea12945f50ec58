"""Weights of samples: those of scikit-learn, zeros as absent, whole numbers as copies."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import config_context
from sklearn.datasets import load_iris
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import r2_score
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tangency as tg
from tangency import NNGP, NTK, GaussianProcess, KernelClassifier, KernelRegressor
from tangency.errors import InputError
from tangency.learn import CG, IllConditionedWarning, Nystrom
from tangency.learn.solvers.fit import Problem
from tangency.learn.weights import training

NETWORK = NTK("dense:b=0.5 relu dense relu dense")
RNG = np.random.default_rng(5)
N = 24
X, NEW = RNG.standard_normal((N, 4)), RNG.standard_normal((9, 4))
Y = np.column_stack([np.sin(2 * X[:, 0]) + 1.0, 50.0 * X[:, 1] * X[:, 2]])
LABELS = np.array(["a", "b", "c"])[1 * (X[:, 0] > 0) + (X[:, 1] > 0.3)]
WEIGHTS = RNG.uniform(0.2, 3.0, N)
WHOLE = RNG.integers(0, 4, N)

# how it is fitted, and how near two ways to the same function come
WAYS = {
    "cholesky": ({"alpha": 0.3, "solver": "cholesky"}, 1e-9),
    "eigh": ({"alpha": 0.3, "solver": "eigh"}, 1e-9),
    "several": ({"alpha": [0.3]}, 1e-9),
    "interpolant": ({"alpha": 0}, 1e-6),
    "flow": ({"training_time": 0.7}, 1e-9),
    "decaying flow": ({"training_time": 0.7, "alpha": 0.2}, 1e-9),
    "cg": ({"alpha": 0.3, "solver": CG(tol=1e-10, rank=8)}, 1e-8),
    "plain cg": ({"alpha": 0.3, "solver": CG(tol=1e-10, precondition="none")}, 1e-8),
    "nystrom": ({"alpha": 0.3, "solver": Nystrom(N)}, 1e-8),
    "nystrom flow": ({"training_time": 0.7, "solver": Nystrom(N)}, 1e-8),
}
CENTER = pytest.mark.parametrize("center", [True, False])


@CENTER
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.filterwarnings("ignore::tangency.learn.IllConditionedWarning")
def test_whole_weights_are_copies(way, center):
    options, tolerance = WAYS[way]
    copied = X.repeat(WHOLE, axis=0)
    close = {"rtol": tolerance, "atol": tolerance}
    one = KernelRegressor(NETWORK, center=center, **options).fit(X, Y, sample_weight=WHOLE)
    other = KernelRegressor(NETWORK, center=center, **options).fit(copied, Y.repeat(WHOLE, axis=0))
    np.testing.assert_allclose(one.predict(NEW), other.predict(NEW), **close)
    np.testing.assert_allclose(one.intercept_, other.intercept_, rtol=1e-12)
    np.testing.assert_allclose(one.rkhs_norms_, other.rkhs_norms_, rtol=10 * tolerance)
    kind = KernelClassifier(NETWORK, center=center, **options)
    values = kind.fit(X, LABELS, sample_weight=WHOLE).decision_function(NEW)
    again = kind.fit(copied, LABELS.repeat(WHOLE)).decision_function(NEW)
    np.testing.assert_allclose(values, again, **close)


LOO = {
    "loo": {},
    "list": {"alpha": [0.01, 0.1, 1.0]},
    "cg loo": {"solver": CG(rank=8)},
    "nystrom loo": {"solver": Nystrom(12)},
}


@CENTER
@pytest.mark.parametrize("way", [*WAYS, *LOO])
@pytest.mark.parametrize("kind", ["samples", "precomputed"])
def test_samples_of_weight_zero_are_absent(way, center, kind):
    options = WAYS[way][0] if way in WAYS else LOO[way]
    given = WEIGHTS * (WHOLE > 0)
    kept = np.flatnonzero(given)
    if kind == "samples":
        model = KernelRegressor(NETWORK, center=center, **options)
        some, new, fewer = X, NEW, NEW
    else:
        model = KernelRegressor("precomputed", center=center, **options)
        some, new = NETWORK(X), NETWORK(NEW, X)
        fewer = new[:, kept]
    found = model.fit(some, Y, sample_weight=given).predict(new)
    losses, norm = model.loo_losses_, model.rkhs_norm_
    rest = X[kept] if kind == "samples" else some[np.ix_(kept, kept)]
    expected = model.fit(rest, Y[kept], sample_weight=given[kept]).predict(fewer)
    if kind == "samples":
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(found, expected, rtol=1e-12)  # sums of more terms, some of them 0
    np.testing.assert_array_equal(losses, model.loo_losses_)
    assert norm == model.rkhs_norm_


def left_out(matrix, targets, weights, alpha, center):
    """Fits without one sample each, by weighted least squares."""
    held_out = np.empty_like(targets)
    for i in range(len(targets)):
        rest = np.arange(len(targets)) != i
        w = weights[rest]
        mean = np.average(targets[rest], axis=0, weights=w) if center else 0.0
        inverse = np.linalg.inv(matrix[np.ix_(rest, rest)] + alpha * np.diag(1 / w))
        held_out[i] = mean + matrix[i, rest] @ inverse @ (targets[rest] - mean)
    return held_out


@CENTER
@pytest.mark.parametrize("solver", ["cholesky", "eigh", Nystrom(N)])
def test_leave_one_out_leaves_out_samples_with_all_their_weight(solver, center):
    held_out = left_out(NETWORK(X), Y, WEIGHTS, 0.3, center)
    model = KernelRegressor(NETWORK, alpha=0.3, solver=solver, center=center)
    model.fit(X, Y[:, 0], sample_weight=WEIGHTS)
    squares = (Y[:, 0] - held_out[:, 0]) ** 2
    assert model.loo_losses_ == pytest.approx([np.average(squares, weights=WEIGHTS)], rel=1e-7)
    score = r2_score(
        Y[:, 0] - model.intercept_, held_out[:, 0] - model.intercept_, sample_weight=WEIGHTS
    )
    assert model.loo_score_ == pytest.approx(score, rel=1e-7)
    targets = np.eye(3)[np.unique(LABELS, return_inverse=True)[1]]
    right = left_out(NETWORK(X), targets, WEIGHTS, 0.3, center).argmax(1) == targets.argmax(1)
    found = KernelClassifier(NETWORK, alpha=0.3, solver=solver, center=center)
    found.fit(X, LABELS, sample_weight=WEIGHTS)
    assert found.loo_score_ == pytest.approx(np.average(right, weights=WEIGHTS), rel=1e-12)


@CENTER
def test_leave_one_out_of_the_interpolant_with_weights(center):
    """α = 0: where samples agree with each other they need no weights."""
    held_out = left_out(NETWORK(X), Y, WEIGHTS, 1e-9, center)
    model = KernelRegressor(NETWORK, alpha=0, center=center).fit(X, Y[:, 0], sample_weight=WEIGHTS)
    squares = (Y[:, 0] - held_out[:, 0]) ** 2
    assert model.loo_losses_ == pytest.approx([np.average(squares, weights=WEIGHTS)], rel=1e-4)


def test_conjugate_gradients_estimate_the_same_errors():
    exact = KernelRegressor(NETWORK, alpha=0.3).fit(X, Y, sample_weight=WEIGHTS)
    solver = CG(tol=1e-10, probes=400, rank=8)
    found = KernelRegressor(NETWORK, alpha=0.3, solver=solver).fit(X, Y, sample_weight=WEIGHTS)
    np.testing.assert_allclose(found.predict(NEW), exact.predict(NEW), rtol=1e-7)
    assert found.loo_losses_ == pytest.approx(exact.loo_losses_, rel=0.1)
    assert found.tolerance_ <= 1e-10


@pytest.mark.parametrize("weights", [WEIGHTS, 2.5, np.full(N, 4, dtype=np.int8), [True] * N])
def test_they_are_those_of_scikit_learns_kernel_ridge(weights):
    ours = KernelRegressor(rbf_kernel, alpha=0.3, center=False).fit(X, Y, sample_weight=weights)
    given = weights if np.ndim(weights) == 0 else np.asarray(weights, dtype=float)
    theirs = KernelRidge(alpha=0.3, kernel="rbf").fit(X, Y, sample_weight=given)
    np.testing.assert_allclose(ours.dual_coef_, theirs.dual_coef_, rtol=1e-8)
    np.testing.assert_allclose(ours.predict(NEW), theirs.predict(NEW), rtol=1e-8)


@pytest.mark.parametrize("weights", [1, np.ones(N), np.ones(N, dtype=bool)])
def test_weights_of_one_change_no_bit(weights):
    for model, y in ((KernelRegressor(NETWORK), Y), (KernelClassifier(NETWORK), LABELS)):
        before = model.fit(X, y).dual_coef_
        np.testing.assert_array_equal(model.fit(X, y, sample_weight=weights).dual_coef_, before)


@pytest.mark.parametrize("factor", [1e-30, 0.01, 700.0, 1e100])
def test_a_common_factor_divides_alpha_and_leaves_loo_as_it_is(factor):
    one = KernelRegressor(NETWORK, alpha=0.3).fit(X, Y, sample_weight=WEIGHTS)
    other = KernelRegressor(NETWORK, alpha=0.3 * factor).fit(X, Y, sample_weight=factor * WEIGHTS)
    np.testing.assert_allclose(other.predict(NEW), one.predict(NEW), rtol=1e-9)
    assert other.loo_score_ == pytest.approx(one.loo_score_, rel=1e-9)
    chosen = KernelClassifier(NETWORK).fit(X, LABELS, sample_weight=WEIGHTS)
    again = KernelClassifier(NETWORK).fit(X, LABELS, sample_weight=factor * WEIGHTS)
    assert again.alpha_ == pytest.approx(factor * chosen.alpha_)
    np.testing.assert_allclose(again.predict_proba(NEW), chosen.predict_proba(NEW), rtol=1e-6)


def test_flow_descends_the_weighted_loss():
    """By many small steps on the coefficients: c += h (W (y - Kc) - αc)."""
    matrix, y, c = NETWORK(X), Y[:, 0], np.zeros(N)
    steps, time, alpha = 20_000, 0.5, 0.1
    for _ in range(steps):
        c += time / steps * (WEIGHTS * (y - matrix @ c) - alpha * c)
    model = KernelRegressor(NETWORK, alpha=alpha, training_time=time, center=False)
    found = model.fit(X, y, sample_weight=WEIGHTS)
    np.testing.assert_allclose(found.dual_coef_, c, rtol=1e-2, atol=1e-3)


def test_one_sample_may_have_nearly_all_the_weight():
    weights = np.where(np.arange(N) == 3, 1e9, 1.0)
    held_out = left_out(NETWORK(X), Y, weights, 0.3, True)
    model = KernelRegressor(NETWORK, alpha=0.3, solver="eigh").fit(
        X, Y[:, 0], sample_weight=weights
    )
    assert model.loo_losses_[0] == pytest.approx((Y[3, 0] - held_out[3, 0]) ** 2, rel=1e-6)
    weights[3] = 1e18
    with pytest.warns(
        IllConditionedWarning, match="or bring the weights of samples nearer to each"
    ):
        model.fit(X, Y[:, 0], sample_weight=weights)


def test_stores_and_matrices_in_memory_or_files(tmp_path):
    expected = KernelClassifier(NETWORK, alpha=0.3).fit(X, LABELS, sample_weight=WEIGHTS)
    matrix, new = NETWORK(X), NETWORK(NEW, X)
    stored = tg.gram.compute(NETWORK, X, store=tmp_path / "K.zarr", tile=16)
    for samples, queries, options in (
        (matrix, new, {}),
        (matrix, new, {"solver": CG(tol=1e-10)}),
        (stored, new, {}),
        (stored, new, {"solver": CG(tol=1e-10)}),
        (stored, new, {"solver": Nystrom(N)}),
    ):
        kept = np.array(samples[:])
        found = KernelClassifier("precomputed", alpha=0.3, **options)
        found.fit(samples, LABELS, sample_weight=WEIGHTS)
        np.testing.assert_allclose(
            found.decision_function(queries), expected.decision_function(NEW), rtol=1e-6, atol=1e-8
        )
        np.testing.assert_array_equal(samples[:], kept)  # nothing of the user's was scaled
    with_store = KernelClassifier(
        NETWORK, alpha=0.3, solver=CG(tol=1e-10), store=tmp_path / "K.zarr"
    )
    with_store.fit(X, LABELS, sample_weight=WEIGHTS)
    np.testing.assert_allclose(with_store.predict_proba(NEW), expected.predict_proba(NEW), rtol=0.2)
    with pytest.raises(
        InputError, match=r"rows of the stored matrix .* pass the matrix of the oth"
    ):
        KernelClassifier("precomputed").fit(stored, LABELS, sample_weight=WHOLE)


def test_float32_tiles_stay_in_their_dtype():
    exact = KernelRegressor(NETWORK, alpha=0.3).fit(X, Y, sample_weight=WEIGHTS).predict(NEW)
    for solver in (CG(tol=1e-8, rank=10), Nystrom(N)):
        model = KernelRegressor(NETWORK, alpha=0.3, solver=solver)
        model.fit(X.astype(np.float32), Y, sample_weight=WEIGHTS)
        np.testing.assert_allclose(model.predict(NEW.astype(np.float32)), exact, rtol=1e-3)
    tiles = Problem(NETWORK, X.astype(np.float32), None, np.sqrt(WEIGHTS)).tiles(None)
    assert tiles.columns(np.array([1, 5])).dtype == np.float32
    weighted = np.sqrt(np.outer(WEIGHTS, WEIGHTS)) * NETWORK(X)
    np.testing.assert_allclose(tiles.columns(np.arange(N)), weighted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(tiles.diagonal(), np.diag(weighted), rtol=1e-5)


def test_a_checkpoint_of_other_weights_is_refused(tmp_path):
    solver = CG(checkpoint=str(tmp_path / "c.npz"))
    model = KernelRegressor(NETWORK, alpha=0.3, solver=solver).fit(X, Y, sample_weight=WEIGHTS)
    before = model.dual_coef_
    np.testing.assert_array_equal(model.fit(X, Y, sample_weight=WEIGHTS).dual_coef_, before)
    with pytest.raises(InputError, match="differs in the kernel matrix, the targets"):
        model.fit(X, Y, sample_weight=2 * WEIGHTS)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (-WEIGHTS, "finite and at least 0; 24 of 24 are not, the first is -"),
        (
            np.where(np.arange(N) == 2, np.nan, 1.0),
            "1 of 24 are not, the first is nan for sample 2",
        ),
        (np.where(np.arange(N) == 2, np.inf, 1.0), "the first is inf for sample 2; a weight of 0"),
        (np.ones(N - 1), "one for each of the 24 samples, .*got"),
        (np.ones((N, 1)), "one for each of the 24 samples"),
        (np.zeros(N), "sample_weight is zero for all 24 samples.*give some of them a weight above"),
        (0, "sample_weight is zero for all 24 samples"),
        (-2, "sample_weight must be a finite number of at least 0, got -2"),
        pytest.param(10**400, "a finite number of at least 0, got a whole number of", id="huge"),
        (["much"] * N, "sample_weight must be a number, or one for each"),
        ("balanced", "sample_weight must be a number, or one for each"),
        (np.full(N, 1e308), "the sum of sample_weight overflowed.*scale the weights down"),
        (np.ma.masked_array(np.ones(N), np.arange(N) == 0), "sample_weight"),
    ],
)
@pytest.mark.parametrize("model", [KernelRegressor(NETWORK), KernelClassifier(NETWORK)])
def test_what_is_no_weight_is_refused(weights, message, model):
    with pytest.raises(InputError, match=message):
        model.fit(X, LABELS if isinstance(model, KernelClassifier) else Y, sample_weight=weights)


def test_what_zeros_leave_must_be_enough():
    with pytest.raises(InputError, match=r"one sample only.*leave-one-out, which needs two"):
        KernelRegressor(NETWORK).fit(X, Y, sample_weight=np.arange(N) == 0)
    with pytest.raises(InputError, match="without samples of weight 0, has only one class, 'a'"):
        KernelClassifier(NETWORK, alpha=0.1).fit(X, LABELS, sample_weight=LABELS == "a")
    model = KernelRegressor(NETWORK, alpha=0.1).fit(X, Y, sample_weight=np.arange(N) == 3)
    np.testing.assert_allclose(model.predict(NEW), np.tile(Y[3], (9, 1)))
    assert model.loo_score_ is None
    two = KernelClassifier(NETWORK, alpha=0.1).fit(X, LABELS, sample_weight=LABELS != "b")
    assert two.classes_.tolist() == ["a", "c"]


@pytest.mark.parametrize("kernel", [NETWORK, "precomputed"])
def test_they_come_back_from_a_file(tmp_path, kernel):
    some, new = (X, NEW) if kernel is NETWORK else (NETWORK(X), NETWORK(NEW, X))
    model = KernelClassifier(kernel, alpha=0.1).fit(some, LABELS, sample_weight=WHOLE)
    again = tg.learn.load(model.save(tmp_path / "m.npz"))
    np.testing.assert_array_equal(again.predict_proba(new), model.predict_proba(new))


def test_targets_in_other_units_with_weights():
    model = KernelRegressor(NETWORK).fit(X, Y, sample_weight=WEIGHTS)
    alpha, before = model.alpha_, model.predict(NEW)
    for factor in (1e-200, 1e-3, 1e150):
        after = model.fit(X, factor * Y, sample_weight=WEIGHTS).predict(NEW) / factor
        assert model.alpha_ == alpha
        np.testing.assert_allclose(after, before, rtol=1e-7)


def test_scikit_learn_routes_them():
    samples, y = load_iris(return_X_y=True)
    weights = np.where(y == 0, 0.1, 2.0)
    pipeline = make_pipeline(StandardScaler(), KernelClassifier(NETWORK, alpha=0.1))
    named = pipeline.fit(samples, y, kernelclassifier__sample_weight=weights)
    plain = KernelClassifier(NETWORK, alpha=0.1)
    plain.fit(StandardScaler().fit_transform(samples), y, sample_weight=weights)
    np.testing.assert_array_equal(named[-1].dual_coef_, plain.dual_coef_)
    with config_context(enable_metadata_routing=True):
        asking = KernelClassifier(NETWORK, alpha=0.1).set_fit_request(sample_weight=True)
        asking.set_score_request(sample_weight=True)
        found = cross_validate(asking, samples, y, params={"sample_weight": weights}, cv=3)
        silent = cross_validate(KernelClassifier(NETWORK, alpha=0.1), samples, y, cv=3)
    assert found["test_score"].tolist() != silent["test_score"].tolist()


def test_a_gaussian_process_takes_none_and_its_mean_is_that_of_weighted_ridge():
    """A weight w is noise of the variance noise/w, whose posterior mean is ridge regression's."""
    with pytest.raises(TypeError, match="sample_weight"):
        GaussianProcess().fit(X, Y, sample_weight=WEIGHTS)
    prior = NNGP(NETWORK.net)
    system = prior(X) + 0.2 * np.diag(1 / WEIGHTS)
    mean = prior(NEW, X) @ np.linalg.solve(system, Y)
    ridge = KernelRegressor(prior, alpha=0.2, center=False).fit(X, Y, sample_weight=WEIGHTS)
    np.testing.assert_allclose(ridge.predict(NEW), mean, rtol=1e-8)


def test_nothing_is_copied_without_zeros():
    data = training(X, Y, WEIGHTS, NETWORK)
    assert data.X is X
    assert data.y is Y
    assert training(X, Y, None, NETWORK).weights is None
