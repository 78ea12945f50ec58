"""Linearisations and Taylor polynomials of modules, against derivatives taken another way."""

import copy
import math
import sys

import pytest

import tangency as tg
from tangency import finite

torch = pytest.importorskip("torch")
from awkward_modules import CASES  # noqa: E402
from tangency.finite.elementary import Elementary  # noqa: E402
from tangency.finite.matching import name_of  # noqa: E402

nn = torch.nn


class Tied(nn.Module):
    """Two layers that share a weight, a frozen one, a buffer, and an option of the call."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3)
        self.second.weight = self.first.weight
        self.last = nn.Linear(3, 2)
        self.last.bias.requires_grad_(False)
        self.register_buffer("shift", torch.tensor([0.3, -0.2, 0.1]))

    def forward(self, x, gain=1.0):
        hidden = torch.tanh(self.first(x)) + self.shift
        return gain * self.last(torch.tanh(self.second(hidden)))


def images():
    """A module in PyTorch's own layout, with batch statistics and an in-place ReLU."""
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(16, 3),
    )


def modules():
    torch.manual_seed(3)
    cnn = images().double()
    cnn(torch.randn(8, 2, 4, 4, dtype=torch.float64))  # statistics other than 0 and 1
    net = "conv3:b=0.2 gelu conv3:frozen erf gap dense"
    built = finite.build(net, 4, (5, 2), outputs=2, dtype=torch.float64, scale=2.0)
    return {
        "tied": (Tied().double(), torch.randn(4, 3, dtype=torch.float64)),
        "images": (cnn.eval(), torch.randn(4, 2, 4, 4, dtype=torch.float64)),
        "built": (built, torch.randn(4, 5, 2, dtype=torch.float64)),
    }


@pytest.fixture(params=["tied", "images", "built"])
def case(request):
    return modules()[request.param]


def trainable(module):
    return [p for p in module.parameters() if p.requires_grad]


def moved(model, size=0.3, seed=0):
    """Moves the trainable parameters of a model, and returns by how much."""
    generator = torch.Generator().manual_seed(seed)
    steps = []
    for p in trainable(model):
        step = size * torch.randn(p.shape, generator=generator, dtype=p.dtype)
        p.data += step
        steps.append(step)
    return steps


def along(module, steps, t):
    """The module with its parameters moved by t·steps."""
    other = copy.deepcopy(module)
    for p, step in zip(trainable(other), steps, strict=True):
        p.data += t * step
    return other


def test_it_starts_as_the_module(case):
    module, x = case
    assert torch.equal(finite.linearize(module)(x), module(x))


class First(nn.Module):
    """The first of what a module returns."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x)[0][:, -1]


def awkward():
    """Modules whose fused operations know no forward mode in PyTorch."""
    torch.manual_seed(5)
    encoder = nn.TransformerEncoderLayer(4, 2, 6, batch_first=True)
    return {
        "attention": nn.Sequential(encoder, nn.Flatten(), nn.Linear(12, 2)).double().eval(),
        "recurrence": First(nn.LSTM(4, 3, batch_first=True)),
        "weight norm": nn.Sequential(
            nn.Flatten(), nn.utils.parametrizations.weight_norm(nn.Linear(12, 2))
        ).double(),
    }


@pytest.mark.parametrize("name", ["tied", "images", "built", *awkward()])
def test_the_linear_part_is_the_gradient(name):
    if name in modules():
        module, x = modules()[name]
    else:
        module = awkward()[name]
        x = torch.randn(2, 3, 4, dtype=next(module.parameters()).dtype)
    linear = finite.linearize(module)
    steps = moved(linear)
    out = module(x)
    expected = out.detach().clone()
    for index in torch.cartesian_prod(*map(torch.arange, out.shape)).tolist():
        gradients = torch.autograd.grad(out[tuple(index)], trainable(module), retain_graph=True)
        expected[tuple(index)] += sum((g * s).sum() for g, s in zip(gradients, steps, strict=True))
    torch.testing.assert_close(linear(x), expected)


def test_its_gradient_stays_that_of_the_start(case):
    module, x = case
    linear = finite.linearize(module)
    moved(linear, 5.0)
    linear(x).square().sum().backward()
    weights = 2 * linear(x).detach()
    expected = torch.autograd.grad((module(x) * weights).sum(), trainable(module))
    for p, gradient in zip(trainable(linear), expected, strict=True):
        torch.testing.assert_close(p.grad, gradient)


def test_the_module_is_not_touched(case):
    module, x = case
    before = module(x).detach()
    linear = finite.linearize(module)
    moved(linear)
    linear(x).sum().backward()
    assert torch.equal(module(x), before)
    assert all(p.grad is None for p in module.parameters())
    moved(module)
    fresh = finite.linearize(module)
    assert not torch.allclose(fresh(x), before)


def test_frozen_parameters_stay_constants():
    module, x = modules()["tied"]
    linear = finite.linearize(module)
    assert len(trainable(linear)) == len(trainable(module)) == 4
    linear(x).sum().backward()
    assert linear.module.last.bias.grad is None


def test_options_of_the_call_are_passed_on():
    module, x = modules()["tied"]
    linear = finite.linearize(module)
    moved(linear)
    torch.testing.assert_close(linear(x, gain=3.0), 3 * linear(x))


def test_attributes_of_a_built_network_are_kept():
    module, _ = modules()["built"]
    linear = finite.linearize(module)
    assert linear.input_shape == (5, 2)
    assert linear.output_scale == 2.0


def test_descent_follows_kernel_regression():
    """Gradient descent on the linearisation is the recursion f ← f − lr·K(f − y)."""
    module, x = modules()["built"]
    y = torch.randn(4, 2, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    out = module(x).flatten()
    rows = [
        torch.cat(
            [g.flatten() for g in torch.autograd.grad(f, trainable(module), retain_graph=True)]
        )
        for f in out
    ]
    kernel = torch.stack(rows) @ torch.stack(rows).T
    lr = 1.0 / torch.linalg.eigvalsh(kernel)[-1].item()
    linear, f = finite.linearize(module), out.detach()
    optimizer = torch.optim.SGD(linear.parameters(), lr=lr)
    for _ in range(20):
        optimizer.zero_grad()
        (0.5 * (linear(x) - y).square().sum()).backward()
        optimizer.step()
        f = f - lr * kernel @ (f - y.flatten())
    torch.testing.assert_close(linear(x).detach().flatten(), f)
    assert (f - y.flatten()).norm() < 0.9 * (out - y.flatten()).norm()


@pytest.mark.parametrize("order", range(5))
def test_taylor_polynomials_match_derivatives_along_a_line(case, order):
    module, x = case
    model = finite.taylor(module, order)
    steps = moved(model, 0.1)

    def path(t):
        parameters = dict(module.named_parameters())
        names = [n for n, p in parameters.items() if p.requires_grad]
        point = {n: parameters[n].detach() + t * s for n, s in zip(names, steps, strict=True)}
        return torch.func.functional_call(module, point, (x,))

    # Reverse mode, one output at a time: no forward-mode derivative in it.
    t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    expected = path(t).detach().clone()
    for k, f in enumerate(path(t).flatten()):
        derivative = f
        for j in range(1, order + 1):
            if not derivative.requires_grad:
                break
            (derivative,) = torch.autograd.grad(derivative, t, create_graph=True)
            expected.view(-1)[k] += derivative.detach() / math.factorial(j)
    torch.testing.assert_close(model(x).detach(), expected)


def test_a_polynomial_network_is_its_taylor_polynomial():
    module = finite.build("dense dense dense", 4, (3,), dtype=torch.float64)
    x = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    full, less = finite.taylor(module, 3), finite.taylor(module, 2)
    steps = moved(full)
    for p, s in zip(less.parameters(), steps, strict=True):
        p.data += s
    expected = along(module, steps, 1.0)(x)
    torch.testing.assert_close(full(x), expected)
    assert not torch.allclose(less(x), expected)


def test_the_error_of_an_expansion_has_its_order():
    module = finite.build("dense erf dense", 16, (3,), dtype=torch.float64)
    x = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    steps = moved(finite.linearize(module))
    for order in (1, 2, 3):
        errors = []
        for t in (0.2, 0.1):
            model = finite.taylor(module, order)
            for p, s in zip(model.parameters(), steps, strict=True):
                p.data += t * s
            errors.append((model(x) - along(module, steps, t)(x)).norm().item())
        rate = math.log2(errors[0] / errors[1])
        assert abs(rate - (order + 1)) < 0.35, (order, rate)


def test_training_a_taylor_model_reaches_its_parameters():
    module, x = modules()["built"]
    model = finite.taylor(module, 2)
    moved(model)
    model(x).sum().backward()
    for p in trainable(model):
        assert torch.any(p.grad != 0)


def test_the_mode_of_the_module_is_kept():
    module, x = modules()["images"]
    linear = finite.linearize(module)
    expected = linear(x)
    linear.train()
    assert torch.equal(linear(x), expected)
    assert not linear.module.training


def test_layers_in_train_mode_are_refused():
    module, _ = modules()["images"]
    module.train()
    with pytest.raises(tg.InputError, match=r"1 \(BatchNorm2d\) is in train mode.*module.eval\(\)"):
        finite.linearize(module)
    module[1].eval()
    with pytest.raises(tg.InputError, match=r"4 \(Dropout\) is in train mode"):
        finite.linearize(module)
    module[4].eval()
    finite.linearize(module)  # the rest is the same function in both modes


def test_modules_that_cannot_be_expanded():
    bag = finite.linearize(nn.EmbeddingBag(10, 4))
    with pytest.raises(tg.InputError, match="neither forward mode nor a second derivative"):
        bag(torch.zeros(1, 3, dtype=torch.int64))
    with pytest.raises(tg.InputError, match=r"a torch\.nn\.Module is needed, got function"):
        finite.linearize(lambda x: x)
    with pytest.raises(tg.InputError, match="no trainable parameters"):
        finite.linearize(nn.ReLU())
    with pytest.raises(tg.InputError, match="returns a tuple, not one tensor"):
        finite.linearize(nn.GRU(2, 2))(torch.zeros(1, 1, 2))


@pytest.mark.parametrize("order", [-1, 9, 1.0, True])
def test_bad_orders(order):
    with pytest.raises(tg.InputError, match="order must be a whole number from 0 to 8"):
        finite.taylor(nn.Linear(2, 2), order)


def after_step(model, x, size):
    """The outputs after a step of this size along a fixed direction."""
    generator, model = torch.Generator().manual_seed(0), copy.deepcopy(model)
    for p in model.parameters():
        p.data.add_(torch.randn(p.shape, generator=generator, dtype=p.dtype), alpha=size)
    return model(x.clone()).detach()


@pytest.mark.parametrize("name", ["autograd inside", "energy", "func.grad inside"])
def test_derivatives_inside_the_module(name):
    """Against difference quotients of the module itself."""
    module, x = CASES[name].module(), CASES[name].inputs(3, 1)
    linear, square = finite.linearize(module), finite.taylor(module, 2)
    start = after_step(module, x, 0.0)
    slope = (after_step(module, x, 1e-4) - after_step(module, x, -1e-4)) / 2e-4
    torch.testing.assert_close(after_step(linear, x, 1.0), start + slope, rtol=1e-6, atol=1e-6)
    bend = (after_step(module, x, 1e-3) - 2 * start + after_step(module, x, -1e-3)) / 1e-6
    expected = start + slope + bend / 2
    size = float(bend.abs().max())
    torch.testing.assert_close(after_step(square, x, 1.0), expected, rtol=0, atol=1e-4 * size)
    # Its gradient at the start is the module's.
    gradients = [
        torch.autograd.grad(m(x.clone()).sum(), list(m.parameters()), materialize_grads=True)
        for m in (linear, module)
    ]
    for found, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(found, wanted)


class LogDeterminant(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Linear(4, 4)

    def forward(self, x):
        h = self.a(x)
        return torch.logdet(torch.eye(4, dtype=h.dtype) + h[:, :, None] * h[:, None, :])[:, None]


def untrustworthy():
    """Layers of which PyTorch's own second derivatives, or some ways to them, are wrong."""
    nn = torch.nn
    return {
        "layer norm": nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)),
        "group norm": nn.Sequential(nn.Linear(4, 4), nn.GroupNorm(2, 4)),
        "instance norm": nn.Sequential(
            nn.Linear(4, 6), nn.Unflatten(1, (2, 3)), nn.InstanceNorm1d(2)
        ),
        "batch statistics": nn.Sequential(
            nn.Linear(4, 4), nn.BatchNorm1d(4, track_running_stats=False)
        ),
        "weight norm": nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)),
        "log determinant": LogDeterminant(),
    }


@pytest.mark.parametrize("name", untrustworthy())
def test_second_and_third_derivatives_are_those_of_differences(name):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = untrustworthy()[name].double()
        x = torch.randn(5, 4, dtype=torch.float64)
    h = 2e-3
    for order in (2, 3):
        model = finite.taylor(module, order)
        steps = moved(model, 0.2)
        with torch.no_grad():
            f = {k: along(module, steps, k * h)(x) for k in range(-3, 4)}
        slopes = [
            (f[-2] - 8 * f[-1] + 8 * f[1] - f[2]) / (12 * h),
            (-f[-2] + 16 * f[-1] - 30 * f[0] + 16 * f[1] - f[2]) / (12 * h**2),
            (-f[3] + 8 * f[2] - 13 * f[1] + 13 * f[-1] - 8 * f[-2] + f[-3]) / (8 * h**3),
        ]
        wanted = f[0] + sum(s / math.factorial(j + 1) for j, s in enumerate(slopes[:order]))
        torch.testing.assert_close(model(x).detach(), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_products_with_numbers_are_not_worked_out_in_python(dtype):
    """PyTorch's rule for two tensors finds the shape of each product by a thousand Python calls."""
    scaled = finite.linearize(finite.build("dense:w=1.3,b=0.2 erf dense", 8, (3,), dtype=dtype))
    x = torch.linspace(-1, 1, 6, dtype=dtype).reshape(2, 3)
    value = scaled(x)
    called = []
    sys.setprofile(lambda frame, event, arg: called.append(frame.f_code.co_filename))
    try:
        again = scaled(x)
    finally:
        sys.setprofile(None)
    assert torch.equal(again, value)
    assert any(name.endswith("expansion.py") for name in called)
    assert not any("/torch/_refs/" in name.replace("\\", "/") for name in called)


@pytest.mark.parametrize("number", [3, 0.1, True])
def test_products_with_numbers_are_the_same(number):
    x = torch.linspace(-1, 1, 6)
    for tensor in (x, x.double(), x.half(), torch.arange(3)):
        with Elementary():
            found = [
                number * tensor,
                tensor * number,
                torch.mul(tensor, number),
                tensor.mul(number),
            ]
        for product in found:
            assert torch.equal(product, tensor * number)
            assert product.dtype == (tensor * number).dtype


def test_a_product_with_a_number_is_known_by_its_name():
    products = (torch.ops.aten.mul.Scalar, torch.mul, torch.Tensor.mul)
    assert {name_of(function) for function in products} == {"mul"}


def test_gradients_in_the_inputs_of_a_linearised_normalisation():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.LayerNorm(4)).double()
        x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
        v = torch.randn(3, 4, dtype=torch.float64)
    model = finite.linearize(module)
    moved(model)
    (slope,) = torch.autograd.grad((model(x) * v).sum(), x)
    d, h = torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(3, 4), 1e-5
    with torch.no_grad():
        wanted = ((model(x + h * d) - model(x - h * d)) * v).sum() / (2 * h)
    torch.testing.assert_close((slope * d).sum(), wanted, rtol=1e-7, atol=1e-9)
