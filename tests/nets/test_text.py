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
    ("aggregate", tg.Aggregate()),
    ("dense", tg.Dense()),
    ("dense:w=1.5,b=0.1,frozen", tg.Dense(weight_std=1.5, bias_std=0.1, trainable=False)),
    ("dense:weight_std=2,trainable=false", tg.Dense(weight_std=2, trainable=False)),
    ("conv3", tg.Conv(3)),
    ("conv5:pad=valid,stride=2", tg.Conv(5, stride=2, padding="valid")),
    ("conv3x5:stride=1x2,dilation=2x1", tg.Conv((3, 5), stride=(1, 2), dilation=(2, 1))),
    ("conv[[0,1],[0,0]]", tg.Conv([(0, 0), (0, 1)])),
    ("conv[ [-1], [2] ]:pad=circular", tg.Conv([(-1,), (2,)], padding="circular")),
    ("relu", tg.ReLU()),
    ("relu:raw", tg.ReLU(normalized=False)),
    ("leaky0.1", tg.LeakyReLU(0.1)),
    ("leaky-1e-3:raw", tg.LeakyReLU(-1e-3, normalized=False)),
    ("abs", tg.Abs()),
    ("erf", tg.Erf()),
    ("gelu:raw", tg.GELU(normalized=False)),
    ("sin:frequency=2", tg.Sine(frequency=2)),
    ("cos", tg.Cosine()),
    ("exp0.6", tg.Exponential(0.6)),
    ("poly2", tg.Polynomial(2)),
    ("hermite3", tg.Hermite(3)),
    ("abrelu:a=-0.3,b=1.2", tg.ABReLU(-0.3, 1.2)),
    ("erf:a=0.8,b=1.2,c=0.1", tg.Erf(0.8, 1.2, 0.1)),
    ("sigmoidlike:raw", tg.SigmoidLike(normalized=False)),
    ("sin:frequency=2,phase=0.3,amplitude=4", tg.Sine(frequency=2, amplitude=4, phase=0.3)),
    ("rbf0.8", tg.RBF(0.8)),
    ("rbf", tg.RBF()),
    ("exponent:b=0.5", tg.Exp(b=0.5)),
    ("bell:b=-0.5", tg.Gaussian(b=-0.5)),
    ("gaussian", tg.Activation("gaussian")),
    ("gabor", tg.Gabor()),
    ("sign", tg.Sign()),
    ("monomial3", tg.Monomial(3)),
    ("rectified2:raw", tg.RectifiedMonomial(2, normalized=False)),
    ("rectifiedmonomial2", tg.RectifiedMonomial(2)),
    ("powers[0.2,1,-0.5]", tg.PolynomialActivation([0.2, 1, -0.5])),
    ("expnormalized1.3:shift=-0.5", tg.ExpNormalized(1.3, -0.5)),
    ("poly2:raw", tg.Polynomial(2, normalized=False)),
    ("activation:function=tanh,raw", tg.Activation("tanh", normalized=False)),
    ("avg2", tg.AvgPool(2)),
    ("avg3x2:stride=1,pad=same", tg.AvgPool((3, 2), 1, "same")),
    ("gauss2:stride=1", tg.GaussianPool(2, stride=1)),
    ("pool[1,2,1]:stride=2,start=-1,size=4", tg.Pool([1, 2, 1], stride=2, start=-1, size=4)),
    ("pool[[1,2],[3,4]]", tg.Pool([[1, 2], [3, 4]])),
    ("pool[[1,2],[3]]:peraxis", tg.Pool([[1, 2], [3]], per_axis=True)),
    ("map[[1,0],[0,2]]", tg.LinearMap([[1, 0], [0, 2]])),
    ("sub2x1", tg.Subsample((2, 1))),
    ("convt3", tg.ConvTranspose(3)),
    ("convt2x3:stride=2,pad=valid,w=1.5,b=0.1,frozen",
     tg.ConvTranspose((2, 3), stride=2, padding="valid", weight_std=1.5, bias_std=0.1,
                      trainable=False)),
    ("local3", tg.ConvLocal(3)),
    ("local[[0],[2]]:pad=circular,stride=2,b=0.1",
     tg.ConvLocal([(0,), (2,)], padding="circular", stride=2, bias_std=0.1)),
    ("sumpool2:stride=1,pad=same", tg.SumPool(2, 1, "same")),
    ("avg3:stride=2,pad=same,edges", tg.AvgPool(3, 2, "same", normalize_edges=True)),
    ("gsp", tg.GlobalSumPool()),
    ("aggregate", tg.Aggregate()),
    ("resize7x6", tg.Resize((7, 6))),
    ("resize4:nearest", tg.Resize(4, "nearest")),
    ("resize4:aliased", tg.Resize(4, antialias=False)),
    ("up2x3", tg.Upsample((2, 3))),
    ("shuffle2", tg.PixelShuffle(2)),
    ("pad1", tg.Pad(1)),
    ("pad1x2:reflect", tg.Pad((1, 2), "reflect")),
    ("pad[[1,0],[0,2]]:mode=edge", tg.Pad(((1, 0), (0, 2)), "edge")),
    ("slice[[1,5],[0,7,2]]", tg.Slice((1, 5), (0, 7, 2))),
    ("slice[[1,null],[null,null]]", tg.Slice((1, None), slice(None))),
    ("slice[[null,null,-1]]", tg.Slice((None, None, -1))),
    ("slice2x3", tg.Slice(2, 3)),
    ("slice0", tg.Slice(0)),
    ("slice[-1,2]", tg.Slice(axes=[-1, 2])),
    ("gap", tg.GlobalAvgPool()),
    ("flatten", tg.Flatten()),
    ("layernorm", tg.LayerNorm()),
    ("layernorm:space", tg.LayerNorm(space=True)),
    ("dropout0.9", tg.Dropout(0.9)),
    ("posembed:w=0.5,length=2,frozen",
     tg.PositionalEmbedding(weight_std=0.5, length=2, trainable=False)),
    ("classtoken", tg.ClassToken()),
    ("classtoken:w=0.02,count=2,frozen",
     tg.ClassToken(weight_std=0.02, count=2, trainable=False)),
    ("attention:softmax", tg.SelfAttention()),
    ("attention:bare,query_std=0.5", tg.SelfAttention(query_std=0.5, weights=False)),
    ("attention:relu,frozen", tg.SelfAttention("relu", trainable=False)),
    ("attention:abs,positions=sum,position_std=0.7",
     tg.SelfAttention("abs", positions="sum", position_std=0.7)),
    ("attention:identity,root,query_std=2,key_std=0.5,value_std=1.5,out_std=0.3,b=0.1",
     tg.SelfAttention("identity", linear_scaling=False, query_std=2, key_std=0.5, value_std=1.5,
                      out_std=0.3, bias_std=0.1)),
    ("dense:weight_rate=64,bias_rate=1", tg.Dense(weight_rate=64, bias_rate=1)),
    ("sum(conv1 | relu conv3 | )", tg.Sum(tg.Conv(1), tg.Sequential(tg.ReLU(), tg.Conv(3)), None)),
    ("prod(dense|dense erf)", tg.Product(tg.Dense(), tg.Sequential(tg.Dense(), tg.Erf()))),
    ("product( | dense)", tg.Product(None, tg.Dense())),
    ("cat(conv3|conv1):axis=0", tg.Concatenate(tg.Conv(3), tg.Conv(1), axis=0)),
    ("Concat( | dense):widths=2x1", tg.Concatenate(None, tg.Dense(), widths=(2, 1))),
    ("cat(sum( | dense) relu|dense):widths=[1,0.5]",
     tg.Concatenate(tg.Sequential(tg.Sum(None, tg.Dense()), tg.ReLU()), tg.Dense(),
                    widths=(1, 0.5))),
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
        ("conv3 foo dense", "no layer is called 'foo'.*; known: dense, conv, .*relu, "),
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
        ("conv3:w=$", r"'\$' in 'conv3:w=\$' is not a number, list or word"),
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
        layer = tg.Dense(weight_std=number, bias_std=np.int64(1))
        assert layer == tg.Dense(weight_std=0.5, bias_std=1.0)
        assert hash(layer) == hash(tg.Dense(weight_std=0.5, bias_std=1.0))
    assert tg.Conv(np.int64(3)) == tg.Conv(3)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("dense tanh dense", "dense activation:function=tanh dense"),
        ("dense TANH:raw dense", "dense activation:function=tanh,raw dense"),
        ("sigmoid:raw", "activation:function=sigmoid,raw"),
        ("softplus silu swish elu gaussian", " ".join(
            f"activation:function={f}" for f in ("softplus", "silu", "silu", "elu", "gaussian"))),
        ("ReLU LeakyReLU0.1 Sine:frequency=2 Exponential0.6 Polynomial2",
         "relu leaky0.1 sin:frequency=2 exp0.6 poly2"),
        ("AvgPool2 GaussianPool2 Subsample2 GlobalAvgPool", "avg2 gauss2 sub2 gap"),
        ("Residual(relu conv3) Res(relu conv3)", "res(relu conv3) res(relu conv3)"),
        ("conv3:pad=SAME conv3:pad=Valid", "conv3 conv3:pad=valid"),
    ],
)  # fmt: skip
def test_names_that_people_guess(text, same):
    assert tg.parse(text) == tg.parse(same)


def test_the_functions_of_a_caller_come_first():
    def cube(u):
        return u**3

    net = tg.parse("dense tanh dense", functions={"tanh": cube})
    assert net.layers[1] == tg.Activation(cube)


LARGE = "9" * 5000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conv99999999 relu gap dense", "patch must be at most 10000 in size, got 99999999"),
        ("avg99999", "size must be at most 10000"),
        ("conv3:stride=99999", "stride must be at most 10000"),
        ("dense poly99999 dense", "degree must be at most 10000"),
        (f"poly{LARGE}", "degree must be a whole number, got inf"),
        (f"conv[[{LARGE}]]", "is not a list of numbers"),
        (f"dense:w={LARGE}", "weight_std must be finite, got inf"),
        ("dense:w=1e200", r"weight_std must be at most 1e\+50 in size, got 1e\+200"),
        ("rescale1e200", r"factor must be at most 1e\+50"),
        ("leaky-1e200", r"slope must be at most 1e\+50"),
        ("map[[1e200]]", r"matrix must be at most 1e\+50"),
        ("exp1e-200", "sigma must be at least 1e-09, got 1e-200"),
        ("exp1e10", r"sigma must be at most 1e\+09"),
        ("sin:frequency=1e10", r"frequency must be at most 1e\+09"),
        ("cos:frequency=1e-10", "frequency must be at least 1e-09"),
        ("res(" * 3000, r"res\(...\) is nested more than 50 deep"),
        ("conv[" + "[" * 50_000, "is not a list of numbers"),
        ("map[[[[1]]]]", "matrix is nested more than 3 deep"),
        ("conv[" + "[" * 900 + "]" * 901, "patch offset must be a whole number"),
        ("x" * 150_000, "no layer is called 'xxx"),
        ("dense:" + "a," * 70_000, "unknown option 'a'"),
        ("dense:w=" + "a" * 70_000, "weight_std must be a number"),
        ("activation:function=" + "z" * 70_000, "no function is called 'zzz"),
        ("dense relu) " * 10_000, r"unexpected '\)' at position 11"),
        ("dense:" + "frozen," * 10_000, "trainable is given twice"),
        ("ReLU( dense", r"unexpected '\(' at position 5.*only res\(...\), sum.* have parentheses"),
        ("dense512 relu", "'dense' takes no value, got 'dense512'; widths are infinite here"),
        (
            "dense:w=1_0",
            "'1_0' in 'dense:w=1_0' is not a number, .*plain digits, without separators",
        ),
        ("rescale1_000.5", "plain digits, without separators"),
        ("dense:w=١", "'١' in 'dense:w=١' is not a number"),
        ("conv3 maxpool2 gap dense", r"no layer is called 'maxpool' .*; use AvgPool\(2\)"),
        ("Linear ReLU Linear", r"no layer is called 'linear' .*\(in a text: dense\)"),
        ("conv2d3", "is not a number"),
        ("dense, relu, dense", "'dense' takes no value, .*; layers are separated by spaces"),
        ("dense-relu-dense", "; layers are separated by spaces"),
        ("dense sigmod dense", "did you mean sigmoid"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_hostile_texts_end_in_one_short_line(text, message):
    with pytest.raises(tg.NetworkError, match=message) as caught:
        tg.parse(text)
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)


FLAT, SPACE = (5,), (6, 6, 6, 1)


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        ("conv9999 relu gap dense", SPACE, "a window that spans 9999 positions reaches far beyond"),
        ("conv3:dilation=9999 relu gap dense", SPACE, "a window that spans 19999 positions"),
        ("conv[[0,0,0],[9999,0,0]] relu gap dense", SPACE, "a window that spans 10000 positions"),
        ("conv3 pool[[[1]]]:size=9999 gap dense", SPACE, "more than the 134,217,728 numbers"),
        ("conv3 avg2 gap dense", (10**5, 3), "a linear map from 100,000 positions to 50,000 is"),
        ("conv3 sub2 gap dense", (10**5, 3), "a linear map from 100,000 positions to 50,000 is"),
        ("conv3 relu gap dense", (10**9, 10**9, 3), "a grid of 1,000,000,000,000,000,000 positio"),
        ("res(relu dense " * 49 + ")" * 49, FLAT, "ReLU needs Gaussian values"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_networks_that_would_take_the_memory(text, shape, message):
    net = tg.parse(text)
    for call in (net.output_shape, net.summary, lambda s: tg.explain(net, s)):
        with pytest.raises(tg.NetworkError, match=message) as caught:
            call(shape)
        assert len(str(caught.value)) < 900


def test_limits_leave_room():
    assert tg.parse("conv128 relu gap dense").output_shape((2, 1)) == ()
    assert tg.parse("conv199 relu gap dense").output_shape((100, 1)) == ()
    deep = "dense " + "res(relu dense " * 49 + ")" * 49
    assert tg.parse(str(tg.parse(deep))) == tg.parse(deep)
    layer = tg.Sequential(tg.ReLU(), tg.Dense())
    for _ in range(50):
        layer = tg.Residual(layer)
    with pytest.raises(tg.NetworkError, match="Residuals are nested more than 50 deep"):
        tg.Residual(layer)


def test_parameters_of_any_size_are_shown_shortly():
    many = list(range(10**5))
    for call in (
        lambda: tg.Conv(many),
        lambda: tg.Conv([(0, 0), *many]),
        lambda: tg.Dense(weight_std=many),
        lambda: tg.Dense(trainable="x" * 10**5),
        lambda: tg.Conv(3, padding="x" * 10**5),
        lambda: tg.Conv(10**5000),
        lambda: tg.Conv(-(10**5000)),
        lambda: tg.Dense(weight_std=10**5000),
        lambda: tg.Sequential("x" * 10**5),
        lambda: tg.Residual("x" * 10**5),
        lambda: tg.AvgPool(many),
        lambda: tg.Pool("x" * 10**5),
        lambda: tg.parse(b"x" * 10**5),
    ):
        with pytest.raises(tg.NetworkError) as caught:
            call()
        assert len(str(caught.value)) < 400
