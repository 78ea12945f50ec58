"""Pooling scales and the patch condition, by hand."""

import math

import pytest

import tangency as tg
from tangency.bias.patches import patch_condition, pooling_scale
from tangency.errors import InputError, NetworkError

BOX = math.sqrt(2) * math.sqrt(35 / 12)  # a window of 6: variance (6² − 1)/12


@pytest.mark.parametrize(
    ("net", "shape", "scale"),
    [
        ("conv3 relu flatten dense", (8, 8, 1), 0.5),
        ("conv3 relu gauss2 flatten dense", (8, 8, 1), 2),
        ("conv3 relu gauss2 conv3 relu gauss3 flatten dense", (28, 28, 1), 6),
        ("conv3:stride=2 relu gauss2 flatten dense", (28, 28, 1), 4),
        ("conv3 relu gauss2:stride=1 conv3 relu gauss2 flatten dense", (8, 8, 1), 2),
        ("conv3 relu sub3 gauss2 flatten dense", (28, 28, 1), 6),
        ("conv3 relu avg6 flatten dense", (24, 24, 1), BOX),
        ("conv3 relu gap dense", (6, 6, 1), BOX),
        ("conv3 relu gap dense", (6, 1), BOX),
        ("conv3 relu avg2 gap dense", (12, 12, 3), 2 * BOX),
        ("conv3 relu gauss4 conv3 relu avg1 flatten dense", (8, 8, 1), 4),
        ("flatten dense relu dense", (8, 8, 1), 0.5),
        ("dense relu flatten dense", (8, 8, 1), 0.5),
        ("conv3 relu sumpool6 flatten dense", (24, 24, 1), BOX),
        ("conv3 relu up2 gauss2 flatten dense", (8, 8, 1), 1),
        ("convt3:stride=2 relu gauss4 flatten dense", (8, 8, 1), 2),
        ("conv3 shuffle2 relu gauss4 flatten dense", (8, 8, 1), 2),
        ("conv3 relu slice[[0,null,2],[0,null,2]] gauss2 flatten dense", (28, 28, 1), 4),
        ("conv3 relu pad2:circular gauss2 flatten dense", (8, 8, 1), 2),
    ],
)
def test_scales_in_pixels_of_the_input(net, shape, scale) -> None:
    assert pooling_scale(net, shape) == pytest.approx(scale)


def test_filters_of_every_kind_have_their_spread() -> None:
    def scale(layer, n=9):
        net = tg.Sequential(tg.Conv(1), tg.ReLU(), layer, tg.Flatten(), tg.Dense())
        return pooling_scale(net, (n, n, 1), antialias=0.0)

    assert scale(tg.Pool([1, 2, 1])) == pytest.approx(1.0)  # variance 1/2
    full = [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    assert scale(tg.Pool(full)) == pytest.approx(1.0)
    assert scale(tg.Pool(full, stride=2)) == pytest.approx(1.0)
    assert scale(tg.LinearMap([[1, 1, 0], [0, 1, 1]]), 3) == pytest.approx(2**0.5 / 2)
    assert scale(tg.AvgPool((3, 2))) == pytest.approx(2**0.5 / 2)  # the narrower axis


def test_reach_of_patches_in_pixels_of_the_input() -> None:
    net = tg.Sequential(
        tg.Conv(3),
        tg.ReLU(),
        tg.GaussianPool(2),
        tg.Conv((3, 5), dilation=2),
        tg.ReLU(),
        tg.Conv([(0, 0), (3, 4)]),
        tg.ReLU(),
        tg.GlobalAvgPool(),
        tg.Dense(),
    )
    rows = patch_condition(net, (28, 28, 1), antialias=1.0).rows
    assert [row.layer for row in rows] == [1, 4, 6]
    assert [row.reach for row in rows] == pytest.approx([2**0.5, 2 * math.hypot(2, 4), 10])
    assert [row.scale for row in rows] == [1, 2, 2]


def test_broken_layers_are_named() -> None:
    check = patch_condition("conv3 relu gauss2 conv7 relu gap dense", (28, 28, 1), beta=3.0)
    assert not check.holds
    assert [row.layer for row in check.broken] == [4]
    assert "broken by layer 4 (conv7: sup|v| = 8.49, σ = 2 pixels)" in check.summary
    assert [row[-1] for row in check.table().rows] == ["holds", "broken"]
    good = patch_condition("conv3 relu gauss2 conv7 relu gap dense", (28, 28, 1), beta=4.5)
    assert good.holds
    assert "All 2 convolutions" in good.summary


def test_nothing_holds_without_antialiasing() -> None:
    check = patch_condition("conv3 relu gap dense", (8, 8, 1), antialias=0)
    assert check.broken[0].ratio == math.inf
    assert patch_condition("conv1 relu gap dense", (8, 8, 1), antialias=0.5).holds


def test_branches_of_residuals() -> None:
    body = tg.parse("relu conv5 relu gauss2:stride=1 conv3")
    net = tg.Sequential(
        tg.Conv(3), tg.Residual(body), tg.ReLU(), tg.Conv(3), *tg.parse("gap dense")
    )
    rows = patch_condition(net, (28, 28, 1)).rows
    assert [(row.layer, row.text, row.scale) for row in rows[1:3]] == [
        (2, "conv5", 0.5),
        (2, "conv3", 2),
    ]
    assert rows[-1].scale == 0.5  # the shortcut has no pooling


@pytest.mark.parametrize("net", ["conv3 relu gauss2 conv7 relu gap dense", "conv3 relu gap dense"])
def test_the_figure_has_a_bar_for_each_layer(net) -> None:
    check = patch_condition(net, (28, 28, 1))
    axes = check.plot().axes[0]
    assert len(axes.patches) == len(check.rows)
    assert axes.patches[-1].get_height() == pytest.approx(check.rows[-1].ratio)
    assert axes.get_ylim()[1] > check.beta
    assert check.title
    assert check.reading


def test_errors() -> None:
    with pytest.raises(InputError, match="beta must be a finite number greater than 0, got 0"):
        patch_condition("conv3 relu gap dense", (8, 8, 1), beta=0)
    with pytest.raises(InputError, match=r"antialias must be .* at least 0"):
        patch_condition("conv3 relu gap dense", (8, 8, 1), antialias=-1)
    with pytest.raises(NetworkError, match="GlobalAvgPool needs a grid"):
        patch_condition("gap dense", (8,))
