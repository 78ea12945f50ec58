"""What the paper says of stability, measured on digits."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

import tangency as tg
from tangency.bias.deformations import (
    RandomField,
    Rotation,
    Scaling,
    Sinusoidal,
    Translation,
    deform,
    smooth,
)
from tangency.bias.stability import StabilityCurve, stability_curve
from tangency.errors import InputError

FLAT = "conv3 relu gauss2 conv3 relu gauss2 flatten dense"
MEAN = "conv3 relu gauss2 conv3 relu gap dense"
DIGITS = load_digits().images / 16


def pair(net: str) -> dict[str, tg.kernels.base.Kernel]:
    return {"NTK": tg.NTK(net), "last-layer": tg.NNGP(net)}


@pytest.fixture(scope="module")
def curve() -> StabilityCurve:
    return stability_curve(pair(FLAT), DIGITS, draws=3, count=8)


@pytest.mark.parametrize(
    "deformation",
    [None, Rotation(0.1), Scaling(1.1), lambda seed: Sinusoidal((1.0, 0.5), (0.1, 0.1), seed % 7)],
    ids=["elastic", "rotation", "scaling", "waves"],
)
@pytest.mark.parametrize("net", [FLAT, MEAN])
def test_exponents_one_half_and_one(net, deformation) -> None:
    sizes = (1e-4, 3e-4, 1e-3, 3e-3)
    found = stability_curve(pair(net), DIGITS, deformation, sizes, draws=2, count=4)
    assert found.exponents["NTK"] == pytest.approx(0.5, abs=0.02)
    assert found.exponents["last-layer"] == pytest.approx(1.0, abs=0.02)
    for fit in found.fits.values():
        assert (fit.low, fit.high, fit.points) == (1e-4, 3e-3, 4)


def test_smooth_activations_have_exponent_one() -> None:
    net = FLAT.replace("relu", "erf")
    found = stability_curve(pair(net), DIGITS, None, (1e-3, 3e-3, 1e-2), draws=1, count=3)
    assert found.exponents["NTK"] == pytest.approx(1.0, abs=0.02)


def test_the_ntk_is_farther_at_every_size(curve) -> None:
    assert np.all(curve.mean("NTK") > curve.mean("last-layer"))
    for name in curve.distances:
        assert np.all(np.diff(curve.mean(name)) > 0)


def test_sizes_are_those_asked_for(curve) -> None:
    np.testing.assert_allclose(curve.gradients, curve.sizes[:, None] * np.ones(3), rtol=1e-9)
    by = stability_curve(
        tg.NNGP(MEAN), DIGITS, sizes=(0.1, 0.5), draws=2, count=2, by="displacement"
    )
    np.testing.assert_allclose(by.displacements, [[0.1, 0.1], [0.5, 0.5]], rtol=1e-9)
    assert by.fits["last-layer"] is None
    assert "not fitted" in by.summary


def test_distances_are_those_of_the_kernel() -> None:
    tau = RandomField(3.0, seed=1)
    found = stability_curve(tg.NTK(MEAN), DIGITS[:3], tau, (0.2,), antialias=0.7)
    x = smooth(DIGITS[:3], 0.7)[..., None]
    y = deform(DIGITS[:3], tau.scale_to((8, 8), gradient=0.2), antialias=0.7)[..., None]
    kernel = tg.NTK(MEAN)
    expected = np.diag(kernel.distance(x, y)) / np.sqrt(kernel.diag(x))
    np.testing.assert_allclose(found.distances["NTK"][0, 0], expected, rtol=2e-3)


@pytest.mark.parametrize("kind", [tg.NTK, tg.NNGP])
def test_a_mean_over_all_positions_does_not_see_circular_translations(kind) -> None:
    kernel = kind("conv3:pad=circular relu conv3:pad=circular relu gap dense")
    x = smooth(DIGITS[:4], mode="circular")[..., None]
    for step in ((1, 0), (-2, 3)):
        y = deform(DIGITS[:4], Translation(step), mode="circular")[..., None]
        size = np.sqrt(kernel.diag(x))
        assert np.all(kernel.paired_distance(x, y) < 1e-6 * size)
    # Half a pixel is no longer a permutation of the pixels.
    y = deform(DIGITS[:4], Translation((0.5, 0)), mode="circular")[..., None]
    assert np.all(kernel.paired_distance(x, y) > 1e-3 * size)


def test_signals() -> None:
    rng = np.random.default_rng(0)
    signals = smooth(rng.normal(size=(4, 32)), 1.5, axes=1)
    kernels = pair("conv3 relu conv3 relu gauss4 flatten dense")
    family = lambda seed: RandomField(6.0, seed=seed, axes=1)  # noqa: E731
    found = stability_curve(kernels, signals, family, (1e-3, 3e-3, 1e-2), draws=2)
    assert found.exponents["NTK"] == pytest.approx(0.5, abs=0.05)
    assert found.exponents["last-layer"] == pytest.approx(1.0, abs=0.05)


def test_the_same_seed_gives_the_same_numbers() -> None:
    def run(seed):
        found = stability_curve(tg.NNGP(MEAN), DIGITS, None, (0.1,), 2, seed, count=3)
        return found.distances["last-layer"]

    np.testing.assert_array_equal(run(0), run(0))
    assert np.all(run(0) != run(1))


def test_table_words_and_figure(curve) -> None:
    rows = curve.table().rows
    assert len(rows) == len(curve.sizes)
    assert rows[-1][2] == pytest.approx(curve.mean("NTK")[-1])
    for name, exponent in curve.exponents.items():
        assert f"{name}: {exponent:.3f} (± " in curve.summary
    assert "8 images, 3 draws" in curve.summary
    figure = curve.plot()
    assert [axes.get_xlabel()[-4:] for axes in figure.axes] == ["‖∇τ‖", "els)"]
    legend = figure.axes[0].get_legend()
    assert "slope 0.5" in legend.get_texts()[0].get_text()
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    assert curve.plot(axes) is axes.figure
    assert len(axes.figure.axes) == 1


def test_translations_have_no_gradient_panel() -> None:
    found = stability_curve(
        tg.NNGP(MEAN), DIGITS, Translation((1, 0)), (1.0, 2.0), by="displacement", count=3
    )
    assert np.all(found.gradients == 0)
    assert len(found.plot().axes) == 1
    assert "1 draw of a translation" in found.summary


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"by": "x"}, "by must be gradient or displacement, got 'x'"),
        ({"sizes": ()}, "sizes must increase"),
        ({"deformation": 3}, "a function from a seed to one; got 3"),
        ({"deformation": Translation((1, 0))}, "scale its other norm"),
        ({"images": DIGITS * 0}, "has ‖Φ\\(x\\)‖ = 0"),
        ({"images": DIGITS[0]}, "expected images \\(n, height, width"),
        ({"kernels": 3}, "expected a kernel such as NTK.*got 3; several are passed by name"),
        ({"fit_below": 0}, "fit_below must be a finite number greater than 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
    ],
)
def test_errors(change, message) -> None:
    options = {"kernels": tg.NNGP(MEAN), "images": DIGITS, "count": 2, "sizes": (0.1,), "draws": 1}
    with pytest.raises(InputError, match=message):
        stability_curve(**{**options, **change})
