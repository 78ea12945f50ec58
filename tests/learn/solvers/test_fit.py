"""Fits from stores, and with clients."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import rbf_kernel

from tangency import (
    NNGP,
    GaussianProcess,
    InputError,
    KernelClassifier,
    KernelRegressor,
    NystromFeatures,
    RandomFeatures,
    StoreError,
    gram,
)
from tangency.learn import IllConditionedWarning, SearchWarning, load
from tangency.learn.solvers import CG
from tangency.learn.solvers.block_cg import System
from tangency.learn.solvers.predict import quiet


@pytest.mark.parametrize("solver", ["auto", "cholesky", "eigh", "cg", CG(matrix="on_the_fly")])
def test_a_store_changes_nothing(ntk, samples, targets, tmp_path, solver):
    direct = KernelRegressor(ntk, alpha=0.1, solver=solver).fit(samples, targets)
    stored = KernelRegressor(ntk, alpha=0.1, solver=solver, store=tmp_path / "K.zarr")
    stored.fit(samples, targets)
    assert stored.solver_ == direct.solver_
    np.testing.assert_allclose(stored.predict(samples), direct.predict(samples), atol=1e-6)
    assert gram.open(tmp_path / "K.zarr").complete
    again = load(stored.save(tmp_path / "m"))
    assert again.store == str(tmp_path / "K.zarr")


def test_a_second_fit_reads_the_store(ntk, samples, targets, tmp_path, monkeypatch):
    path = tmp_path / "K.zarr"
    first = KernelRegressor(ntk, alpha=0.1, solver="cg", store=path).fit(samples, targets)
    tiles = {p: p.stat().st_mtime_ns for p in path.rglob("*") if p.is_file()}
    second = KernelRegressor(ntk, alpha=0.1, solver="cg", store=path).fit(samples, targets)
    np.testing.assert_array_equal(first.dual_coef_, second.dual_coef_)
    arrays = [p for p in tiles if "c" in p.parts]
    assert arrays
    assert all(p.stat().st_mtime_ns == tiles[p] for p in arrays)
    with pytest.raises(StoreError, match=r"another job: .*values in X"):
        KernelRegressor(ntk, alpha=0.1, solver="cg", store=path).fit(samples + 1, targets)


@pytest.mark.parametrize("solver", ["cholesky", "eigh", "cg", "nystrom"])
def test_stored_matrices_are_precomputed_ones(ntk, samples, targets, tmp_path, solver):
    X, new = samples.astype(np.float32), samples[:40].astype(np.float32) + 0.1
    K = gram.compute(ntk, X, store=tmp_path / "K.zarr", tile=64)
    rows = gram.compute(ntk, new, X, store=tmp_path / "rows.zarr", tile=64)
    model = KernelRegressor("precomputed", alpha=0.1, solver=solver).fit(K, targets)
    direct = KernelRegressor(ntk, alpha=0.1, solver=solver).fit(X, targets)
    np.testing.assert_allclose(model.predict(rows), direct.predict(new), atol=2e-5)
    assert model.n_features_in_ == 150
    codes = KernelClassifier("precomputed", alpha=0.1, solver=solver).fit(K, targets[:, 0] > 0)
    np.testing.assert_array_equal(codes.predict(K), codes.predict(np.asarray(K)))


def test_damaged_and_missing_tiles_are_never_taken_for_values(ntk, samples, targets, tmp_path):
    path = tmp_path / "K.zarr"
    K = gram.compute(ntk, samples, store=path, tile=64)
    whole = KernelRegressor(ntk, alpha=0.1, solver="cg", store=path).fit(samples, targets)
    tile = path / "ntk" / "c" / "0" / "1"
    content = bytearray(tile.read_bytes())
    content[100] ^= 1
    tile.write_bytes(bytes(content))
    for solver in ("cg", "cholesky", "nystrom"):
        with pytest.raises(StoreError, match=r"tile \(0, 1\).* damaged"):
            KernelRegressor("precomputed", alpha=0.1, solver=solver).fit(gram.open(path), targets)
    # with the samples at hand it is computed again
    again = KernelRegressor(ntk, alpha=0.1, solver="cg", store=path).fit(samples, targets)
    np.testing.assert_array_equal(again.dual_coef_, whole.dual_coef_)
    tile.unlink()
    with pytest.raises(StoreError):
        KernelRegressor("precomputed", alpha=0.1, solver="cg").fit(gram.open(path), targets)
    assert K.complete


def test_what_does_not_go_together(ntk, samples, targets, matrix, tmp_path):
    K = gram.compute(ntk, samples, store=tmp_path / "K.zarr")
    rows = gram.compute(ntk, samples + 0.1, samples, store=tmp_path / "rows.zarr")
    with pytest.raises(InputError, match='only kernel="precomputed" takes'):
        KernelRegressor(ntk, alpha=0.1).fit(K, targets)
    for other in (
        GaussianProcess(NNGP("dense relu dense")),
        NystromFeatures(ntk),
        RandomFeatures(),
    ):
        with pytest.raises(InputError, match=r"store, .*; pass samples to this "):
            other.fit(K, targets)
    features = NystromFeatures(ntk, 5).fit(samples)
    with pytest.raises(InputError, match=r"fitted on samples of shape .*, not on a precomputed"):
        features.transform(K)
    for solver in ("cholesky", "cg", "nystrom"):
        with pytest.raises(InputError, match=r"matrix K\(X, Y\); a fit needs K\(X, X\)"):
            KernelRegressor("precomputed", alpha=0.1, solver=solver).fit(rows, targets)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        KernelRegressor("precomputed", alpha=0.1).fit(K, targets[:9])
    with pytest.raises(ValueError, match="NaN"):
        KernelRegressor("precomputed", alpha=0.1).fit(K, targets * np.nan)
    model = KernelRegressor(ntk, alpha=0.1).fit(samples, targets)
    with pytest.raises(InputError, match=r"stored kernel matrix of shape .*not on a precomputed"):
        model.predict(rows)
    given = KernelRegressor("precomputed", alpha=0.1).fit(matrix[:20, :20], targets[:20])
    with pytest.raises(
        InputError, match=r"shape \(150, 150\).* fitted on samples of shape \(20,\)"
    ):
        given.predict(rows)
    path = tmp_path / "new.zarr"
    with pytest.raises(InputError, match=r"there is nothing to compute; pass gram.open"):
        KernelRegressor("precomputed", store=path).fit(matrix, targets)
    with pytest.raises(InputError, match="takes a kernel of this library"):
        KernelRegressor(rbf_kernel, alpha=0.1, store=path).fit(samples, targets)
    with pytest.raises(InputError, match="no use for store="):
        KernelRegressor(ntk, alpha=0.1, solver="nystrom", store=path).fit(samples, targets)
    assert not path.exists()


def test_cholesky_that_was_asked_for_does_not_become_something_else(ntk, samples, targets):
    doubled, y = np.vstack([samples, samples]), np.vstack([targets, targets])
    with pytest.raises(InputError, match="no Cholesky factor at alpha=1e-15"):
        KernelRegressor(ntk, alpha=1e-15, solver="cholesky").fit(doubled, y)


def test_samples_mapped_from_a_file_are_not_copied(ntk, samples, targets, tmp_path):
    np.save(tmp_path / "x.npy", samples)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    model = KernelRegressor(ntk, alpha=0.1, solver="cg").fit(mapped, targets)
    assert np.shares_memory(model.X_fit_, mapped)
    direct = KernelRegressor(ntk, alpha=0.1, solver="cg").fit(samples, targets)
    np.testing.assert_array_equal(model.dual_coef_, direct.dual_coef_)


def test_bars_of_tiles_are_not_shown(samples):
    from tangency import NTK

    assert quiet(NTK("dense", progress=True)) == NTK("dense")
    assert quiet(rbf_kernel) is rbf_kernel


SMALL_AND_LARGE = np.random.default_rng(0).standard_normal((6, 3))


@pytest.mark.parametrize("scale", [1e-150, 1e150])
@pytest.mark.parametrize("solver", ["cholesky", "eigh", "cg", "nystrom"])
@pytest.mark.parametrize("model", [KernelRegressor, KernelClassifier])
@pytest.mark.parametrize("alpha", [0, 0.1, "loo"])
def test_kernels_at_the_ends_of_the_range_are_fitted_or_refused(model, alpha, solver, scale):
    X, y = scale * SMALL_AND_LARGE, np.array([0, 1, 0, 1, 1, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for category in (ConvergenceWarning, IllConditionedWarning, SearchWarning):
            warnings.simplefilter("ignore", category)
        try:
            fitted = model(alpha=alpha, solver=solver).fit(X, y)
        except InputError as error:
            message = str(error)
        else:
            assert np.isfinite(fitted.predict(X)).all()
            assert np.isfinite(fitted.rkhs_norm_)
            assert fitted.loo_score_ is None or np.isfinite(fitted.loo_score_)
            return
    assert re.search("alpha|overflow|scale", message)


def test_a_bound_is_not_zero_because_rounding_made_its_square_negative():
    system = System(None, None, np.zeros((2, 1)), 0.1, np.ones(1))
    residual = np.array([[3.0], [0.0]])
    assert system.bounds(residual, -residual).tolist() == [3.0]
    assert system.bounds(0 * residual, residual).tolist() == [0.0]


def test_a_norm_whose_square_leaves_the_range():
    # K = 1e-300 on the diagonal; the norm of an interpolant is √(yᵀ K⁻¹ y) = 1e150 √2
    model = KernelRegressor("precomputed", alpha=0, center=False).fit(
        1e-300 * np.eye(2), np.array([1.0, -1.0])
    )
    np.testing.assert_allclose(model.rkhs_norm_, 1e150 * np.sqrt(2), rtol=1e-12)
