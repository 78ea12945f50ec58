"""What is known of lazy training, measured; seeds are fixed, limits in standard errors.

A statement about a slope is tested at 4 standard errors of the fitted slope.
"""

import pickle

import numpy as np
import pytest

import tangency as tg
from tangency import finite
from tangency.figures.narrow import narrowed

torch = pytest.importorskip("torch")

from tangency.finite.lazy import lazy_training  # noqa: E402
from tangency.finite.measure import Measure  # noqa: E402
from tangency.finite.training import train  # noqa: E402
from tangency.finite.trial import independent_seed  # noqa: E402
from tangency.learn.predictions import kernel_predictions  # noqa: E402

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(14, 4))
X /= np.linalg.norm(X, axis=1, keepdims=True)
Y = np.sin(3 * X[:9, 0])
TRAIN, TEST = X[:9], X[9:]
SMOOTH, KINKED = "dense:b=0.3 erf dense", "dense:b=0.3 relu dense"


@pytest.fixture(scope="module")
def smooth():
    widths = (64, 256, 1024, 4096)
    return lazy_training(SMOOTH, TRAIN, Y, widths, 12, X_test=TEST, steps=100)


def test_slopes_are_those_of_the_theory(smooth):
    known = {"fluctuation": -0.5, "change": -1, "movement": -0.5}
    for points in ("train", "test"):
        known |= {f"trained {points}": -0.5, f"start {points}": -0.5, f"linear {points}": -1}
    assert set(known) == set(smooth.measures)
    for key, slope in known.items():
        measure = smooth.measures[key]
        assert measure.theory == pytest.approx(slope, abs=0.02)
        assert abs(measure.fit.exponent - slope) < 4 * measure.fit.error
        assert measure.fit.error < 0.07  # so that −1/2 and −1 cannot be taken for each other


def test_no_known_slope_where_an_activation_has_a_kink():
    found = lazy_training(KINKED, TRAIN, Y, (32, 128), 2, steps=10)
    assert {key for key, m in found.measures.items() if m.theory is None} == {
        *("change", "linear train")
    }


@pytest.mark.parametrize("net", [SMOOTH, KINKED])
@pytest.mark.parametrize("width", [4, 32])
def test_a_large_output_scale_is_lazy_at_any_width(net, width):
    one, large = (
        lazy_training(net, TRAIN, Y, (width,), 4, X_test=TEST, alpha=alpha, steps=100).measures
        for alpha in (1.0, 1000.0)
    )
    for key in ("change", "movement", "linear train", "linear test"):
        assert large[key].mean[0] < one[key].mean[0] / 100
    # The distance to the infinite network is that of K₀, which no scale can make smaller.
    assert large["start test"].mean[0] == pytest.approx(one["start test"].mean[0], rel=0.5)


def test_the_scale_divides_the_movement_of_smooth_networks():
    one, ten = (
        lazy_training(SMOOTH, TRAIN, Y, (16,), 4, alpha=alpha, steps=100, centred=True)
        for alpha in (100.0, 1000.0)
    )
    for key in ("change", "movement", "linear train"):
        ratio = one.measures[key].values / ten.measures[key].values
        np.testing.assert_allclose(ratio, 10, rtol=0.05)


@pytest.mark.slow
def test_a_wide_network_trained_to_the_end_is_the_minimum_norm_interpolant():
    """f − f₀ of 16 networks, at points beside the training data, against `KernelRegressor`.

    5 points and 4 standard errors: by chance in one run out of 3,000, were the draws not fixed.
    """
    x, x_test, y = X[:6], X[6:11], Y[:6]
    model = tg.KernelRegressor(tg.NTK(KINKED), alpha=0.0, center=False).fit(x, y)
    found, moved = [], []
    for seed in range(16):
        module = finite.build(KINKED, 1024, (4,), seed=seed)
        how = {"X_test": x_test, "centred": True, "kernel_points": 0, "record": 1}
        run = train(module, x, y, steps=800, **how)
        assert run.losses[-1] < 1e-5 * run.losses[0]
        found.append(run.test_values[-1])
        moved.append(run.movement[-1] * _size(module))
    mean = np.mean(found, axis=0)
    error = np.std(found, axis=0, ddof=1) / len(found) ** 0.5
    expected = model.predict(x_test)
    assert np.max(np.abs(mean - expected) / error) < 4
    assert np.max(error) < 0.02 * np.abs(expected).max()
    # Of all weights that fit the data the nearest ones: as far away as the interpolant's norm.
    moved = np.array(moved)
    assert abs(moved.mean() - model.rkhs_norm_) < 4 * moved.std(ddof=1) / len(moved) ** 0.5
    assert moved.std(ddof=1) / len(moved) ** 0.5 < 0.02 * model.rkhs_norm_


def _size(module):
    return sum(float(p.detach().square().sum()) for p in module.parameters()) ** 0.5


def test_quantities_are_what_they_say():
    alpha, width = 2.0, 24
    found = lazy_training(
        *("dense erf dense", TRAIN, Y, (width,), [7]), X_test=TEST, alpha=alpha, steps=40
    )
    module = finite.build(
        "dense erf dense", width, (4,), seed=independent_seed(7, width), dtype=torch.float64
    )
    first = finite.empirical_ntk(module, X)
    limit = tg.NTK("dense erf dense")(X)
    value = {key: float(m.values[0, 0]) for key, m in found.measures.items()}
    expected = np.linalg.norm(first - limit) / np.linalg.norm(limit)
    assert value["fluctuation"] == pytest.approx(expected, rel=1e-9)
    # alpha times the network, trained on a loss divided by alpha².
    scaled = finite.build(
        *("dense erf dense", width, (4,)),
        seed=independent_seed(7, width),
        dtype=torch.float64,
        scale=alpha,
    )
    lr = min(1 / np.linalg.eigvalsh(K[:9, :9])[-1] for K in (first, limit))
    assert found.lr == pytest.approx(lr)
    how = {"lr": lr / alpha**2, "steps": 40, "record": 12, "centred": True, "X_test": TEST}
    runs = [train(module, TRAIN, Y, **how) for module in (scaled, finite.linearize(scaled))]
    assert value["movement"] == pytest.approx(runs[0].movement[-1], rel=1e-9)
    gap = np.sqrt(np.mean((runs[0].test_values - runs[1].test_values) ** 2, axis=1)).max()
    exact = kernel_predictions(
        tg.NTK("dense erf dense"), TRAIN, Y, TEST, lr * runs[0].steps, lr
    ).mean
    size = np.sqrt(np.mean(exact**2, axis=1)).max()
    assert value["linear test"] == pytest.approx(gap / size, rel=1e-6)
    gap = np.sqrt(np.mean((runs[0].test_values - exact) ** 2, axis=1)).max()
    assert value["trained test"] == pytest.approx(gap / size, rel=1e-6)
    left = runs[0].losses[-1] / runs[0].losses[0]
    assert found.losses["network"][0, 0] == pytest.approx(left, rel=1e-9)


def test_images_classes_and_float32():
    images = RANDOM.random((12, 5, 5, 1)).astype(np.float32)
    found = lazy_training(
        *("conv3 relu gap dense", images[:8], np.arange(8) % 3, (8, 64), 2),
        X_test=images[8:],
        loss="cross_entropy",
        steps=30,
    )
    assert found.measures["linear test"].values.shape == (2, 2)
    assert np.all(found.losses["network"] < 1)
    for measure in found.measures.values():
        assert np.all(np.isfinite(measure.values) & (measure.values > 0))
    assert found.measures["trained test"].mean[1] < found.measures["trained test"].mean[0]


def test_the_same_seeds_give_the_same_numbers():
    one, other = (
        lazy_training(SMOOTH, TRAIN, Y, (8, 16), seeds, steps=10) for seeds in (3, [0, 1, 2])
    )
    for key, measure in one.measures.items():
        np.testing.assert_array_equal(measure.values, other.measures[key].values)
    assert len({independent_seed(s, w) for s in range(9) for w in (8, 16, 32)}) == 27


def test_a_measure_and_its_slope():
    widths = np.array([10.0, 100.0, 1000.0])
    values = 5 * widths[:, None] ** -0.5 * np.array([[0.9, 1.1]])
    measure = Measure("m", "", widths, values, None)
    np.testing.assert_allclose(measure.error / measure.mean, 0.1)
    assert measure.fit.exponent == pytest.approx(-0.5)
    assert measure.fit.constant == pytest.approx(5)
    # Of three equally spaced logarithms the outer two count, ∓1/(2 log 10) each.
    assert measure.fit.error == pytest.approx(0.1 * 2**0.5 / (2 * np.log(10)))
    assert np.isnan(Measure("m", "", widths, values[:, :1], None).error).all()
    assert Measure("m", "", widths[:1], values[:1], None).fit is None


def test_table_words_and_figure(smooth):
    table = smooth.table()
    assert len(table.rows) == len(smooth.measures) == 9
    row = dict(zip(table.columns, table.rows[0], strict=True))
    measure = smooth.measures["fluctuation"]
    assert row["width 1,024"] == measure.mean[2]
    assert row["width 1,024, ±"] == measure.error[2]
    assert (row["slope"], row["theory"]) == (measure.fit.exponent, -0.5)
    slope = f"{measure.fit.exponent:.2f} ± {measure.fit.error:.2f}".replace("-", "−")
    assert f"(slope {slope})" in smooth.summary
    assert "From width 64 to 4,096" in smooth.summary
    figure = smooth.plot()
    assert [axes.get_title() for axes in figure.axes] == [
        *("Kernel and weights", "Function on test points")
    ]
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend[0] == f"{measure.name}\nslope {slope}"
    narrow = narrowed(smooth)
    assert narrow.get_size_inches()[0] < 5
    assert all(axes.get_legend() is not None for axes in narrow.axes)
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    assert smooth.plot(axes) is axes.figure
    assert len(axes.figure.axes) == 1


def test_narrow_networks_take_shorter_steps():
    """The kernel of some of them has more than twice the largest eigenvalue of the limit."""
    found = lazy_training(SMOOTH, TRAIN, Y, (4, 64), 4, steps=50)
    limit = finite.max_learning_rate(tg.NTK(SMOOTH)(TRAIN))
    assert found.lr < limit / 2
    assert np.all(found.losses["linearised"] < 1)
    assert np.all(found.losses["network"] < 1)
    assert found.lr < lazy_training(SMOOTH, TRAIN, Y, (4096,), 4, steps=5).lr <= limit / 2
    with pytest.raises(tg.InputError, match=r"width 4 with seed .*; take lr=.*, or wider"):
        lazy_training(SMOOTH, TRAIN, Y, (4, 64), 4, steps=50, lr=limit / 2)


def test_one_width_one_seed_and_no_test_points():
    found = lazy_training(SMOOTH, TRAIN, Y, (8,), 1, steps=5)
    assert [row[-3:] for row in found.table().rows] == [
        *[("-", "-", theory) for theory in (-0.5, -1.0, "-", -0.5, -0.5, -1.0)]
    ]
    assert found.table().rows[0][3] == "-"
    assert found.plot().axes[1].get_title() == "Function on training points"
    assert "slope" not in found.summary


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"net": "dense layernorm relu"}, "add Dense"),
        ({"net": "conv3 relu gap dense"}, "Conv"),
        ({"alpha": 0}, "alpha must be a finite number greater than 0, got 0"),
        ({"widths": (8, 8)}, "widths must be distinct"),
        ({"widths": ()}, "widths must be whole numbers, 1 or more"),
        ({"widths": (0, 8)}, "1 or more"),
        ({"seeds": 0}, "seeds must be whole numbers"),
        ({"steps": 0}, "steps must be a whole number"),
        ({"kernel_points": 0}, "kernel_points must be a whole number of at least 1, got 0"),
        ({"y": Y[:3]}, "targets must be numbers"),
        ({"y": 0 * Y, "centred": True}, "there is nothing to learn"),
        ({"X_test": X[:, :2]}, r"of shape \(2,\)"),
        ({"X": TRAIN * np.nan}, "NaN"),
        ({"loss": "cross_entropy"}, "classes numbered from 0"),
        ({"lr": 1e3}, "has diverged: lr=1e[+]03 is too large for the network of width 4 with seed"),
    ],
)
def test_errors(change, message):
    options = {"net": SMOOTH, "X": TRAIN, "y": Y, "widths": (4,), "seeds": 1, "steps": 200}
    with pytest.raises(ValueError, match=message):
        lazy_training(**{**options, **change})


def test_divergence_travels_between_processes():
    with pytest.raises(tg.InputError) as caught:
        lazy_training(SMOOTH, TRAIN, Y, widths=(4,), seeds=1, steps=200, lr=1e3)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.limit == caught.value.limit
