"""The fitted form of the stability bound."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import tangency as tg
from tangency.bias.constants import (
    GRADIENTS,
    StabilityConstants,
    fit_constants,
    sample_deformations,
    stability_constants,
)
from tangency.bias.deformations import RandomField, Rotation, Translation
from tangency.errors import InputError

DIGITS = load_digits().images / 16
NET = "conv3 relu gauss2 conv3 relu gauss2 flatten dense"


@pytest.fixture(scope="module")
def found() -> StabilityConstants:
    return stability_constants({"NTK": tg.NTK(NET), "last-layer": tg.NNGP(NET)}, DIGITS, count=6)


@given(st.tuples(st.floats(0, 2), st.floats(0, 2), st.floats(0.01, 2)), st.floats(0.5, 8))
def test_known_constants_are_found(wanted: tuple, scale: float) -> None:
    rng = np.random.default_rng(0)
    g, t = rng.uniform(0, 0.5, 30), rng.uniform(0, 3, 30)
    root, linear, shift = wanted
    fit = fit_constants(g, t, root * np.sqrt(g) + linear * g + shift * t / scale, scale)
    np.testing.assert_allclose(fit[:3], wanted, atol=1e-7)
    assert fit.error < 1e-7
    np.testing.assert_allclose(fit(g, t), root * np.sqrt(g) + linear * g + shift * t / scale)


def test_constants_are_never_negative() -> None:
    g = np.linspace(0.01, 0.5, 20)
    fit = fit_constants(g, 0.3 + 0 * g, g - 0.5 * np.sqrt(g) + 0.4, 1.0)
    assert min(fit[:3]) >= 0
    assert fit.error > 0.01


def test_only_the_ntk_has_a_square_root(found) -> None:
    ntk, last = found.constants["NTK"], found.constants["last-layer"]
    assert ntk.root > 0.03
    assert last.root < 0.01 * ntk.root
    assert ntk.scale == last.scale == 4
    assert max(ntk.error, last.error) < 0.6
    # Without the square root, the NTK is described far worse.
    d = found.distances["NTK"]
    flat = fit_constants(0 * d, found.displacements, d, 4.0)
    assert flat.error > 1.4 * ntk.error


def test_the_deformations_of_the_fit() -> None:
    taus = sample_deformations((8, 8))
    moves = {n: t for n, t in taus.items() if isinstance(t, Translation)}
    assert len(moves) == 8
    assert len(taus) == 8 + 7 * len(GRADIENTS)
    for name, tau in taus.items():
        if name not in moves:
            assert min(abs(tau.gradient_norm((8, 8)) - g) for g in GRADIENTS) < 1e-12
    assert (
        len([t for t in sample_deformations((28, 28)).values() if isinstance(t, Translation)]) == 16
    )
    assert sample_deformations((8, 8), 1) != taus


def test_own_deformations_and_scale() -> None:
    own = {f"turn {a}": Rotation(a) for a in (0.01, 0.1, 0.3)}
    kernel = 2.0 * tg.NNGP(NET)
    with pytest.raises(InputError, match="no pooling scale σ_n is known; give scale="):
        stability_constants(kernel, DIGITS, own, count=2)
    result = stability_constants(kernel, DIGITS, own, count=2, scale=3.0)
    assert result.names == tuple(own)
    assert result.constants["Scaled"].scale == 3.0
    signals = DIGITS[:3].reshape(3, 64)
    lines = {str(s): RandomField(8.0, s, seed=1, axes=1) for s in (0.01, 0.1, 1.0)}
    assert stability_constants(tg.NTK(NET), signals, lines).gradients.shape == (3,)


def test_table_words_and_figure(found) -> None:
    assert [row[0] for row in found.table().rows] == ["NTK", "last-layer"]
    assert found.table().rows[0][1] == pytest.approx(found.constants["NTK"].root)
    assert f"{len(found.names)} deformations" in found.summary
    figure = found.plot()
    assert len(figure.axes) == 2
    assert "C₁ = 0.0" in figure.axes[0].get_legend().get_texts()[0].get_text()
    assert len(figure.axes[0].lines[0].get_xdata()) == np.sum(found.gradients > 0)
    from matplotlib.figure import Figure

    assert len(found.plot(Figure().subplots()).axes) == 1


@pytest.mark.parametrize(
    ("deformations", "options", "message"),
    [
        ({"a": Rotation(0.1)}, {}, "at least 3 deformations, got 1"),
        ([Rotation(0.1)], {}, "given by name"),
        ({"a": Rotation(0.1), "b": Translation((1,))}, {}, "all act on signals, or all on images"),
        ({str(i): 0 * Rotation(0.1) for i in range(3)}, {}, "nothing to fit"),
        (None, {"scale": -1.0}, "scale must be a finite number greater than 0"),
        (None, {"antialias": 0.0}, "no pooling, and antialias is 0"),
    ],
)
def test_errors(deformations, options, message) -> None:
    kernel = tg.NNGP("conv3 relu flatten dense")
    with pytest.raises(InputError, match=message):
        stability_constants(kernel, DIGITS, deformations, count=2, **options)
