"""The text form and repr: both describe a network completely."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings

import tangency as tg
from strategies import any_network, networks
from tangency.nets.text import LAYERS

NAMES = {name: getattr(tg, name) for name in tg.__all__}


@settings(max_examples=150)
@given(any_network())
def test_text_repr_pickle_and_hash(net):
    assert tg.parse(str(net)) == net
    assert eval(repr(net), dict(NAMES)) == net
    copy = pickle.loads(pickle.dumps(net))
    assert copy == net
    assert hash(copy) == hash(net) == hash(tg.parse(str(net)))
    assert repr(tg.parse(str(net))) == repr(net)


@given(networks())
def test_text_of_networks_that_fit(case):
    net, shape = case
    assert tg.parse(str(net)).output_shape(shape) == net.output_shape(shape) == ()


def test_the_example_of_the_design():
    net = tg.Sequential(
        tg.Conv(3), tg.ReLU(), tg.GaussianPool(2), tg.Conv(3), tg.ReLU(), tg.GlobalAvgPool(),
        tg.Dense(),
    )  # fmt: skip
    assert net == tg.parse("conv3 relu gauss2 conv3 relu gap dense") == tg.parse(str(net))


EVERY = [
    ("dense", tg.Dense()),
    ("dense:w=1.5,b=0.1,frozen", tg.Dense(1.5, 0.1, False)),
    ("dense:weight_std=2,trainable=false", tg.Dense(2, trainable=False)),
    ("conv3", tg.Conv(3)),
    ("conv5:pad=valid,stride=2", tg.Conv(5, 2, "valid")),
    ("conv3x5:stride=1x2,dilation=2x1", tg.Conv((3, 5), (1, 2), dilation=(2, 1))),
    ("conv[[0,1],[0,0]]", tg.Conv([(0, 0), (0, 1)])),
    ("conv[ [-1], [2] ]:pad=circular", tg.Conv([(-1,), (2,)], padding="circular")),
    ("relu", tg.ReLU()),
    ("relu:raw", tg.ReLU(normalized=False)),
    ("leaky0.1", tg.LeakyReLU(0.1)),
    ("leaky-1e-3:raw", tg.LeakyReLU(-1e-3, normalized=False)),
    ("abs", tg.Abs()),
    ("erf", tg.Erf()),
    ("gelu:raw", tg.GELU(normalized=False)),
    ("sin:frequency=2", tg.Sine(2)),
    ("cos", tg.Cosine()),
    ("exp0.6", tg.Exponential(0.6)),
    ("poly2", tg.Polynomial(2)),
    ("hermite3", tg.Hermite(3)),
    ("activation:function=tanh,raw", tg.Activation("tanh", normalized=False)),
    ("avg2", tg.AvgPool(2)),
    ("avg3x2:stride=1,pad=same", tg.AvgPool((3, 2), 1, "same")),
    ("gauss2:stride=1", tg.GaussianPool(2, 1)),
    ("pool[1,2,1]:stride=2,start=-1,size=4", tg.Pool([1, 2, 1], 2, -1, 4)),
    ("pool[[1,2],[3,4]]", tg.Pool([[1, 2], [3, 4]])),
    ("pool[[1,2],[3]]:peraxis", tg.Pool([[1, 2], [3]], per_axis=True)),
    ("map[[1,0],[0,2]]", tg.LinearMap([[1, 0], [0, 2]])),
    ("sub2x1", tg.Subsample((2, 1))),
    ("gap", tg.GlobalAvgPool()),
    ("flatten", tg.Flatten()),
    ("layernorm", tg.LayerNorm()),
    ("rescale0.5", tg.Rescale(0.5)),
    ("res(relu conv3)", tg.Residual(tg.Sequential(tg.ReLU(), tg.Conv(3)))),
    ("res(res(relu dense) erf dense|dense)",
     tg.Residual(tg.Sequential(tg.Residual(tg.Sequential(tg.ReLU(), tg.Dense())), tg.Erf(),
                               tg.Dense()), tg.Dense())),
]  # fmt: skip


@pytest.mark.parametrize(("text", "layer"), EVERY, ids=[t for t, _ in EVERY])
def test_every_layer(text, layer):
    assert tg.parse(text) == tg.Sequential(layer)
    assert tg.parse(str(layer)) == tg.Sequential(layer)


def test_no_layer_is_missing_from_the_table():
    assert {type(layer) for _, layer in EVERY} == set(LAYERS.values())


def test_blank_space_does_not_matter():
    assert tg.parse("  dense\n res( relu  dense |dense )\tdense ") == tg.parse(
        "dense res(relu dense | dense) dense"
    )


def test_own_functions_by_name():
    def cube(u):
        return u**3

    net = tg.Sequential(tg.Dense(), tg.Activation(cube), tg.Dense())
    assert tg.parse(str(net), functions={"cube": cube}) == net
    with pytest.raises(tg.NetworkError, match="no function is called 'cube'"):
        tg.parse(str(net))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "describes no layer; try 'conv3 relu gap dense'"),
        ("   ", "describes no layer"),
        ("denze", "no layer is called 'denze' .* did you mean dense"),
        ("conv3 foo dense", "no layer is called 'foo'.*; known: dense, conv, relu"),
        ("conv", "'conv' needs patch, as in 'conv3'"),
        ("conv3:", "unknown option ''"),
        ("conv3:strid=2", "unknown option 'strid=2' in 'conv3:strid=2'; known: frozen, patch="),
        ("conv3:w=1,w=2", "weight_std is given twice in 'conv3:w=1,w=2'"),
        ("conv3:w=nan", "'conv3:w=nan': weight_std must be finite, got nan"),
        ("conv3:w=-1", "weight_std must be at least 0, got -1"),
        ("conv3:pad=full", "padding must be one of same, valid, circular; got 'full'"),
        ("conv0", "patch must be at least 1, got 0"),
        ("conv2.5", "patch must be a whole number, got 2.5"),
        ("conv[[0,0]", r"is not a list of numbers"),
        ("conv3:stride=[1", r"is not a list of numbers"),
        ("conv3:w=$", r"'\$' in 'conv3:w=\$' is no number, list or word"),
        ("gap3", "'gap' takes no value, got 'gap3'"),
        ("res(relu conv3", "a parenthesis is not closed in"),
        ("dense)", r"unexpected '\)' at position 6 of 'dense\)'"),
        ("conv3 | relu", r"unexpected '\|' at position 7"),
        ("res()", "holds a body and at most one shortcut"),
        ("res(dense|dense|dense)", "holds a body and at most one shortcut"),
        ("activation", "'activation' needs function, as in 'activation:function=…'"),
        ("relu:frozen", "unknown option 'frozen' in 'relu:frozen'"),
    ],
)
def test_errors(text, message):
    with pytest.raises(tg.NetworkError, match=message):
        tg.parse(text)


@pytest.mark.parametrize("value", [None, 3, ["dense"], b"dense"])
def test_only_text_is_parsed(value):
    with pytest.raises(tg.NetworkError, match="parse reads a text such as"):
        tg.parse(value)


def test_numpy_numbers_are_numbers():
    for number in (np.float32(0.5), np.float64(0.5), np.array(0.5)):
        layer = tg.Dense(number, np.int64(1))
        assert layer == tg.Dense(0.5, 1.0)
        assert hash(layer) == hash(tg.Dense(0.5, 1.0))
    assert tg.Conv(np.int64(3)) == tg.Conv(3)
