"""The empirical kernels against Jacobians taken row by row."""

import numpy as np
import pytest
import torch
from torch import nn

import tangency as tg
from tangency.finite import build, empirical_nngp, empirical_ntk, linearize
from torch_modules import MODULES, kernel, made, rows

METHODS = ("jacobian", "ntvp", "layers")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", MODULES)
def test_every_module_by_every_method(name, method):
    module, x = made(name)
    jacobian = rows(module, x)
    for outputs in ("trace", "diagonal", "full"):
        found = empirical_ntk(module, x, outputs=outputs, method=method)
        torch.testing.assert_close(
            found, kernel(jacobian, jacobian, outputs), rtol=1e-9, atol=1e-10
        )
        found = empirical_ntk(module, x[:2], x[2:], outputs=outputs, method=method)
        wanted = kernel(jacobian[:2], jacobian[2:], outputs)
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", ["dense", "convolutional", "plain_parameters"])
@pytest.mark.parametrize("method", METHODS)
def test_single_precision(name, method):
    module, x = made(name, dtype=torch.float32)
    wanted = kernel(rows(module.double(), x.double()), rows(module, x.double()), "trace")
    found = empirical_ntk(module.float(), x, method=method)
    assert found.dtype == torch.float32
    assert float((found - wanted).abs().max()) < 1e-5 * float(wanted.abs().max())


@pytest.mark.parametrize("outputs", ["trace", "diagonal", "full"])
@pytest.mark.parametrize("method", METHODS)
def test_symmetric_results_are_exactly_symmetric(method, outputs):
    module, _ = made("dense", dtype=torch.float32)
    x = torch.randn(150, 5, generator=torch.Generator().manual_seed(0))
    found = empirical_ntk(
        module, x[: 30 if method == "ntvp" else 150], None, outputs, method=method
    )
    axes = (1, 0, 3, 2) if outputs == "full" else (1, 0, 2)[: found.ndim]
    assert torch.equal(found, found.permute(axes))


@pytest.mark.parametrize(
    "net", ["conv3 relu avg2 conv3:b=0.3 erf gap dense", "dense:frozen relu dense:b=1"]
)
def test_networks_of_the_library(net):
    shape = (6, 6, 2) if "conv" in net else (7,)
    module = build(tg.parse(net), 8, shape, outputs=2, dtype=torch.float64)
    x = np.random.default_rng(0).standard_normal((4, *shape))
    jacobian = rows(module, torch.from_numpy(x))
    for method in METHODS:
        found = empirical_ntk(module, x, method=method)
        assert isinstance(found, np.ndarray)
        np.testing.assert_allclose(found, kernel(jacobian, jacobian, "trace"), rtol=1e-10)


def test_the_linearisation_has_the_same_kernel():
    module, x = made("dense")
    for method in METHODS:
        torch.testing.assert_close(
            empirical_ntk(linearize(module), x, method=method), empirical_ntk(module, x)
        )


def test_some_of_the_parameters():
    module, x = made("dense")
    whole = empirical_ntk(module, x)
    parts = [empirical_ntk(module, x, params=name) for name in ("0", ["2", "4.bias"], ["4.weight"])]
    torch.testing.assert_close(sum(parts), whole)
    weights = empirical_ntk(module, x, params=lambda name: name.endswith("weight"))
    names = ["0.weight", "2.weight", "4.weight"]
    torch.testing.assert_close(weights, empirical_ntk(module, x, params=names))
    module.requires_grad_(False)[4].requires_grad_()
    torch.testing.assert_close(empirical_ntk(module, x), empirical_ntk(module, x, params="4"))


def test_the_module_is_left_as_it_was():
    module, x = made("convolutional")
    before = {name: value.clone() for name, value in module.state_dict().items()}
    for method in METHODS:
        empirical_ntk(module, x, method=method)
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(p.grad is None and p.requires_grad for p in module.parameters())


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_off(context):
    module, x = made("dense")
    wanted = empirical_ntk(module, x)
    with context():
        for method in METHODS:
            torch.testing.assert_close(empirical_ntk(module, x * 1, method=method), wanted)


def test_embeddings_take_integers():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(12, 2)).double()
    x = torch.tensor([[1, 2, 3], [3, 3, 0], [9, 1, 1]])
    jacobian = rows(module, x)
    for method in METHODS:
        found = empirical_ntk(module, x.numpy(), outputs="full", method=method)
        np.testing.assert_allclose(found, kernel(jacobian, jacobian, "full"), rtol=1e-10)


def test_outputs_of_the_last_layer_kernel():
    module, x = made("dense")
    f = module(x).detach()
    torch.testing.assert_close(empirical_nngp(module, x), f @ f.T / 3)
    wanted = torch.einsum("nk,ml->nmkl", f, f[:2])
    torch.testing.assert_close(empirical_nngp(module, x, x[:2], outputs="full"), wanted)
    module.requires_grad_(False)
    torch.testing.assert_close(
        empirical_nngp(module, x, outputs="diagonal")[:, :, 1], f[:, 1:2] * f[:, 1]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outputs": "sum"}, "outputs must be one of trace, diagonal, full; got 'sum'"),
        ({"method": "fast"}, "method must be one of auto, jacobian, ntvp, layers; got 'fast'"),
        ({"max_memory": -1}, "max_memory must be a number of bytes"),
        ({"params": "head"}, "no parameter or submodule 'head'; there are 0.weight"),
        ({"params": lambda name: False}, "none was chosen"),
        ({"max_memory": 100}, "raise max_memory"),
    ],
)
def test_bad_options(options, message):
    module, x = made("dense")
    with pytest.raises(ValueError, match=message):
        empirical_ntk(module, x, **options)


def test_not_a_number_in_the_parameters():
    module, x = made("dense")
    with torch.no_grad():
        module[0].weight[0, 0] = torch.nan
    with pytest.raises(tg.InputError, match="NaN or infinite"):
        empirical_ntk(module, x)
