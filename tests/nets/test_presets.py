"""Presets: the networks they say, and sizes they fit."""

import numpy as np
import pytest

import tangency as tg


@pytest.mark.parametrize(
    ("net", "text", "shape"),
    [
        (tg.mlp(), "dense relu dense", (3,)),
        (tg.mlp(1), "dense", (3,)),
        (tg.mlp(3, tg.Erf(), 0.1), "dense:b=0.1 erf dense:b=0.1 erf dense:b=0.1", (3,)),
        (tg.cntk(2), "conv3:frozen relu gap dense:frozen", (8, 8, 1)),
        (tg.cntk(3, "flatten"), "conv3 relu conv3 relu flatten dense", (8, 8, 1)),
        (tg.ckn((3,), (2,), tg.Exponential(0.6)), "conv3 exp0.6 gauss2 flatten dense", (8, 8, 1)),
        (tg.ckn(), "conv3 relu gauss2 conv3 relu gauss5 flatten dense", (28, 28, 1)),
    ],
)
def test_text(net, text, shape):
    assert str(net) == text
    assert net.output_shape(shape) == ()


@pytest.mark.parametrize("depth", [5, 7, 10])
def test_myrtle(depth):
    net = tg.myrtle(depth)
    assert sum(isinstance(layer, tg.Conv | tg.Dense) for layer in net) == depth
    assert net.output_shape((32, 32, 3)) == ()


@pytest.mark.parametrize(("blocks", "groups", "space"), [(1, 3, 8), (2, 2, 16), (4, 3, 8)])
def test_wide_resnet(blocks, groups, space):
    net = tg.wide_resnet(blocks=blocks, groups=groups)
    assert sum(isinstance(layer, tg.Residual) for layer in net) == blocks * groups
    assert net[: 1 + blocks * groups].output_shape((32, 32, 3)) == (space, space)
    assert net.output_shape((32, 32, 3)) == ()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tg.mlp(0), "depth must be at least 1, got 0"),
        (lambda: tg.cntk(1), "depth must be at least 2, got 1"),
        (lambda: tg.cntk(3, "mean"), "readout must be one of gap, flatten; got 'mean'"),
        (lambda: tg.ckn((3, 3), (2,)), "need one number for each layer"),
        (lambda: tg.myrtle(6), "Myrtle networks have 5, 7 or 10 layers, got 6"),
        (lambda: tg.wide_resnet(blocks=0), "blocks must be at least 1, got 0"),
    ],
)
def test_errors(make, message):
    with pytest.raises(tg.NetworkError, match=message):
        make()


def test_densely_connected():
    net = tg.densenet(layers=2, blocks=2)
    assert str(net) == (
        "conv3 relu cat( | conv3 relu):widths=2x1 cat( | conv3 relu):widths=3x1 conv1 avg2 relu "
        "cat( | conv3 relu):widths=2x1 cat( | conv3 relu):widths=3x1 gap dense"
    )
    assert net.output_shape((8, 8, 3)) == ()
    with pytest.raises(tg.NetworkError, match=r"densenet\(121\): both numbers are passed by name"):
        tg.densenet(121)


def test_u_shaped():
    net = tg.unet(levels=2, convs=1)
    inner = "avg2 conv3 relu convt2:stride=2,w=2"
    assert str(net) == (
        f"conv3 relu cat( | avg2 conv3 relu cat( | {inner}) conv3 relu convt2:stride=2,w=2) "
        "conv3 relu gap dense"
    )
    assert tg.parse(str(net)) == net
    assert tg.explain(net, (8, 8, 3)).startswith("engine: fused (")
    with pytest.raises(tg.NetworkError, match=r"grid of 3×3 and branch 2 a grid of 2×2"):
        net.output_shape((6, 6, 3))
    with pytest.raises(tg.NetworkError, match=r"unet\(64\): both numbers are passed by name"):
        tg.unet(64)


def test_variances_of_images_stay_on_the_way_up():
    x = np.full((1, 8, 8, 1), 0.7)
    (down,) = tg.NNGP("conv1 relu avg2 conv1 relu flatten dense").diag(x)
    (up,) = tg.NNGP("conv1 relu avg2 conv1 relu convt2:stride=2,w=2 flatten dense").diag(x)
    assert up == pytest.approx(down)
