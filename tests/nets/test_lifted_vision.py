"""Networks for pictures as torchvision writes them, lifted, beside their random instances."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import tangency as tg
import vision_modules as vision
from instances import check_gradients, check_last_layer
from tangency import NetworkError

NORMS = {"batch_norm": "identity"}
REPLACED = NORMS | {"max_pool": "average"}
BLOCK = "encoder.layers.encoder_layer_0.self_attention"
# Those of three matrices drawn as one, as nn.MultiheadAttention has them.
SPREADS = {f"{BLOCK}.{name}": (0.5**0.5, 0.0) for name in "kv"}

EXACT = [
    (partial(vision.PreactivatedResNet, layers=(1, 1)), 16, NORMS),
    (partial(vision.VGG, cfg=(1, "M", 2), grid=2, pool=nn.AvgPool2d), 6, {}),
    (lambda width: vision.DenseNet(width // 2, pool=nn.AvgPool2d), 16, NORMS),
    (partial(vision.ConvNeXt, layer_scale=30.0, kernel=3), 8, {}),
    (partial(vision.VisionTransformer, shared=True, std=1.0), 4, {"spreads": SPREADS}),
]
NAMES = ["resnet", "vgg", "densenet", "convnext", "vit"]


@pytest.mark.parametrize(("make", "size", "options"), EXACT, ids=NAMES)
def test_the_last_layer_kernel_is_that_of_random_instances(make, size, options):
    check_last_layer(make, (3, size, size), draws=40, **options)


@pytest.mark.parametrize(("make", "size", "options"), EXACT, ids=NAMES)
def test_the_ntk_is_that_of_wide_instances(make, size, options):
    check_gradients(make, (3, size, size), width=96, **options)


def made(make, *arguments, **options):
    torch.manual_seed(0)
    return make(*arguments, **options)


X = np.random.default_rng(1).standard_normal((3, 16, 16, 3))


def test_a_residual_network_with_what_stands_for_parts_of_it():
    options = REPLACED | {"preactivate": True}
    net = tg.from_torch(made(vision.ResNet, 16, (1, 1)), (3, 16, 16), **options)
    same = tg.from_torch(made(vision.PreactivatedResNet, 16, (1, 1)), (3, 16, 16), **NORMS)
    for kind in (tg.NNGP, tg.NTK):
        np.testing.assert_allclose(kind(net)(X), kind(same)(X), rtol=1e-12)
    whole = tg.from_torch(made(vision.ResNet, 8), (3, 32, 32), **options)
    # Stem, four stages of two blocks, three shortcuts; every ReLU of the module.
    assert str(whole).count("conv") == 1 + 4 * 4 + 3
    assert str(whole).count("relu") == 1 + 4 * 4


def test_a_plain_one_with_means_in_place_of_maxima():
    module = made(vision.VGG, 8)
    with pytest.raises(NetworkError, match=r'^features.2: the largest .* max_pool="average"'):
        tg.from_torch(module, (3, 32, 32))
    net = tg.from_torch(module, (3, 32, 32), max_pool="average")
    # The mean over windows of one position, 1×1 to 7×7, is a copy.
    assert net.layers[-7:-5] == (tg.LinearMap([np.ones((7, 1))] * 2), tg.Flatten())
    assert str(net).count("conv") == 8


def test_densely_connected_ones_move_their_activations():
    module = made(vision.DenseNet, 8, (2, 3))
    with pytest.raises(NetworkError, match=r'^features.norm0: batch normalisation .*"identity"'):
        tg.from_torch(module, (3, 32, 32))
    net = tg.from_torch(module, (3, 32, 32), **REPLACED)
    layer = (
        "cat( | conv1:pad=valid,w=1.4142135623730951 relu:raw conv3:w=1.4142135623730951 relu:raw)"
    )
    assert f"relu:raw pad1 avg3:stride=2 {layer}:widths=16x8 {layer}:widths=24x8 conv1" in str(net)
    # A norm of all channels before an activation divides each branch by a norm of the others.
    with pytest.raises(NetworkError, match="LayerNorm needs channels of mean zero"):
        tg.from_torch(module, (3, 32, 32), batch_norm="layernorm", max_pool="average")


def test_a_transformer_with_what_stands_for_its_attention():
    module = made(vision.VisionTransformer)
    with pytest.raises(NetworkError, match=f'^{BLOCK}: softmax attention.*attention="linear" give'):
        tg.from_torch(module, (3, 4, 4))
    net = tg.from_torch(module, (3, 4, 4), attention="linear")
    same = made(vision.VisionTransformer, shared=True)
    same.load_state_dict(module.state_dict(), strict=False)
    assert net == tg.from_torch(same, (3, 4, 4), spreads=SPREADS)
    assert str(net).startswith(
        "conv2:stride=2,pad=valid,w=0.5773502691896257 classtoken:w=0 posembed:w=0.02 sum(layernorm"
    )
    assert net.layers[-2] == tg.Slice(0)
    with pytest.raises(NetworkError, match=r"does not take an input of shape \(3, 6, 6\).*height!"):
        tg.from_torch(module, (3, 6, 6), attention="linear")


def test_a_deep_transformer_differs_from_block_to_block():
    module = made(vision.VisionTransformer, layers=2)
    net = tg.from_torch(module, (3, 4, 4), attention="linear")
    assert str(net).count("attention") == 2
    x = X[:, :4, :4]
    assert np.linalg.eigvalsh(tg.NTK(net)(x)).min() > 0
