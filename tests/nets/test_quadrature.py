"""Activations by quadrature against closed forms and 30-digit values, at all variances."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import tangency as tg
from tangency import linked
from tangency.nets.quadrature import FUNCTIONS, HermiteSeries, hermite, moments, plane, polar, rays
from tangency.nets.quadrature.family import Family
from tangency.nets.quadrature.pieces import cut

REFERENCE = Path(__file__).parents[1] / "reference" / "duals.json"
VALUES = json.loads(REFERENCE.read_text())["values"]
WIDE = [(1e-6, 1e-6), (0.3, 2.0), (64.0, 784.0), (1e6, 1e6)]
NARROW = [(1.0, 1.0), (0.3, 2.0)]
# With the 0.3 of a kink and the 0.5 of a jump away from the dyadic cuts of 0.
OWN = {
    "sign": np.sign,
    "hard_tanh": lambda u: np.clip(u, -1, 1),
    "shifted_relu": lambda u: np.maximum(u - 0.3, 0),
    "relu6": lambda u: np.minimum(np.maximum(u, 0), 6),
    "step": lambda u: (u > 0.5) * 1.0,
    "users": lambda u: np.sin(3 * u) * np.exp(-u * u / 8) + u / 4,
}
ROUGH = ("sign", "hard_tanh", "shifted_relu", "relu6", "step", "elu")
CASES = [
    *((name, WIDE) for name in ("tanh", "elu", "sign", "hard_tanh")),
    *((name, NARROW) for name in ("sigmoid", "softplus", "silu", "gaussian", "users")),
    *((name, NARROW) for name in ("shifted_relu", "relu6", "step")),
]


def erf(u):
    from scipy.special import erf as function

    return function(u)


def grids(q1, q2):
    c = np.linspace(-1, 1, 21)
    return c * np.sqrt(q1 * q2), np.full(21, q1), np.full(21, q2)


def relative(found, true, scale):
    """Errors against a scale; infinite where only one of the two is."""
    both = np.isinf(found) & np.isinf(true)
    with np.errstate(invalid="ignore"):
        return np.where(both, 0.0, np.abs(found - true) / scale)


@pytest.mark.parametrize(("name", "variances"), CASES, ids=[name for name, _ in CASES])
def test_thirty_digits(name, variances):
    rows = [v for v in VALUES if v["function"] == name and (v["q1"], v["q2"]) in variances]
    assert len(rows) == 10 * len(variances)
    q1, q2, c = (np.array([v[key] for v in rows]) for key in ("q1", "q2", "c"))
    true, true_dot = (np.array([float(v[key]) for v in rows]) for key in ("k", "k_dot"))
    layer = tg.Activation(OWN.get(name, name), normalized=False)
    k, k_dot = layer.dual(c * np.sqrt(q1 * q2), q1, q2)
    at = {
        v["q1"]: v for v in VALUES if v["function"] == name and v["q1"] == v["q2"] and v["c"] == 1
    }
    missing = [q for q in np.union1d(q1, q2) if q not in at]
    for q in missing:
        one = np.array([q])
        values = layer.dual(one, one, one)
        at[q] = {"k": values[0][0], "k_dot": values[1][0]}
    scale, scale_dot = (
        np.sqrt([float(at[a][key]) * float(at[b][key]) for a, b in zip(q1, q2, strict=True)])
        for key in ("k", "k_dot")
    )
    # The k̇ of a jump is infinite at correlation 1: its own size is the measure.
    scale_dot = np.where(np.isfinite(scale_dot), scale_dot, np.abs(true_dot))
    bound = 1e-6 if name in ROUGH else 1e-8
    assert np.max(relative(k, true, np.where(scale > 0, scale, 1.0))) < bound
    assert np.max(relative(k_dot, true_dot, np.where(scale_dot > 0, scale_dot, 1.0))) < bound


@pytest.mark.parametrize(
    ("function", "exact"),
    [
        (np.sin, tg.Sine()),
        (erf, tg.Erf()),
        (lambda u: u**3 - 3 * u, tg.Hermite(3)),
        (lambda u: np.maximum(u, 0), tg.ReLU()),
    ],
    ids=["sin", "erf", "hermite3", "relu"],
)
@pytest.mark.parametrize(("q1", "q2"), [(1.0, 1.0), (0.3, 20.0), (50.0, 50.0)])
def test_functions_agree_with_their_closed_forms(function, exact, q1, q2):
    found = tg.Activation(function).dual(*grids(q1, q2))
    ends = [exact.dual(*(np.array([q]),) * 3) for q in (q1, q2)]
    for n, (ours, true) in enumerate(zip(found, exact.dual(*grids(q1, q2)), strict=True)):
        scale = np.sqrt(ends[0][n] * ends[1][n])
        assert np.max(np.abs(ours - true)) < 1e-10 * scale


def test_the_kernel_of_raw_pixels():
    """Digits have norms of 50 and more, where tanh is nearly a step."""
    from sklearn.datasets import load_digits

    x = load_digits().data[:3]
    kernel = tg.NTK("dense activation:function=tanh dense")(x)
    # k + q·k̇ of 30 digits at the variance of the first image.
    q = float(x[0] @ x[0])
    g, w = np.polynomial.legendre.leggauss(400)
    u = 20 * g
    density = 20 * w * np.exp(-(u**2) / (2 * q)) / math.sqrt(2 * math.pi * q)
    tail = math.erfc(20 / math.sqrt(2 * q))
    raw = density @ np.tanh(u) ** 2 + tail + q * (density @ np.cosh(u) ** -4.0)
    z = np.exp(-(u**2) / 2) * 20 * w / math.sqrt(2 * math.pi)
    assert kernel[0, 0] == pytest.approx(raw / (z @ np.tanh(u) ** 2), rel=1e-10)
    assert kernel[0, 0] == pytest.approx(77.24, abs=0.01)


def test_results_do_not_depend_on_what_is_computed_beside_them():
    layer = tg.Activation("tanh")
    q = np.array([0.5, 40.0, 900.0])
    s = np.sqrt(q[:, None] * q) * np.array([[1.0, 0.9999, 0.2], [-0.999, 1.0, 0.99], [0, 0.5, 1]])
    whole = layer.dual(s, q[:, None], q[None, :])
    for i in range(3):
        for j in range(3):
            alone = layer.dual(s[i : i + 1, j : j + 1], q[i : i + 1, None], q[None, j : j + 1])
            for a, b in zip(whole, alone, strict=True):
                assert a[i, j] == b[0, 0]


def test_large_calls_are_computed_in_parts(monkeypatch):
    layer = tg.Activation("silu")
    rng = np.random.default_rng(0)
    q1, q2 = rng.uniform(0.1, 5, (6, 1, 2)), rng.uniform(0.1, 5, (1, 5, 2))
    s = rng.uniform(-1, 1, (6, 5, 2)) * np.sqrt(q1 * q2)
    whole = layer.dual(s, q1, q2)
    monkeypatch.setattr(moments, "_ROOM", 3 * 8 * 1025)
    for a, b in zip(whole, layer.dual(s, q1, q2), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["tanh", "elu", "step"])
def test_a_variance_of_zero_is_a_constant(name):
    layer = tg.Activation(OWN.get(name, name), normalized=False)
    zero, two = np.zeros(2), np.array([0.0, 2.0])
    k, k_dot = layer.dual(zero, zero, two)
    value = float(layer(np.zeros(1))[0])
    g, w = np.polynomial.hermite_e.hermegauss(200)
    mean = w @ layer(math.sqrt(2) * g) / math.sqrt(2 * math.pi)
    assert k == pytest.approx([value * value, value * mean], abs=1e-2 if name == "step" else 1e-6)
    assert np.all(np.isfinite(k_dot))


def test_jumps_have_a_last_layer_kernel_and_no_finite_ntk():
    one = np.ones(1)
    k, k_dot = tg.Activation(np.sign).dual(np.array([0.5]), one, 4 * one)
    assert k[0] == pytest.approx(2 / math.pi * math.asin(0.25), rel=1e-12)
    assert k_dot[0] == pytest.approx(2 / math.pi / math.sqrt(4 - 0.25), rel=1e-12)
    assert np.isinf(tg.Activation(np.sign).dual(one, one, one)[1][0])
    kernel = tg.NTK(tg.Sequential(tg.Dense(), tg.Activation(np.sign), tg.Dense()))
    x = np.eye(2)
    for infinite in (kernel, kernel.diag, kernel.distance, lambda x: kernel.paired_distance(x, -x)):
        with pytest.raises(tg.InputError, match=r"jumps, so that the NTK is infinite .*NNGP"):
            infinite(x)
    assert np.all(np.isfinite(kernel(x, np.ones((1, 2)))))


def test_pieces_end_at_kinks_and_jumps():
    for place in (0.0, 0.1, -3.7, math.pi):
        kink = cut(lambda u, t=place: np.maximum(u - t, 0), 16.0, "kink").derivative
        assert kink.derivative.deltas == pytest.approx(np.array([[place, 1.0]]), abs=1e-9)
        jump = cut(lambda u, t=place: np.where(u > t, 2.0, -1.0), 16.0, "jump").derivative
        assert jump.deltas == pytest.approx(np.array([[place, 3.0]]), abs=1e-12)
    smooth = cut(np.tanh, 1024.0, "tanh").derivative
    assert len(smooth.deltas) == len(smooth.derivative.deltas) == 0


def test_a_narrow_feature_far_out_is_not_missed():
    bump = cut(lambda u: np.exp(-(((u - 3) / 0.3) ** 2)), 4096.0, "bump")
    assert np.max(np.abs(bump.coefficients.sum(axis=1))) > 0.1


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_measured_error_is_small_at_all_variances(name):
    assert tg.Activation(name).quadrature_error((1e-4, 1.0, 100.0)) < 1e-7


def test_the_measured_error_notices_wrong_values(monkeypatch):
    layer = tg.Activation(lambda u: np.tanh(u) + 0.5)
    wrong = Family(lambda u: np.tanh(1.001 * u) + 0.5, "wrong")
    monkeypatch.setattr(
        "tangency.nets.quadrature.measure.duals",
        lambda family, *a: moments.duals(wrong, *a),
    )
    assert layer.quadrature_error((1.0,)) > 1e-5


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda u: 0 * u, r"E\[σ\(g\)²\] = 0.0; it must be greater than 0"),
        (lambda u: np.where(np.abs(u) > 2, np.nan, u), "is not finite at u = -?2"),
        (lambda u: np.exp(u * u), "is not finite at u|grows too fast for inputs of variance"),
        (lambda u: np.sin(1e6 * u), "is too rough on .*more than 2048 pieces"),
        (lambda u: u[:-1], r"gave shape \(\d+,\) and dtype float64 for a float64 array of shape"),
        (lambda u: u + 0j, "dtype complex128"),
        (lambda u: u.no_such_method(), "failed on a NumPy array .AttributeError"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_functions_that_cannot_serve_are_refused(function, message):
    net = tg.Sequential(tg.Dense(), tg.Activation(function), tg.Dense())
    with pytest.raises(tg.NetworkError, match=message):
        tg.NNGP(net)(np.ones((1, 2)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpy_and_torch_compute_the_same_function(name):
    torch = pytest.importorskip("torch")
    u = np.linspace(-30, 30, 101)
    layer = tg.Activation(name)
    assert np.allclose(layer(torch.tensor(u)).numpy(), layer(u), rtol=1e-14, atol=1e-14)


def test_a_function_of_torch_serves_arrays_of_both():
    torch = pytest.importorskip("torch")
    net = tg.Sequential(tg.Dense(), tg.Activation(torch.tanh), tg.Dense())
    named = tg.NTK("dense activation:function=tanh dense")
    x = np.random.default_rng(0).normal(size=(4, 3))
    assert np.allclose(tg.NTK(net)(x), named(x), rtol=1e-12)
    assert np.allclose(tg.NTK(net)(torch.tensor(x)).numpy(), named(x), rtol=1e-12)


@pytest.mark.parametrize("function", ["tanh", "elu", OWN["shifted_relu"]])
def test_gradients_are_those_of_differences(function):
    torch = pytest.importorskip("torch")
    layer = tg.Activation(function)
    q1, q2 = torch.tensor([0.7, 30.0, 30.0]), torch.tensor([2.0, 40.0, 31.0])
    s = torch.tensor([0.3, 0.99, -0.5]) * torch.sqrt(q1 * q2)
    arguments = [a.double().requires_grad_() for a in (s, q1, q2)]
    assert torch.autograd.gradcheck(layer.dual, arguments, eps=1e-5, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("which", [0, 1], ids=["k", "k dot"])
@pytest.mark.parametrize("name", ["softplus", "silu", "tanh", "sigmoid", "gaussian"])
def test_gradients_where_one_variance_is_zero(name, which):
    """There k = E[σ(f)]σ(0) and k̇ = E[σ'(f)]σ'(0), as at positions of padding."""
    torch = pytest.importorskip("torch")
    layer = tg.Activation(name)

    def value(*of):
        return float(layer.dual(*map(np.array, of))[which])

    def slope(f, at):
        step = 1e-3
        near, far = (f(at + m * step) - f(at - m * step) for m in (1, 2))
        return (8 * near - far) / (12 * step)

    along = slope(lambda q: value(0.0, q, 0.0), 1.3)
    # As a variance goes to zero, so does what a covariance may be.
    inside = slope(lambda s: value(s, 1.3, 1e-4), 0.0)
    for place, given in ((1, [0.0, 1.3, 0.0]), (2, [0.0, 0.0, 1.3])):
        leaves = torch.tensor(given, dtype=torch.float64).requires_grad_().unbind()
        found = torch.autograd.grad(layer.dual(*leaves)[which], leaves)
        assert float(found[place]) == pytest.approx(along, rel=1e-8, abs=1e-11)
        assert float(found[0]) == pytest.approx(inside, rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("kernel", [tg.NNGP, tg.NTK])
def test_a_second_gradient_is_refused_not_zero(kernel):
    torch = pytest.importorskip("torch")
    x = torch.tensor([[0.3, -1.0]], dtype=torch.float64, requires_grad=True)
    value = kernel("dense tanh dense").diag(x).sum()
    (slope,) = torch.autograd.grad(value, x, create_graph=True)
    with pytest.raises(tg.NetworkError, match=r"activation 'tanh'.* has first gradients only; for"):
        torch.autograd.grad(slope.sum(), x)
    # K(x, x) = f(|x|²) of an activation in closed form: f = (2/π)·asin(2q/(1 + 2q)).
    (slope,) = torch.autograd.grad(
        tg.NNGP("dense erf:raw dense").diag(x).sum(), x, create_graph=True
    )
    (second,) = torch.autograd.grad(slope[0, 0], x)
    q = torch.tensor(1.09, dtype=torch.float64, requires_grad=True)
    (f1,) = torch.autograd.grad(2 / np.pi * torch.asin(2 * q / (1 + 2 * q)), q, create_graph=True)
    (f2,) = torch.autograd.grad(f1, q)
    expected = [2 * f1 + 4 * 0.3**2 * f2, -4 * 0.3 * f2]
    assert second[0].tolist() == pytest.approx([e.item() for e in expected], rel=1e-9)


def test_explain_measures_at_the_variances_of_the_data():
    net = "conv2 activation:function=tanh conv2 activation:function=silu gap dense"
    x = np.random.default_rng(0).normal(size=(5, 4, 4, 3)) * 7
    lines = [s for s in tg.explain(net, x).splitlines() if "measured error" in s]
    for line, name in zip(lines, ("tanh", "silu"), strict=True):
        assert line.startswith(f"activation:function={name}: quadrature, measured error ")
    low, high = (float(word) for word in lines[0].split("variances ")[1].split(" to "))
    patches = np.lib.stride_tricks.sliding_window_view(x**2, (2, 2), axis=(1, 2)).sum((3, 4, 5)) / 4
    assert high == pytest.approx(patches.max(), rel=0.3)
    assert 0 < low < patches.min() * 1.01
    assert float(lines[0].split("error ")[1].split(" at ")[0]) < 1e-7
    assert "at variances 0.25 to 4" in tg.explain(net, (4, 4, 3))


def test_jumps_have_no_gradient():
    torch = pytest.importorskip("torch")
    x = torch.tensor([[1.0, 2.0], [0.5, 1.0]], dtype=torch.float64, requires_grad=True)
    kernel = tg.NNGP(tg.Sequential(tg.Dense(), tg.Activation(torch.sign), tg.Dense()))
    with pytest.raises(tg.NetworkError, match="jumps: its kernel has no gradient; detach"):
        kernel(x).sum().backward()


@pytest.mark.parametrize("variance", [2.0, 4.0, 9.0, 25.0])
@pytest.mark.parametrize("c", [1.0, 0.9, 0.0, -0.5])
def test_what_is_far_larger_than_what_counts(variance, c):
    """exp reaches 10⁵⁵ on the way to where the Gaussian ends: E[e^f e^f'] = e^{q + s}."""
    layer = tg.Activation(np.exp, normalized=False)
    q, s = np.array([variance]), np.array([c * variance])
    k, k_dot = layer.dual(s, q, q)
    bound = np.exp(2 * q)
    np.testing.assert_allclose(k / bound, np.exp(q + s) / bound, rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(k_dot / bound, np.exp(q + s) / bound, rtol=1e-8, atol=1e-13)


@pytest.mark.parametrize("variance", [0.05, 0.087, 0.13, 0.3, 1.0])
def test_what_is_there_only_far_from_zero(variance):
    """A bump at 3, of which small variances see the tail alone; its integral is Gaussian."""
    layer = tg.Activation(lambda u: np.exp(-8 * (u - 3) ** 2), normalized=False)
    q = np.array([variance])
    for c in (1.0, 0.9, 0.5):
        k, _ = layer.dual(c * q, q, q)
        first, second = 1 + 16 * q * (1 + c), 1 + 16 * q * (1 - c)
        right = np.exp(-8 * 18 / first) / np.sqrt(first * second)
        np.testing.assert_allclose(k, right, rtol=1e-9)


@pytest.mark.parametrize(
    ("function", "power", "q1", "q2"),
    [
        (np.sin, -1, 0.047, 10.5),
        (np.sin, -1, 0.8, 20.0),
        (np.exp, 1, 1e-6, 5.0),
        (np.exp, 1, 1.2e-6, 21.0),
        (np.exp, 1, 1e-3, 18.0),
    ],
)
@pytest.mark.parametrize("gap", [1e-2, 1e-6, 1e-12])
def test_a_small_variance_beside_a_large_one(function, power, q1, q2, gap):
    """Terms that are below rounding for one of them count where they are large for the other."""
    layer = tg.Activation(function, normalized=False)
    s = (1 - gap) * math.sqrt(q1 * q2)
    k, k_dot = (float(v) for v in layer.dual(*map(np.asarray, (s, q1, q2))))
    size = math.exp(0.5 * power * (q1 + q2))
    true = size * np.array([np.exp(s)] * 2 if power > 0 else [np.sinh(s), np.cosh(s)])
    if power > 0:
        # Against the value itself, which is far below √(k(x,x)k(y,y)).
        np.testing.assert_allclose([k, k_dot], true, rtol=1e-8)
    else:
        scale = size * np.sqrt([np.sinh(q1) * np.sinh(q2), np.cosh(q1) * np.cosh(q2)])
        np.testing.assert_allclose([k, k_dot] / scale, true / scale, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda u: np.exp(u - u.max()) / np.exp(u - u.max()).sum(), "it must work elementwise"),
        (lambda u: u / np.linalg.norm(u), "it must work elementwise"),
        (lambda u: np.tanh(u).astype(np.float32), "values of single precision"),
        (lambda u: np.sin(300 * u), r"is too rough on \[.*use a smoother function"),
    ],
)
def test_what_is_told_of_functions_that_need_too_many_pieces(function, told):
    one = np.ones(1)
    with pytest.raises(tg.NetworkError, match=told), np.errstate(over="ignore"):
        tg.Activation(function, normalized=False).dual(0.5 * one, one, one)


@pytest.mark.parametrize("name", ["tanh", "softplus", "sigmoid", "silu", "gaussian"])
def test_series_at_a_variance_of_zero(name):
    """Σ of constants that are 0 may have a tangent, if their bias learns."""
    activation = tg.Activation(name, normalized=False)
    series = HermiteSeries(lambda u: activation(u), 64)
    pairs = np.zeros(3), np.array([0.0, 0.0, 0.5]), np.array([0.0, 0.7, 0.0])
    for found, expected in zip(series.dual(*pairs), activation.dual(*pairs), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_loops_hold_what_they_call():
    """A function beside them would have copies, and a process might take another one's."""
    for module in (hermite, moments, plane, polar, rays):
        loops = [f for f in vars(module).values() if hasattr(f, "targetoptions")]
        assert loops
        assert all(isinstance(loop, linked.Function) for loop in loops)


@pytest.mark.parametrize("name", ["silu", "tanh", "elu"])
@pytest.mark.parametrize("layer", ["layernorm", "sign"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_is_made_of_a_zero_input(name, layer, dtype):
    """Where the function is 0 at 0, which normalisation would show."""
    x = np.array([[0, 0], [1, 0.5]], dtype)
    for engine in ("auto", "reference"):
        pair = tg.gram(f"dense {name} dense {layer} dense", x, engine=engine)
        for k in pair:
            assert k[0, 0] == k[0, 1] == 0
            assert k[1, 1] > 0.9


@pytest.mark.parametrize("size", [1e-6, 1e-10, 1e-20])
def test_small_inputs_have_the_slope_of_the_function(size):
    x = size * np.array([[1.0, 0.5], [0.3, -1.0]])
    for name in ("silu", "tanh"):
        layer = tg.Activation(name)
        net = tg.Sequential(tg.Dense(), layer, tg.Dense())
        slope = layer.dual(np.zeros(1), np.zeros(1), np.zeros(1))[1]
        np.testing.assert_allclose(tg.NNGP(net)(x), slope * (x @ x.T), rtol=1e-5, atol=0)
