"""Conjugate gradients through the estimators, against Cholesky and the spectrum."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import rbf_kernel

from tangency import InputError, KernelClassifier, KernelRegressor
from tangency.learn import IllConditionedWarning, load
from tangency.learn.solvers import CG, block_cg, checkpoint
from tangency.learn.solvers.search import levels_off


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))[:700]
    X, y = X[order] / 16, y[order]
    return X[:500], y[:500], X[500:]


def root_mean_square(targets):
    return np.sqrt(np.mean(np.square(targets - targets.mean(axis=0))))


SOLVERS = [
    CG(),
    CG(matrix="on_the_fly", probes=0),
    CG(rank=40),
    CG(precondition="uniform"),
    CG(precondition="none"),
]


@pytest.mark.parametrize("alpha", [1e-4, 1e-2, 1.0, 1e3])
@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_predictions_are_those_of_cholesky(ntk, digits, alpha, solver):
    X, y, new = digits
    exact = KernelClassifier(ntk, alpha=alpha, solver="cholesky").fit(X, y)
    found = KernelClassifier(ntk, alpha=alpha, solver=solver).fit(X, y)
    gap = np.abs(found.decision_function(new) - exact.decision_function(new)).max()
    assert gap < 1e-6
    assert found.tolerance_ is not None
    assert gap <= found.tolerance_ <= 1e-6
    assert found.solver_ == "cg"
    np.testing.assert_array_equal(found.predict(new), exact.predict(new))
    np.testing.assert_allclose(found.rkhs_norms_, exact.rkhs_norms_, rtol=1e-6)


def test_a_loose_tolerance_takes_fewer_products_and_keeps_its_promise(ntk, samples, targets):
    exact = KernelRegressor(ntk, alpha=0.01, solver="cholesky").fit(samples, targets)
    products = []
    for tol in (1e-2, 1e-4, 1e-8):
        # without columns for leave-one-out, which have a tolerance of their own
        solver = CG(tol=tol, rank=20, probes=0)
        found = KernelRegressor(ntk, alpha=0.01, solver=solver).fit(samples, targets)
        gap = np.abs(found.predict(samples) - exact.predict(samples)).max()
        assert gap <= tol * root_mean_square(targets)
        products.append(found.n_products_)
    assert products == sorted(set(products))


def test_regression_without_centring_and_other_matrices(ntk, samples, targets, matrix):
    y = targets[:, 0]
    for kernel, X in ((ntk, samples), ("precomputed", matrix), (rbf_kernel, samples)):
        fits = [
            KernelRegressor(kernel, alpha=0.1, center=False, solver=solver).fit(X, y)
            for solver in ("cholesky", "cg")
        ]
        one, other = (fit.predict(X) for fit in fits)
        assert other.shape == y.shape
        np.testing.assert_allclose(other, one, atol=1e-6)


@pytest.mark.parametrize("center", [True, False])
def test_leave_one_out_is_near_the_exact_one(ntk, digits, center):
    X, y, _ = digits
    for alpha in (1e-2, 1.0, 100.0):
        exact, found = (
            KernelClassifier(ntk, alpha=alpha, center=center, solver=solver).fit(X, y)
            for solver in ("cholesky", "cg")
        )
        assert found.loo_error_ is not None
        assert found.loo_error_ < 0.12
        assert found.loo_losses_[0] == pytest.approx(exact.loo_losses_[0], rel=0.1)
        assert found.loo_score_ == pytest.approx(exact.loo_score_, abs=0.01)


def test_the_choice_of_alpha_is_about_as_good_as_the_exact_one(ntk, digits):
    X, y, _ = digits
    exact = KernelClassifier(ntk).fit(X, y)
    found = KernelClassifier(ntk, solver="cg").fit(X, y)
    place = np.argmin(np.abs(np.log(exact.alphas_ / found.alpha_)))
    assert exact.loo_losses_[place] < 1.02 * exact.loo_losses_.min()
    # the grid is the same, from its upper end down
    visited = len(found.alphas_)
    assert 4 < visited < len(exact.alphas_)
    np.testing.assert_allclose(found.alphas_, exact.alphas_[-visited:], rtol=1e-9)
    np.testing.assert_allclose(found.loo_losses_, exact.loo_losses_[-visited:], rtol=0.1)


def test_a_list_of_alphas_is_tried_in_full(ntk, samples, targets):
    alphas = [1e3, 1e-2, 1.0, 1e4, 1e5, 1e6]
    found = KernelRegressor(ntk, alpha=alphas, solver=CG(probes=64)).fit(samples, targets)
    exact = KernelRegressor(ntk, alpha=alphas, solver="eigh").fit(samples, targets)
    np.testing.assert_array_equal(found.alphas_, sorted(alphas))
    np.testing.assert_allclose(found.loo_losses_, exact.loo_losses_, rtol=0.1)
    assert found.alpha_ == exact.alpha_


def test_a_grid_costs_little_more_than_its_smallest_alpha(ntk, samples, targets):
    y = targets[:, 0]
    grid = KernelRegressor(ntk, alpha=[0.01, 0.1, 1.0, 10.0, 100.0], solver="cg").fit(samples, y)
    alone = KernelRegressor(ntk, alpha=0.01, solver="cg").fit(samples, y)
    assert grid.n_products_ < 5 * alone.n_products_


def test_without_probes_there_is_no_leave_one_out(ntk, samples, targets):
    found = KernelRegressor(ntk, alpha=0.1, solver=CG(probes=0)).fit(samples, targets)
    assert found.loo_score_ is None
    assert found.loo_losses_ is None
    assert found.loo_error_ is None
    with pytest.raises(ValueError, match=r"CG\(probes=0\) does not estimate leave-one-out"):
        KernelRegressor(ntk, solver=CG(probes=0)).fit(samples, targets)


def test_a_tolerance_that_is_not_reached_is_told(ntk, samples, targets):
    with pytest.warns(ConvergenceWarning, match=r"stopped short .* after 4 products: .* To do:"):
        found = KernelRegressor(ntk, alpha=1e-3, solver=CG(max_iter=3, precondition="none")).fit(
            samples, targets
        )
    exact = KernelRegressor(ntk, alpha=1e-3, solver="cholesky").fit(samples, targets)
    gap = np.abs(found.predict(samples) - exact.predict(samples)).max()
    assert 1e-6 < gap < found.tolerance_ * np.square(targets).mean() ** 0.5


def test_a_search_leaves_out_what_does_not_converge(ntk, samples, targets):
    solver = CG(max_iter=6, precondition="none")
    with pytest.warns(ConvergenceWarning) as told:
        found = KernelRegressor(ntk, alpha=[1e-6, 1e3, 1e4], solver=solver).fit(samples, targets)
    assert "alpha=1e-06 and smaller ones were left out" in str(told[0].message)
    assert told[0].filename == __file__
    assert found.alpha_ == 1e3
    np.testing.assert_array_equal(found.alphas_, [1e3, 1e4])


def test_trouble_with_a_product_is_not_taken_for_a_bad_alpha(ntk, samples, targets, monkeypatch):
    """A worker that is lost, a tile that is damaged: both are errors of the input, too."""
    apply, calls = block_cg.System.apply, []

    def fails_once(system, vectors):
        calls.append(system.alpha)
        if len(set(calls)) == 3:
            raise InputError("a product with K lost its workers")
        return apply(system, vectors)

    monkeypatch.setattr(block_cg.System, "apply", fails_once)
    model = KernelRegressor(ntk, alpha=[0.1, 1.0, 10.0, 100.0], solver="cg")
    with pytest.raises(InputError, match="lost its workers"):
        model.fit(samples, targets)


def test_an_alpha_below_the_rounding_of_float32_is_told(ntk, samples):
    copies = np.repeat(samples[:40].astype(np.float32), 3, axis=0)
    model = KernelRegressor(ntk, alpha=1e-7, solver="cg")
    with pytest.warns(IllConditionedWarning, match=r"below the noise.*drop the 80 sample") as told:
        model.fit(copies, np.sin(np.arange(120.0)))
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.set_params(alpha=1e-2).fit(copies, np.sin(np.arange(120.0)))


def test_the_fit_depends_on_nothing_but_its_input(ntk, digits):
    X, y, _ = digits
    one, other = (KernelClassifier(ntk, alpha=0.1, solver="cg").fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(one.dual_coef_, other.dual_coef_)
    assert one.loo_losses_ == other.loo_losses_


@pytest.mark.parametrize("alpha", ["loo", 0.1])
def test_an_interrupted_fit_goes_on_with_the_same_bits(
    ntk, samples, targets, tmp_path, monkeypatch, alpha
):
    whole = KernelRegressor(ntk, alpha=alpha, solver=CG(rank=20)).fit(samples, targets)
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    model = KernelRegressor(ntk, alpha=alpha, solver=CG(rank=20, checkpoint=tmp_path / "c"))
    step, taken = block_cg.step, []

    def interrupted(*arguments):
        if len(taken) % 5 == 4:
            taken.append(None)
            raise KeyboardInterrupt
        taken.append(None)
        return step(*arguments)

    monkeypatch.setattr(block_cg, "step", interrupted)
    interruptions = 0
    while True:
        try:
            model.fit(samples, targets)
            break
        except KeyboardInterrupt:
            interruptions += 1
    assert interruptions >= 2
    np.testing.assert_array_equal(model.dual_coef_, whole.dual_coef_)
    np.testing.assert_array_equal(model.loo_losses_, whole.loo_losses_)
    steps = len(taken) - interruptions
    taken.clear()
    model.fit(samples, targets)
    assert len(taken) == 0  # the file holds the end, too
    assert steps <= whole.n_products_ + interruptions


def test_a_checkpoint_of_another_fit_is_refused(ntk, samples, targets, tmp_path):
    def fit(X=samples, y=targets, alpha=0.1, **options):
        solver = CG(checkpoint=tmp_path / "c", **options)
        return KernelRegressor(ntk, alpha=alpha, solver=solver).fit(X, y)

    fit()
    for change, name in (
        ({"X": samples + 1}, "the kernel matrix"),
        ({"y": targets + samples[:, :2]}, "the targets"),
        ({"alpha": 0.2}, "alpha"),
        ({"rank": 30}, "the solver's options"),
    ):
        with pytest.raises(InputError, match=f"another fit: it differs in {name}; delete it"):
            fit(**change)


def test_a_checkpoint_that_cannot_be_written_is_told_at_once(ntk, samples, targets, tmp_path):
    solver = CG(checkpoint=tmp_path / "no folder" / "c")
    with pytest.raises(OSError, match="no folder"):
        KernelRegressor(ntk, alpha=0.1, solver=solver).fit(samples, targets)


def test_small_and_odd_problems(ntk, samples):
    one = KernelRegressor(ntk, alpha=1.0, solver="cg").fit(samples[:1], [3.0])
    assert one.predict(samples[:1]) == pytest.approx(3.0)
    assert one.loo_score_ is None
    two = KernelRegressor(ntk, alpha=1.0, solver="cg").fit(samples[:2], [3.0, 4.0])
    exact = KernelRegressor(ntk, alpha=1.0).fit(samples[:2], [3.0, 4.0])
    np.testing.assert_allclose(two.predict(samples), exact.predict(samples), rtol=1e-9)
    assert two.loo_score_ == pytest.approx(exact.loo_score_)
    constant = KernelRegressor(ntk, alpha=1.0, solver="cg").fit(samples, np.full(150, 2.0))
    np.testing.assert_array_equal(constant.predict(samples), np.full(150, 2.0))
    zeros = KernelRegressor(ntk, alpha=1.0, solver="cg").fit(np.zeros((5, 2)), np.arange(5.0))
    np.testing.assert_allclose(zeros.predict(np.zeros((1, 2))), [2.0])


def test_a_model_is_saved_with_its_solver(ntk, samples, targets, tmp_path):
    solver = CG(tol=1e-3, rank=9, seed=4)
    model = KernelRegressor(ntk, alpha=0.1, solver=solver).fit(samples, targets)
    again = load(model.save(tmp_path / "m"))
    assert again.solver == solver
    assert (again.n_products_, again.tolerance_) == (model.n_products_, model.tolerance_)
    np.testing.assert_array_equal(again.predict(samples), model.predict(samples))
    again.fit(samples, targets)


@pytest.mark.parametrize(
    ("losses", "ends"),
    [
        ([9, 5, 4], False),
        ([9, 5, 4, 4.1, 4.2, 4.3], True),
        ([9, 5, 4, 4.1, 4.2, 3.5], False),
        ([9, 8.99, 8.98, 8.97, 8.96], False),
        ([9, 5, 4.99, 4.98, 4.97], True),
        ([9, 9.1, 9.2, 9.3], True),
    ],
)
def test_when_a_search_ends(losses, ends):
    assert levels_off([float(loss) for loss in losses]) is ends


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda numbers, arrays: arrays.pop("bounds"), "bounds"),
        (lambda numbers, arrays: arrays.update(bounds=np.zeros(2)), r"bounds has shape \(2,\)"),
        (lambda numbers, arrays: arrays.update(shaped=arrays["shaped"].T), "shaped has shape"),
        (lambda numbers, arrays: arrays.update(more=arrays["solution"]), "more"),
        (
            lambda numbers, arrays: arrays.update(solution=arrays["solution"].astype(str)),
            "solution has shape .* and dtype <U",
        ),
        (
            lambda numbers, arrays: arrays.update(residual=arrays["residual"] * np.nan),
            "residual is not finite",
        ),
        (lambda numbers, arrays: numbers.update(products="a"), "products must be a whole number"),
        (lambda numbers, arrays: numbers.update(final=3), "final must be True or False"),
        (lambda numbers, arrays: numbers.update(solved=[1.0]), "solution_0"),
        (lambda numbers, arrays: numbers.update(losses=None), "not iterable"),
        (lambda numbers, arrays: numbers.pop("reached"), "reached"),
    ],
)
def test_a_state_that_no_fit_has_written_is_refused(
    ntk, samples, targets, tmp_path, change, message
):
    model = KernelRegressor(ntk, alpha=0.1, solver=CG(checkpoint=tmp_path / "c"))
    model.fit(samples, targets)
    with np.load(tmp_path / "c") as archive:
        arrays = dict(archive)
    header = json.loads(arrays.pop("header").tobytes())
    change(header["numbers"], arrays)
    checkpoint.Checkpoint(tmp_path / "c", header["problem"]).write(header["numbers"], arrays)
    with pytest.raises(InputError, match=rf"its contents are damaged .*{message}.*; delete"):
        model.fit(samples, targets)
