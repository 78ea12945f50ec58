"""Layerwise features under PyTorch: the values of NumPy, gradients, and devices."""

import pickle
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

import cases
import tangency as tg
from tangency import InputError, LayerwiseFeatures, NetworkError
from tangency.learn.features.chain import covered
from tangency.learn.solvers import Features
from tangency.nets.plan import plan

torch = pytest.importorskip("torch")

CONV = "conv3 relu avg2 conv3 relu gap dense"
IMAGES = np.random.default_rng(0).standard_normal((12, 4, 4, 1))
NETS = ["dense:b=0.3 {0} dense {0} dense", "conv3 {0} gauss1 conv3 {0} gap dense",
        "conv3:b=0.2 layernorm {0} conv3 {0} flatten dense",
        "conv3 res({0} conv3) {0} conv3:stride=2 {0} gap dense"]  # fmt: skip
SMALL = [
    ("dense erf dense gelu dense", (3,)),
    ("dense:b=0.3 relu dense relu dense", (3,)),
    ("conv3 erf avg2 conv2:b=0.1 sin gap dense", (4, 1)),
    ("conv3:pad=circular layernorm relu conv3:stride=2 relu flatten dense", (4, 1)),
    ("conv2 res(gelu conv2) exp1 gauss1 gap dense", (3, 3, 1)),
    ("dense tanh dense", (3,)),
]


def drawn(shape, n=5, seed=0):
    return np.random.default_rng(seed).standard_normal((n, *shape))


def fitted(kernel, X, n_components=10**5, **options):
    return LayerwiseFeatures(kernel, n_components, random_state=0, **options).fit(X)


@pytest.fixture(scope="module")
def conv():
    return fitted(tg.NTK(CONV), IMAGES, 40)


@pytest.mark.parametrize("kind", [tg.NTK, tg.NNGP])
@cases.each("loops")
def test_a_device_and_tensors_have_the_features_of_numpy(text, shape, kind, monkeypatch):
    monkeypatch.setattr(LayerwiseFeatures, "_measure", lambda *_: None)
    X = drawn(shape)
    X[1] = 0
    if not covered(plan(tg.parse(text), shape)):
        return  # refused, see test_layerwise.py
    for dtype in (np.float64, np.float32):
        x = X.astype(dtype)
        features = fitted(kind(text), x[:3], 40, widths=12)
        wanted = features.transform(x)
        found = features.set_params(device="cpu").transform(x)
        size = np.abs(wanted).max()
        # The square root of κ₀ at correlation 1 magnifies the rounding of a product to its root.
        close = 1e-7 if dtype is np.float64 else 1e-3
        assert found.dtype == dtype
        np.testing.assert_allclose(found, wanted, rtol=0, atol=close * size)
        tensor = torch.tensor(x, requires_grad=True)
        of_tensor = features.transform(tensor)
        assert of_tensor.dtype == tensor.dtype
        np.testing.assert_array_equal(of_tensor.detach().numpy(), found)
        (gradient,) = torch.autograd.grad(of_tensor.sum(), tensor)
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(("text", "shape"), SMALL)
@pytest.mark.parametrize("kind", [tg.NTK, tg.NNGP])
def test_gradients_against_differences(text, shape, kind):
    features = fitted(2.0 * kind(text, normalize="exp" in text), drawn(shape, 8), 20, widths=6)
    x = torch.tensor(drawn(shape, 2, 1), requires_grad=True)
    y = torch.tensor(drawn(shape, 2, 2), requires_grad=True)
    w = torch.linspace(-1, 1, features.transform(x).shape[1], dtype=x.dtype)
    assert torch.autograd.gradcheck(lambda x: features.transform(x) @ w, (x,))
    assert torch.autograd.gradcheck(
        lambda x, y: features.transform(x) @ features.transform(y).T, (x, y)
    )


@pytest.mark.parametrize(("text", "shape"), SMALL)
@pytest.mark.parametrize("kind", [tg.NTK, tg.NNGP])
def test_gradients_of_the_kernel_where_the_landmarks_reach_the_rank(text, shape, kind):
    """Of K̂(x, y) in x for y of the fit, of which the projection takes nothing."""
    kernel, X = kind(text), drawn(shape)
    features = fitted(kernel, X)
    x, y = torch.tensor(X, requires_grad=True), torch.tensor(X)
    mask = 1 - torch.eye(len(X), dtype=x.dtype)  # at K(x, x) the k̇ of a kink has no derivative
    weights = mask * torch.tensor(drawn((len(X),), len(X), 3))
    found, exact = (
        torch.autograd.grad((weights * values).sum(), x)[0]
        for values in (features.transform(x) @ features.transform(y).T, kernel(x, y))
    )
    assert (found - exact).abs().max() < 1e-5 * exact.abs().max()


@pytest.mark.parametrize("activation", cases.activations("gradients"))
@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_finite_at_identical_opposite_and_zero_inputs(net, activation, dtype, monkeypatch):
    monkeypatch.setattr(LayerwiseFeatures, "_measure", lambda *_: None)
    text = net.format(activation)
    base = torch.tensor(drawn((3,) if text.startswith("dense") else (4, 1), 1), dtype=dtype)
    part = base.clone()
    part[:, :2] = 0
    x = torch.cat([base, base, -base, 0 * base, part, base * (1 + 1e-7), 1e-25 * base])
    x.requires_grad_(True)
    for normalize in (False, True):
        features = fitted(tg.NTK(text, normalize=normalize), x)
        for values in features.transform_pair(x):
            (found,) = torch.autograd.grad(values.sum(), x, retain_graph=True)
            assert torch.isfinite(values).all()
            assert torch.isfinite(found).all()


def test_both_kernels_in_one_pass(conv):
    x = torch.tensor(IMAGES, requires_grad=True)
    pair = conv.transform_pair(x)
    assert torch.equal(pair.ntk, conv.transform(x))
    on_device = clone(conv).set_params(device="cpu").fit(IMAGES).transform_pair(IMAGES)
    for of_tensor, of_array in zip(pair, on_device, strict=True):
        np.testing.assert_array_equal(of_tensor.detach().numpy(), of_array)
    assert all(each.requires_grad for each in pair)


@pytest.mark.parametrize("activation", ["erf", "gelu", "sin", "hermite3"])
def test_second_derivatives(activation):
    """At landmarks themselves, too."""
    smooth = fitted(tg.NTK(f"dense {activation} dense"), drawn((3,)), 20)
    for seed in (0, 1):
        x = torch.tensor(drawn((3,), 2, seed), requires_grad=True)
        assert torch.autograd.gradgradcheck(lambda x: smooth.transform(x).sum(), (x,))


def test_second_derivatives_of_a_quadrature_are_refused():
    series = fitted(tg.NTK("dense tanh dense"), drawn((3,)), 20)
    x = torch.tensor(drawn((3,), 2), requires_grad=True)
    (first,) = torch.autograd.grad(series.transform(x).sum(), x, create_graph=True)
    with pytest.raises(NetworkError, match="first gradients only"):
        first.sum().backward()


def test_the_loss_of_a_ridge_fit_in_its_training_inputs(conv):
    """As in the distillation of data: a few inputs, moved so that a model of them does better."""
    rng = np.random.default_rng(1)
    X, y = torch.tensor(rng.standard_normal((40, 4, 4, 1))), torch.tensor(rng.standard_normal(40))
    y = y + X.mean((1, 2, 3))
    F = conv.transform(X)
    few = X[:6].clone().requires_grad_(True)

    def loss():
        small = conv.transform(few)
        gram = small @ small.T + 1e-3 * torch.eye(6, dtype=X.dtype)
        return torch.mean((F @ small.T @ torch.linalg.solve(gram, y[:6]) - y) ** 2)

    optimizer = torch.optim.Adam([few], 0.05)
    first = loss().item()
    for _ in range(10):
        optimizer.zero_grad()
        loss().backward()
        assert torch.isfinite(few.grad).all()
        optimizer.step()
    assert loss().item() < first


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x[:, :3],
        lambda x: x[0, 0, 0],
        lambda x: x[:0],
        lambda x: np.where(x > 2, np.nan, x),
        lambda x: np.where(x > 2, np.inf, x),
        lambda x: x + 1j,
    ],
)
def test_tensors_are_refused_as_arrays_are(conv, change):
    wrong, messages = change(IMAGES), []
    for given in (wrong, torch.tensor(wrong)):
        with pytest.raises(InputError) as refusal:
            conv.transform(given)
        messages.append(str(refusal.value))
    assert messages[0] == messages[1]


def test_dtypes(conv):
    whole = np.round(3 * IMAGES).astype(np.int64)
    wanted = conv.transform(whole)
    found = conv.transform(torch.tensor(whole))
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-9 * np.abs(wanted).max())
    for dtype in (torch.float32, torch.bfloat16):
        assert conv.transform(torch.tensor(IMAGES, dtype=dtype)).dtype == torch.float32
    single = clone(conv).fit(IMAGES.astype(np.float32)).transform(torch.tensor(IMAGES))
    assert single.dtype == torch.float64
    huge = torch.tensor(1e30 * IMAGES, dtype=torch.float32)
    with pytest.raises(InputError, match="overflowed float32; scale the inputs down"):
        clone(conv).fit(IMAGES.astype(np.float32)).transform(huge)


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # of PyTorch's own
def test_what_no_gradient_can_follow_is_refused(conv):
    x = torch.tensor(IMAGES)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))
        with pytest.raises(InputError, match="forward mode"):
            conv.transform(dual)
    with pytest.raises(InputError, match=r"a transform of torch\.func"):
        torch.func.grad(lambda x: conv.transform(x).sum())(x)
    with pytest.raises(InputError, match="sparse tensor"):
        conv.transform(x.to_sparse())


def test_no_gradient_is_kept_where_none_is_wanted(conv):
    x = torch.tensor(IMAGES, requires_grad=True)
    with torch.no_grad():
        assert not conv.transform(x).requires_grad
    assert not conv.transform(x.detach()).requires_grad


def test_blocks_and_reruns(conv, monkeypatch):
    x = torch.tensor(IMAGES)
    wanted = conv.transform(x)
    assert torch.equal(conv.transform(x), wanted)
    monkeypatch.setattr("tangency.learn.features.tensors._IN_MEMORY", 1)
    torch.testing.assert_close(conv.transform(x), wanted, rtol=1e-9, atol=1e-12)


def test_tensors_of_the_fit_are_made_once_and_not_saved(conv):
    from tangency.learn.features import tensors

    x = torch.tensor(IMAGES)
    before = conv.transform(x)
    size = len(pickle.dumps(conv))
    kept = tensors._made[conv._chain]
    made = kept[x.dtype, x.device]
    conv.transform(x)
    assert kept[x.dtype, x.device] is made
    again = pickle.loads(pickle.dumps(conv))
    assert len(pickle.dumps(again)) == size
    assert torch.equal(again.transform(x), before)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([LayerwiseFeatures(n_components=20, device="cpu")])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_parameters(conv):
    for device in (None, "cpu", torch.device("cpu")):
        copy = clone(LayerwiseFeatures(tg.NTK(CONV), 40, device=device))
        assert copy.get_params()["device"] == device
        copy.set_params(random_state=0).fit(IMAGES)
        np.testing.assert_allclose(copy.transform(IMAGES), conv.transform(IMAGES), atol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_cuda(conv):
    wanted = conv.transform(IMAGES)
    found = clone(conv).set_params(device="cuda").fit(IMAGES).transform(IMAGES)
    x = torch.tensor(IMAGES, device="cuda", requires_grad=True)
    of_tensor = conv.transform(x)
    (gradient,) = torch.autograd.grad(of_tensor.sum(), x)
    assert gradient.device == of_tensor.device == x.device
    for each in (found, of_tensor.detach().cpu().numpy()):
        np.testing.assert_allclose(each, wanted, atol=1e-6)


class Numpys(tg.Erf):
    """An activation of a user's, with functions of NumPy."""

    def dual(self, s, q1, q2):
        return super().dual(np.sign(s) * np.abs(s), q1, q2)


def test_a_dual_of_numpys_alone_is_refused_by_name():
    net = tg.Sequential(tg.Dense(), Numpys(), tg.Dense())
    x = torch.tensor(drawn((3,)), requires_grad=True)
    features = fitted(tg.NTK(net), x)
    with pytest.raises(NetworkError, match=r"Numpys\.dual cannot compute with tensors"):
        features.transform(x)


def test_a_solver_on_a_device():
    y = IMAGES.mean((1, 2, 3))
    models = [
        tg.KernelRegressor(tg.NTK(CONV), alpha=0.1, solver=Features(40, device=device))
        for device in (None, "cpu")
    ]
    wanted, found = (model.fit(IMAGES, y).predict(IMAGES) for model in models)
    assert models[1].features_.device == "cpu"
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("device", ["gpu", 0, True, "meta", "cpu:x", ["cpu"]])
def test_what_is_no_device(device):
    with pytest.raises(InputError, match="device must be None for NumPy, or a device of PyTorch"):
        LayerwiseFeatures(tg.NTK(CONV), 40, device=device).fit(IMAGES)


def test_a_device_that_is_not_there(conv):
    index = torch.cuda.device_count()
    with pytest.raises(InputError, match=rf"on device='cuda:{index}' here .*finds {index} CUDA"):
        LayerwiseFeatures(tg.NTK(CONV), 40, device=f"cuda:{index}").fit(IMAGES)
    # fitted on another machine
    elsewhere = clone(conv).fit(IMAGES).set_params(device=f"cuda:{index}")
    with pytest.raises(InputError, match=r'device="cpu", or device=None for NumPy'):
        elsewhere.transform(IMAGES)


def test_a_device_without_pytorch(conv, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"device='cpu' needs PyTorch.*pip install"):
        LayerwiseFeatures(tg.NTK(CONV), 40, device="cpu").fit(IMAGES)
    conv.transform(IMAGES)
