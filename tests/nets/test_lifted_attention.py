"""Attention in modules of PyTorch, lifted to its limit, or to what stands for it."""

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
    with pytest.raises(NetworkError, match="^qk?v?: softmax attention, .* no limit in closed form"):
        tg.from_torch(module, SHAPE)
    same = made(Block, modules.shared, parts=("k", "v", "proj"))
    assert tg.from_torch(module, SHAPE, attention="linear") == tg.from_torch(same, SHAPE)
