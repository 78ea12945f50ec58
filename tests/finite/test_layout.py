"""Which parameters the per-layer method understands."""

import pytest
import torch

from tangency.finite.layout import layout_of, look_at
from tangency.finite.perlayer import prepared
from tangency.finite.request import Request
from tangency.finite.subject import subject_of
from torch_modules import MODULES, made

# What is left to autograd: what no rule covers, and what the comparison with autograd finds wrong.
REST = {
    "batch_first": {"self_attn.in_proj_weight", "self_attn.in_proj_bias"}
    | {"self_attn.out_proj.weight", "self_attn.out_proj.bias"},
    "sequence_first": {"mix.weight", "mix.bias"},
    "time_first": {"mix.weight", "mix.bias"},
    "shared": {"tied", "unused"},
    "recurrent": {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"},
    "normalised": {"original0", "original1"},
}


@pytest.mark.parametrize("name", MODULES)
def test_what_is_left_to_autograd(name):
    module, x = made(name)
    subject = subject_of(module)
    request = Request(subject, x, None, "trace", subject.outputs({}, x).shape[1], 10**9)
    rest = prepared(request).rest
    wanted = REST.get(name, set())
    assert len(rest) == len(wanted)
    assert all(any(one.endswith(end) for end in wanted) for one in rest)


def test_forms_by_the_number_of_positions():
    layers = [torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU(), torch.nn.Conv2d(3, 64, 3, stride=4)]
    module = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.LazyLinear(2))
    x = torch.randn(2, 1, 16, 16)
    module(x)
    subject = subject_of(module)
    layout = layout_of(subject, look_at(subject, x), (500, 500), 1, full=False)
    assert [step.form for step in layout.steps] == ["dense", "factors", "gram"]
    assert [step.merged for step in layout.steps] == [False, False, True]
    # 500 gradients of the second layer would be 1,728 numbers each; activations and gradients
    # are 3·14² + 64·3².
    second = layout.steps[1]
    assert (second.sizes, second.input_shape) == ((9, 27, 64), (3, 14, 14))
