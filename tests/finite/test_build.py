"""Finite networks as modules: shapes, parameters, options, errors."""

import copy
import pickle

import numpy as np
import pytest

import tangency as tg
from tangency import finite

torch = pytest.importorskip("torch")

CONV = "conv3:b=0.1 relu gauss2 conv3 relu gap dense"


def image(n=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, 6, 5, 2, generator=generator, dtype=dtype)


def conv(**options):
    options = {"width": 8, "input_shape": (6, 5, 2), "dtype": torch.float64, **options}
    return finite.build(CONV, **options)


def test_parameters_are_those_of_the_layers():
    module = conv(outputs=3)
    shapes = [tuple(p.shape) for p in module.parameters()]
    assert shapes == [(8, 2, 3, 3), (8,), (8, 8, 3, 3), (3, 8)]
    assert (module.width, module.outputs, module.input_shape) == (8, 3, (6, 5, 2))
    assert module.net == tg.parse(CONV)
    assert module(image()).shape == (3, 3)


def test_parameters_are_standard_normal():
    module = finite.build("dense:w=3,b=0.1 relu dense", 2000, (100,), seed=4)
    values = torch.cat([p.detach().flatten() for p in module.parameters()]).double()
    count = len(values)
    assert abs(values.mean()) < 4 / count**0.5
    assert abs(values.var() - 1) < 4 * (2 / count) ** 0.5
    assert abs((values**4).mean() - 3) < 4 * (96 / count) ** 0.5


def test_frozen_layers_have_no_gradient():
    module = finite.build("dense:frozen,b=1 relu dense:b=1", 4, (3,))
    assert [p.requires_grad for p in module.parameters()] == [False, False, True, True]


def test_a_seed_is_a_network():
    x = image()
    assert torch.equal(conv(seed=5)(x), conv(seed=5)(x))
    assert not torch.allclose(conv(seed=5)(x), conv(seed=6)(x))
    single = conv(seed=5, dtype=torch.float32)(x)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), conv(seed=5)(x), rtol=1e-4, atol=1e-5)


def test_building_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    first = torch.rand(3)
    torch.manual_seed(0)
    conv()
    assert torch.equal(torch.rand(3), first)


def test_inputs_may_be_arrays_or_rows():
    module, x = conv(), image()
    expected = module(x)
    assert torch.equal(module(x.numpy()), expected)
    assert torch.equal(module(x.reshape(3, -1)), expected)
    assert torch.equal(module(x.numpy().reshape(3, -1)), expected)
    bytes_ = np.arange(2 * 60).reshape(2, 6, 5, 2).astype(np.uint8)
    assert torch.equal(module(bytes_), module(bytes_.astype(float)))


def test_the_output_scale_is_a_factor():
    x = image()
    assert conv(scale=4.0).output_scale == 4.0
    torch.testing.assert_close(conv(scale=4.0)(x), 4 * conv()(x))


def test_centred_outputs_start_at_zero_and_have_the_same_gradient():
    x, plain, centred = image(), conv(scale=2.0), conv(scale=2.0, centred=True)
    assert not torch.any(centred(x))
    start = plain(x).detach()
    for mine, theirs in zip(centred.parameters(), plain.parameters(), strict=True):
        mine.data += 0.1
        theirs.data += 0.1
    torch.testing.assert_close(centred(x), plain(x) - start)
    centred(x).sum().backward()
    plain(x).sum().backward()
    for mine, theirs in zip(centred.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)


@pytest.mark.parametrize("centred", [False, True])
def test_copies_are_the_same_function(centred, tmp_path):
    module, x = conv(centred=centred), image()
    for p in module.parameters():
        p.data += 0.5
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(other(x), module(x))
    fresh = conv(centred=centred, seed=9)
    fresh.load_state_dict(module.state_dict())
    assert torch.equal(fresh(x), module(x))


def test_modules_change_their_dtype():
    module = conv(centred=True).to(torch.float32)
    assert module(image()).dtype == torch.float32
    net = "conv3 exp0.6 pool[[1,2],[3,4]] flatten dense"
    single = finite.build(net, 4, (6, 5, 2)).double()
    assert single(image()).dtype == torch.float64


def test_layer_parameters_may_be_tensors():
    net = tg.Sequential(tg.Dense(weight_std=torch.tensor(2.0)), tg.ReLU(), tg.Dense())
    x = torch.ones(1, 3)
    assert torch.equal(
        finite.build(net, 4, (3,))(x), finite.build("dense:w=2 relu dense", 4, (3,))(x)
    )


def test_a_single_layer_and_a_number_as_shape():
    module = finite.build(tg.Dense(), 4, 3, outputs=2)
    assert module.input_shape == (3,)
    x = torch.eye(3)
    assert torch.equal(module(x), next(module.parameters()).T)


def test_zero_inputs_have_finite_gradients():
    for text in ("conv3 layernorm relu", "conv3 exp0.6", "conv3 poly3", "conv3 relu"):
        module = finite.build(f"{text} conv3 relu gap dense", 4, (6, 1))
        x = torch.zeros(2, 6, 1, requires_grad=True)
        out = module(x)
        assert not torch.any(out)
        out.sum().backward()
        for tensor in (x, *module.parameters()):
            assert torch.all(torch.isfinite(tensor.grad))


def test_outputs_after_an_activation_are_hidden_units():
    module = finite.build("dense relu", 5, (3,), outputs=7)
    assert module(torch.ones(2, 3)).shape == (2, 7)


def test_the_printed_form_names_the_network():
    text = repr(conv(scale=2.0))
    assert f"'{CONV}', width=8, outputs=1, output_scale=2" in text
    assert "BoxWeights((8, 2, 3, 3), scale=0.3333, bias_std=0.1)" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "width must be a whole number of at least 1, got 0"),
        ({"width": 2.0}, r"width must be a whole number of at least 1, got 2\.0"),
        ({"width": True}, "width must be a whole number of at least 1, got True"),
        ({"outputs": 0}, "outputs must be a whole number of at least 1"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"dtype": torch.float16}, r"dtype must be torch\.float32 or torch\.float64, got"),
        ({"dtype": float}, r"dtype must be torch\.float32 or torch\.float64, got"),
        ({"scale": 0}, "scale must be a finite number other than 0, got 0"),
        ({"scale": float("nan")}, "scale must be a finite number other than 0, got nan"),
        ({"centred": 1}, "centred must be True or False, got 1"),
        ({"input_shape": (6, 0, 2)}, "input_shape must be a whole number of at least 1, got 0"),
        ({"input_shape": 2.5}, r"input_shape must be a whole number of at least 1, got 2\.5"),
    ],
)
def test_bad_options(change, message):
    with pytest.raises(tg.InputError, match=message):
        conv(**change)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        ("conv3 relu", "ends on a grid of 6×5.* add GlobalAvgPool"),
        ("conv3 relu dense", r"then Dense\(\) \(before them it acts at each position\)"),
        ("conv3 relu:loud", "unknown option 'loud'"),
        (
            "conv3 expnormalized2:shift=-0.5 gap dense",
            r"the same kernel has one when written as ExpNormalized\(2\), Rescale\(1\.64872127\)",
        ),
    ],
)
def test_networks_that_cannot_be(net, message):
    with pytest.raises(tg.NetworkError, match=message):
        finite.build(net, 4, (6, 5, 2))


def test_the_remedy_for_a_shifted_kernel_is_the_same_kernel():
    x = np.random.default_rng(0).standard_normal((3, 4))
    one = tg.gram("dense expnormalized2:shift=-0.5 dense", x)
    other = tg.gram("dense expnormalized2 rescale1.64872127 dense", x)
    for kind in ("nngp", "ntk"):
        np.testing.assert_allclose(getattr(one, kind), getattr(other, kind), rtol=1e-8)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        ("conv3 relu flatten", r"Flatten\(\) comes after the last layer with weights"),
        ("gap dense layernorm", r"LayerNorm\(\) comes after the last layer with weights"),
        ("gap dense exp1", r"Exponential\(1\.0\) comes after the last layer with weights"),
        ("gap rescale2", "no layer with weights at the end of the network"),
        ("gap dense relu res(dense)", "an identity shortcut has none"),
    ],
)
def test_networks_without_a_place_for_outputs(net, message):
    with pytest.raises(tg.InputError, match=message) as caught:
        finite.build(net, 4, (6, 5, 2))
    assert str(caught.value).endswith("add Dense() at the end")
    finite.build(f"{net} dense", 4, (6, 5, 2))  # the remedy is one


@pytest.mark.parametrize("layer", ["layernorm relu", "exp1", "poly2"])
def test_norms_need_two_channels(layer):
    with pytest.raises(tg.InputError, match="needs a width of at least 2, got 1"):
        finite.build(f"dense {layer} dense", 1, (3,))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(6, 5, 2), r"shape \(6, 5, 2\).* takes \(n, 6, 5, 2\), or rows of 60 numbers"),
        (torch.zeros(2, 59), r"shape \(2, 59\)"),
        (np.zeros((2, 5, 6, 2)), r"X has shape \(2, 5, 6, 2\)"),
        (np.full((1, 6, 5, 2), np.nan), "X holds NaN or infinity"),
    ],
)
def test_bad_inputs(x, message):
    with pytest.raises(tg.InputError, match=message):
        conv()(x)


def test_an_empty_shape():
    with pytest.raises(tg.InputError, match="input_shape is empty; it must be"):
        tg.finite.build("dense relu dense", 8, ())
