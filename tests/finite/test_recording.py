"""What happens to activations behind a layer does not go unnoticed."""

import pytest
import torch
from torch import nn

from tangency import InputError
from tangency.finite import empirical_ntk, explain_ntk
from torch_modules import Function, rows


def test_an_input_that_is_overwritten_later():
    def forward(m, x):
        h = torch.tanh(m.first(x))
        y = m.second(h)
        h.mul_(2.0)
        return y

    module = Function(forward, first=nn.Linear(3, 4), second=nn.Linear(4, 1))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        empirical_ntk(module, torch.randn(3, 3), method="layers")
    found = explain_ntk(module, torch.randn(3, 3), params="first", method="ntvp")
    assert found.estimates[0].obstacle is not None


def test_other_layers_for_other_inputs():
    module = Function(
        lambda m, x: m.first(x) if bool((x > 0).all()) else m.second(m.first(x)),
        first=nn.Linear(2, 2),
        second=nn.Linear(2, 2),
    )
    x = torch.ones(600, 2)
    x[1], x[-1] = 2.0, -1.0
    with pytest.raises(InputError, match=r"other layers for some inputs.*method='auto'"):
        empirical_ntk(module, x, method="layers", max_memory=6_000_000)
    jacobian = rows(module, x[-3:])
    wanted = torch.einsum("nkp,mkp->nm", jacobian, jacobian) / 2
    torch.testing.assert_close(empirical_ntk(module, x, max_memory=6_000_000)[-3:, -3:], wanted)


def test_gradients_that_the_module_stops_itself():
    def forward(m, x):
        return m.last(torch.tanh(m.first(x)).detach()) + m.side(x)

    module = Function(forward, first=nn.Linear(3, 4), last=nn.Linear(4, 2), side=nn.Linear(3, 2))
    module.double()
    x = torch.randn(4, 3, dtype=torch.float64)
    jacobian = rows(module, x)
    wanted = torch.einsum("nkp,mkp->nm", jacobian, jacobian) / 2
    for method in ("layers", "jacobian", "ntvp"):
        torch.testing.assert_close(empirical_ntk(module, x, method=method), wanted)
