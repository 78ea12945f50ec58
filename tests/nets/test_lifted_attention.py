"""Attention in modules of PyTorch, lifted to its limit, or to what stands for it."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import attending_modules as modules
import tangency as tg
from attending_modules import CHANNELS, TOKENS, Block
from instances import check_gradients, check_last_layer
from tangency import NetworkError

SHAPE = (TOKENS, CHANNELS)


def many_heads(width):
    return Block(modules.linear, width, width // 4, modules.QKV)


EXACT = {
    "shared": partial(Block, modules.shared, heads=2, parts=("k", "v", "proj")),
    "rectified": partial(Block, modules.rectified, parts=("k", "v", "proj"), softmax=False),
    "apart": partial(Block, modules.apart, parts=modules.QKV),
    "linear": many_heads,
}


@pytest.mark.parametrize("name", EXACT)
def test_the_last_layer_kernel_is_that_of_random_instances(name):
    check_last_layer(EXACT[name], SHAPE, last=True)


@pytest.mark.parametrize("name", EXACT)
def test_the_ntk_is_that_of_wide_instances(name):
    check_gradients(EXACT[name], SHAPE, last=True)


def made(make, *arguments, **options):
    torch.manual_seed(0)
    return make(*arguments, **options)


@pytest.mark.parametrize("name", modules.WRITTEN)
def test_however_it_is_written(name):
    attend, parts = modules.WRITTEN[name]
    module = made(Block, attend, parts=parts)
    with pytest.raises(NetworkError, match=r"^[qkv]+: softmax attention, .* no limit in closed"):
        tg.from_torch(module, SHAPE)
    same = made(Block, modules.shared, parts=("k", "v", "proj"))
    assert tg.from_torch(module, SHAPE, attention="linear") == tg.from_torch(same, SHAPE)


@pytest.mark.parametrize("name", modules.REFUSED)
def test_what_is_no_attention_of_this_kind(name):
    attend, message = modules.REFUSED[name]
    with pytest.raises(NetworkError, match=message):
        tg.from_torch(made(Block, attend, parts=modules.QKV), SHAPE)


def test_places_of_what_cannot_be_read():
    module = nn.Sequential(made(Block, modules.REFUSED["norms"][0], parts=modules.QKV))
    with pytest.raises(NetworkError, match=r"^0: a product of two signals"):
        tg.from_torch(module, SHAPE)


@pytest.mark.parametrize("name", modules.HELD)
def test_parameters_beside_a_signal(name):
    make, text = modules.HELD[name]
    net = tg.from_torch(made(make), SHAPE)
    ends = [modules.START, modules.END]
    if name == "frozen":
        ends = [f"{end},frozen" for end in ends]
    assert str(net) == f"{ends[0]} {text} {ends[1]}"


@pytest.mark.parametrize("name", modules.ADDED)
def test_constants_that_have_no_layer(name):
    make, message = modules.ADDED[name]
    with pytest.raises(NetworkError, match=message):
        tg.from_torch(made(make), SHAPE)


def test_spreads_of_parameters_are_told():
    make, _ = modules.ADDED["trained"]
    net = tg.from_torch(made(make), SHAPE, spreads={"a": (0.7, 0.0)})
    assert net.layers[1] == tg.PositionalEmbedding(weight_std=0.7)


def test_parameters_learn_at_the_rate_of_biases_in_pytorchs_parametrisation():
    module = made(modules.HELD["class token and positions"][0])
    net = tg.from_torch(module, SHAPE, standard=True)
    token = "sum( | local1:w=0,weight_rate=0,bias_rate=1 slice[[0,1]] pad[[0,5]])"
    rest = "sum( | local1:w=0,b=0.02,weight_rate=0,bias_rate=1) slice[0]"
    assert f"classtoken:w=0,frozen {token} {rest}" in str(net)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("norm_first", [True, False])
def test_pytorchs_own_encoder(first, norm_first):
    activation = "gelu" if norm_first else "relu"
    module = made(modules.Encoder, first, norm_first=norm_first, activation=activation)
    with pytest.raises(NetworkError, match=r"^encoder.layers.0.self_attn: softmax attention"):
        tg.from_torch(module, SHAPE)
    w = "0.7071067811865476"
    heads = f"attention:query_std={w},key_std={w},bare dense:w={w} dense"
    rest = f"dense:w=0.8944271909999159,b=0.07216878364870322 {activation}:raw dense:w="
    net = str(tg.from_torch(module, SHAPE, attention="linear"))
    if norm_first:
        assert f"{modules.START} sum( | layernorm {heads}) sum( | layernorm {rest}" in net
    else:
        assert f"{modules.START} sum( | {heads}) layernorm sum( | {rest}" in net
    assert net.count("attention") == 2
    assert net.endswith(f"layernorm slice[0] {modules.END}")


def test_layers_that_begin_as_copies():
    module = made(modules.Encoder, anew=False)
    with pytest.raises(
        NetworkError,
        match=r"^encoder.layers.1.self_attn and encoder.layers.0.self_attn begin with equal",
    ):
        tg.from_torch(module, SHAPE, attention="linear")


def test_convolutions_of_single_positions_attend():
    net = tg.from_torch(made(modules.NonLocal), (CHANNELS, 2, 3), attention="linear")
    assert [type(layer) for layer in net.layers[1].branches[1].layers] == [
        tg.SelfAttention,
        tg.Dense,
        tg.Conv,
    ]
    assert net.output_shape((2, 3, CHANNELS)) == ()


def test_a_row_of_positions_becomes_a_grid_again():
    net = tg.from_torch(made(modules.Back), (CHANNELS, 2, 3), attention="linear")
    names = [type(layer).__name__ for layer in net.layers]
    assert names == ["Conv", "Sum", "Conv", "ReLU", "GlobalAvgPool", "Dense"]
    with pytest.raises(NetworkError, match=r"^reshape: reshape has no layer"):
        tg.from_torch(made(modules.Back, swapped=True), (CHANNELS, 2, 3), attention="linear")


def test_positions_of_inputs_have_few_channels():
    class Early(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.a = nn.Linear(CHANNELS, 64), nn.Parameter(torch.randn(5, CHANNELS))

        def forward(self, x):
            return self.embed(x + self.a).mean(1)

    with pytest.raises(NetworkError, match="have the few channels of the inputs here"):
        tg.from_torch(made(Early), SHAPE)


HEADS = [
    (
        lambda f, x: f(x, x, x),
        {},
        "^attention: the axis over which it attends is that of the batch",
    ),
    (
        lambda f, x: f(x, x, torch.relu(x)),
        {"batch_first": True},
        "^attention: its queries come from",
    ),
    (
        lambda f, x: f(x, x, x, attn_mask=torch.ones(5, 5).triu(1) > 0),
        {"batch_first": True},
        "^attention: a mask hides positions",
    ),
    (
        lambda f, x: f(x, x, x),
        {"add_zero_attn": True},
        "^attention: keys and values of other sizes",
    ),
    (lambda f, x: f(x, x, x), {"kdim": 32}, "^attention: keys and values of other sizes"),
]


@pytest.mark.parametrize(("call", "options", "message"), HEADS)
def test_heads_that_have_no_layer(call, options, message):
    with pytest.raises(NetworkError, match=message):
        tg.from_torch(made(modules.Heads, call, **options), SHAPE, attention="linear")


def test_axes_of_the_batch_and_of_channels():
    class Moved(nn.Module):
        def __init__(self, axes, back):
            super().__init__()
            self.embed, self.axes, self.back = nn.Linear(CHANNELS, 64), axes, back

        def forward(self, x):
            x = self.embed(x.permute(self.axes))
            return x.permute(self.back).mean(-1)

    # Channels come first, and are moved to the end before the first layer.
    net = tg.from_torch(made(Moved, (0, 2, 1), (0, 2, 1)), (CHANNELS, TOKENS))
    assert str(net) == f"{modules.START} gap"
    with pytest.raises(NetworkError, match="the axis of the batch is not the first of the result"):
        tg.from_torch(made(Moved, (1, 0, 2), (2, 1, 0)), SHAPE)
    with pytest.raises(NetworkError, match=r"^mean: it acts on the axis of the batch"):
        tg.from_torch(made(Moved, (1, 0, 2), (0, 2, 1)), SHAPE)


def test_a_readout_that_begins_at_zero():
    module = made(Block, modules.apart, parts=modules.QKV)
    nn.init.zeros_(module.head.weight)
    nn.init.zeros_(module.head.bias)
    with pytest.raises(NetworkError, match=r"^head: its weights begin at zero.*'head': \(1.0, 0.0"):
        tg.from_torch(module, SHAPE)
    assert tg.from_torch(module, SHAPE, spreads={"head": (1.0, 0.0)}).layers[-1] == tg.Dense()
    means = nn.Sequential(nn.Conv1d(CHANNELS, 64, 1), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    nn.init.zeros_(means[0].weight)
    nn.init.zeros_(means[0].bias)
    with pytest.raises(NetworkError, match=r"^0: its weights begin at zero"):
        tg.from_torch(means, (CHANNELS, TOKENS))
    net = tg.from_torch(module, SHAPE, standard=True)
    x = np.random.default_rng(0).standard_normal((2, *SHAPE))
    assert (tg.NTK(net)(x) > 1).all()


def test_words_by_their_numbers():
    module = nn.Sequential(nn.Embedding(9, 64), nn.Linear(64, 8))
    with pytest.raises(NetworkError, match=r"no places in an nn.Embedding: take words as one-hot"):
        tg.from_torch(module, (5,))
    linear = nn.Sequential(nn.Linear(9, 64, bias=False), nn.Linear(64, 8))
    linear[0].weight.data.copy_(module[0].weight.data.T)
    net = tg.from_torch(linear, (5, 9), spreads={"0": (1.0, 0.0)})
    words = np.eye(9)[[[0, 1, 2, 3, 4], [0, 1, 5, 5, 5]]]
    assert net.layers[0] == tg.Dense()
    assert tg.NNGP(tg.Sequential(*net.layers, tg.GlobalAvgPool()))(words).shape == (2, 2)


def test_shapes_are_numbers_in_a_forward():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.head = nn.Linear(CHANNELS, 64), nn.Linear(64, 8)

        def forward(self, x, mask=None, times: int = 2):
            if mask is not None or len(x.shape) != 3:
                raise ValueError("unlike")
            parts = [F.relu(part) for part in [self.embed(x)] * (x.dim() // 3)]
            return self.head(sum(parts)[:, 0] / math.sqrt(times * x.shape[1] / x.size(-2)))

    net = tg.from_torch(made(Counting), SHAPE)
    assert [type(layer) for layer in net.layers] == [
        *(tg.Dense, tg.ReLU, tg.Slice, tg.Rescale, tg.Dense),
    ]
