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

# Cases whose published diagonal of Θ is off by more than 1e-10, where the arc cosine of a
# correlation that rounding left just under 1 loses half of its digits (see test_published.py).
OFF_TANGENTS = {
    *("conv-transpose-2d-stride2", "dropout", "standard-parameterization"),
    *("attention-linear-softmax", "attention-abs"),
}
# 1 − c² is negative there on the diagonal, by rounding, so that values are off or not numbers; what
# is true says extended precision.
LOST = {"rectified-monomial-2"}


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


def patch(o):
    taken = {"filter_shape", "padding", "W_std", "b_std", "strides"}
    assert set(o) <= taken, set(o) - taken
    strides = {"stride": tuple(o["strides"])} if "strides" in o else {}
    return {"patch": tuple(o["filter_shape"]), "padding": o["padding"], **strides, **weights(o)}


def window(o):
    assert set(o) <= {"window_shape", "strides", "padding", "normalize_edges"}
    return {
        "size": tuple(o["window_shape"]),
        "stride": tuple(o["strides"]),
        "padding": o.get("padding", "VALID"),
    }


def between(ends):
    """What stands for the axes of space, between that of the batch and that of the channels."""
    assert ends[0] in (-1, [None])
    assert ends[-1] in (-1, [None])
    return ends[1:-1]


def resize(o):
    """The sizes are in reverse: the kernel there has its axes so behind one convolution.

    Its ImageResize takes them as they lie, and so resizes the height to what was meant for the
    width; networks of finite width, there and here, do not (tests/finite hold ours to them).
    """
    sizes = tuple(between(o["shape"]))[::-1]
    return tg.Resize(sizes, o["method"], antialias=o["antialias"])


def branches(o):
    return [network(branch) for branch in o["branches"]]


def concatenated(o):
    # Axes count the inputs there.
    return tg.Concatenate(*branches(o), axis=o["axis"] if o["axis"] == -1 else o["axis"] - 1)


def layer_norm(o):
    return tg.LayerNorm(space=len(o["axis"]) > 1)


def attention(o):
    assert set(o) <= {
        *("linear_scaling", "attention_mechanism", "pos_emb_type", "W_pos_emb_std", "b_std"),
        *("W_key_std", "W_value_std", "W_query_std", "W_out_std"),
    }
    positions = {"NONE": None, "SUM": "sum", "CONCAT": "concatenate"}
    return tg.SelfAttention(
        o["attention_mechanism"].lower(),
        positions=positions[o.get("pos_emb_type", "NONE")],
        position_std=o.get("W_pos_emb_std", 1.0),
        linear_scaling=o["linear_scaling"],
        bias_std=o["b_std"] or 0.0,
        **{f"{name}_std": o[f"W_{name}_std"] for name in ("query", "key", "value", "out")},
    )


LAYERS = {
    "Dense": lambda o: tg.Dense(**weights(o)),
    "FanInSum": lambda o: tg.Sum(*branches(o)),
    "FanInProd": lambda o: tg.Product(*branches(o)),
    "FanInConcat": concatenated,
    "Dropout": lambda o: tg.Dropout(o["rate"]),
    "LayerNorm": layer_norm,
    "Conv": conv,
    "Relu": lambda o: tg.ReLU(normalized=False),
    "Gelu": lambda o: tg.GELU(normalized=False),
    "Flatten": lambda o: tg.Flatten(),
    "GlobalAvgPool": lambda o: tg.GlobalAvgPool(),
    "ABRelu": lambda o: tg.ABReLU(**o, normalized=False),
    "Sign": lambda o: tg.Sign(),
    "Exp": lambda o: tg.Exp(**o, normalized=False),
    "Gaussian": lambda o: tg.Gaussian(**o, normalized=False),
    "ExpNormalized": lambda o: tg.ExpNormalized(**o),
    "Rbf": lambda o: tg.RBF(**o),
    "Monomial": lambda o: tg.Monomial(**o, normalized=False),
    "RectifiedMonomial": lambda o: tg.RectifiedMonomial(**o, normalized=False),
    "Polynomial": lambda o: tg.PolynomialActivation(o["coef"], normalized=False),
    "Sigmoid_like": lambda o: tg.SigmoidLike(normalized=False),
    "Hermite": lambda o: tg.Polynomial(**o, normalized=False),
    "Gabor": lambda o: tg.Gabor(normalized=False),
    "Sin": lambda o: tg.Sine(amplitude=o["a"], frequency=o["b"], phase=o["c"], normalized=False),
    "Erf": lambda o: tg.Erf(**o, normalized=False),
    "ConvTranspose": lambda o: tg.ConvTranspose(**patch(o)),
    "ConvLocal": lambda o: tg.ConvLocal(**patch(o)),
    "SumPool": lambda o: tg.SumPool(**window(o)),
    "AvgPool": lambda o: tg.AvgPool(**window(o), normalize_edges=o["normalize_edges"]),
    "GlobalSumPool": lambda o: tg.GlobalSumPool(),
    "Aggregate": lambda o: tg.Aggregate(),
    "ImageResize": resize,
    "GlobalSelfAttention": attention,
    "Index": lambda o: tg.Slice(*between(o["slices"])),
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


def relative(found, expected):
    return np.abs(found - expected) / np.abs(expected)


def test_no_case_is_left_out():
    with np.load(REFERENCE / "neural_tangents_layers.npz") as data:
        assert {name.split("/")[0] for name in data.files} == set(CASES)
    assert set(CASES) >= OFF_TANGENTS


def inputs(known, number):
    x = known[f"x{number}"]
    x = x / sqrt(x.shape[-1])
    if f"x{number}_mask" in known:
        return tg.Masked(x, known[f"x{number}_mask"])
    return tg.Graphs(x, known[f"pattern{number}"]) if f"pattern{number}" in known else x


@pytest.mark.parametrize("case", CASES)
def test_neural_tangents_layers(case):
    net, known = of(case), published(case)
    x, y = inputs(known, "1"), inputs(known, "2")
    for found, key in zip((*oracle.gram(net, x, y), *oracle.gram(net, x)), KEYS, strict=True):
        expected = known[key]
        if case in LOST and key.endswith("x1x1"):
            expected = without_diagonal(net, x, found, expected, key)
        wrong = relative(found, expected) >= 1e-10
        if key == "ntk_x1x1" and case in OFF_TANGENTS:
            wrong = wrong[~np.eye(len(x), dtype=bool)]
        assert not wrong.any(), key


def without_diagonal(net, x, found, published, key):
    """What is published, where it is not lost; what is found on the diagonal is checked here."""
    long = driver.gram(plan(net, x.shape[1:]), x.astype(np.longdouble), None)
    truth = np.diag(long.ntk if key.startswith("ntk") else long.nngp)
    assert np.max(relative(np.diag(found), truth)) < 1e-13
    assert np.isnan(published).any()
    return np.where(np.eye(len(x), dtype=bool), found, published)


@pytest.mark.skipif(
    np.finfo(np.longdouble).eps > 1e-18, reason="long double is no wider than double here"
)
@pytest.mark.parametrize("case", sorted(OFF_TANGENTS))
def test_where_the_published_diagonal_is_off_it_is_that_one(case):
    net, known = of(case), published(case)
    x = known["x1"] / sqrt(known["x1"].shape[-1])
    exact = driver.gram(plan(net, x.shape[1:]), x.astype(np.longdouble), None).ntk
    off = relative(known["ntk_x1x1"], exact) > 1e-10
    assert off.any()
    assert np.all(relative(oracle.gram(net, x).ntk, exact)[off] < 1e-13)
