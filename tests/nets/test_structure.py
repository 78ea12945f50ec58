"""Shapes through networks, and the message where layers do not fit."""

import numpy as np
import pytest

import tangency as tg

SHAPES = [
    ("dense relu dense", (7,), ()),
    ("conv3", (9, 9, 1), (9, 9)),
    ("conv3:pad=valid", (9, 8, 1), (7, 6)),
    ("conv3:pad=valid,stride=2", (9, 8, 1), (4, 3)),
    ("conv3:stride=2", (9, 8, 1), (5, 4)),
    ("conv2x3:pad=circular,stride=1x3", (9, 8, 1), (9, 3)),
    ("conv3:pad=valid,dilation=3", (9, 7, 1), (3, 1)),
    ("conv[[-1],[2]]:pad=valid", (9, 1), (6,)),
    ("conv3 relu avg2", (9, 8, 1), (4, 4)),
    ("conv3 relu avg2:pad=same", (9, 8, 1), (5, 4)),
    ("conv3 relu gauss3", (28, 29, 1), (9, 9)),
    ("conv3 relu gauss3:stride=1", (28, 29, 1), (28, 29)),
    ("conv3 relu sub2", (5, 4, 3, 1), (3, 2, 2)),
    ("conv3 relu pool[1,1]:size=7", (5, 1), (7,)),
    ("conv3 relu map[[1,1,1]]", (3, 1), (1,)),
    ("conv3 relu gap", (5, 5, 1), ()),
    ("conv3 relu flatten", (5, 5, 1), ()),
    ("conv3 res(relu conv3:stride=2 | conv1:stride=2)", (5, 5, 1), (3, 3)),
]


@pytest.mark.parametrize(("text", "shape", "space"), SHAPES)
def test_output_shape(text, shape, space):
    assert tg.parse(text).output_shape(shape) == space


MISFITS = [
    ("conv9:pad=valid", (5, 5, 1),
     r"layer 1, Conv\(9, padding='valid'\), cannot take a grid of 5×5: a window of 9 positions does"
     r" not fit in an axis of 5; use a smaller one, or padding='same'"),
    ("conv[[-3],[3]]:pad=valid", (5, 1), "offsets from -3 to 3 do not fit in an axis of 5"),
    ("conv3 pad3:reflect relu", (3, 1),
     "'reflect' padding takes at most 2 positions from an axis of 3; use a smaller size"),
    ("conv3 pad4:circular relu", (3, 1), "'circular' padding takes at most 3 positions"),
    ("conv3 slice[[1,5]]", (3, 3, 1),
     r"Slice has 1 places, but the signal has 2 spatial axes; give one per axis, \(None, None\)"),
    ("conv3 slice3x1", (3, 3, 1), r"\(3, 4\) holds no position of an axis of 3"),
    ("conv3 slice[[2,1]]", (3, 1), r"\(2, 1\) holds no position of an axis of 3"),
    ("shuffle2 conv3", (3, 1), "PixelShuffle needs infinitely many channels of mean zero"),
    ("conv3 relu shuffle2 gap", (3, 1), r"put it right after Conv\(...\), before the activation"),
    ("resize4x5 conv3", (3, 1), r"shape=\(4, 5\) has 2 numbers, but the signal has 1 spatial axes"),
    ("convt3", (5,), r"ConvTranspose needs a signal with spatial axes.*use Dense\(\) on vectors"),
    ("local3", (5,), r"ConvLocal needs a signal with spatial axes.*use Dense\(\) on vectors"),
    ("convt200", (5, 1), "a window that spans 200 positions reaches far beyond an axis of 5"),
    ("dense relu gsp", (5,), "GlobalSumPool needs a grid to sum over, but a vector"),
    ("dense relu gap", (5,), r"layer 3, GlobalAvgPool\(\), .*needs a grid to average over, but a"
     r" vector \(no spatial axes\)"),
    ("conv3 relu", (5,), r"Conv needs a signal with spatial axes.*use Dense\(\) on vectors"),
    ("avg2 dense", (5,), "AvgPool needs a signal with spatial axes.*remove the layer"),
    ("relu dense", (5,), r"ReLU needs Gaussian values.*put Conv\(...\).* or Dense\(\)"),
    ("dense relu relu dense", (5,), "layer 3, .*ReLU needs Gaussian values"),
    ("conv3 flatten relu dense", (5, 1), r"layer 3, ReLU\(\).*cannot follow Flatten"),
    ("conv3 res(conv3 flatten | conv1 flatten) relu dense", (5, 1), "ReLU cannot follow Flatten"),
    ("conv3 flatten layernorm relu dense", (5, 1), "put it before Flatten.*, or Dense"),
    ("layernorm dense", (5,), "LayerNorm needs channels of mean zero.*right after Conv"),
    ("dense relu layernorm dense", (5,), "LayerNorm needs channels of mean zero"),
    ("conv3 relu avg9", (5, 5, 1), "a window of 9 positions does not fit in an axis of 5"),
    ("conv3 relu gauss7", (5, 5, 1), "a stride of 7 leaves no window on an axis of 5"),
    ("conv3 relu pool[1,1,1]:start=3", (5, 1), "no window of 3 positions that starts at 3 ends"),
    ("conv3x3", (5, 1), r"patch=\(3, 3\) has 2 numbers, but the signal has 1 spatial axes"),
    ("conv3:stride=2x2", (5, 1), r"stride=\(2, 2\) has 2 numbers"),
    ("conv[[0,0]]", (5, 1), "the offsets have 2 numbers each, but the signal has 1 spatial axes"),
    ("conv3 relu pool[[1,1],[1,1]]", (5, 1), "the filter has 2 dimensions, but the signal has 1"),
    ("conv3 relu pool[[1],[1]]:peraxis", (5, 1), "2 filters for 1 spatial axes; give one per axis"),
    ("conv3 relu map[[1,1]]", (5, 1), "a matrix with 2 columns cannot act on an axis of 5"),
    ("conv3 relu map[[[1,1]],[[1,1]]]", (2, 1), "2 matrices for 1 spatial axes; give one per axis"),
    ("conv3 res(relu conv3:stride=2)", (4, 1), r"the body gives a grid of 2 and the shortcut a grid"
     r" of 4; give the shortcut the same strides, for example shortcut=Conv\(1, stride=2\)"),
    ("dense res(relu) dense", (4,), "neither branch of the Residual ends in a layer with weights"),
    ("dense res(dense relu) dense", (4,), "neither branch of the Residual ends in a layer"),
    ("dense res(rescale2) dense", (4,), "neither branch of the Residual ends in a layer"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "shape", "message"), MISFITS)
def test_layers_that_do_not_fit(text, shape, message):
    with pytest.raises(tg.NetworkError, match=message):
        tg.parse(text).output_shape(shape)
    with pytest.raises(tg.NetworkError, match=message):
        tg.NTK(text, input_shape=shape)


def test_branches_that_share_a_path_are_refused():
    """x + Wx is not independent of x: res(res(dense)) would lack the cross terms."""
    with pytest.raises(tg.NetworkError, match="neither branch of the Residual ends in a layer"):
        tg.NNGP("dense res(res(dense)) dense")(np.ones((1, 2)))
    for fine in ("dense res(dense res(relu dense)) dense", "dense res(res(dense | dense)) dense",
                 "dense res(res(relu dense) relu dense) dense"):  # fmt: skip
        assert tg.parse(fine).output_shape((2,)) == ()


def test_the_sum_over_branches_of_a_nested_residual():
    """Σ = 1 at the input: inner 1 + 1, dense 2, outer identity 1."""
    net = "dense res(res(dense | dense) dense) dense"
    assert tg.NNGP(net).diag(np.ones((1, 1))).item() == pytest.approx(3)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1.5,), (2, 2, 2, 2, 2), (True,), ("a",)])
def test_bad_input_shapes(shape):
    with pytest.raises(tg.NetworkError, match=r"input_shape must be \(\*space, channels\)"):
        tg.parse("dense").output_shape(shape)


def test_networks_are_sequences():
    net = tg.parse("conv3 relu gap dense")
    assert len(net) == 4
    assert list(net) == [net[i] for i in range(4)]
    assert net[1] == tg.ReLU()
    assert str(net[:2]) == "conv3 relu"
    assert tg.Sequential(net[:2], tg.Sequential(net[2:])) == net


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tg.Sequential("relu"), r"a network is made of layers, got 'relu'; a text is read"),
        (lambda: tg.Sequential([tg.ReLU()]), r"passed as Sequential\(\*layers\)"),
        (lambda: tg.Residual(None), "body must be a layer or a Sequential, got None"),
        (lambda: tg.Residual(tg.Dense(), 3), "shortcut must be a layer or a Sequential, got 3"),
        (lambda: tg.Residual(tg.Sequential(), tg.Dense()), "the body of a Residual has no layers"),
        (lambda: tg.Rescale(float("inf")), "factor must be finite, got inf"),
        (lambda: tg.Dense(weight_std="1"), "weight_std must be a number, got '1'"),
        (lambda: tg.Dense(weight_std=True), "weight_std must be a number, got True"),
        (lambda: tg.Dense(weight_std=np.ones(2)), "weight_std must be a number or a 0-d tensor"),
        (lambda: tg.Dense(trainable=1), "trainable must be True or False, got 1"),
        (lambda: tg.Conv([]), "patch has no offsets"),
        (lambda: tg.Conv("3"), "patch must be a whole number, got '3'"),
        (lambda: tg.Conv((3, 3, 3, 3)), r"patch needs one number per axis \(1 to 3\), got 4"),
        (lambda: tg.Conv([(0, 0), 1]), "patch mixes numbers and offsets"),
        (lambda: tg.Conv([(0, 0), (1,)]), "every offset of a patch needs the same 1 to 3 numbers"),
        (lambda: tg.Conv([(0,), (0,)]), "patch names an offset twice"),
        (lambda: tg.Conv([(0,)], dilation=2), "a list of offsets takes no dilation"),
        (lambda: tg.Conv(3, stride=0), "stride must be at least 1, got 0"),
        (lambda: tg.Conv(3, padding="full"), "padding must be one of same, valid, circular"),
        (lambda: tg.AvgPool(2, padding="circular"), "padding must be one of valid, same"),
        (lambda: tg.GaussianPool((2, 2)), "factor must be one whole number.*Pool takes a filter"),
        (lambda: tg.Pool(3), "filter must be a sequence of numbers"),
        (lambda: tg.Pool([]), "filter must be a sequence of numbers"),
        (lambda: tg.Pool([[1, 2], [3]]), "filter is ragged.*per_axis=True for one filter per axis"),
        (
            lambda: tg.Pool([1, 2], per_axis=True),
            "per_axis=True needs one list of numbers per axis",
        ),
        (lambda: tg.Pool([[[1]]], per_axis=True), "per_axis=True needs 1-d filters"),
        (lambda: tg.Pool([1, float("nan")]), "filter must be finite, got nan"),
        (lambda: tg.LinearMap([1, 2]), r"matrix must have rows of numbers, \(out, in\)"),
        (lambda: tg.LinearMap([[1, 2], [3]]), "matrix is ragged"),
    ],
)
def test_bad_options(make, message):
    with pytest.raises(tg.NetworkError, match=message):
        make()


def test_layers_are_frozen():
    from dataclasses import FrozenInstanceError

    with pytest.raises(FrozenInstanceError):
        tg.Conv(3).patch = 5
    with pytest.raises(FrozenInstanceError):
        tg.Sequential(tg.Conv(3)).layers = ()
