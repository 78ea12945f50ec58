"""Gradients under PyTorch: against finite differences, and finite where the kernels have kinks."""

import numpy as np
import pytest

import oracle
import tangency as tg
from cases import activations

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


def test_no_gradient_no_graph():
    x = images("dense relu dense").detach()
    assert not oracle.NTK("dense relu dense")(x).requires_grad
    with torch.no_grad():
        assert not oracle.NTK("dense relu dense")(x.requires_grad_(True)).requires_grad
