"""Training of modules: against closed forms, and what is recorded."""

import copy

import numpy as np
import pytest

import tangency as tg
from tangency import finite

torch = pytest.importorskip("torch")

from awkward_modules import CASES  # noqa: E402
from tangency.finite.descent import Schedule, kernel_descent  # noqa: E402
from tangency.finite.losses import as_targets, find_loss  # noqa: E402
from tangency.finite.training import train  # noqa: E402

X = np.random.default_rng(0).normal(size=(9, 4))
SINE = np.sin(X @ [1.0, 0.5, 0.0, -1.0])


def network(net="dense:b=0.2 erf dense", width=24, outputs=1, seed=3, **options):
    options = {"dtype": torch.float64, **options}
    return finite.build(net, width, (4,), outputs=outputs, seed=seed, **options)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
@pytest.mark.parametrize("flow", [False, True])
def test_a_linear_model_learns_with_its_kernel(loss, flow):
    linear = finite.linearize(network(outputs=3))
    y = np.arange(6) % 3 if loss == "cross_entropy" else np.stack([SINE[:6]] * 3, axis=1)
    how = {"time": 4.0, "steps": 60} if flow else {"lr": 0.05, "steps": 60}
    run = train(linear, X[:6], y, **how, X_test=X[6:], loss=loss, record=[0, 9, 60])
    K = torch.as_tensor(finite.empirical_ntk(network(outputs=3), X, X[:6], outputs="full"))
    with torch.no_grad():
        start = linear(torch.as_tensor(X))
    chosen = find_loss(loss)
    targets = as_targets(y, start[:6].shape, chosen, start)
    schedule = Schedule(4.0 / 60 if flow else 0.05, 60, (0, 9, 60), flow)
    expected = kernel_descent(K, start, targets, chosen, schedule).numpy()
    np.testing.assert_allclose(run.values, expected[:, :6], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(run.test_values, expected[:, 6:], rtol=1e-8, atol=1e-10)
    assert np.all(run.kernel_change < 1e-12)
    assert np.all(np.diff(run.losses) < 0)


def test_what_is_recorded():
    module = network()
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    run = train(module, X, SINE, lr=0.1, steps=300, record=6, kernel_points=5)
    for name, p in module.named_parameters():
        assert torch.equal(p, before[name])
    after = {name: p.detach() for name, p in run.module.named_parameters()}
    moved = sum(float((after[name] - p).square().sum()) for name, p in before.items())
    size = sum(float(p.square().sum()) for p in before.values())
    assert run.movement[-1] == pytest.approx((moved / size) ** 0.5, rel=1e-9)
    now, first = (
        finite.empirical_ntk(m, X[:5], outputs="full").reshape(5, 5) for m in (run.module, module)
    )
    change = np.linalg.norm(now - first) / np.linalg.norm(first)
    assert run.kernel_change[-1] == pytest.approx(change, rel=1e-9)
    assert run.values.shape == (len(run.steps), 9)
    with torch.no_grad():
        np.testing.assert_allclose(run.module(torch.as_tensor(X))[:, 0], run.values[-1])
    np.testing.assert_allclose(run.losses, 0.5 * np.sum((run.values - SINE) ** 2, axis=1))
    np.testing.assert_allclose(run.times, 0.1 * run.steps)
    assert (run.movement[0], run.kernel_change[0]) == (0, 0)
    assert np.all(np.diff(run.movement) > 0)


def test_centred_training_starts_at_zero_and_fits_the_targets():
    run = train(network(), X, SINE, lr=0.1, steps=4000, X_test=X, centred=True, kernel_points=0)
    assert np.all(run.values[0] == 0)
    assert run.kernel_change is None
    np.testing.assert_allclose(run.values[-1], SINE, atol=0.02)
    np.testing.assert_allclose(run.values, run.test_values)


def test_frozen_layers_and_buffers_stay():
    module = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Tanh(), torch.nn.Linear(8, 1)
    )
    module[0].requires_grad_(False)
    module.eval()
    run = train(module, X.astype(np.float32), SINE, steps=20)
    for kept in ("0.weight", "0.bias", "1.running_mean", "1.running_var"):
        assert torch.equal(run.module.state_dict()[kept], module.state_dict()[kept])
    assert not torch.equal(run.module[3].weight, module[3].weight)
    assert run.values.dtype == np.float32


def test_small_steps_are_not_lost_beside_large_weights():
    module = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(module.weight, 1000.0)
    # Each step is below half a unit in the last place of the weight, 3e-5.
    run = train(module, [[1.0]], [1001.0], lr=1e-5, steps=1000, kernel_points=0)
    expected = 1 - (1 - 1e-5) ** 1000
    assert run.movement[-1] * 1000 == pytest.approx(expected, rel=0.01)


def test_the_default_rate_is_half_the_limit():
    module = network(outputs=2)
    y = np.stack([SINE, -SINE], axis=1)
    limit = finite.max_learning_rate(finite.empirical_ntk(module, X, outputs="full"))
    assert train(module, X, y, steps=1).lr == pytest.approx(limit / 2, rel=1e-9)


def test_the_limit_of_the_rate_is_sharp():
    linear = finite.linearize(network())
    limit = finite.max_learning_rate(finite.empirical_ntk(linear, X))
    below, above = (
        train(linear, X, SINE, lr=limit * factor, steps=300, record=1, kernel_points=0)
        for factor in (0.98, 1.02)
    )
    assert below.losses[-1] < below.losses[0]
    assert above.losses[-1] > above.losses[0]


def test_max_learning_rate_of_full_kernels():
    K = np.array([[2.0, 1.0], [1.0, 2.0]])
    full = np.einsum("nm,kl->nmkl", K, np.diag([1.0, 5.0]))
    assert finite.max_learning_rate(K) == pytest.approx(2 / 3)
    assert finite.max_learning_rate(torch.as_tensor(full)) == pytest.approx(2 / 15)
    assert finite.max_learning_rate(K, "cross_entropy") == pytest.approx(4 / 3)


@pytest.mark.parametrize(
    ("K", "message"),
    [
        (np.ones((2, 3)), r"expected a kernel matrix.*\(2, 3\)"),
        (np.zeros((2, 2)), "no positive eigenvalue"),
        (np.full((2, 2), np.nan), "NaN or infinity"),
        (np.ones((2, 2), complex), "complex128"),
    ],
)
def test_matrices_that_are_no_kernels(K, message):
    with pytest.raises(tg.InputError, match=message):
        finite.max_learning_rate(K)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": SINE[:3]}, "targets must be numbers"),
        ({"X": X * np.nan}, "X holds NaN"),
        ({"X": X[:0]}, "X must hold real inputs"),
        ({"loss": "hinge"}, "loss must be squared or cross_entropy"),
        ({"steps": None}, "say how long"),
        ({"module": torch.nn.Linear(4, 1).requires_grad_(False)}, "no parameter that requires"),
        ({"module": torch.nn.Unflatten(1, (2, 2))}, r"must give \(n,\) or .* got \(9, 2, 2\)"),
        ({"lr": 1e3, "steps": 500}, "training has diverged"),
    ],
)
def test_errors(change, message):
    options = {"module": network(), "X": X, "y": SINE, "lr": 0.1, "steps": 3}
    options |= {"kernel_points": 0, **change}
    with pytest.raises(tg.InputError, match=message):
        train(**options)


def test_table_words_and_figure():
    run = train(network(), X, SINE, lr=0.1, steps=100, record=4)
    rows = run.table().rows
    assert [row[0] for row in rows] == [0, *run.steps[1:]]
    assert rows[-1][2] == run.losses[-1]
    assert "100 steps of gradient descent with lr 0.1" in run.summary
    assert f"{100 * run.kernel_change[-1]:.2g} %" in run.summary
    assert "gradient flow" in train(network(), X, SINE, time=1.0).summary
    figure = run.plot()
    assert [axes.get_ylabel() for axes in figure.axes] == [
        *("training loss", "relative change since the start")
    ]
    np.testing.assert_array_equal(figure.axes[1].lines[1].get_ydata(), run.kernel_change[1:])
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    assert run.plot(axes) is axes.figure
    assert len(axes.lines) == 2


# Modules of all kinds.


def plain_steps(module, x, y, lr, steps):
    """Gradient descent on ½ Σ (f − y)², as anybody would write it."""
    module = copy.deepcopy(module)
    optimizer = torch.optim.SGD(module.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        (0.5 * (module(x.clone()) - y).square().sum()).backward()
        optimizer.step()
    return module(x.clone()).detach()


KINDS = ["autograd inside", "energy", "func.grad inside", "embedding", "functional embedding"]
KINDS += ["indices", "one hot", "embedding, by frequency", "checkpoint, re-entrant", "in place"]


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("name", KINDS)
def test_modules_of_all_kinds(name):
    case = CASES[name]
    module, x = case.module(), case.inputs(4, 1)
    with torch.enable_grad():
        shape = module(x.clone()).shape
    y = torch.linspace(-1, 1, shape.numel(), dtype=torch.float64).reshape(shape)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    given = x.clone()
    run = train(module, x.numpy(), y.requires_grad_(), lr=0.01, steps=5, X_test=x, kernel_points=2)
    expected = plain_steps(module, x, y.detach(), 0.01, 5)
    np.testing.assert_allclose(run.values[-1].reshape(shape), expected, rtol=1e-9)
    np.testing.assert_allclose(run.test_values[-1], run.values[-1])
    assert (run.kernel_change[-1] > 0) == (name != "one hot")
    assert torch.equal(x, given)
    for key, value in module.state_dict().items():
        assert torch.equal(value, before[key])


def test_inputs_and_targets_that_require_a_gradient():
    x, y = (torch.tensor(values, requires_grad=True) for values in (X, SINE))
    module = network()
    run = train(module, x, y, lr=0.1, steps=3, X_test=x)
    assert np.array_equal(run.values, train(module, X, SINE, lr=0.1, steps=3).values)
    lazy = finite.lazy_training("dense erf dense", x, y, (8, 16), 1, X_test=x, steps=3)
    plain = finite.lazy_training("dense erf dense", X, SINE, (8, 16), 1, X_test=X, steps=3)
    assert lazy.losses["network"].tolist() == plain.losses["network"].tolist()
    assert finite.max_learning_rate(torch.eye(2).requires_grad_()) == 2.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": (X, X[:, :2])}, r"X is a tuple of arrays, of shapes \(9, 4\), \(9, 2\)"),
        ({"X": X[:, :3]}, r"cannot evaluate the module on an input of shape \(3,\)"),
        ({"X_test": X[:, :3]}, r"cannot evaluate the module on an input of shape \(3,\)"),
        ({"X_test": X * np.inf}, "X_test holds NaN or infinity"),
        ({"module": "dense"}, "module must be a torch.nn.Module; got a str"),
    ],
)
def test_what_does_not_fit(change, message):
    options = {"module": torch.nn.Linear(4, 1), "X": X, "y": SINE, "steps": 1, "kernel_points": 0}
    with pytest.raises(tg.InputError, match=message):
        train(**{**options, **change})


def test_flow_that_the_kernel_outgrows_is_told():
    """f = w·x·v starts at w = v = 0.1 with a kernel of 0.02, and ends with one of about 2."""

    class Product(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.tensor(0.1, dtype=torch.float64))
            self.v = torch.nn.Parameter(torch.tensor(0.1, dtype=torch.float64))

        def forward(self, x):
            return self.w * self.v * x

    x, y = np.ones((1, 1)), np.array([1.0])
    with pytest.warns(finite.StepWarning, match=r"steps=\d+ or more") as said:
        train(Product(), x, y, time=10.0, kernel_points=0)
    least = int(str(said[0].message).split("steps=")[1].split()[0])
    # The logistic curve of the product p = w·v: p' = 2p(1 − p), p(0) = 0.01.
    run = train(Product(), x, y, time=10.0, steps=2 * least, kernel_points=0)
    p = 0.01 * np.exp(2 * run.times)
    np.testing.assert_allclose(run.values[:, 0], p / (0.99 + p), atol=1e-4)
