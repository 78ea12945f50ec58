"""The backward pass of kernel matrices, against the reference recursion with all of its graph."""

import numpy as np
import pytest

import cases
import oracle
import tangency as tg
from tangency.engines import driver
from tangency.engines.fused.adjoint.engine import no_way_back
from tangency.kernels.work import vector_plan

torch = pytest.importorskip("torch")

# Every operation of the way back: boxes of stride 1 and others, lists of offsets, branches, pooling
# stages, scales, both ends, layers behind the readout.
COMPILED = [
    ((5,), "dense relu dense"),
    ((7,), "dense:b=0.3 relu dense leaky0.2 dense abs dense:b=1"),
    ((4,), "dense erf dense:b=0.1 layernorm erf res(dense relu dense) dense"),
    ((9, 2), "conv3 relu conv3:b=0.2 relu gap dense"),
    ((6, 5, 2), "conv3:frozen relu conv3 relu gap dense:frozen"),
    ((6, 6, 1), "conv3 relu conv3:stride=2 relu flatten dense"),
    ((6, 6, 3), "conv3:pad=valid relu conv2 relu gap dense relu dense:b=0.1"),
    ((5, 5, 1), "conv3 layernorm relu conv[[0,0],[1,1]] erf gap dense"),
    ((7, 5, 1), "conv3:dilation=2 erf conv4 relu gap dense"),
    ((4, 4, 2), "conv3 res(relu conv3 relu conv3) relu gap dense"),
    ((6, 6, 2), "conv3 relu avg2 conv3 relu gap dense"),
    ((5, 6, 1), "conv3 relu gauss2 conv3 relu gauss1 conv1 relu flatten dense"),
    ((8, 8, 1), "conv3 res(conv3:stride=2 relu conv3 | conv1:stride=2) avg2 conv1 erf gap dense"),
]  # fmt: skip


def inputs(shape, n, dtype=torch.float64, seed=0):
    """Some inputs; of many, with equal ones, opposite ones and zeros among them."""
    x = torch.tensor(np.random.default_rng(seed).normal(size=(n, *shape)), dtype=dtype)
    if n > 8:
        x[3], x[5], x[6], x[7] = x[1], -x[1], 0 * x[1], x[1]
    return x


def cotangents(n, m, dtype=torch.float64):
    random = np.random.default_rng(9)
    return tuple(torch.tensor(random.normal(size=(n, m)), dtype=dtype) for _ in range(2))


def pulled(values, given, leaves):
    total = sum((value * g).sum() for value, g in zip(values, given, strict=True))
    return torch.autograd.grad(total, leaves)


def with_graph(net, x, y=None):
    """Both kernels by the reference engine, which keeps every intermediate."""
    return driver.gram(vector_plan(net, tuple(x.shape[1:])), x, y)


def off(found, expected):
    """The largest difference, relative to the largest value."""
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize(("shape", "text"), COMPILED)
@pytest.mark.parametrize("other", [False, True], ids=["symmetric", "two sets"])
def test_compiled_loops_give_the_gradient_of_the_recursion(shape, text, other):
    net = tg.parse(text)
    assert no_way_back(vector_plan(net, shape), False) is None
    x = inputs(shape, 19).requires_grad_()
    y = inputs(shape, 6, seed=1).requires_grad_() if other else None
    if y is not None:
        y.data[2] = x.data[4]
    leaves, given = [x] if y is None else [x, y], cotangents(19, 6 if other else 19)
    found = pulled(tg.gram(net, x, y), given, leaves)
    expected = pulled(with_graph(net, x, y), given, leaves)
    for one, two in zip(found, expected, strict=True):
        # Windows of one pixel have c = ±1 to rounding only, where k̇ of a ReLU bends most.
        assert off(one, two) < 1e-9


GRADIENTS = [case for case in cases.networks("fused") if np.prod(case[0]) < 40]


@pytest.mark.parametrize(("shape", "text"), GRADIENTS[::3], ids=lambda v: str(v).replace(" ", "-"))
def test_any_network_has_the_gradient_of_the_recursion(shape, text):
    net, x = tg.parse(text), inputs(shape, 4).requires_grad_()
    given = cotangents(4, 4)
    found = pulled(tg.gram(net, x), given, [x])[0]
    expected = pulled(with_graph(net, x), given, [x])[0]
    assert float((found - expected).abs().max()) <= 1e-8 * float(expected.abs().max())


def weighted(p):
    return tg.Sequential(
        tg.Conv(3, weight_std=p[0], bias_std=p[1]), tg.ReLU(),
        tg.Residual(tg.Sequential(tg.Conv(3, weight_std=p[2]), tg.Erf(), tg.Conv(1))),
        tg.AvgPool(2), tg.Conv(2, bias_std=p[3], stride=2), tg.ReLU(), tg.GlobalAvgPool(),
        tg.Dense(weight_std=p[4], bias_std=p[5]), tg.ReLU(), tg.Dense(weight_std=p[0]),
    )  # fmt: skip


def test_gradients_in_weights_of_a_network():
    """One of them is used twice, one in a residual branch, some behind the readout."""
    p = [torch.tensor(v, dtype=torch.float64, requires_grad=True)
         for v in (1.3, 0.4, 0.9, 0.2, 1.1, 0.5)]  # fmt: skip
    net, x = weighted(p), inputs((6, 6, 2), 11)
    given = cotangents(11, 11)
    found = pulled(tg.gram(net, x), given, p)
    for one, two in zip(found, pulled(with_graph(net, x), given, p), strict=True):
        assert off(one, two) < 1e-10


def test_gradients_in_a_slope_go_through_the_recursion():
    slope = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    net = tg.Sequential(tg.Dense(), tg.LeakyReLU(slope), tg.Dense(bias_std=slope))
    x, given = inputs((4,), 9), cotangents(9, 9)
    found = pulled(tg.gram(net, x), given, [slope])[0]
    assert off(found, pulled(with_graph(net, x), given, [slope])[0]) < 1e-12


@pytest.mark.parametrize("kind", ["ntk", "nngp"])
@pytest.mark.parametrize("text", ["dense:b=1 relu dense", "conv3 relu avg2 conv3 relu gap dense"])
def test_one_kernel_in_float32(kind, text):
    shape = (6,) if text.startswith("dense") else (6, 6, 1)
    x = inputs(shape, 5, torch.float32).requires_grad_()
    given = cotangents(5, 5, torch.float32)[0]
    found = torch.autograd.grad((tg.gram(text, x, kind=kind) * given).sum(), x)[0]
    wide = x.detach().double().requires_grad_()
    value = getattr(with_graph(tg.parse(text), wide), kind)
    expected = torch.autograd.grad((value * given.double()).sum(), wide)[0]
    assert found.dtype == torch.float32
    assert off(found.double(), expected) < 1e-4


@pytest.mark.parametrize(("shape", "text"), [COMPILED[1], COMPILED[4], COMPILED[10]])
def test_the_same_bits_on_any_number_of_threads(shape, text):
    x = inputs(shape, 40, torch.float32)
    given = cotangents(40, 40, torch.float32)[0]

    def gradient(n_jobs):
        z = x.clone().requires_grad_()
        (tg.NTK(text, n_jobs=n_jobs)(z) * given).sum().backward()
        return z.grad

    one = gradient(1)
    assert all(torch.equal(one, gradient(n)) for n in (2, 3))


def test_no_graph_of_all_pairs_is_kept():
    """A limit that all pairs would exceed by far; the gradient is that without it."""
    x = inputs((4, 4, 1), 60)
    free, tight = x.clone().requires_grad_(), x.clone().requires_grad_()
    for z, limit in ((free, None), (tight, 2**21)):
        oracle.NTK("conv3 gelu conv3 gelu gap dense", max_memory=limit)(z).sum().backward()
    assert off(tight.grad, free.grad) < 1e-12


def test_the_backward_pass_can_be_differentiated():
    x = inputs((3,), 3).requires_grad_()
    y = inputs((3,), 2, seed=1)
    for text in ("dense erf dense", "dense:b=1 relu dense", "dense gelu dense"):
        assert torch.autograd.gradgradcheck(lambda z, t=text: tg.NTK(t)(z, y), (x,))
    assert torch.autograd.gradgradcheck(lambda z: tg.NTK("dense erf dense")(z, z * z + 1), (x,))


def test_inputs_changed_in_place_are_noticed():
    x = inputs((3,), 3).requires_grad_()
    base = 1 * x
    values = tg.NTK("dense relu dense")(base)
    with torch.no_grad():
        base.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        values.sum().backward()


def test_one_of_two_sets_alone():
    x, y = inputs((5, 5, 1), 4), inputs((5, 5, 1), 3, seed=1).requires_grad_()
    net, given = tg.parse("conv3 relu conv3 relu gap dense"), cotangents(4, 3)
    found = pulled(tg.gram(net, x, y), given, [y])[0]
    assert off(found, pulled(with_graph(net, x, y), given, [y])[0]) < 1e-12


@pytest.mark.parametrize(
    "text", ["dense relu dropout0.5 dense", "conv3 erf dropout0.8 conv3 gap dense"]
)
def test_inputs_under_masks_meet_themselves_with_slopes_of_their_own(text):
    """The diagonal is that of `diag`, in its derivatives too."""
    x = inputs((4,) if text.startswith("dense") else (5, 1), 4).requires_grad_()
    kernel, given = tg.NTK(text), cotangents(4, 4)[0]
    (found,) = torch.autograd.grad((kernel(x) * given).sum(), x)
    y = x.detach().clone().requires_grad_()
    off_diagonal = given - torch.diag(torch.diagonal(given))
    total = (kernel(y, 1 * y) * off_diagonal).sum() + (kernel.diag(y) * given.diagonal()).sum()
    assert off(found, torch.autograd.grad(total, y)[0]) < 1e-12


def test_a_constant_kernel_has_a_gradient_of_zero_in_a_graph_too():
    x = inputs((4,), 3).requires_grad_()
    value = tg.NTK("dense:frozen gelu dense:frozen")(x).sum()
    (found,) = torch.autograd.grad(value, x, create_graph=True)
    assert not found.any()
