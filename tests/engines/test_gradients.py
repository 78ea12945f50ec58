"""Gradients under PyTorch: against finite differences, and finite where the kernels have kinks."""

import numpy as np
import pytest

import oracle
import tangency as tg
from cases import activations
from tangency.engines.closeness import steep
from tangency.engines.prepared import Prepared
from tangency.nets.plan import plan

torch = pytest.importorskip("torch")

NETS = ["dense:b=0.3 {0} dense {0} dense", "conv3 {0} gauss1 conv3 {0} gap dense",
        "conv3:b=0.2 layernorm {0} conv3 {0} flatten dense",
        "conv3 res({0} conv3) {0} conv3:stride=2 {0} gap dense"]  # fmt: skip


def images(text, n=2, seed=0):
    shape = (3,) if text.startswith("dense") else (4, 1)
    x = np.random.default_rng(seed).normal(size=(n, *shape))
    return torch.tensor(x, requires_grad=True)


def total(text, x, y, weights=(0.7, -0.4)):
    """A smooth function of both kernels."""
    both = oracle.gram(text, x, y)
    return weights[0] * torch.sum(torch.sin(both.nngp)) + weights[1] * torch.sum(both.ntk**2)


def differences(function, x, step=1e-5):
    """Central differences in every entry."""
    found = torch.zeros_like(x)
    with torch.no_grad():
        for i in range(x.numel()):
            values = []
            for sign in (1, -1):
                moved = x.detach().clone()
                moved.view(-1)[i] += sign * step
                values.append(function(moved))
            found.view(-1)[i] = (values[0] - values[1]) / (2 * step)
    return found


CHECKED = [(net, activation) for net in NETS[:2] for activation in activations("gradients")]
CHECKED += [(net, activation) for net in NETS[2:] for activation in ("relu", "erf", "exp0.6")]


@pytest.mark.parametrize(("net", "activation"), CHECKED)
def test_inputs_against_finite_differences(net, activation):
    text = net.format(activation)
    x, y = images(text), images(text, 3, 1).detach()
    (found,) = torch.autograd.grad(total(text, x, y), x)
    expected = differences(lambda z: total(text, z, y), x)
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-6 * expected.abs().max().item())


SMOOTH = ["erf", "gelu", "sin", "cos", "hermite3", "exp0.6", "sin:phase=0.4", "rbf0.3"]
SMOOTH += ["bell:b=-0.6", "gabor", "monomial3", "powers[0.2,1,-0.5]", "exponent:b=0.5"]
SMOOTH += ["rectified4", "poly2:raw"]


@pytest.mark.parametrize("activation", SMOOTH)
def test_second_derivatives_at_equal_inputs(activation):
    """There Σ is as large as the variances allow, which the duals take as exact."""
    x, same = images("dense"), images("dense").detach()
    for kind in (oracle.NTK, oracle.NNGP):
        kernel = kind(f"dense {activation} dense")
        assert torch.autograd.gradgradcheck(lambda z, k=kernel: k(z, same).sum(), (x,))


@pytest.mark.parametrize("net", NETS)
def test_a_symmetric_call_differentiates_both_arguments(net):
    text = net.format("erf")
    x = images(text, 3)
    (found,) = torch.autograd.grad(total(text, x, None), x)
    expected = differences(lambda z: total(text, z, None), x)
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-6 * expected.abs().max().item())


def network(p):
    return tg.Sequential(
        tg.Conv(3, weight_std=p["weight_std"], bias_std=p["bias_std"]),
        tg.LeakyReLU(p["slope"]),
        tg.Rescale(p["factor"]),
        tg.Residual(tg.Sequential(tg.Conv(3, weight_std=p["inner"]),
                                  tg.Sine(frequency=p["frequency"]), tg.Conv(1))),
        tg.GaussianPool(1),
        tg.Conv(3), tg.LeakyReLU(p["raw"], normalized=False), tg.Conv(1),
        tg.Exponential(p["sigma"]), tg.Conv(2), tg.Cosine(frequency=p["wave"], normalized=False),
        tg.GlobalAvgPool(), tg.Dense(bias_std=p["last"]),
    )  # fmt: skip


VALUES = {
    "weight_std": 1.3, "bias_std": 0.4, "slope": 0.2, "factor": 0.8, "inner": 0.9,
    "frequency": 1.4, "raw": -0.3, "sigma": 0.7, "wave": 0.6, "last": 0.5,
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_parameters_of_layers_against_finite_differences(name):
    x = images("conv", 3).detach()

    def value(number):
        parameters = {k: torch.tensor(v, dtype=torch.float64) for k, v in VALUES.items()}
        parameters[name] = number
        return total(network(parameters), x, None)

    at = torch.tensor(VALUES[name], dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(value(at), at)
    expected = differences(value, at.detach().reshape(1).clone().requires_grad_(False)
                           .reshape(())).item()  # fmt: skip
    assert abs(expected) > 1e-6
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_a_parameter_changed_in_place_is_seen():
    """As an optimiser does it; the plan of the network is cached."""
    w = torch.tensor(1.0, dtype=torch.float64)
    kernel, x = (
        oracle.NTK(tg.Sequential(tg.Dense(weight_std=w), tg.ReLU(), tg.Dense())),
        images("dense").detach(),
    )
    before = kernel(x)
    w.mul_(2)
    assert torch.allclose(kernel(x), 4 * before)


@pytest.mark.parametrize("activation", activations("gradients"))
@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_finite_at_identical_opposite_and_zero_inputs(net, activation, dtype):
    text = net.format(activation)
    base = images(text, 1).detach().to(dtype)
    patch = base.clone()
    patch[:, :2] = 0
    x = torch.cat([base, base, -base, 0 * base, patch, base * (1 + 1e-7), 1e-25 * base])
    x.requires_grad_(True)
    for y in (None, x.detach().clone()):
        for kernel in (oracle.NTK, oracle.NNGP):
            values = kernel(text)(x, y)
            (found,) = torch.autograd.grad(values.sum(), x)
            assert torch.isfinite(values).all()
            assert torch.isfinite(found).all()
    (found,) = torch.autograd.grad(oracle.NTK(text).diag(x).sum(), x)
    assert torch.isfinite(found).all()


@pytest.mark.parametrize(
    "activation",
    [
        "relu",
        "abs",
        "leaky0.2",
        "erf",
        "gelu",
        "sin",
        "exp0.6",
        "poly2",
        "activation:function=tanh",
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_true_gradient_of_the_last_layer_kernel_at_identical_inputs(activation, sign):
    """Σ is differentiable there, and rounding of c beyond ±1 must not lose the slope."""
    text = f"dense {activation} dense"
    for seed in range(6):
        x = images(text, 1, seed)
        y = sign * x.detach()
        (found,) = torch.autograd.grad(oracle.NNGP(text)(x, y).sum(), x)
        expected = differences(lambda z, y=y: oracle.NNGP(text)(z, y).sum(), x, 1e-4)
        assert torch.allclose(found, expected, rtol=1e-3, atol=2e-4)


def test_distances_and_normalised_kernels_are_finite_too():
    x = images("dense relu dense", 3)
    twins = torch.cat([x, x.detach(), 0 * x.detach()]).detach().requires_grad_(True)
    kernel = oracle.NTK("dense relu dense", normalize=True)
    for values in (
        kernel(twins),
        kernel.distance(twins),
        oracle.NTK("dense relu dense").distance(twins),
    ):
        (found,) = torch.autograd.grad(values.sum(), twins)
        assert torch.isfinite(found).all()


@pytest.mark.parametrize("net", ["dense:b=0.4 relu dense", "conv3 relu conv3 relu gap dense"])
@pytest.mark.parametrize("opposite", [False, True])
@pytest.mark.parametrize("spread", [1e-4, 1e-3, 1e-2])
def test_nearly_parallel_inputs_of_single_precision(net, opposite, spread):
    """Computed in float32, up to a fifth of the gradient was rounding."""
    rng = np.random.default_rng(0)
    shape = (5,) if net.startswith("dense") else (5, 2)
    x, y = (rng.normal(size=shape) + spread * rng.normal(size=(n, *shape)) for n in (4, 3))
    x, y = (np.float32(each) for each in (x, -y if opposite else y))
    found = []
    for dtype in (torch.float32, torch.float64):
        one = torch.tensor(x).to(dtype).requires_grad_()
        tg.NTK(net)(one, torch.tensor(y).to(dtype)).sum().backward()
        found.append(one.grad)
    assert found[0].dtype == torch.float32
    error = torch.linalg.vector_norm(found[0] - found[1]) / torch.linalg.vector_norm(found[1])
    assert error < 1e-6


def test_only_nearly_parallel_inputs_take_double_precision():
    rng = np.random.default_rng(0)
    x = np.float32(rng.normal(size=(6, 40)))
    far, near = x[:3], x[:3] + np.float32(1e-3)
    for y, net, takes in (
        (far, "dense relu dense", False),
        (-2 * far, "dense relu dense", False),
        (near, "dense relu dense", True),
        (near, "dense erf dense", True),
        (near, "dense cos dense", False),
    ):
        steps = plan(tg.parse(net), (40,))
        one, two = (Prepared(torch.tensor(each)) for each in (x, y))
        assert not steep(steps, one, two)
        two.inputs.requires_grad_()
        assert steep(steps, one, two) == takes
        assert steep(steps, two, one) == takes
        assert not steep(steps, two, None)


def test_no_gradient_no_graph():
    x = images("dense relu dense").detach()
    assert not oracle.NTK("dense relu dense")(x).requires_grad
    with torch.no_grad():
        assert not oracle.NTK("dense relu dense")(x.requires_grad_(True)).requires_grad
