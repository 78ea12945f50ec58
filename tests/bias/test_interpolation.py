"""Norms of minimum-norm interpolants on data."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

import tangency as tg
from tangency.bias.interpolation import interpolation_norms
from tangency.errors import InputError
from tangency.learn import IllConditionedWarning

NET = "dense relu dense"
KERNELS = {"NTK": tg.NTK(NET), "last-layer": tg.NNGP(NET)}
RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4))
Y = np.where(X[:, 0] > 0, 1.0, -1.0)


@pytest.fixture(autouse=True, scope="module")
def single_thread():
    with threadpool_limits(1):
        yield


def test_norms_are_those_of_the_formula():
    found = interpolation_norms(KERNELS, X, Y, [60], draws=1)
    for name, kernel in KERNELS.items():
        K = kernel(X)
        expected = math.sqrt(Y @ np.linalg.solve(K, Y))
        assert found[name].norms[0, 0] == pytest.approx(expected, rel=1e-9)
        scale = math.sqrt(np.mean(np.diag(K)))
        assert found[name].mean[0] == pytest.approx(expected * scale, rel=1e-9)
        assert found[name].missed.max() == 0


def test_off_the_sphere_functions_are_homogeneous_with_the_norm_on_it():
    """‖f‖ = ‖g‖ for f(x) = ‖x‖·g(x/‖x‖): the space of ‖x‖‖x'‖κ is that of κ."""
    sizes = np.linalg.norm(X, axis=1)
    for kernel in KERNELS.values():
        away = interpolation_norms({"k": kernel}, X, sizes * Y, [20], draws=2)["k"]
        on = interpolation_norms({"k": kernel}, X / sizes[:, None], Y, [20], draws=2)["k"]
        np.testing.assert_allclose(away.norms, on.norms, rtol=1e-9)


def test_no_interpolant_has_a_smaller_norm():
    """The interpolant through 10 points, and others through the same points that use more."""
    kernel = KERNELS["NTK"]
    least = interpolation_norms(kernel, X[:10], Y[:10], [10], draws=1)["NTK"].norms[0, 0]
    K = kernel(X[:20])
    for seed in range(20):
        values = np.concatenate([Y[:10], np.random.default_rng(seed).standard_normal(10)])
        assert math.sqrt(values @ np.linalg.solve(K, values)) >= least


def test_a_function_of_the_space_is_never_exceeded():
    """Samples of f in H: the norm rises to ‖f‖_H and no further."""
    centres, c = RNG.standard_normal((3, 4)), np.array([1.0, -0.5, 2.0])
    kernel = KERNELS["NTK"]
    y = kernel(X, centres) @ c
    norm = math.sqrt(c @ kernel(centres) @ c)
    found = interpolation_norms(kernel, X, y, [5, 20, 60], draws=3)["NTK"]
    assert (np.diff(found.norms, axis=0) >= -1e-9).all()
    assert (found.norms <= norm * (1 + 1e-9)).all()
    assert found.norms[-1, 0] > 0.95 * norm
    assert found.growth < 0.3


@given(st.floats(0.1, 10), st.floats(0.1, 10))
def test_the_scale_free_norm_does_not_see_scales(kernel_scale, y_scale):
    base = interpolation_norms(KERNELS["NTK"], X[:20], Y[:20], [10, 20], draws=2)
    other = interpolation_norms(
        {"NTK": kernel_scale * KERNELS["NTK"]}, X[:20], y_scale * Y[:20], [10, 20], draws=2
    )
    np.testing.assert_allclose(other["NTK"].mean, base["NTK"].mean, rtol=1e-9)


def test_more_samples_cost_more_and_the_last_layer_more_than_the_ntk():
    images, digits = load_digits(return_X_y=True)
    rows = np.random.default_rng(1).permutation(len(images))[:256]
    images = images[rows] / np.linalg.norm(images[rows], axis=1, keepdims=True)
    labels = np.where(digits[rows] % 2 == 0, 1.0, -1.0)
    found = interpolation_norms(KERNELS, images, labels, [16, 64, 128], draws=3, shuffle=True)
    ntk, last = found["NTK"], found["last-layer"]
    for item in (ntk, last):
        assert (np.diff(item.norms, axis=0) > 0).all()
        # Labels in random order look like no function of the space.
        assert (item.shuffled.mean(axis=1) > item.norms.mean(axis=1)).all()
    assert (last.mean > ntk.mean).all()
    assert last.growth > ntk.growth > 0
    assert "for shuffled labels" in found.summary


def test_several_outputs_add_their_squares():
    both = np.stack([Y, X[:, 1]], axis=1)
    found = interpolation_norms(KERNELS["NTK"], X, both, [60], draws=1)["NTK"]
    single = [
        interpolation_norms(KERNELS["NTK"], X, y, [60], draws=1)["NTK"].norms[0, 0] for y in both.T
    ]
    assert found.norms[0, 0] == pytest.approx(math.hypot(*single), rel=1e-9)


def test_contradictions_cannot_be_interpolated():
    again, targets = np.concatenate([X[:10], X[:2]]), np.concatenate([Y[:10], -Y[:2]])
    with pytest.warns(IllConditionedWarning, match="The norms are lower bounds there"):
        found = interpolation_norms(KERNELS["NTK"], again, targets, [12], draws=2)["NTK"]
    assert (found.norms == math.inf).all()
    assert np.isnan(found.spread).all()
    assert math.isnan(found.growth)


def test_copies_that_agree_change_nothing():
    again, targets = np.concatenate([X[:10], X[:5]]), np.concatenate([Y[:10], Y[:5]])
    twice = interpolation_norms(KERNELS["NTK"], again, targets, [15], draws=1)["NTK"]
    once = interpolation_norms(KERNELS["NTK"], X[:10], Y[:10], [10], draws=1)["NTK"]
    assert twice.norms[0, 0] == pytest.approx(once.norms[0, 0], rel=1e-6)
    assert twice.missed.max() < 1e-12


def test_a_kernel_of_low_rank_gives_a_lower_bound():
    with pytest.warns(IllConditionedWarning, match="directions of the linear kernel that are"):
        found = interpolation_norms({"linear": lambda A, B: A @ B.T}, X, Y, [30, 60], draws=2)
    assert (found["linear"].missed > 0.1).all()
    assert "a lower bound: K is singular" in found.summary


def test_draws_are_nested_and_repeatable():
    one, two = (interpolation_norms(KERNELS, X, Y, draws=2, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one["NTK"].norms, two["NTK"].norms)
    assert one.sizes.tolist() == [16]
    other = interpolation_norms(KERNELS, X, Y, draws=2, seed=4)
    assert not np.array_equal(one["NTK"].norms, other["NTK"].norms)
    assert interpolation_norms(KERNELS, X[:9], Y[:9], draws=1).sizes.tolist() == [9]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X, Y[:5]), r"X of shape \(60, 4\) and y of shape \(5,\) do not fit"),
        ((X, ["a"] * 60), "targets must be numbers, got .*; encode two classes as -1 and 1"),
        ((X, np.full(60, np.nan)), "targets hold NaN or infinity"),
        ((X, np.zeros(60)), "all targets are zero"),
        ((X, Y, [0]), "sizes must be whole numbers from 1 to 60"),
        ((X, Y, [61]), "sizes must be whole numbers from 1 to 60"),
        ((X, Y, [10.5]), "sizes must be whole numbers from 1 to 60"),
        ((X, Y, [10], 0), "draws must be a whole number of at least 1, got 0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        interpolation_norms(KERNELS, *arguments)
    with pytest.raises(InputError, match=r"expected a kernel.*callable kernel\(X, Y\); got 3"):
        interpolation_norms(3, X, Y)


def test_results_show_themselves():
    found = interpolation_norms(KERNELS, X, Y, [10, 30], draws=3, shuffle=True)
    assert found.table().columns[:4] == ["samples", "NTK: norm", "NTK: spread", "NTK: shuffled"]
    figure = found.plot()
    assert len(figure.axes[0].get_legend().get_texts()) == 4
    assert found.plot(figure.axes[0]) is figure


@pytest.mark.parametrize(
    ("scale", "message"),
    [(0.0, "the NTK kernel is 0 on all these inputs"), (1e-156, "at the end of the range")],
)
def test_kernels_without_digits_have_no_norms(scale, message):
    with pytest.raises(InputError, match=message):
        interpolation_norms(KERNELS, scale * X, Y, [10])


@pytest.mark.parametrize("scale", [1e-140, 1e140])
def test_the_size_of_inputs_does_not_matter(scale):
    given, other = (interpolation_norms(KERNELS, s * X, Y, [10, 30]) for s in (1.0, scale))
    for name in KERNELS:
        assert np.allclose(given[name].mean, other[name].mean, rtol=1e-9)


def test_more_draws_than_anyone_would_wait_for():
    with pytest.raises(InputError, match="draws must be a whole number of at least 1 and at most"):
        interpolation_norms(KERNELS, X, Y, [60], draws=10**9)


def test_norms_that_are_all_infinite_are_drawn(tmp_path):
    twice = np.repeat(X[:6], 2, axis=0)
    with pytest.warns(IllConditionedWarning):
        found = interpolation_norms(KERNELS, twice, np.tile([1.0, -1.0], 6), [12], draws=2)
    assert np.all(np.isinf(found["NTK"].mean))
    found.plot().savefig(tmp_path / "norms.svg")
