"""Random fields have the covariance they claim."""

import numpy as np
import pytest

from tangency.bias.deformations import RandomField, Sinusoidal


def test_the_covariance_of_random_fields() -> None:
    u = np.stack([np.linspace(0, 9, 10), np.zeros(10)], axis=1)
    fields = np.stack([RandomField(3.0, 0.5, seed).displacement(u) for seed in range(4000)])
    expected = 0.25 * np.exp(-((u[:, 0, None] - u[None, :, 0]) ** 2) / (2 * 9))
    for axis in (0, 1):
        measured = fields[:, :, axis].T @ fields[:, :, axis] / len(fields)
        np.testing.assert_allclose(measured, expected, atol=0.03)
    across = fields[:, :, 0].T @ fields[:, :, 1] / len(fields)
    np.testing.assert_allclose(across, 0, atol=0.03)
    np.testing.assert_allclose(fields.mean(axis=0), 0, atol=0.04)


def test_gradients_of_random_fields_have_the_size_of_amplitude_over_correlation() -> None:
    slopes = [RandomField(2.0, 0.5, seed).jacobian(np.zeros((1, 2))) for seed in range(4000)]
    np.testing.assert_allclose(np.std(slopes, axis=0), 0.25, atol=0.015)


def test_same_seed_same_field() -> None:
    points = np.random.default_rng(0).normal(size=(5, 2))
    first = RandomField(3.0, seed=7).displacement(points)
    np.testing.assert_array_equal(first, RandomField(3.0, seed=7).displacement(points))
    assert np.abs(first - RandomField(3.0, seed=8).displacement(points)).max() > 0.1


def test_a_finer_grid_finds_a_larger_supremum() -> None:
    tau = RandomField(1.0, seed=3)
    coarse, fine = tau.gradient_norm((8, 8)), tau.gradient_norm((8, 8), refine=8)
    assert coarse < fine < 3 * coarse
    assert not tau.exact


def test_a_wave_too_long_to_reach_its_crest() -> None:
    tau = Sinusoidal((1.0,), (0.01,))
    assert tau.sup_norm(11) == pytest.approx(np.sin(2 * np.pi * 0.05))
    assert tau.gradient_norm(11) == pytest.approx(2 * np.pi * 0.01)
    assert Sinusoidal((1.0,), (0.01,), np.pi / 2).sup_norm(11) == 1
