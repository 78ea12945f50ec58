"""When it is certain from the operations alone that inputs of a batch have not met."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from awkward_modules import rows
from awkward_parts import Buffers
from tangency.finite import empirical_ntk
from tangency.finite.recording import Recorder
from torch_modules import Function, kernel


def apart(module, x):
    """What is said of one pass."""
    recorder = Recorder(dict(module.named_parameters()), lambda *call: None)
    recorder.rows.start(x, (*module.parameters(), *module.buffers()))
    with recorder:
        out = module(x)
    return recorder.rows.holds(out) and not recorder.rows.mixed


def one(forward):
    return Function(forward, a=nn.Linear(4, 4), scale=(4,), table=(3, 4)).double().eval()


APART = {
    "dense": nn.Sequential(
        nn.Linear(4, 3), nn.ReLU(inplace=True), nn.Dropout(0.3), nn.GELU(), nn.Linear(3, 2)
    ),
    "images": nn.Sequential(
        nn.Unflatten(1, (1, 2, 2)),
        nn.Conv2d(1, 2, 2, padding=1, padding_mode="circular"),
    )[1:],
    "pooled": nn.Sequential(
        nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.SELU()
    )[:5],
    "residual": one(lambda m, x: (x + torch.tanh(m.a(x))) * m.scale / 2 - 1.0),
    "tokens": one(lambda m, x: torch.sin(m.a(x))),
}


@pytest.mark.parametrize("name", APART)
def test_inputs_that_cannot_meet(name):
    shapes = {"images": (3, 1, 4, 4), "pooled": (3, 1, 4, 4), "tokens": (3, 2, 4)}
    module = APART[name].double().eval()
    assert apart(module, torch.randn(shapes.get(name, (3, 4)), dtype=torch.float64))


class Unseen(torch.autograd.Function):
    """Takes the mean off, behind PyTorch's back."""

    @staticmethod
    def forward(ctx, x):
        return torch.from_numpy(x.numpy() - x.numpy().mean(0))

    @staticmethod
    def backward(ctx, g):
        return g - g.mean(0)


class InPlace(torch.autograd.Function):
    """Turns the batch around in place."""

    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.copy_(x.flip(0))

    @staticmethod
    def backward(ctx, g):
        return g.flip(0)


def after_in_place(m, x):
    h = m.a(x)
    InPlace.apply(h)
    return torch.tanh(h)


def hooked(m, x):
    h = m.a(x)
    h.register_hook(lambda g: g - g.mean(0))
    return torch.tanh(h)


MAY_MEET = {
    "sorted": lambda m, x: m.a(x[x[:, 0].argsort()]),
    "mean": lambda m, x: m.a(x) - m.a(x).mean(0),
    "softmax": lambda m, x: torch.softmax(m.a(x), 0),
    "branch": lambda m, x: m.a(x) if bool((x > 0).all()) else x,
    "number of inputs": lambda m, x: m.a(x) / len(x),
    "shape": lambda m, x: m.a(x) / x.shape[0],
    "along the batch": lambda m, x: functional.linear(x.T, m.table.T).T,
    "flattened": lambda m, x: torch.tanh(m.a(x).flatten()).reshape(-1, 4),
    "weights from inputs": lambda m, x: functional.linear(x, x),
    "one parameter for each input": lambda m, x: m.a(x) + m.table,
    "outer sum": lambda m, x: (x[:, :1] + x[:, 0])[:, :3],
    "data": lambda m, x: torch.tanh(m.a(x).data),
    "hook": hooked,
    "unseen": lambda m, x: torch.tanh(Unseen.apply(m.a(x).detach())),
    "in place": after_in_place,
    "kept from before": lambda m, x: torch.tanh(m.a(x)) + m.before,
    "unbatched convolution": lambda m, x: functional.conv1d(x, m.a.weight[:, :3, None]).T,
    "dropout": lambda m, x: functional.dropout(m.a(x)),
    "batch statistics": lambda m, x: functional.batch_norm(x, None, None, training=True),
}


@pytest.mark.parametrize("name", MAY_MEET)
def test_inputs_that_may_meet(name):
    module = one(MAY_MEET[name])
    x = torch.randn(3, 4, dtype=torch.float64)
    module.before = x.mean(0, keepdim=True).repeat(3, 1)
    assert not apart(module, x)


def test_a_hook_on_a_layer():
    module = one(lambda m, x: torch.tanh(m.a(x)))
    module.a.register_full_backward_hook(lambda part, gi, go: None)
    assert not apart(module, torch.randn(3, 4, dtype=torch.float64).requires_grad_())


def late(m, x):
    """Only where an input is extreme, a batch is turned around."""
    h = torch.tanh(m.a(x))
    return m.o(h.flip(0) if bool((x > 50).any()) else h)


@pytest.mark.parametrize("method", ["auto", "layers", "jacobian", "ntvp"])
def test_what_happens_in_a_later_block_alone(method):
    torch.manual_seed(0)
    module = Function(late, a=nn.Linear(3, 4), o=nn.Linear(4, 1)).double()
    x = torch.randn(12, 3, dtype=torch.float64)
    x[9, 1] = 60.0
    jacobian = rows(module, x)
    wanted = kernel(jacobian, jacobian, "trace")
    for memory in (None, 20_000, 6_000):
        found = empirical_ntk(module, x, method=method, max_memory=memory)
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_modules_in_torchscript():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    x = torch.randn(4, 3, dtype=torch.float64)
    wanted = empirical_ntk(module, x)
    for method in ("auto", "layers", "jacobian", "ntvp"):
        for compiled in (torch.jit.trace(module, x), torch.jit.script(module)):
            torch.testing.assert_close(empirical_ntk(compiled, x, method=method), wanted)


def test_an_operator_follows_its_module():
    from tangency.finite import ntk_operator

    module, x = Buffers("added").double(), torch.randn(3, 3, dtype=torch.float64)
    operator = ntk_operator(module, x)
    with torch.no_grad():
        module.net[0].weight.mul_(2.0)
        module.scale.mul_(0.5)
    full = empirical_ntk(module, x, outputs="full").permute(0, 2, 1, 3).reshape(6, 6)
    torch.testing.assert_close(torch.from_numpy(operator @ torch.eye(6).double().numpy()), full)
    assert module.scale.tolist() == [0.5] * 3
