"""Modules of PyTorch lifted to their limits, beside random instances of the modules themselves."""

import functools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import lifted_modules as modules
import tangency as tg
from instances import check_gradients, check_last_layer
from manual import run_examples
from tangency import NetworkError
from tangency.nets import from_torch


def test_the_examples_of_the_page_run():
    torch.manual_seed(0)
    run_examples("from-torch.md", 10)


@pytest.mark.parametrize(("make", "shape"), modules.EXACT)
def test_the_last_layer_kernel_is_that_of_random_instances(make, shape):
    check_last_layer(make, shape)


@pytest.mark.parametrize(("make", "shape"), modules.EXACT)
def test_the_ntk_in_pytorchs_parametrisation_is_that_of_a_wide_instance(make, shape):
    check_gradients(make, shape)


@pytest.mark.parametrize(("make", "shape", "text"), modules.TEXTS)
def test_descriptions(make, shape, text):
    torch.manual_seed(0)
    assert str(from_torch(make(), shape)) == str(tg.parse(text))


def test_resnets_with_what_stands_for_their_norms_and_maxima():
    torch.manual_seed(0)
    resnet = modules.ResNet(64)
    state = {name: value.clone() for name, value in resnet.state_dict().items()}
    options = {}
    for message, more in (
        ("^norm1: batch normalisation couples the inputs", {"batch_norm": "identity"}),
        ("^pool: the largest of several values", {"max_pool": "average"}),
        (r"is not Gaussian: preactivate=True reads relu\(x \+ f", {"preactivate": True}),
    ):
        with pytest.raises(NetworkError, match=message):
            from_torch(resnet, (3, 32, 32), **options)
        options |= more
    net = from_torch(resnet, (3, 32, 32), **options)
    w = "w=1.4142135623730951"
    block = f"sum(relu:raw conv3:{w} relu:raw conv3:{w} | )"
    assert f"avg3:stride=2 {block} {block} relu:raw sum(conv3:stride=2,pad=1" in str(net)
    # Stem, two stages of two blocks, one shortcut, readout; every ReLU of the module.
    assert str(net).count("conv") == 1 + 8 + 1
    assert str(net).count("relu") == 1 + 2 * 4
    assert net.output_shape((32, 32, 3)) == ()
    normal = from_torch(resnet, (3, 32, 32), **options | {"batch_norm": "layernorm"})
    assert str(normal).count("layernorm") == 1 + 8 + 1
    assert resnet.training  # untouched
    for name, value in resnet.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("start", "w2"),
    [
        (lambda w: None, 1 / 3),  # PyTorch's own
        (nn.init.kaiming_uniform_, 2),
        (functools.partial(nn.init.kaiming_normal_, nonlinearity="relu"), 2),
        (functools.partial(nn.init.kaiming_normal_, mode="fan_out"), 2 * 256 / 512),
        (functools.partial(nn.init.kaiming_normal_, nonlinearity="linear"), 1),
        (nn.init.xavier_uniform_, 2 * 256 / (256 + 512)),
        (nn.init.xavier_normal_, 2 * 256 / (256 + 512)),
        (functools.partial(nn.init.normal_, std=0.02), 0.02**2 * 256),
    ],
)
def test_initialisations_are_recognised(start, w2):
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(8, 256), nn.ReLU(), nn.Linear(256, 512, bias=False))
    start(module[2].weight.data)
    assert from_torch(module, (8,)).layers[2].weight_std == pytest.approx(np.sqrt(w2))


def test_other_initialisations_are_told():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 4))
    module[2].weight.data.normal_(std=3.0)
    with pytest.raises(NetworkError, match=r"^2: its weights.*spreads=\{'2': .*weight_std=2[345]"):
        from_torch(module, (8,))
    net = from_torch(module, (8,), spreads={"2": (24.0, 0.0)})
    assert net.layers[2] == tg.Dense(weight_std=24.0)
    with pytest.raises(NetworkError, match=r"spreads names '3', which are no layers.*0, 2"):
        from_torch(module, (8,), spreads={"2": (24.0, 0.0), "3": (1, 1)})
    with pytest.raises(NetworkError, match=r"spreads\['2'\] must be two numbers"):
        from_torch(module, (8,), spreads={"2": 24})


def test_frozen_layers():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 4))
    module[0].requires_grad_(False)
    assert [layer.trainable for layer in from_torch(module, (8,)).layers[::2]] == [False, True]
    module[0].weight.requires_grad_(True)
    with pytest.raises(NetworkError, match="0: its weights are trained and its bias frozen"):
        from_torch(module, (8,))
    module[0].weight.requires_grad_(False)
    module[0].bias.requires_grad_(True)
    with pytest.raises(NetworkError, match="0: its bias is trained and its weights frozen"):
        from_torch(module, (8,))


def test_numbers_keep_their_digits():
    torch.manual_seed(0)
    module = modules.Written(lambda m, x: m.b(m.a(x) / 2.5 * 0.1))
    assert from_torch(module, (64,)).layers[1:3] == (tg.Rescale(0.4), tg.Rescale(0.1))


def test_frozen_parts_may_be_kept_from_gradients_as_well():
    torch.manual_seed(0)
    module = modules.Written(modules.without_gradients)
    module.a.requires_grad_(False)
    for context in (torch.no_grad, torch.inference_mode, torch.enable_grad):
        with context():
            assert not from_torch(module, (64,)).layers[0].trainable


@pytest.mark.parametrize(("make", "shape", "message"), modules.REFUSED)
def test_what_has_no_limit_is_refused_by_its_place(make, shape, message):
    torch.manual_seed(0)
    with pytest.raises(NetworkError, match=message):
        from_torch(make(), shape)


@pytest.mark.parametrize(("forward", "message"), modules.MISLEADING)
def test_what_would_be_misread_is_refused(forward, message):
    """Each of these once was read as another network, without a word."""
    torch.manual_seed(0)
    with pytest.raises(NetworkError, match=message):
        from_torch(modules.Written(forward), (64,))


def test_masks_in_evaluation_mode_are_nothing():
    torch.manual_seed(0)

    def forward(m, x):
        return m.b(F.dropout(torch.relu(m.a(x)), 0.5, training=m.training))

    assert [type(layer) for layer in from_torch(modules.Written(forward), (64,)).layers] == [
        tg.Dense,
        tg.ReLU,
        tg.Dense,
    ]


def test_activations_move_into_blocks_that_need_it_alone():
    torch.manual_seed(0)

    def forward(m, x):
        x = torch.relu(m.a(x))
        return m.c(torch.cat([x, torch.relu(m.b(x))], 1))

    def linear(m, x):
        x = torch.relu(m.a(x))
        return m.c(torch.cat([x + m.b(x), x], 1))

    for each in (forward, linear):
        module = modules.Written(each)
        module.c = nn.Linear(128, 8)
        assert from_torch(module, (64,), preactivate=True) == from_torch(module, (64,))


def test_normalisations_that_are_no_longer_what_they_began_as():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv1d(3, 64, 3), nn.BatchNorm1d(64), nn.ReLU(), nn.Flatten())
    assert len(from_torch(module, (3, 8), batch_norm="identity").layers) == 3
    nn.init.zeros_(module[1].weight)
    with pytest.raises(NetworkError, match=r"^1: the gains .* not 1"):
        from_torch(module, (3, 8), batch_norm="identity")
    module[1] = nn.BatchNorm1d(64)
    module[1].running_var *= 2
    with pytest.raises(NetworkError, match=r"^1: the gains \(or variances\)"):
        from_torch(module, (3, 8), batch_norm="identity")
    module[1] = nn.GroupNorm(64, 64)
    with pytest.raises(NetworkError, match=r"^1: GroupNorm divides each channel by its own size"):
        from_torch(module, (3, 8))


def test_hooks_and_weights_made_of_others():
    torch.manual_seed(0)
    module = nn.Sequential(nn.utils.spectral_norm(nn.Linear(8, 64)), nn.ReLU())
    with pytest.raises(NetworkError, match=r"^0: its weights are made of others"):
        from_torch(module, (8,))


def plain():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 64), nn.Sequential(nn.ReLU()), nn.Linear(64, 5))


@pytest.mark.parametrize(
    ("place", "hook"),
    [
        ("1.0", lambda part: part.register_forward_hook(lambda m, x, y: 2 * y)),
        ("1.0", lambda part: part.register_forward_pre_hook(lambda m, x: (2 * x[0],))),
        ("0", lambda part: part.register_full_backward_hook(lambda m, a, b: None)),
        ("", lambda part: part.register_forward_hook(lambda m, x, y: 2 * y)),
    ],
)
def test_hooks_that_the_trace_does_not_see(place, hook):
    module = plain()
    hook(module.get_submodule(place))
    with pytest.raises(NetworkError, match=f"^{place or 'Sequential'}: hooks change what it does"):
        from_torch(module, (8,))


def test_hooks_that_the_trace_sees_and_functions_in_place_of_others():
    module = plain()
    module[1].register_forward_hook(lambda m, x, y: 2 * y)
    assert str(from_torch(module, (8,))).split()[1:3] == ["relu:raw", "rescale2"]
    module[1][0].forward = torch.tanh
    with pytest.raises(NetworkError, match=r"^1\.0: its forward was replaced"):
        from_torch(module, (8,))


def test_a_layer_alone_is_a_network():
    torch.manual_seed(0)
    layer = nn.Linear(8, 64)
    assert from_torch(layer, (8,)) == from_torch(nn.Sequential(layer), (8,))
    module = nn.Sequential(nn.Conv1d(3, 64, 3), nn.AdaptiveAvgPool1d(1), nn.AdaptiveAvgPool1d(1))
    assert len(from_torch(module, (3, 8)).layers) == 2


@pytest.mark.parametrize(
    "norm", [nn.BatchNorm1d(64, eps=0.1), nn.LayerNorm(8, eps=0.1), nn.GroupNorm(2, 64, eps=0.1)]
)
def test_what_normalisations_add_to_variances(norm):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv1d(3, 64, 3, padding=1), norm, nn.ReLU(), nn.Flatten())
    with pytest.raises(NetworkError, match=r"^1: its normalisation adds eps=0\.1 to variances"):
        from_torch(module, (3, 8), batch_norm="identity")


def test_groups_of_positions_are_no_groups_of_channels():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 64), nn.GroupNorm(2, 10), nn.ReLU(), nn.Linear(64, 5))
    with pytest.raises(NetworkError, match=r"^1: it normalises groups of positions"):
        from_torch(module, (10, 6))
    module[1] = nn.GroupNorm(1, 10)
    assert from_torch(module, (10, 6)).layers[1] == tg.LayerNorm(space=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("conv3 relu", (3,)), "takes a torch.nn.Module, got 'conv3 relu'"),
        ((nn.Linear(3, 3), (3, 3, 3, 3, 3)), "input_shape is that of one input"),
        ((nn.Linear(3, 3), (4,)), r"does not take an input of shape \(4,\)"),
        ((nn.Linear(3, 3), 4.5), "input_shape is that of one input"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(NetworkError, match=message):
        from_torch(*arguments)
