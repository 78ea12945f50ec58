"""Values that neural-tangents published for the rest of its layers (tests/reference).

Its widths have no bearing on values but in standard parametrisation; `b_std` None is 0. Activations
are not normalised there, and the first layer is divided by the number of channels.
"""

import json
from math import sqrt
from pathlib import Path

import numpy as np
import pytest

import oracle
import tangency as tg
from tangency.engines import driver
from tangency.nets.plan import plan

REFERENCE = Path(__file__).parents[1] / "reference"
CASES = json.loads((REFERENCE / "neural_tangents_layers.json").read_text())
KEYS = ("nngp", "ntk", "nngp_x1x1", "ntk_x1x1")

# Cases of layers that have no counterpart here yet.
NOT_YET = {
    "abrelu",
    "sign",
    "exp",
    "gaussian",
    "exp-normalized",
    "rbf",
    "monomial-3",
    "rectified-monomial-2",
    "polynomial",
    "sigmoid-like",
    "hermite-3",
    "gabor",
    "sin-shift",
    "erf-scaled",
    #
    "conv-transpose-1d",
    "conv-transpose-2d-stride2",
    "conv-transpose-2d-circular",
    "conv-local-1d",
    "conv-local-2d-gap",
    "sum-pool",
    "avg-pool-normalize-edges",
    "resize-bilinear",
    "resize-nearest",
    "index-slice",
    "index-one",
    "dense-on-grid",
    #
    #
    "attention-identity",
    "attention-sqrt-softmax",
    "attention-linear-softmax",
    "attention-relu",
    "attention-abs",
    "attention-positions",
    "attention-positions-sum",
    #
    "graph",
    "masked-gap",
    "masked-attention",
}
# Cases whose published diagonal of Θ is off by more than 1e-10: there the arc cosine of a
# correlation that rounding left just under 1 loses half of its digits.
OFF_TANGENTS = {"dropout", "standard-parameterization"}
KNOWN = [case for case in CASES if case not in NOT_YET]


def weights(o):
    return {"weight_std": o["W_std"], "bias_std": o["b_std"] or 0.0}


def conv(o):
    taken = {"filter_shape", "padding", "W_std", "b_std", "strides", "rhs_dilation", "out"}
    taken |= {"parameterization"}
    assert set(o) <= taken, set(o) - taken
    return tg.Conv(
        tuple(o["filter_shape"]),
        padding=o["padding"].lower(),
        stride=tuple(o["strides"]) if "strides" in o else 1,
        dilation=tuple(o["rhs_dilation"]) if "rhs_dilation" in o else 1,
        **weights(o),
    )


def branches(o):
    return [network(branch) for branch in o["branches"]]


def concatenated(o):
    # Axes count the inputs there.
    return tg.Concatenate(*branches(o), axis=o["axis"] if o["axis"] == -1 else o["axis"] - 1)


def layer_norm(o):
    return tg.LayerNorm(space=len(o["axis"]) > 1)


LAYERS = {
    "Dense": lambda o: tg.Dense(**weights(o)),
    "FanInSum": lambda o: tg.Sum(*branches(o)),
    "FanInProd": lambda o: tg.Product(*branches(o)),
    "FanInConcat": concatenated,
    "Dropout": lambda o: tg.Dropout(o["rate"]),
    "LayerNorm": layer_norm,
    "Erf": lambda o: tg.Erf(normalized=False),
    "Conv": conv,
    "Relu": lambda o: tg.ReLU(normalized=False),
    "Gelu": lambda o: tg.GELU(normalized=False),
    "Flatten": lambda o: tg.Flatten(),
    "GlobalAvgPool": lambda o: tg.GlobalAvgPool(),
}


def network(layers, channels=None):
    """A network of neural-tangents, of inputs of so many channels."""
    net = tg.Sequential(*(LAYERS[name](options) for name, options in layers))
    wide = [o for _, o in layers if o.get("parameterization") == "standard"]
    if not wide:
        return net
    scales = [o.get("s", [1, 1]) for o in wide]
    widths = [channels, *(o["out"] * s[1] for o, s in zip(wide[:-1], scales, strict=False))]
    return tg.standard(net, widths, [s[0] for s in scales])


def of(case):
    return network(CASES[case]["layers"], CASES[case]["input_shape"][-1])


def published(case):
    with np.load(REFERENCE / "neural_tangents_layers.npz") as data:
        return {key.split("/")[1]: data[key] for key in data if key.startswith(f"{case}/")}


def off(found, expected):
    return np.max(np.abs(found - expected) / np.abs(expected))


def test_no_case_is_left_out():
    with np.load(REFERENCE / "neural_tangents_layers.npz") as data:
        assert {name.split("/")[0] for name in data.files} == set(CASES)
    assert set(CASES) >= NOT_YET


@pytest.mark.parametrize("case", KNOWN)
def test_neural_tangents_layers(case):
    net, known = of(case), published(case)
    x, y = (known[key] / sqrt(known[key].shape[-1]) for key in ("x1", "x2"))
    for found, key in zip((*oracle.gram(net, x, y), *oracle.gram(net, x)), KEYS, strict=True):
        if case in OFF_TANGENTS and key == "ntk_x1x1":
            apart = ~np.eye(len(x), dtype=bool)
            found, known[key] = found[apart], known[key][apart]
        assert off(found, known[key]) < 1e-10, key


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="long double is no wider here")
@pytest.mark.parametrize("case", sorted(OFF_TANGENTS))
def test_where_the_published_diagonal_is_off_it_is_that_one(case):
    net, known = of(case), published(case)
    x = known["x1"] / sqrt(known["x1"].shape[-1])
    exact = driver.gram(plan(net, x.shape[1:]), x.astype(np.longdouble), None).ntk
    assert off(oracle.gram(net, x).ntk, exact) < 1e-12
    assert 1e-10 < off(known["ntk_x1x1"], exact) < 1e-7
