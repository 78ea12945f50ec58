from __future__ import annotations

import numpy as np
import pytest

from tangency import GaussianProcess, KernelRegressor, gram
from tangency.kernels import Prepared
from tangency.learn.solvers import predict as module
from tangency.learn.solvers.predict import expand


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(module, "BLOCK_BYTES", 1)
    monkeypatch.setattr(module, "_ROUND", 16)


def test_blocks_change_nothing(ntk, samples, targets, small_blocks, monkeypatch):
    model = KernelRegressor(ntk, alpha=0.1).fit(samples, targets)
    new = samples[:70] + 0.1
    by_blocks = model.predict(new)
    monkeypatch.undo()
    np.testing.assert_allclose(by_blocks, model.predict(new), rtol=1e-13)


def test_no_more_than_a_block_is_computed_at_once(samples, small_blocks):
    calls = []

    def kernel(X, Y):
        calls.append(len(X))
        return X @ Y.T

    found = expand(kernel, samples[:70], samples, np.ones(150))
    assert calls == [16, 16, 16, 16, 6]
    np.testing.assert_allclose(found, samples[:70] @ samples.sum(axis=0), atol=1e-11)


def test_the_training_samples_are_prepared_once(ntk, samples, small_blocks, monkeypatch):
    made = []

    class Counted(Prepared):
        def __init__(self, inputs):
            made.append(inputs)
            super().__init__(inputs)

    monkeypatch.setattr(module, "Prepared", Counted)
    expand(ntk, samples[:70], samples, np.ones((150, 2)))
    assert len(made) == 1
    assert made[0] is samples


def test_the_mean_of_a_gaussian_process_too(samples, targets, small_blocks):
    model = GaussianProcess(noise=0.1).fit(samples, targets)
    np.testing.assert_allclose(
        model.predict(samples), model.predict(samples, return_std=True)[0], rtol=1e-12
    )


def test_stored_rows(ntk, samples, targets, matrix, small_blocks, tmp_path):
    rows = gram.compute(ntk, samples[:70] + 0.1, samples, store=tmp_path / "K.zarr", tile=32)
    model = KernelRegressor("precomputed", alpha=0.1).fit(matrix, targets)
    np.testing.assert_allclose(model.predict(rows), model.predict(np.asarray(rows)), rtol=1e-13)
