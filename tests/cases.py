"""The networks on which the engines are held to what is right, once for all of them.

A case is a network by its text, and the shapes of inputs at which each of its uses takes it. What a
network holds is read from the network itself. A new layer gets a case here; `test_cases.py` sees
that every layer and option has one in the tests of every interpreter.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import pytest

import tangency as tg
from tangency.nets import Layer

USES = {
    "loops": "the reference engine against plain loops, which take few positions only",
    "fused": "the fused engine against the reference engine",
    "lanes": "the fused engine: any number of inputs, the same bits on any number of threads",
    "extended": "32 digits against loops in 70 digits, on grids",
    "extended_rows": "the same on vectors",
    "rounding": "where float64 is given up for 32 digits",
    "memory": "estimates of memory against measured peaks",
    "images": "the tiles of the reference engine on real digits (their shape, or repeated as rows)",
    "prepared": "inputs that were prepared against arrays",
    "diagonal": "every way to the diagonal of a kernel matrix",
    "stores": "stores and fits, the same bits from any process",
    "sampled": "the reference engine against random networks of NumPy",
    "finite_exact": "finite networks that leave nothing to chance",
    "finite_weights": "finite networks: variances of weights and biases, what is frozen",
    "finite_lines": "finite networks: convolutions on a line",
    "finite_grids": "finite networks: convolutions on grids",
    "finite_pooled": "finite networks: pooling after the activation",
    "finite_blurred": "finite networks: pooling before it",
    "finite_sums": "finite networks: residuals, and other sums",
    "finite_met": "finite networks: other branches that meet",
    "finite_inside": "finite networks: weights between hidden layers",
    "finite_tails": "finite networks that end on an activation",
    "finite_attention": "finite networks: heads, at two widths",
    "finite_deep": "finite networks: how the distance from the limit falls with the width",
    "features_mean": "random features of one hidden layer, right on average",
    "features_limit": "random features of any layer that they cover, in the limit",
}


class Case:
    """A network, and the shapes of one input, one or a list, for each of `USES`."""

    def __init__(self, text: str, **uses: Any) -> None:
        assert uses.keys() <= USES.keys()
        self.text = text
        self.shapes = {k: v if isinstance(v, list) else [v] for k, v in uses.items()}

    @cached_property
    def tags(self) -> frozenset[str]:
        """The classes of its layers, and their options in a word each."""
        return frozenset(tag for layer in _layers(tg.parse(self.text)) for tag in _tags(layer))


def networks(use: str, *tags: str) -> list[tuple[tuple[int, ...], str]]:
    """The (shape, text) of all cases of a use, of those that hold all of these tags."""
    found = [case for case in CASES if use in case.shapes and case.tags >= set(tags)]
    assert found, f"no case has the use {use!r} and the tags {tags}"
    return [(shape, case.text) for case in found for shape in case.shapes[use]]


def each(use: str, *tags: str) -> pytest.MarkDecorator:
    """A test for each of `networks`, with the arguments `shape` and `text`."""
    chosen = networks(use, *tags)
    ids = [f"{'x'.join(map(str, shape))}-{text}" for shape, text in chosen]
    return pytest.mark.parametrize(("shape", "text"), chosen, ids=ids)


def activations(use: str) -> list[str]:
    """The activations, by their text, of one of the uses named in `ACTIVATIONS`."""
    found = [text for text, uses in ACTIVATIONS.items() if use in uses.split()]
    assert found, f"no activation has the use {use!r}"
    return found


def _layers(layer: Layer) -> Iterator[Layer]:
    if isinstance(layer, tg.Sequential):
        for each in layer.layers:
            yield from _layers(each)
    elif hasattr(layer, "chains"):
        yield layer
        for branch in layer.chains():
            yield from _layers(branch)
    else:
        yield layer


def _tags(layer: Any) -> Iterator[str]:
    yield type(layer).__name__
    for option in ("stride", "dilation"):
        if (given := getattr(layer, option, None)) is not None and not set(_whole(given)) <= {1}:
            yield option
    if isinstance(layer, tg.Conv):
        yield f"{layer.padding if isinstance(layer.padding, str) else 'counted'} padding"
        if isinstance(layer.patch, tuple) and isinstance(layer.patch[0], tuple):
            yield "offsets"
    if getattr(layer, "trainable", True) is False:
        yield "frozen"
    if getattr(layer, "bias_std", 0) != 0:
        yield "bias"
    if getattr(layer, "normalized", True) is False:
        yield "raw"
    if getattr(layer, "space", False):
        yield "over space"
    if getattr(layer, "weight_rate", None) is not None:
        yield "rates"
    if isinstance(layer, tg.Concatenate):
        yield "channels" if layer.axis == -1 else "grids"


def _whole(option: Any) -> tuple[int, ...]:
    return option if isinstance(option, tuple) else (option,)


ACTIVATIONS = {
    # finite: networks of finite width; extended: 32 digits; gradients: of the kernels by the
    # inputs; scales: inputs of all magnitudes
    "relu": "finite extended gradients scales",
    "relu:raw": "finite extended",
    "leaky0.3": "finite",
    "leaky0.3:raw": "finite",
    "abs": "finite extended gradients",
    "erf": "finite extended gradients scales",
    "erf:raw": "finite",
    "gelu": "finite extended gradients scales",
    "gelu:raw": "finite extended",
    "sin": "finite extended scales",
    "sin:frequency=2,raw": "finite",
    "cos": "finite extended gradients scales",
    "cos:frequency=2,raw": "finite",
    "hermite1": "finite scales",
    "hermite2": "finite",
    "hermite3:raw": "finite",
    "abrelu:a=-0.3,b=1.2": "finite gradients scales",
    "sign": "finite scales",
    "exponent:b=0.5": "finite",
    "bell:b=-0.6": "finite gradients scales",
    "gabor": "finite gradients scales",
    "rbf0.3": "finite gradients scales",
    "expnormalized1.5": "finite gradients scales",
    "monomial2": "finite gradients",
    "rectified2": "finite gradients",
    "powers[0.2,1,-0.5]": "finite gradients",
    "sigmoidlike": "finite gradients scales",
    "sin:phase=0.4,frequency=0.8": "finite gradients",
    "erf:a=0.8,b=1.2,c=0.1": "finite gradients",
    "poly2:raw": "finite gradients",
    "activation:function=tanh": "finite gradients",
    "activation:function=sigmoid": "finite",
    "activation:function=softplus": "finite",
    "activation:function=silu": "finite",
    "activation:function=elu": "finite",
    "activation:function=gaussian": "finite",
    "activation:function=tanh,raw": "finite",
    "poly1": "finite gradients",
    "poly2": "finite gradients",
    "poly3": "finite extended scales",
    "exp1": "finite",
    "exp0.6": "finite extended gradients",
    "leaky0.2": "extended gradients",
    "hermite3": "extended gradients",
    "sin:frequency=2": "extended gradients",
    "exp0.5": "scales",
    "layernorm relu": "scales",
}

CASES = [
    # vectors
    Case("dense relu dense", loops=(3,), fused=(5,), rounding=(6,), features_mean=(5,)),
    Case("dense:w=1.3,b=0.2 relu:raw dense:w=0.7,b=0.5 relu dense:b=1", loops=(3,)),
    Case("dense:frozen relu dense relu dense:frozen", loops=(2,)),
    Case("dense res(relu dense:w=1.2 relu dense) relu dense", loops=(3,), fused=(5,)),
    Case("dense res(relu dense | dense:b=0.3) leaky0.2 dense", loops=(3,)),
    Case("dense res(res(relu dense) relu dense) relu dense", loops=(3,)),
    Case("dense:b=0.5 layernorm erf dense layernorm leaky0.1:raw dense", loops=(3,)),
    Case("rescale0.5 dense rescale3 relu rescale-2 dense", loops=(3,)),
    Case("dense sin:frequency=2 dense exp0.6 dense poly3 dense", loops=(2,)),
    Case("dense", fused=(5,), finite_exact=(3,)),
    Case("dense relu dense relu dense relu dense relu dense", fused=(5,)),
    Case("dense:frozen relu:raw dense:w=1.4 abs dense leaky0.2 dense:w=0.7", fused=(5,)),
    Case("dense:w=1.3,b=0.2 relu:raw dense:w=0.7,b=0.5 leaky0.2:raw dense:b=1", fused=(5,)),
    Case("dense erf dense:b=0.1 gelu dense sin dense cos:frequency=2 dense", fused=(5,)),
    Case(
        "dense erf:raw dense gelu:raw dense sin:frequency=0.5,raw dense cos:raw dense", fused=(5,)
    ),
    Case("dense exp0.6 dense poly3 dense hermite3 dense:b=0.3 hermite2:raw dense", fused=(5,)),
    Case("dense poly1 dense poly2 dense hermite0 dense hermite1:raw dense", fused=(5,)),
    Case("dense abrelu:a=-0.3,b=1.2 dense sign dense:b=0.1 exponent:b=0.5 dense", fused=(5,)),
    Case("dense bell:b=-0.4 dense rbf0.3 dense:b=0.2 gabor dense", fused=(5,)),
    Case("dense expnormalized1.5 dense monomial3 dense rectified2 dense:b=1", fused=(5,)),
    Case("dense powers[0.2,1,-0.5] dense sigmoidlike dense poly3:raw dense", fused=(5,)),
    Case(
        "conv3 monomial2 gauss2 conv2 powers[0,1,0.5] gap dense sigmoidlike dense", fused=(5, 4, 1)
    ),
    Case("rescale0.5 dense layernorm relu dense rescale-2 dense:frozen", fused=(5,)),
    Case("dense res(res(relu dense) relu dense | dense:b=0.3) erf dense", fused=(5,)),
    Case("dense relu dense relu dense", lanes=(3,), prepared=(7,), diagonal=(10,), images=(1280,)),
    Case("dense:b=0.1 erf dense relu dense", lanes=(3,)),
    Case("dense:b=0.3 gelu dense layernorm dense erf dense", prepared=(7,)),
    Case("dense:b=0.1 relu dense relu dense relu dense", rounding=(6,)),
    Case("dense gelu dense sin:frequency=3 dense", rounding=(6,)),
    Case("dense:w=30 erf dense", rounding=(6,)),
    Case("dense exp0.1 dense", rounding=(6,)),
    Case("dense sin dense relu dense", diagonal=(10,)),
    Case("dense hermite4:raw dense erf dense", diagonal=(10,)),
    Case("dense:b=1 gelu dense exp0.3 dense relu dense", diagonal=(10,)),
    Case("dense relu dense relu dense relu dense", extended_rows=(4,)),
    Case("dense:b=0.3 relu dense:w=1.4,b=0.1 leaky0.2 dense:frozen erf dense", extended_rows=(4,)),
    Case("dense layernorm relu dense", extended_rows=(4,)),
    Case("dense relu res(dense relu dense) rescale0.7 dense", extended_rows=(4,)),
    Case("dense relu dense:b=0.3 erf dense:w=1.2", sampled=(4,)),
    Case("dense:b=0.2 gelu dense sin dense", sampled=(4,)),
    Case("dense res(relu dense) relu dense", sampled=(4,)),
    Case("dense res(abs dense | dense) leaky0.3 dense", sampled=(4,)),
    Case("dense:b=0.7 layernorm relu dense", sampled=(4,), finite_weights=(3,)),
    Case("dense res(relu dense:b=0.3) dense", finite_sums=(3,)),
    Case("dense res(relu dense | dense:w=0.5) dense", finite_sums=(3,)),
    Case("dense res(dense:frozen | relu rescale0.5) dense", finite_sums=(3,)),
    Case("dense res(relu res(dense | dense) | dense) dense", finite_sums=(3,)),
    Case("res(dense) dense", finite_sums=(3,)),
    Case("res(dense | rescale2) dense relu dense", finite_sums=(3,)),
    Case("dense relu res(dense | dense)", finite_sums=(3,)),
    Case("res(dense relu dense:w=2 | dense) rescale0.5", finite_sums=(3,)),
    Case("dense:b=0.5 dense:w=1.3 dense", finite_inside=(3,)),
    Case("dense relu dense:b=0.4 dense", finite_inside=(3,)),
    Case("dense:b=0.2 relu", finite_tails=(3,)),
    Case("dense gelu rescale2", finite_tails=(3,)),
    Case("res(dense | dense:w=0.5) erf", finite_tails=(3,)),
    Case("dense relu dense:b=0.3 relu dense", finite_deep=(3,)),
    Case("dense layernorm erf dense relu dense:b=0.1", finite_deep=(3,)),
    Case("dense:w=1.5,b=0.5", finite_exact=(3,)),
    Case("dense:frozen", finite_exact=(3,)),
    Case("dense:frozen relu dense", finite_weights=(3,)),
    Case("dense:b=0.4 relu dense:w=2,b=0.1,frozen", finite_weights=(3,)),
    Case("dense:w=0.5,b=0.4,frozen relu dense:frozen", finite_weights=(3,)),
    Case("dense rescale0.5 relu rescale3 dense", finite_weights=(3,)),
    Case("dense layernorm dense", finite_weights=(3,)),
    Case("dense:b=0.5 relu dense:b=0.3", features_mean=(5,)),
    Case("dense:w=1.5,frozen leaky0.3 dense:w=0.7", features_mean=(5,)),
    Case("dense erf dense", features_mean=(5,), stores=(784,)),
    Case("dense gelu dense", features_mean=(5,)),
    Case("dense sin dense:frozen", features_mean=(5,)),
    Case("dense abs rescale2 dense", features_mean=(5,)),
    Case("dense hermite2 dense", features_mean=(5,)),
    Case("dense cos:frequency=2 dense", features_mean=(5,)),
    Case("dense:b=0.2 relu dense gelu dense:frozen erf dense:b=0.1", features_limit=(5,)),
    Case("dense res(relu dense relu dense:w=0.5) relu dense", features_limit=(5,)),
    Case("dense res(relu dense | dense:w=0.5) relu dense", features_limit=(5,)),
    Case("dense relu dense layernorm relu dense", features_limit=(5,)),
    Case("dense relu rescale0.5 dense dense", features_limit=(5,)),
    Case("dense:b=0.1 relu dense", stores=(784,)),
    Case("dense sum(relu dense | dense:b=0.3 | ) erf dense", loops=(3,), fused=(5,)),
    Case(
        "dense prod(dense relu | dense:b=0.3 erf | ) dense:w=1.2 relu dense",
        loops=(3,),
    ),
    Case(
        "dense cat(relu | dense:b=0.2 erf | ):widths=[1,2,0.5] dense relu dense",
        loops=(3,),
        fused=(5,),
    ),
    Case(
        "dense cat(relu dense | res(relu dense) | ):widths=[1,2,0.5] dense relu dense", fused=(5,)
    ),
    Case(
        "conv3 relu cat( | conv3 relu):widths=2x1 conv1 avg2 relu cat( | conv3 relu) gap dense",
        fused=[(9, 1), (6, 6, 1)],
    ),
    Case(
        "dense:weight_rate=3,bias_rate=0.5,b=0.2 relu dense:w=0.7,weight_rate=0.1 relu "
        "dense:bias_rate=1",
        loops=(3,),
    ),
    Case("dense sum(relu dense | dense:w=0.5 | ) dense", finite_sums=(3,)),
    Case("prod(dense relu | dense:b=0.3 erf) dense", finite_met=(3,)),
    Case("cat(dense relu | dense:b=0.3 | ):widths=[1,2,0.5] dense", finite_met=(3,)),
    Case("dense sum(relu dense | dense:w=0.5 | ) relu dense", features_limit=(5,)),
    Case("dense cat(relu dense | relu):widths=1x2 dense relu dense", features_limit=(5,)),
    # one axis
    Case(
        "conv3 sum(relu conv3:stride=2 | conv1:stride=2,w=0.5 | avg2 conv1) relu gap dense",
        loops=(6, 1),
        fused=(8, 1),
    ),
    Case("conv3 cat( | conv2 relu conv3:b=0.1):axis=0 relu conv3 relu flatten dense", loops=(4, 1)),
    Case(
        "conv3 prod(conv2 relu | sub1 | conv1 avg2:stride=1,pad=same) conv1 gap dense", loops=(5, 1)
    ),
    Case("conv3 layernorm:space relu conv3 layernorm:space erf gap dense", loops=(5, 1)),
    Case(
        "conv3:weight_rate=2,b=0.3,bias_rate=1 relu gap dense:weight_rate=32",
        loops=(5, 1),
    ),
    Case("prod(conv2 | conv3 relu) gap dense", finite_met=(6, 2)),
    Case("cat(conv3 relu | conv2):widths=2x1 gap dense", finite_met=(6, 2)),
    Case("cat(conv2 | avg2 conv1):axis=0 relu gap dense", finite_met=(6, 2)),
    Case("cat(conv2 relu | avg2 convt2:stride=2,w=2) gap dense", finite_met=(4, 2)),
    Case(
        "conv3 relu cat( | avg2 conv3 relu convt2:stride=2,w=2) conv3 relu gap dense",
        fused=(8, 2),
    ),
    Case("conv3 layernorm:space gap dense", finite_lines=(6, 2)),
    Case(
        "conv3 relu conv3 relu flatten dense",
        loops=(6, 2),
        fused=(5, 4, 12),
        memory=(10, 10, 1),
        images=(8, 8, 1),
    ),
    Case("conv3 relu conv3 relu gap dense", loops=[(6, 1), (3, 4, 2)], memory=(8, 8, 1)),
    Case("conv3:pad=valid relu conv2:pad=valid relu gap dense", loops=(6, 1)),
    Case("conv3:pad=circular relu conv5:pad=circular relu gap dense", loops=(6, 1)),
    Case("conv2 relu conv4 relu gap dense", loops=(5, 1)),
    Case("conv4:pad=circular relu conv2:pad=circular,stride=2 relu gap dense", loops=(5, 1)),
    Case("conv3:stride=2 relu conv3:stride=3 relu gap dense", loops=(7, 1)),
    Case("conv2:stride=3,b=0.3 relu flatten dense", loops=(7, 1)),
    Case("conv3:dilation=2 relu conv2:dilation=3,pad=valid relu gap dense", loops=(8, 1)),
    Case("conv3:dilation=3,pad=circular,stride=2 relu gap dense", loops=(7, 1)),
    Case("conv5 relu conv9:pad=circular relu gap dense", loops=(3, 1)),
    Case("conv[[-2],[0],[1]] relu gap dense", loops=(6, 1), finite_lines=(6, 2)),
    Case("conv[[-2],[1]]:pad=valid,stride=2 relu conv[[1]] relu gap dense", loops=(6, 1)),
    Case("conv[[2],[3]]:pad=valid relu conv[[-1],[4]]:pad=circular relu gap dense", loops=(6, 1)),
    Case("conv[[0],[3]]:stride=2,frozen relu conv2 relu flatten dense", loops=(6, 1)),
    Case("conv3 relu avg2 conv3 relu gap dense", loops=(6, 1), rounding=(6, 6, 1)),
    Case(
        "conv3 relu avg3:stride=2 conv2 relu avg2:pad=same,stride=1 flatten dense",
        loops=(7, 1),
        fused=(9, 1),
    ),
    Case("conv3 avg2:pad=same relu gap dense", loops=(7, 1)),
    Case("conv3 relu gauss2 conv3 relu gauss1 flatten dense", loops=(7, 1)),
    Case("conv3 relu gauss1:stride=3 conv2 erf gap dense", loops=(7, 1)),
    Case("avg2:stride=1 conv3 relu sub2 conv2 relu sub3 gap dense", loops=(7, 1), fused=(9, 1)),
    Case(
        "conv3 relu pool[1,-2,0.5]:stride=2,start=-1,size=5 conv2 relu gap dense",
        loops=(7, 1),
        fused=(9, 1),
    ),
    Case("conv3 relu pool[2]:stride=2,start=1 conv2 relu flatten dense", loops=(6, 1)),
    Case(
        "conv3 relu map[[1,0,2,0],[0,-1,0,3],[1,1,1,1]] conv2 relu flatten dense",
        loops=(4, 1),
        fused=(4, 1),
    ),
    Case(
        "conv3 layernorm relu avg2 conv3 layernorm relu gap dense", loops=(6, 1), memory=(8, 8, 1)
    ),
    Case("conv3 res(relu conv3 relu conv3:b=0.2) relu gap dense", loops=(6, 1), fused=(9, 1)),
    Case(
        "conv3 res(relu conv3:stride=2 avg2:stride=1 | conv1:stride=2,w=0.5 sub1 "
        "map[[1,0,0],[0,0,1]]) relu gap dense",
        loops=(6, 1),
    ),
    Case("conv3 relu gap dense relu dense", loops=(6, 1), fused=(9, 1), sampled=(5, 1)),
    Case("conv3 relu flatten dense layernorm relu dense", loops=(6, 1)),
    Case("conv3 res(relu conv3 flatten | conv1 flatten) layernorm dense relu dense", loops=(6, 1)),
    Case(
        "conv3 relu gap dense",
        fused=(9, 1),
        memory=(4, 4, 4, 1),
        finite_lines=(6, 2),
        finite_grids=(4, 3, 2),
    ),
    Case("conv4 relu conv2:pad=valid relu flatten dense", fused=(9, 2)),
    Case("conv3:pad=circular relu conv4:pad=circular,dilation=2 erf gap dense", fused=(9, 1)),
    Case("conv5:pad=circular,stride=2 relu conv2:pad=circular relu flatten dense", fused=(9, 1)),
    Case("conv3:stride=2 relu conv3:stride=3,pad=valid relu gap dense", fused=(9, 1)),
    Case("conv3:dilation=2 gelu conv2:dilation=3 relu gap dense", fused=(9, 1)),
    Case("conv3 relu conv3:pad=circular relu conv3 relu gap dense", fused=(9, 1)),
    Case(
        "conv[[-2],[0],[1]] relu conv[[-1],[3]]:pad=circular,stride=2 relu gap dense", fused=(9, 1)
    ),
    Case(
        "conv[[2],[3]]:pad=valid,b=0.1 sin conv[[-2],[1]]:stride=2,frozen relu gap dense",
        fused=(9, 1),
    ),
    Case("conv3 relu gauss2 conv3 relu gauss1:stride=3 flatten dense", fused=(9, 1)),
    Case("conv3 layernorm relu avg2 conv3 layernorm gelu rescale0.3 gap dense", fused=(9, 1)),
    Case(
        "conv3 res(relu conv3 res(relu conv3 | conv1) relu conv3 | conv3) relu flatten dense",
        fused=(9, 1),
    ),
    Case("conv3 res(relu conv3:stride=2 | conv1:stride=2) relu conv3 relu gap dense", fused=(9, 1)),
    Case("conv3 res(relu conv3 avg2 relu conv3 | avg2 conv1) relu gap dense", fused=(8, 1)),
    Case("conv3 res(relu conv3:pad=circular | conv3) relu gap dense", fused=(8, 1)),
    Case("conv3:frozen relu flatten dense:b=0.2,frozen layernorm erf dense:frozen", fused=(9, 1)),
    Case("conv3 relu avg2 conv3 relu gap dense res(relu dense) gelu dense", fused=(9, 1)),
    Case("conv3 relu avg2 conv3:pad=circular erf gap dense relu dense", lanes=(9, 1)),
    Case("conv3:dilation=2 relu avg2 conv3 relu gap dense", memory=(40, 1)),
    Case("conv3 relu conv2:stride=2 relu flatten dense", prepared=(9, 1)),
    Case("conv3:pad=circular relu conv3:pad=circular relu gap dense", diagonal=(9, 2)),
    Case("conv3 gelu conv3 relu flatten dense sin dense relu dense", diagonal=(9, 1)),
    Case("conv3 relu avg2 conv3:b=0.1 relu gap dense", extended=(5, 2)),
    Case("conv3 relu conv3:stride=2 relu flatten dense", sampled=(6, 2)),
    Case("conv3:b=0.2 relu conv3:pad=valid relu gap dense", sampled=(6, 2)),
    Case("conv2 relu avg2 conv3 relu gap dense", sampled=(6, 2)),
    Case("conv3 res(relu conv3) relu gap dense", sampled=(6, 1)),
    Case("conv3 avg2 relu flatten dense:b=0.5", sampled=(6, 1)),
    Case("conv3 layernorm relu conv3 relu flatten dense", sampled=(6, 2)),
    Case("conv2 res(relu conv3) gap dense", finite_sums=(6, 2)),
    Case("conv2 res(relu conv3:stride=2 | conv1:stride=2) flatten dense", finite_sums=(6, 2)),
    Case("conv3 res(avg2 conv3 | relu avg2) gap dense", finite_sums=(6, 2)),
    Case("res(conv3) conv2 relu gap dense", finite_sums=(6, 2)),
    Case("conv3 relu res(gap dense | flatten) dense", finite_sums=(6, 2)),
    Case("conv3 conv2:stride=2 relu gap dense", finite_inside=(6, 2)),
    Case("conv3 relu conv[[-1],[0],[2]]:pad=circular flatten dense", finite_inside=(6, 2)),
    Case("conv3 relu gap", finite_tails=(6, 2)),
    Case("conv3 relu conv3:stride=2 gelu gap dense", finite_deep=(6, 2)),
    Case("conv3 res(relu conv3) exp1 flatten dense", finite_deep=(4, 2)),
    Case("conv2 relu gap dense", finite_lines=(6, 2), finite_grids=(3, 2, 2, 1)),
    Case("conv1 relu gap dense", finite_lines=(6, 2)),
    Case("conv3:stride=2 relu gap dense", finite_lines=(6, 2)),
    Case("conv4:stride=3 relu gap dense", finite_lines=(6, 2)),
    Case("conv2:dilation=2 relu gap dense", finite_lines=(6, 2)),
    Case("conv3:stride=2,dilation=2 relu gap dense", finite_lines=(6, 2)),
    Case("conv3:pad=valid relu gap dense", finite_lines=(6, 2)),
    Case("conv2:pad=valid,stride=2,dilation=3 relu gap dense", finite_lines=(6, 2)),
    Case("conv3:pad=circular relu gap dense", finite_lines=(6, 2)),
    Case("conv3:pad=circular,stride=2,dilation=2 relu gap dense", finite_lines=(6, 2)),
    Case("conv9:pad=circular relu gap dense", finite_lines=(6, 2)),
    Case("conv9 relu gap dense", finite_lines=(6, 2)),
    Case("conv3:w=1.5,b=0.5 relu gap dense", finite_lines=(6, 2)),
    Case("conv3:b=0.5,frozen relu gap dense", finite_lines=(6, 2)),
    Case("conv3 layernorm relu gap dense", finite_lines=(6, 2)),
    Case("conv[[-2],[0],[1]]:pad=valid relu gap dense", finite_lines=(6, 2)),
    Case("conv[[1],[3]]:pad=valid,stride=2 relu gap dense", finite_lines=(6, 2)),
    Case("conv[[-3],[-1]]:pad=valid relu gap dense", finite_lines=(6, 2)),
    Case("conv[[-2],[7]]:pad=circular,stride=2 relu gap dense", finite_lines=(6, 2)),
    Case("conv2 relu avg2 flatten dense", finite_pooled=(6, 2)),
    Case("conv2 avg2 relu gap dense", finite_blurred=(6, 2)),
    Case("conv2 relu avg3:stride=2,pad=same flatten dense", finite_pooled=(6, 2)),
    Case("conv2 avg3:stride=2,pad=same relu gap dense", finite_blurred=(6, 2)),
    Case("conv2 relu gauss2 flatten dense", finite_pooled=(6, 2)),
    Case("conv2 gauss2 relu gap dense", finite_blurred=(6, 2)),
    Case("conv2 relu gauss1:stride=2 flatten dense", finite_pooled=(6, 2)),
    Case("conv2 gauss1:stride=2 relu gap dense", finite_blurred=(6, 2)),
    Case("conv2 relu sub2 flatten dense", finite_pooled=(6, 2)),
    Case("conv2 sub2 relu gap dense", finite_blurred=(6, 2)),
    Case("conv2 relu pool[1,2,1]:stride=2,start=-1,size=3 flatten dense", finite_pooled=(6, 2)),
    Case("conv2 pool[1,2,1]:stride=2,start=-1,size=3 relu gap dense", finite_blurred=(6, 2)),
    Case("conv2 relu map[[1,0,0,0.5,0,0],[0,-1,0,0,0,2]] flatten dense", finite_pooled=(6, 2)),
    Case("conv2 map[[1,0,0,0.5,0,0],[0,-1,0,0,0,2]] relu gap dense", finite_blurred=(6, 2)),
    # two axes
    Case(
        "conv1x3:stride=1x2 relu conv2:pad=valid relu gap dense", loops=(3, 4, 1), fused=(4, 6, 3)
    ),
    Case(
        "conv3x2:dilation=1x2,pad=circular relu avg2x1 conv2 relu flatten dense",
        loops=(4, 3, 1),
        fused=(6, 4, 1),
    ),
    Case(
        "conv[[-1,0],[0,-1],[0,0]] relu conv[[0,2],[1,1]]:pad=circular relu gap dense",
        loops=(3, 3, 1),
        fused=(5, 4, 1),
    ),
    Case("conv2 relu pool[[1,2],[-1,0.5]]:stride=1x2 conv2 relu gap dense", loops=(3, 4, 1)),
    Case(
        "conv2 relu pool[[1,2,3],[4,5,6]]:stride=2,start=[-1,0],size=2 flatten dense",
        loops=(4, 4, 1),
    ),
    Case(
        "conv2 relu pool[[1,2],[1,0,1]]:peraxis conv2 relu gap dense",
        loops=(3, 4, 1),
        fused=(6, 6, 1),
    ),
    Case("conv3 relu pool[[0,0],[0,2]]:stride=2 conv2 relu flatten dense", loops=(4, 4, 1)),
    Case(
        "conv3 relu gauss2 conv3 relu gap dense",
        loops=(4, 4, 1),
        memory=(8, 8, 2),
        images=(8, 8, 1),
        extended=(4, 4, 1),
    ),
    Case(
        "conv3:frozen relu map[[[1,2,0],[0,1,1]],[[1,1]]] conv2 relu gap dense:frozen",
        loops=(3, 2, 1),
    ),
    Case(
        "conv3 res(relu conv3:stride=2 relu conv3 | conv3:stride=2) relu gap dense",
        loops=(4, 4, 1),
        fused=(6, 5, 1),
    ),
    Case("conv3 relu conv3 relu conv3 relu gap dense", fused=(5, 7, 1)),
    Case("conv3:b=0.1 erf gauss2 conv3:w=1.4 exp0.6 avg2 conv3 poly2 gap dense", fused=(6, 5, 1)),
    Case(
        "conv3:frozen relu map[[[1,2,0,1],[0,1,1,0]],[[1,1,0]]] conv2 relu gap dense",
        fused=(4, 3, 1),
    ),
    Case(
        "conv3:pad=circular res(relu conv3:pad=circular) relu sub2 conv1 relu gap dense",
        fused=(4, 4, 1),
    ),
    Case("conv3 relu avg1 conv1 relu gap dense", fused=(1, 1, 4)),
    Case("conv3 res(relu conv3) relu conv3 relu gap dense", lanes=(5, 4, 2)),
    Case("conv3 relu gauss2 conv3 relu flatten dense", lanes=(6, 6, 1)),
    Case("conv3 res(relu conv3 relu conv3) relu gap dense", memory=(8, 8, 1)),
    Case("conv3 gelu avg2 conv3 gelu gap dense", memory=(8, 8, 1)),
    Case("conv3 erf avg2:stride=1 conv3 sin gap dense", memory=(8, 8, 1)),
    Case("conv3 relu pool[[1,2],[3,4]]:stride=2 conv3 relu gap dense", memory=(8, 8, 1)),
    Case("conv[[0,0],[1,1],[-1,0]]:pad=circular relu gap dense", memory=(8, 8, 1)),
    Case("conv3 exp0.6 gauss2 conv3 hermite5 gap dense", memory=(8, 8, 1)),
    Case("conv3 relu gauss2 conv3 relu gap dense relu dense", prepared=(6, 6, 2)),
    Case("conv3 relu conv3 leaky0.2 flatten dense", rounding=(6, 6, 1)),
    Case("conv3 sin conv3 relu gap dense", diagonal=(6, 5, 2)),
    Case("conv3 relu avg2 conv3 relu gap dense relu dense", diagonal=(6, 5, 1)),
    Case("conv3 relu avg2 conv3 relu flatten dense relu dense", images=(8, 8, 1)),
    Case(
        "conv3 avg2 layernorm relu conv3 res(relu conv3) relu gap dense relu dense",
        images=(8, 8, 1),
    ),
    Case("conv3 relu flatten dense", extended=(3, 3, 1)),
    Case("conv3 layernorm relu res(conv3 relu conv3) gap dense", extended=(3, 3, 1)),
    Case(
        "conv3:pad=circular erf sub2 conv2:stride=2 gelu gap dense relu dense", extended=(4, 3, 2)
    ),
    Case("conv3 exp0.6 map[[1,0.5,0],[0,1,-1]] conv2 exp0.6 flatten dense", extended=(3, 3, 1)),
    Case("conv2:pad=valid res(relu conv2 | conv1) flatten dense", finite_sums=(4, 3, 2)),
    Case("conv2 relu gauss2 conv2:w=1.2,b=0.3 gap dense", finite_inside=(4, 3, 2)),
    Case("conv2x3:stride=2x1 relu gap dense", finite_grids=(4, 3, 2)),
    Case("conv2:dilation=1x2,pad=valid relu gap dense", finite_grids=(4, 3, 2)),
    Case("conv3x2:pad=circular,stride=1x2 relu gap dense", finite_grids=(4, 3, 2)),
    Case("conv[[0,0],[0,1],[-1,1]] relu gap dense", finite_grids=(4, 3, 2)),
    Case("conv[[0,0],[0,1],[-1,1]]:pad=valid,b=0.3 relu gap dense", finite_grids=(4, 3, 2)),
    Case("conv[[0,0],[5,1],[-1,1]]:pad=circular,stride=2 relu gap dense", finite_grids=(4, 3, 2)),
    Case("conv2 relu avg2x3 flatten dense", finite_pooled=(4, 3, 2)),
    Case("conv2 avg2x3 relu gap dense", finite_blurred=(4, 3, 2)),
    Case("conv2 relu gauss2:stride=2x1 flatten dense", finite_pooled=(4, 3, 2)),
    Case("conv2 gauss2:stride=2x1 relu gap dense", finite_blurred=(4, 3, 2)),
    Case("conv2 relu sub1x2 flatten dense", finite_pooled=(4, 3, 2)),
    Case("conv2 sub1x2 relu gap dense", finite_blurred=(4, 3, 2)),
    Case(
        "conv2 relu pool[[1,2],[0,-1]]:start=[-1,0],size=3x2 flatten dense", finite_pooled=(4, 3, 2)
    ),
    Case("conv2 pool[[1,2],[0,-1]]:start=[-1,0],size=3x2 relu gap dense", finite_blurred=(4, 3, 2)),
    Case("conv2 relu pool[[1,2],[1,1,1]]:peraxis flatten dense", finite_pooled=(4, 3, 2)),
    Case("conv2 pool[[1,2],[1,1,1]]:peraxis relu gap dense", finite_blurred=(4, 3, 2)),
    Case("conv2 relu map[[[1,0,0,1],[0,2,0,0]],[[1,1,1]]] flatten dense", finite_pooled=(4, 3, 2)),
    Case("conv2 map[[[1,0,0,1],[0,2,0,0]],[[1,1,1]]] relu gap dense", finite_blurred=(4, 3, 2)),
    # layers that make grids finer, coarser, larger or smaller
    Case(
        "convt3:stride=2 relu conv3 relu gap dense",
        loops=(4, 1),
        fused=[(5, 1), (4, 3, 2)],
        lanes=(5, 4, 2),
        extended=(3, 2, 1),
        memory=(5, 5, 1),
    ),
    Case("conv2 relu convt2:stride=3,pad=valid relu flatten dense", loops=(3, 1), fused=(5, 1)),
    Case(
        "convt4:stride=3,pad=valid,b=0.2 relu convt3:stride=2,pad=circular relu gap dense",
        loops=(2, 1),
        # Of one channel, two inputs with a bias are nearly parallel, which float32 cannot tell.
        fused=[(3, 2), (2, 3, 2)],
    ),
    Case("convt3:pad=circular,frozen relu convt2 relu gap dense", loops=(4, 1), fused=(4, 5, 1)),
    Case("convt2x3:stride=2x1,pad=valid relu gap dense", loops=(2, 2, 1), fused=(4, 3, 2)),
    Case(
        "local3 relu local2:stride=2 relu flatten dense",
        loops=(5, 1),
        fused=[(9, 1), (5, 4, 2)],
        diagonal=(5, 4, 2),
    ),
    Case(
        "conv3 relu local3:b=0.3 relu gap dense",
        loops=(4, 1),
        memory=(8, 8, 1),
        extended=(3, 3, 1),
    ),
    Case("local[[0],[2]]:pad=circular,frozen relu avg2 conv2 relu gap dense", loops=(5, 1)),
    Case("conv2 res(relu local3 relu local2:frozen) relu local1 avg2 gap dense", loops=(4, 1)),
    Case("local2x1:pad=valid relu conv2 relu gap dense", loops=(3, 2, 1)),
    Case(
        "conv3 relu dense:b=0.2 relu dense:frozen relu gap dense",
        loops=(4, 1),
        fused=[(9, 1), (5, 4, 2)],
    ),
    Case("dense relu flatten dense", loops=(2, 3, 2), fused=(5, 4, 2)),
    Case("conv3 relu sumpool2:pad=same conv2 relu gsp dense", loops=(5, 1), fused=(5, 4, 2)),
    Case("conv3 relu sumpool3:stride=1 conv1 relu:raw gsp dense relu dense", fused=(9, 1)),
    Case(
        "conv3 relu avg3:stride=2,pad=same,edges conv2 relu gap dense",
        loops=(6, 1),
        fused=(6, 5, 2),
    ),
    Case("conv3 relu resize7 conv2 relu gap dense", loops=(4, 1), fused=(4, 5, 1)),
    Case("conv3 relu resize3 conv2 relu flatten dense", loops=(7, 1), fused=(7, 5, 1)),
    Case("conv3 relu resize3x4:aliased conv2 relu gap dense", loops=(5, 2, 1), fused=(7, 5, 1)),
    Case("conv3 relu resize5:nearest conv2 relu flatten dense", loops=(3, 1), fused=(9, 4, 1)),
    Case("conv3 relu up2 conv3 relu gap dense", loops=(3, 1), fused=(4, 5, 1), lanes=(5, 4, 2)),
    Case("conv3 relu up3x2 conv2:stride=2 relu flatten dense", loops=(2, 2, 1), fused=(4, 5, 1)),
    Case("convt3:stride=2 relu gap dense", finite_lines=(6, 2), finite_grids=(4, 3, 2)),
    Case("convt3:stride=2,pad=valid,b=0.2 relu flatten dense", finite_lines=(6, 2)),
    Case(
        "conv3:stride=2,pad=1 relu conv2:pad=[[0,1],[1,0]] relu gap dense",
        loops=(4, 3, 1),
        fused=(6, 5, 2),
    ),
    Case("conv3:stride=2,pad=[[0,1],1] relu flatten dense", finite_grids=(4, 3, 1)),
    Case("convt3:stride=2,pad=circular relu gap dense", finite_lines=(5, 2)),
    Case("local3 relu gap dense", finite_lines=(6, 2), finite_grids=(4, 3, 2)),
    Case("local[[0],[2]]:b=0.3,stride=2,pad=circular relu gap dense", finite_lines=(6, 2)),
    Case("local2 relu local2:pad=valid flatten dense", finite_inside=(4, 1)),
    Case("dense:b=0.2 relu flatten dense", finite_lines=(6, 2)),
    Case("conv2 relu dense:b=0.2 gap dense", finite_inside=(4, 3, 1)),
    Case("conv2 shuffle2 relu gap dense", finite_lines=(5, 2), finite_grids=(3, 2, 2)),
    Case("conv3 shuffle2 avg3 relu flatten dense", finite_blurred=(5, 2)),
    Case("conv3 relu sumpool2:pad=same avg2 gsp dense", finite_pooled=(6, 2)),
    Case("conv2 avg3:stride=2,pad=same,edges relu flatten dense", finite_blurred=(6, 2)),
    Case("conv2 relu resize5x2 slice[[1,4],[null,null]] flatten dense", finite_pooled=(4, 3, 2)),
    Case("conv2 resize5x2 relu gap dense", finite_blurred=(4, 3, 2)),
    Case("conv2 relu resize7:nearest pad1:reflect slice3 dense", finite_pooled=(6, 2)),
    Case("conv2 up2 pad[[1,2]]:edge relu gap dense", finite_blurred=(4, 2)),
    Case(
        "conv3 shuffle2 relu conv2 relu gap dense",
        loops=(3, 1),
        fused=[(6, 1), (3, 4, 2)],
        lanes=(4, 4, 2),
        memory=(6, 6, 1),
    ),
    Case(
        "conv3 shuffle2x1 relu conv2 relu flatten dense",
        loops=(2, 2, 1),
        fused=(4, 3, 2),
        extended=(2, 2, 1),
    ),
    Case(
        "conv2 res(shuffle2 relu conv2 | up2) relu conv3:pad=circular shuffle2 relu gap dense",
        fused=(4, 1),
    ),
    Case(
        "conv3 relu pad1 conv2 relu pad2:reflect conv3:pad=valid relu pad1:circular conv2 "
        "pad1:edge relu gap dense",
        loops=(4, 1),
        fused=(5, 6, 1),
    ),
    Case("pad[[1,0],[0,2]]:reflect conv2 relu flatten dense", loops=(2, 3, 1), fused=(4, 5, 1)),
    Case("conv3 relu slice[[1,6,2]] conv2 relu slice[-1] dense", loops=(7, 1), fused=(9, 1)),
    Case(
        "conv2 relu slice[[0,3],[null,null,-1]] conv2 relu slice1x0 dense relu dense",
        loops=(3, 2, 1),
        fused=(5, 4, 2),
    ),
    # positions that attend to each other
    Case(
        "conv2 relu attention:value_std=1.3,b=0.2 relu gap dense",
        loops=(4, 1),
        extended=(3, 2),
        memory=(8, 8, 1),
    ),
    Case(
        "dense attention:relu,query_std=0.7,positions=sum,position_std=0.5 relu flatten dense",
        loops=(2, 2, 1),
    ),
    Case(
        "conv2 relu attention:abs,key_std=1.4,positions=concatenate,frozen relu avg2 gap dense",
        loops=(4, 1),
        extended=(3, 2),
    ),
    Case("conv2 posembed:w=0.8,length=1.5 attention:identity erf gap dense", loops=(3, 2)),
    Case(
        "conv2 posembed:frozen relu attention:identity,root,b=0.3,positions=sum erf gap dense",
        loops=(3, 2),
        extended=(3, 2),
    ),
    Case("attention:identity,root,out_std=0.5 relu flatten dense", loops=(3, 2)),
    Case("conv2 classtoken:w=0.7,count=2 relu attention:b=0.2 relu gap dense", loops=(3, 1)),
    Case(
        "conv2 classtoken:frozen attention:bare,query_std=0.6 dense:w=1.2,b=0.3 relu slice0 dense",
        loops=(2, 2, 1),
        extended=(3, 2),
    ),
    Case("conv2 posembed attention:positions=sum gap dense", finite_attention=(3, 2)),
    Case("conv2 classtoken:w=0.8 attention:bare dense relu slice0 dense", finite_attention=(3, 2)),
    Case("conv2 attention:relu relu gap dense", finite_attention=(3, 2)),
    Case(
        "conv2 attention:abs,positions=concatenate,position_std=0.5 relu gap dense",
        finite_attention=(3, 2),
    ),
    Case(
        "conv2 attention:identity,root,positions=sum,position_std=0.5 flatten dense",
        finite_attention=(3, 2),
    ),
    # three axes
    Case("conv2 relu conv3 relu gap dense", loops=(2, 2, 2, 1)),
    Case(
        "conv1x2x2:stride=1x2x1 relu avg2x1x1 conv2:pad=circular relu flatten dense",
        loops=(2, 3, 2, 1),
    ),
    Case("conv[[0,0,0],[1,-1,0]] relu sub2x1x1 conv1 relu gap dense", loops=(2, 2, 2, 2)),
    Case("conv2 relu conv2:pad=valid flatten dense", finite_inside=(3, 2, 2, 1)),
    Case("conv2x1x3:stride=2x1x1,pad=circular relu gap dense", finite_grids=(3, 2, 2, 1)),
    Case("conv[[0,0,0],[1,0,-1]]:pad=valid relu gap dense", finite_grids=(3, 2, 2, 1)),
]
