"""Every method on modules of all kinds, against plain autograd on one input at a time."""

import numpy as np
import pytest
import torch

from awkward_modules import CASES, REFUSED, rows, state
from tangency import InputError
from tangency.finite import empirical_nngp, empirical_ntk, explain_ntk, ntk_operator
from torch_modules import kernel

METHODS = ("auto", "jacobian", "ntvp", "layers")


def batches(case, module):
    """X, Y and their Jacobians: unlike each other, equal, sorted, zero at first, and all equal."""
    x, y = case.inputs(4, 1), case.inputs(3, 2)
    zero = torch.zeros_like(x[:1])
    left, right, at_zero = (rows(module, part) for part in (x, y, zero))
    yield "distinct", x, y, left, right
    yield "equal", x, x.clone(), left, left
    yield "sorted", x.flip(0), None, left.flip(0), None
    zeros = torch.cat([zero, zero, x[2:]])
    yield "zeros first", zeros, None, torch.cat([at_zero, at_zero, left[2:]]), None
    constant = [part[:1].repeat(3, *[1] * (part.ndim - 1)) for part in (x, left)]
    yield "constant", constant[0], None, constant[1], None


def computed(module, x, y, outputs, method):
    """The kernel, or None where the method refuses and says which one to take."""
    try:
        return empirical_ntk(module, x, y, outputs=outputs, method=method)
    except InputError as error:
        if "use method='auto'" not in str(error):
            raise
        return None


@pytest.mark.parametrize("name", CASES)
def test_against_plain_autograd(name):
    case = CASES[name]
    module = case.module()
    next(module.parameters()).grad = torch.ones_like(next(module.parameters()))
    before = state(module)
    for words, x, y, left, right in batches(case, module):
        assert state(module) == before
        given = x.clone()
        wanted = kernel(left, left if right is None else right, "full")
        for method in METHODS:
            outputs = "full" if method == "auto" else "trace"
            found = computed(module, x, y, outputs, method)
            assert state(module) == before, (words, method)
            assert torch.equal(x, given)
            if found is None:
                assert method == "layers"
                continue
            expected = wanted
            if outputs == "trace":
                expected = wanted.diagonal(dim1=2, dim2=3).mean(dim=2)
            error = float((found - expected).abs().max())
            assert error <= 1e-9 * float(expected.abs().max()), (words, method, error)


@pytest.mark.parametrize("name", CASES)
def test_the_other_functions(name):
    case = CASES[name]
    module = case.module()
    before = state(module)
    x, y = case.inputs(4, 1), case.inputs(3, 2)
    left, right = rows(module, x), rows(module, y)
    operator = ntk_operator(module, x, y)
    v = np.linspace(-1.0, 2.0, operator.shape[1])
    products = np.einsum("nkp,mlp,ml->nk", left, right, v.reshape(right.shape[:2]))
    np.testing.assert_allclose(operator @ v, products.reshape(-1), rtol=1e-8, atol=1e-10)
    w = np.linspace(1.0, 3.0, operator.shape[0])
    np.testing.assert_allclose(operator.rmatvec(w) @ v, w @ (operator @ v), rtol=1e-8)
    assert explain_ntk(module, x, y).method in METHODS
    f = torch.cat([case.module()(one[None].clone()).detach().reshape(1, -1) for one in x])
    torch.testing.assert_close(empirical_nngp(module, x), f @ f.T / f.shape[1])
    assert state(module) == before


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    case, message = REFUSED[name]
    module, x = case.module(), case.inputs(4, 1)
    before = state(module)
    calls = {
        method: lambda method=method: empirical_ntk(module, x, x, method=method)
        for method in METHODS
    }
    calls["operator"] = lambda: ntk_operator(module, x)
    if name != "gradients that fail":
        calls["explanation"] = lambda: explain_ntk(module, x, x.flip(0))
        calls["outputs"] = lambda: empirical_nngp(module, x)
    for call in calls.values():
        with pytest.raises(InputError, match=message):
            call()
        assert state(module) == before
