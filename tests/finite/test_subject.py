"""What is refused, and why."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from tangency import InputError
from tangency.finite import empirical_ntk
from tangency.finite.alone import check_independent
from tangency.finite.inputs import inputs_of
from tangency.finite.subject import subject_of
from torch_modules import Function, made


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (nn.BatchNorm1d(4), r"BatchNorm1d \(1\) is in training mode.*module.eval\(\)"),
        (nn.Dropout(0.5), r"Dropout \(1\) is random in training mode.*module.eval\(\)"),
        (nn.RReLU(), r"RReLU \(1\) is random in training mode"),
    ],
)
def test_training_mode(part, message):
    module = nn.Sequential(nn.Linear(4, 4), part)
    with pytest.raises(InputError, match=message):
        subject_of(module)
    subject_of(module.eval())


def test_batch_statistics_in_eval_mode_too():
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, track_running_stats=False)).eval()
    with pytest.raises(InputError, match="track_running_stats=True"):
        subject_of(module)


@pytest.mark.parametrize(
    "forward",
    [lambda m, x: m.part(x) - m.part(x).mean(0), lambda m, x: m.part(x) + torch.randn(len(x), 2)],
)
def test_outputs_that_depend_on_the_batch_or_on_chance(forward):
    subject = subject_of(Function(forward, part=nn.Linear(3, 2)))
    with pytest.raises(InputError, match="changes with the other inputs of the batch"):
        check_independent(subject, torch.ones(2, 3) * torch.tensor([[1.0], [2.0]]))


class Centred(nn.Module):
    """The change of a part since the start, as of `build(..., centred=True)`."""

    def __init__(self, part):
        super().__init__()
        self.part = part
        for name, p in part.named_parameters():
            self.register_buffer(name.replace(".", "_"), p.detach().clone())

    def forward(self, x):
        start = {
            name: getattr(self, name.replace(".", "_"))
            for name in dict(self.part.named_parameters())
        }
        return self.part(x) - functional_call(self.part, start, (x,))


def moved(part, dtype, step):
    torch.manual_seed(0)
    module = Centred(part()).to(dtype)
    with torch.no_grad():
        for p in module.part.parameters():
            p += step * torch.randn_like(p)
    return module, torch.randn(2, 20, dtype=dtype)


@pytest.mark.parametrize("step", [0.0, 1e-12, 1e-9, 1e-7, 1e-5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_near_the_start_of_a_centred_network_rounding_is_no_mixing(dtype, step):
    """Its outputs are differences of numbers that agree in nearly all digits."""
    module, x = moved(
        lambda: nn.Sequential(nn.Linear(20, 64), nn.Tanh(), nn.Linear(64, 1)), dtype, step
    )
    before = {name: t.clone() for name, t in module.state_dict().items()}
    kernel = empirical_ntk(module, x)
    torch.testing.assert_close(kernel, empirical_ntk(module.part, x))
    assert all(torch.equal(t, before[name]) for name, t in module.state_dict().items())


@pytest.mark.parametrize("step", [0.0, 1e-12, 1e-9, 1e-7, 1e-5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_near_its_start_a_centred_network_that_mixes_is_refused(dtype, step):
    """At the start itself outputs are zero, whatever is done to a batch."""

    def part():
        return Function(
            lambda m, x: m.out(torch.tanh(m.of(x) - m.of(x).mean(0))),
            of=nn.Linear(20, 64),
            out=nn.Linear(64, 1),
        )

    module, x = moved(part, dtype, step)
    with pytest.raises(InputError, match="changes with the other inputs of the batch"):
        empirical_ntk(module, x)


def test_outputs_of_zero_say_nothing_of_what_is_before_them():
    module = Function(lambda m, x: m.out(x - x.mean(0)), out=nn.Linear(3, 1))
    nn.init.zeros_(module.out.weight)
    nn.init.zeros_(module.out.bias)
    with pytest.raises(InputError, match="changes with the other inputs of the batch"):
        empirical_ntk(module, torch.eye(3))


def test_a_module_of_one_dtype_is_compared_in_that():
    table = torch.randn(20, 64)

    def part():
        return Function(lambda m, x: m.out(torch.tanh(x @ table)), out=nn.Linear(64, 1))

    module, x = moved(part, torch.float32, 1e-7)
    torch.testing.assert_close(empirical_ntk(module, x), empirical_ntk(module.part, x))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (np.ones(3), "must be a torch.nn.Module; got a ndarray"),
        (nn.ReLU(), "no parameters to differentiate by"),
        (nn.Linear(2, 2).half(), r"torch.float16.*module.float\(\)"),
        (nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double()), "torch.float32, torch.float64"),
    ],
)
def test_modules_that_have_no_kernel(module, message):
    with pytest.raises(InputError, match=message):
        subject_of(module)


def test_a_frozen_parameter_by_name():
    module, _ = made("dense")
    module[0].requires_grad_(False)
    with pytest.raises(InputError, match=r"'0.weight' is frozen.*requires_grad_\(\)"):
        subject_of(module, "0")
    assert "0.weight" not in subject_of(module).params


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.array([["a"]]), "dtype <U1"),
        (np.zeros((0, 5)), "X is empty"),
        (np.array([[1.0] * 5, [np.nan] * 5]), "NaN or infinity in 1 of 2 inputs.*number 1"),
        (torch.ones(2, 5, dtype=torch.complex64), "complex"),
        ((np.ones((2, 5)), np.ones((2, 3))), r"a tuple of arrays, of shapes \(2, 5\), \(2, 3\)"),
        ((torch.ones(2, 5), torch.ones(2, 5)), r"a tuple of arrays, of shapes \(2, 5\), \(2, 5\)"),
        ([[1.0, 2.0], [3.0]], "all its rows of one shape; got a list"),
        ([np.ones(5), np.ones(3)], "all its rows of one shape; got a list"),
        (3.0, r"X is empty: shape \(\)"),
    ],
)
def test_bad_inputs(data, message):
    with pytest.raises(InputError, match=message):
        inputs_of(subject_of(made("dense")[0]), data)


def test_outputs_that_are_no_tensor_or_no_batch():
    pair = Function(lambda m, x: (m.part(x), x), part=nn.Linear(3, 2))
    with pytest.raises(InputError, match="returns a tuple"):
        subject_of(pair).outputs({}, torch.ones(2, 3))
    whole = Function(lambda m, x: m.part(x).sum(), part=nn.Linear(3, 2))
    with pytest.raises(InputError, match="first axis must count the inputs"):
        subject_of(whole).outputs({}, torch.ones(2, 3))


def test_inputs_are_brought_to_the_dtype_of_the_module():
    subject = subject_of(made("dense", dtype=torch.float32)[0])
    assert inputs_of(subject, np.ones((2, 5))).dtype == torch.float32
    assert inputs_of(subject, np.ones((2, 5), dtype=int)).dtype == torch.float32


def test_inputs_of_all_kinds_are_the_same():
    subject = subject_of(made("dense")[0])
    x = torch.arange(10.0, dtype=torch.float64).reshape(2, 5)
    kinds = [
        *(x.numpy(), x.numpy().astype(">f8"), x.tolist(), x.clone().requires_grad_()),
        *(list(x), list(x.numpy()), x.to_sparse(), torch.complex(x, -x).conj().imag, x.int()),
        torch.tensor([1.0]).new_tensor(x.tolist(), dtype=torch.bfloat16),
    ]
    for kind in kinds:
        assert torch.equal(inputs_of(subject, kind), x)


def test_a_layer_without_a_shape():
    with pytest.raises(InputError, match=r"'weight' has no shape yet; call the module once"):
        subject_of(nn.LazyLinear(2))


def test_a_tensor_that_holds_no_values():
    with pytest.raises(InputError, match="X is a tensor on the meta device"):
        inputs_of(subject_of(nn.Linear(3, 1)), torch.ones(2, 3, device="meta"))


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # of PyTorch's own
def test_derivatives_that_would_be_lost_are_refused():
    from torch.autograd import forward_ad

    module, x = nn.Linear(3, 1), torch.ones(2, 3)
    with (
        forward_ad.dual_level(),
        pytest.raises(InputError, match=r"X carries a .* no derivative in X: pass the values"),
    ):
        empirical_ntk(module, forward_ad.make_dual(x, x))
    with pytest.raises(InputError, match=r"X is a tensor of a transform of torch\.func"):
        torch.func.grad(lambda a: empirical_ntk(module, a).sum())(x)
