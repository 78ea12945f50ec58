"""Arguments that mean something else in other libraries: refused, with the call that is meant."""

import copy
import pickle

import numpy as np
import pytest

import tangency as tg

CASES = [
    (lambda: tg.Dense(512), r"Dense\(512\): .*no argument without a name.*Widths are infinite"),
    (lambda: tg.Dense(512, 1.5, 0.05), r"Dense\(512, 1.5, 0.05\): .*Dense\(weight_std=1.5, bias_"),
    (lambda: tg.Dense(units=3), r"Dense has no argument 'units'; it is Dense\(weight_std=1.0, bia"),
    (lambda: tg.Dense(3, activation="relu"), "Dense has no argument 'activation'"),
    (lambda: tg.Conv(64, 3), r"Conv\(64, 3\): .*one argument without a name.*number of filters: "),
    (lambda: tg.Conv(64, (3, 3)), r"the patch, as in Conv\(3\) or Conv\(\(3, 5\), stride=2\)"),
    (lambda: tg.Conv(3, W_std=2), "Conv has no argument 'W_std'"),
    (lambda: tg.Conv(stride=2), "Conv needs patch"),
    (lambda: tg.LayerNorm(512), "LayerNorm takes no argument without a name.*over the channels"),
    (lambda: tg.ReLU(True), r"ReLU takes no argument without a name; it is ReLU\(normalized=True"),
    (lambda: tg.Sine(2), "The first argument is an amplitude elsewhere; write frequency=2"),
    (lambda: tg.Cosine(2), "The first argument is an amplitude elsewhere; write frequency=2"),
    (lambda: tg.GaussianPool(5, 2), "GaussianPool takes one argument without.*no kernel size"),
    (lambda: tg.Pool([1, 2], 2), r"Pool takes one argument without a name.*Pool\(\[1, 2, 1\], str"),
    (lambda: tg.AvgPool(2, 2, 1), "padding must be one of valid, same; got 1"),
    (lambda: tg.Flatten(1), "Flatten takes no argument without a name"),
    (lambda: tg.GlobalAvgPool(2), "GlobalAvgPool takes no argument without a name"),
    (lambda: tg.mlp(512), r"mlp\(512\) is a network of 512 layers, not of 512 units: widths are"),
    (lambda: tg.mlp(3, 512), r"activation must be a layer such as ReLU\(\).* got 512; widths are"),
    (lambda: tg.cntk(64), r"cntk\(64\) is a network of 64 layers"),
    (lambda: tg.wide_resnet(28, 10), r"wide_resnet\(28, 10\): both numbers are passed by name"),
    (lambda: tg.ckn(3, 2), r"as in ckn\(\(3, 3\), \(2, 5\)\); got 3 and 2"),
    (lambda: tg.myrtle([5]), r"Myrtle networks have 5, 7 or 10 layers, got \[5\]"),
    (lambda: tg.Activation("relu"), r"no function is called 'relu'; use ReLU\(\), which is exact"),
    (lambda: tg.Activation("Erf"), r"no function is called 'Erf'; use Erf\(\), which is exact"),
    (lambda: tg.parse("activation:function=gelu"), r"use GELU\(\), which is exact"),
    (lambda: tg.Sequential(tg.Dense), r"which is a class; write Dense\(\.\.\.\), with parentheses"),
]


@pytest.mark.parametrize(("call", "message"), CASES)
def test_the_message_shows_the_call(call, message):
    with pytest.raises(tg.NetworkError, match=message) as caught:
        call()
    assert len(str(caught.value)) < 500


def test_what_is_meant_can_be_written():
    assert tg.Dense(weight_std=512).weight_std == 512
    assert tg.Conv(64).patch == 64
    assert tg.Conv(3, padding="SAME") == tg.Conv(3)
    assert tg.AvgPool(2, 2, "Valid") == tg.AvgPool(2, stride=2)
    assert len(tg.mlp(50)) == 99
    assert len(tg.Sequential(*[tg.Dense(), tg.ReLU()] * 511, tg.Dense())) == 1023


def test_layers_are_copied_as_before():
    for layer in (tg.Dense(bias_std=0.1), tg.Conv((3, 5), stride=2), tg.Sine(frequency=2)):
        assert copy.deepcopy(layer) == copy.copy(layer) == layer
        assert pickle.loads(pickle.dumps(layer)) == layer


def test_layers_and_modules_of_pytorch():
    torch = pytest.importorskip("torch")
    with pytest.raises(tg.NetworkError, match=r"a layer of torch; .*Dense\(\) for Linear"):
        tg.Sequential(torch.nn.Linear(2, 3))

    class Own(torch.nn.Module):
        pass

    for module in (torch.nn.Sequential(torch.nn.Linear(2, 3)), Own()):
        with pytest.raises(tg.NetworkError, match=r"is a module of PyTorch.*empirical_ntk\(modul"):
            tg.NTK(module)


def test_other_things_that_are_no_network():
    with pytest.raises(tg.NetworkError, match=r"got a list \[Dense\(\)\]; pass Sequential\(\*lay"):
        tg.NTK([tg.Dense()])
    with pytest.raises(tg.NetworkError, match=r"Dense is a class; write Dense\(\.\.\.\)"):
        tg.NTK(tg.Dense)
    with pytest.raises(tg.NetworkError, match="a network is a Sequential or its text form, got 3"):
        tg.NTK(3)
    with pytest.raises(tg.NetworkError) as caught:
        tg.NTK(np.arange(1e6).tolist())
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Linear", r"use Dense\(\), whose width is infinite"),
        ("Conv2d", r"use Conv\(3\), a patch of 3 x 3 and no number of filters"),
        ("MaxPool2d", r"use AvgPool\(2\) or GaussianPool\(2\)"),
        ("BatchNorm", r"use LayerNorm\(\)"),
        ("Tanh", r"use Activation\('tanh'\)"),
        ("Relu", "it is called ReLU"),
        ("serial", r"use Sequential\(\*layers\)"),
        ("FanOut", r"use Residual\(body, shortcut=...\)"),
        ("load", r"use tangency\.learn\.load"),
        ("colour", "no attribute 'colour'$"),
        ("__wrapped__", "no attribute '__wrapped__'$"),
    ],
)
def test_names_of_other_libraries(name, hint):
    with pytest.raises(AttributeError, match=hint):
        getattr(tg, name)


def test_layers_that_follow_each_other_are_one_branch():
    for call in (
        lambda: tg.Residual(tg.Dense(), tg.ReLU()),
        lambda: tg.Residual(*[tg.Dense()] * 3),
    ):
        with pytest.raises(tg.NetworkError, match=r"are one branch, Residual\(Sequential\("):
            call()
    net = tg.Residual(tg.Conv(3), shortcut=tg.Conv(1))
    assert (
        net
        == tg.Residual(tg.Sequential(tg.Conv(3)), tg.Conv(1))
        == tg.parse("res(conv3 | conv1)")[0]
    )
    assert pickle.loads(pickle.dumps(net)) == copy.deepcopy(net) == net


@pytest.mark.parametrize("kind", [tg.NTK, tg.NNGP])
def test_a_kernel_takes_one_network(kind):
    with pytest.raises(tg.NetworkError, match=r"takes one network; .* pass NN?.*\(Sequential\("):
        kind(tg.Dense(), tg.ReLU(), tg.Dense())
    kernel = kind("dense relu dense", normalize=True)
    assert pickle.loads(pickle.dumps(kernel)) == copy.deepcopy(kernel) == kernel


@pytest.mark.parametrize("text", ["myrtle5", "wide_resnet(blocks=1)", "vit", "ckn"])
def test_presets_have_no_name_in_a_text(text):
    name = text.rstrip("5").partition("(")[0]
    with pytest.raises(
        tg.NetworkError, match=rf"use tangency\.{name}\(\.\.\.\) in Python, or here the"
    ):
        tg.parse(text)
