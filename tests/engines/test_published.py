"""Values published by neural-tangents and by the paper's own code (tests/reference).

Off the diagonal all of them agree to rounding. On the diagonal of x1-x1 the published tangent
kernels of piecewise linear activations carry an error of up to 3e-8: there the arc cosine of a
correlation that rounding left just under 1 loses half of its digits. `OFF` lists those cases; the
truth is then the same recursion in extended precision, and the closed form where there is one.
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
TANGENTS = json.loads((REFERENCE / "neural_tangents.json").read_text())
CKN = json.loads((REFERENCE / "ckn_kernel.json").read_text())

# Cases whose published diagonal of Θ is off by more than 1e-10.
OFF_TANGENTS = {
    "fc-relu-8",
    "fc-leaky-2",
    "conv1d-relu-same-flatten",
    "conv2d-relu-same-flatten-bias",
    "conv2d-relu-valid-stride2",
}
# neural-tangents adds 1e-12 to the variance in a LayerNorm: 1e-12 relative, below 1e-10.

extended = pytest.mark.skipif(
    np.finfo(np.longdouble).eps > 1e-18, reason="long double is no wider than double here"
)


def raw_layer(name, o):
    """A layer of neural-tangents: activations are not normalised there."""
    weights = {"weight_std": o.get("w", 1.0), "bias_std": o.get("b", 0.0)}
    axes = {key: tuple(o[key]) for key in ("stride",) if key in o}
    builders = {
        "dense": lambda: tg.Dense(**weights),
        "conv": lambda: tg.Conv(
            tuple(o["patch"]), padding=o.get("padding", "same"), **axes, **weights
        ),
        "relu": lambda: tg.ReLU(normalized=False),
        "leaky_relu": lambda: tg.LeakyReLU(o["slope"], normalized=False),
        "erf": lambda: tg.Erf(normalized=False),
        "gelu": lambda: tg.GELU(normalized=False),
        "sin": lambda: tg.Sine(normalized=False),
        "flatten": tg.Flatten,
        "global_avg_pool": tg.GlobalAvgPool,
        "avg_pool": lambda: tg.AvgPool(tuple(o["size"]), **axes),
        "layer_norm": tg.LayerNorm,
        "residual": lambda: tg.Residual(network(o["body"])),
    }
    return builders[name]()


def network(layers):
    return tg.Sequential(*(raw_layer(name, options) for name, options in layers))


def published(case):
    with np.load(REFERENCE / "neural_tangents.npz") as data:
        return {key: data[f"{case}/{key}"] for key in KEYS}


KEYS = ("x1", "x2", "nngp", "ntk", "nngp_x1x1", "ntk_x1x1")


def relative(found, expected):
    return np.abs(found - expected) / np.abs(expected)


def truth(net, x, y=None):
    """The recursion in extended precision."""
    long = [None if z is None else z.astype(np.longdouble) for z in (x, y)]
    return driver.gram(plan(net, x.shape[1:]), long[0], long[1])


def test_no_case_is_left_out():
    with np.load(REFERENCE / "neural_tangents.npz") as data:
        assert {name.split("/")[0] for name in data.files} == set(TANGENTS)
        assert len(data.files) == len(KEYS) * len(TANGENTS)
    with np.load(REFERENCE / "ckn_kernel.npz") as data:
        assert {name.split("/")[0] for name in data.files} == {*CKN, "x"}
        values = [f"{c}/{v}" for c in CKN for v in ("last_layer", "ntk")]
        # The paper's code has the tangent kernel of the ReLU alone.
        assert {v for v in values if v not in data} == {
            f"{c}/ntk" for c in CKN if not c.startswith("relu")
        }
    assert set(TANGENTS) >= OFF_TANGENTS


@pytest.mark.parametrize("case", TANGENTS)
def test_neural_tangents(case):
    net, known = network(TANGENTS[case]["layers"]), published(case)
    # neural-tangents divides the first layer by the number of channels.
    x, y = (known[key] / sqrt(known[key].shape[-1]) for key in ("x1", "x2"))
    cross, own = oracle.gram(net, x, y), oracle.gram(net, x)
    assert np.max(relative(cross.nngp, known["nngp"])) < 1e-10
    assert np.max(relative(cross.ntk, known["ntk"])) < 1e-10
    assert np.max(relative(own.nngp, known["nngp_x1x1"])) < 1e-10
    wrong = relative(own.ntk, known["ntk_x1x1"]) >= 1e-10
    if case not in OFF_TANGENTS:
        assert not wrong.any()
    else:
        assert not wrong[~np.eye(len(x), dtype=bool)].any()


@pytest.mark.parametrize("case", TANGENTS)
def test_neural_tangents_in_single_precision(case):
    net, known = network(TANGENTS[case]["layers"]), published(case)
    x, y = ((known[key] / sqrt(known[key].shape[-1])).astype(np.float32) for key in ("x1", "x2"))
    cross, own = oracle.gram(net, x, y), oracle.gram(net, x)
    found = (*cross, *own)
    for values, key in zip(found, KEYS[2:], strict=True):
        assert values.dtype == np.float32
        assert np.max(relative(values, known[key])) < 1e-5


@extended
@pytest.mark.parametrize("case", TANGENTS)
def test_neural_tangents_against_extended_precision(case):
    """All entries, the diagonal too; and where the published one is off, that it is that one."""
    net, known = network(TANGENTS[case]["layers"]), published(case)
    x, y = (known[key] / sqrt(known[key].shape[-1]) for key in ("x1", "x2"))
    for found, exact in zip(
        (*oracle.gram(net, x, y), *oracle.gram(net, x)),
        (*truth(net, x, y), *truth(net, x)),
        strict=True,
    ):
        assert np.max(relative(found, exact)) < 1e-12
    own, exact = oracle.gram(net, x).ntk, truth(net, x).ntk
    off = relative(known["ntk_x1x1"], exact) > 1e-10
    assert off.any() == (case in OFF_TANGENTS)
    assert not off[~np.eye(len(x), dtype=bool)].any()
    assert np.all(relative(own, exact)[off] < 1e-13)


def test_the_published_diagonal_of_fc_relu_8_is_off_by_its_closed_form():
    """Nine layers of weights, unit gain, 5 channels: Θ(x, x) = 9|x|²/5 exactly."""
    known = published("fc-relu-8")
    net = network(TANGENTS["fc-relu-8"]["layers"])
    exact = 9 * np.sum(known["x1"] ** 2, axis=1) / 5
    ours = np.diag(oracle.NTK(net)(known["x1"] / sqrt(5)))
    assert np.max(relative(ours, exact)) < 1e-14
    assert 1e-8 < np.max(relative(np.diag(known["ntk_x1x1"]), exact)) < 1e-7


def ckn_network(layers):
    """The operators of the paper's code: patches summed, its pooling, the trace at the end."""
    out, n = [], 28
    for layer in layers:
        patch, stride, factor = layer["patch"], layer["subsampling"], layer["pool_factor"]
        # A sum over patch² positions; an even patch reaches one further back than forward.
        place = [(i, j) for i in (-1, 0) for j in (-1, 0)] if patch == 2 else patch
        assert patch == 2 or patch % 2 == 1
        out.append(tg.Conv(place, weight_std=patch))
        kernels = {
            "relu": tg.ReLU,
            "exp": lambda layer=layer: tg.Exponential(layer["sigma"]),
            "poly2": lambda: tg.Polynomial(2),
        }
        out.append(kernels[layer["kernel"]]())
        if layer["pooling"] == "gaussian":
            i = np.arange(-factor, factor + 1)
            weights = np.exp(-(i**2) / factor**2)
            n = n // stride - 1
            out.append(tg.Pool(weights / weights.sum(), stride=stride, size=n))
        elif layer["pooling"] == "average":
            n = n // stride
            out.append(tg.AvgPool(factor, stride=stride))
        else:
            n = n // stride - 1
            out.append(tg.Pool([1], stride=stride, start=stride, size=n))
    # Dense with weight_std n turns the mean over n² positions into the trace.
    return tg.Sequential(*out, tg.Flatten(), tg.Dense(weight_std=n))


# Cases whose published diagonal of Θ differs from the truth by more than 1e-9.
OFF_CKN = {"relu-strided2-strided2"}


@pytest.mark.parametrize("case", CKN)
def test_ckn_kernel(case):
    with np.load(REFERENCE / "ckn_kernel.npz") as data:
        x, last = data["x"], data[f"{case}/last_layer"]
        ntk = data.get(f"{case}/ntk")
    net = ckn_network(CKN[case])
    own = oracle.gram(net, x)
    assert np.max(relative(own.nngp, last)) < 1e-9
    if ntk is None:
        return
    wrong = relative(own.ntk, ntk) >= 1e-9
    if case not in OFF_CKN:
        assert not wrong.any()
    assert not wrong[~np.eye(len(x), dtype=bool)].any()


@extended
@pytest.mark.parametrize("case", CKN)
def test_ckn_kernel_against_extended_precision(case):
    with np.load(REFERENCE / "ckn_kernel.npz") as data:
        x = data["x"][:2]
        ntk = data[f"{case}/ntk"][:2, :2] if f"{case}/ntk" in data else None
    net = ckn_network(CKN[case])
    own, exact = oracle.gram(net, x), truth(net, x)
    for found, true in zip(own, exact, strict=True):
        assert np.max(relative(found, true)) < 1e-12
    if ntk is None:
        return
    off = relative(ntk, exact.ntk) > 1e-9
    assert off.any() == (case in OFF_CKN)
    assert np.all(relative(own.ntk, exact.ntk)[off] < 1e-13)
