"""Feature distance against input distance: exponents, bounds, ratios, the figure."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_digits

import tangency as tg
from tangency.bias.smoothness import modulus
from tangency.errors import MemoryLimitError

RELU = "dense relu dense"
X = np.random.default_rng(0).normal(size=(8, 5))
FEW = 10.0 ** np.arange(-6, 1)


def both(text):
    return {"NTK": tg.NTK(text), "last-layer": tg.NNGP(text)}


@pytest.mark.parametrize("sphere", [True, False])
@pytest.mark.parametrize("text", [RELU, "dense relu dense relu dense", "dense:b=0.5 relu dense"])
def test_relu_networks_lose_half_an_order(text, sphere):
    found = modulus(both(text), X, FEW, sphere=sphere)
    assert found.exponents["NTK"] == pytest.approx(0.5, abs=0.02)
    assert found.exponents["last-layer"] == pytest.approx(1.0, abs=0.02)
    ratio = found.ratio("NTK")
    assert np.all(ratio[:-1] > ratio[1:])
    assert ratio[0] / ratio[2] == pytest.approx(10, rel=0.2)
    assert np.ptp(np.log(found.ratio("last-layer"))) < 1


@pytest.mark.parametrize("text", ["dense erf dense", "dense gelu dense sin dense"])
def test_smooth_networks_are_lipschitz(text):
    found = modulus(both(text), X, FEW)
    for name in ("NTK", "last-layer"):
        assert found.exponents[name] == pytest.approx(1.0, abs=0.02)
        assert found.ratio(name)[0] == pytest.approx(found.bounds[name][1][0, 0] / FEW[0], rel=1e-3)
    assert found.crossings == {"NTK": 0, "last-layer": 0}


@pytest.mark.parametrize(
    "text", ["conv3 relu gauss2 conv3 relu gap dense", "conv3 relu conv3 relu flatten dense"]
)
def test_convolutional_networks_on_digits(text):
    digits = load_digits().images[:4, ..., None] / 16
    found = modulus(both(text), digits, [1e-6, 1e-5, 1e-4, 1.0], directions=2, sphere=False)
    assert found.exponents["NTK"] == pytest.approx(0.5, abs=0.03)
    assert found.exponents["last-layer"] == pytest.approx(1.0, abs=0.03)
    assert found.bounds == {}


@pytest.mark.parametrize("sphere", [True, False])
def test_the_bound_of_the_paper_is_never_crossed(sphere):
    found = modulus(tg.NTK(RELU), X, 10.0 ** np.arange(-10, 1), sphere=sphere)
    assert found.crossings == {"NTK": 0}
    values = found.bounds["NTK"][1]
    assert np.all(found.distances["NTK"] <= values)
    size = found.radii
    # min(‖x‖, ‖y‖)/‖x‖ is 1 on the sphere, and less only where y is shorter off it.
    assert np.all(values <= (np.sqrt(size) + 2 * size) * (1 + 1e-9))
    assert not sphere or np.allclose(values, np.sqrt(size) + 2 * size, rtol=1e-9)


def test_a_bound_that_is_none_is_seen_to_be_crossed():
    from dataclasses import replace

    found = modulus(tg.NTK(RELU), X, FEW)
    theory, values = found.bounds["NTK"]
    wrong = replace(found, bounds={"NTK": (theory, 0.5 * values)})
    assert wrong.crossings["NTK"] > 0
    assert "none of 224 pairs cross the bound" in found.summary
    assert f"{wrong.crossings['NTK']} of 224 pairs cross the bound" in wrong.summary


def test_neighbours_are_where_they_should_be():
    found = modulus(tg.NNGP(RELU), X, [1e-10, 1e-3, 1.0, 2.0], directions=3, count=None)
    assert found.radii.shape == found.distances["last-layer"].shape == (4, 24)
    assert np.allclose(found.radii, np.array([[1e-10], [1e-3], [1.0], [2.0]]), rtol=1e-5)
    # Opposite points of the sphere: κ₁(−1) = 0.
    assert np.allclose(found.distances["last-layer"][3], np.sqrt(2), rtol=1e-9)
    free = modulus(tg.NNGP(RELU), 7 * X, [1e-4, 1e-3], sphere=False)
    assert np.allclose(free.radii, np.array([[1e-4], [1e-3]]), rtol=1e-9)


def test_the_same_seed_gives_the_same_numbers():
    first, second, other = (modulus(tg.NTK(RELU), X, FEW, seed=s) for s in (3, 3, 4))
    assert np.array_equal(first.distances["NTK"], second.distances["NTK"])
    assert not np.array_equal(first.distances["NTK"], other.distances["NTK"])


def test_inputs_drawn_from_the_same_seed_are_no_directions():
    found = modulus(tg.NTK(RELU), np.random.default_rng(0).normal(size=(7 * 4 * 4, 5)), FEW)
    assert np.all(np.isfinite(found.distances["NTK"]))


def test_zero_inputs_are_left_out():
    found = modulus(tg.NTK(RELU), np.concatenate([X[:2], 0 * X]), FEW, directions=1)
    assert found.radii.shape == (7, 2)


def test_table_and_words():
    found = modulus(both(RELU), X, FEW)
    table = found.table()
    assert len(table.rows) == 7
    assert list(table.columns)[1:5] == ["NTK mean", "NTK largest", "NTK ratio", "NTK bound"]
    assert all(row[2] >= row[1] for row in table.rows)
    assert "NTK: Hölder exponent 0.50" in found.summary
    assert "last-layer: Hölder exponent 1.00" in found.summary
    assert "on the unit sphere" in found.title
    assert found.reading.count(".") == 1


def test_the_figure():
    from matplotlib.figure import Figure

    found = modulus(both(RELU), X, FEW)
    figure = found.plot()
    left, right = figure.axes
    assert left.get_xscale() == left.get_yscale() == right.get_yscale() == "log"
    labels = [text.get_text() for text in left.get_legend().get_texts()]
    assert len(labels) == 4
    assert "exponent 0.50" in labels[0]
    assert "min(‖x‖, ‖y‖)" in labels[2]
    assert np.allclose(right.lines[0].get_ydata(), (found.distances["NTK"] / found.radii).mean(1))
    own = Figure().subplots()
    assert found.plot(own) is own.figure
    for axes in modulus(both("dense erf dense"), X, FEW).plot().axes:
        low, high = axes.get_ylim()
        assert np.log10(high) // 1 - np.log10(low) // 1 >= 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"radii": [1e-3, 1e-4]}, "radii must be increasing numbers"),
        ({"radii": [0, 1e-4]}, "radii must be increasing numbers"),
        ({"radii": []}, "radii must be increasing numbers"),
        ({"radii": [1e-4, 1e-3, 3.0]}, "no two points of the unit sphere are 3 apart"),
        ({"radii": [1e-4, 1.0]}, "an exponent needs two radii of at most fit_below=0.001"),
        ({"directions": 0}, "directions must be a whole number of at least 1, got 0"),
        ({"X": 0 * X}, "every input is 0 everywhere"),
        ({"X": X[:, :1]}, "two points; pass sphere=False"),
        ({"kernels": {}}, "pass a kernel"),
        ({"X": [[np.nan]]}, "NaN"),
    ],
)
def test_errors(changes, message):
    with pytest.raises(tg.InputError, match=message):
        modulus(**{"kernels": tg.NTK(RELU), "X": X, **changes})


def test_more_directions_than_there_is_memory_for():
    with pytest.raises(MemoryLimitError, match="what is computed does not fit in memory"):
        modulus(tg.NTK("dense relu dense"), np.eye(3), directions=2**45)


def test_what_is_measured_travels_between_processes():
    found = modulus(both(RELU), X[:2], FEW)
    again = pickle.loads(pickle.dumps(found))
    assert again.table() == found.table()
    assert again.bounds["NTK"][0].value(4.0, 0.25) == np.sqrt(4.0 * 0.25) + 2 * 0.25


def test_a_kernel_that_was_not_measured_is_named():
    found = modulus(tg.NTK("dense relu dense"), np.eye(3), radii=(1e-4, 1e-3), directions=1)
    with pytest.raises(tg.InputError, match="no kernel 'NNGP' in this result: NTK"):
        found.mean("NNGP")


def test_units_of_the_inputs_do_not_matter():
    X = np.random.default_rng(0).standard_normal((3, 4))
    for sphere, sizes in ((True, (1e-200, 1e200, 1e306)), (False, (1e-140, 1e140))):
        plain = modulus("dense relu dense", X, sphere=sphere)
        for size in sizes:
            found = modulus("dense relu dense", X * size, sphere=sphere)
            for name in plain.distances:
                assert np.allclose(found.mean(name), plain.mean(name), rtol=1e-3)
