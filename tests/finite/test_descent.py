"""Steps of descent and flow against closed forms, and schedules."""

import numpy as np
import pytest

import tangency as tg

torch = pytest.importorskip("torch")

from tangency.finite.descent import Schedule, kernel_descent, make_schedule  # noqa: E402
from tangency.finite.losses import find_loss  # noqa: E402

SQUARED = find_loss("squared")


def problem(points=7, n=4, outputs=2):
    random = np.random.default_rng(3)
    features = random.normal(size=(points, 9))
    kernel = torch.as_tensor(features @ features[:n].T)
    start = torch.as_tensor(random.normal(size=(points, outputs)))
    return kernel, start, torch.as_tensor(random.normal(size=(n, outputs)))


def closed_form(kernel, start, targets, left):
    """f + K(·, X) K⁻¹ (I − left(K)) (y − f(X)), by eigenvalues."""
    n = len(targets)
    values, vectors = np.linalg.eigh(kernel[:n].numpy())
    weights = (1 - left(values)) / values
    reach = kernel.numpy() @ (vectors * weights) @ vectors.T
    return start.numpy() + reach @ (targets - start[:n]).numpy()


def test_descent_is_the_power_of_a_matrix():
    kernel, start, targets = problem()
    schedule = make_schedule(0.02, 30, None, [0, 7, 30], lambda: 1.0)
    found = kernel_descent(kernel, start, targets, SQUARED, schedule)
    assert torch.equal(found[0], start)
    for k, values in zip((7, 30), found[1:], strict=True):
        expected = closed_form(kernel, start, targets, lambda eigen, k=k: (1 - 0.02 * eigen) ** k)
        np.testing.assert_allclose(values.numpy(), expected, rtol=1e-10)


def test_flow_is_the_exponential():
    kernel, start, targets = problem()
    largest = float(torch.linalg.eigvalsh(kernel[:4])[-1])
    schedule = make_schedule(None, None, 3.0, 8, lambda: largest)
    assert schedule.flow
    assert schedule.step * largest <= 0.5
    found = kernel_descent(kernel, start, targets, SQUARED, schedule)
    for time, values in zip(schedule.times, found, strict=True):
        expected = closed_form(kernel, start, targets, lambda eigen, t=time: np.exp(-t * eigen))
        np.testing.assert_allclose(values.numpy(), expected, atol=1e-3)


def test_a_kernel_between_outputs_may_mix_them():
    kernel, start, targets = problem()
    mixed = torch.einsum("nm,kl->nmkl", kernel, torch.eye(2, dtype=kernel.dtype))
    schedule = Schedule(0.02, 25, (5, 25))
    plain = kernel_descent(kernel, start, targets, SQUARED, schedule)
    torch.testing.assert_close(kernel_descent(mixed, start, targets, SQUARED, schedule), plain)
    # Outputs in other units: f = (g, 2h) has the kernel diag(1, 4) K.
    factor = torch.tensor([1.0, 2.0], dtype=kernel.dtype)
    other = torch.einsum("nm,kl->nmkl", kernel, torch.diag(factor**2))
    found = kernel_descent(other, start, targets, SQUARED, schedule)
    torch.testing.assert_close(found[..., 0], plain[..., 0])
    twice = Schedule(0.08, 25, (5, 25))
    expected = kernel_descent(kernel, start, targets, SQUARED, twice)
    torch.testing.assert_close(found[..., 1], expected[..., 1])


def test_marks_and_rates():
    even = make_schedule(None, 100, None, 3, lambda: 4.0)
    assert (even.step, even.steps, even.marks, even.flow) == (0.25, 100, (0, 1, 10, 100), False)
    assert make_schedule(0.1, 50, None, 1, lambda: 1.0).marks == (0, 50)
    assert make_schedule(0.1, 5, None, [3], lambda: 1.0).marks == (0, 3, 5)
    timed = make_schedule(0.3, None, 1.0, 2, lambda: 1.0)
    assert (timed.steps, timed.flow) == (3, False)
    np.testing.assert_allclose(timed.times, [0, 1 / 3, 1])
    assert make_schedule(None, 7, 2.0, 1, lambda: 1.0) == Schedule(2 / 7, 7, (0, 7), True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "say how long to train"),
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0"),
        ({"steps": 2.5}, "got 2.5"),
        ({"steps": 3, "lr": -1}, "lr must be a finite number greater than 0, got -1"),
        ({"time": float("inf")}, "time must be a finite number"),
        ({"steps": 3, "time": 1.0, "lr": 1.0}, "say the same twice"),
        ({"steps": 3, "record": 0}, "record must be a whole number of at least 1, got 0"),
        ({"steps": 3, "record": [1, 4]}, "steps from 0 to 3"),
    ],
)
def test_schedules_that_cannot_be(options, message):
    options = {"lr": None, "steps": None, "time": None, "record": 5, **options}
    with pytest.raises(tg.InputError, match=message):
        make_schedule(**options, fastest=lambda: 1.0)


def test_a_step_that_is_too_long_is_an_error():
    kernel, start, targets = problem()
    with pytest.raises(tg.InputError, match=r"has diverged.*steps of 50; take a smaller lr"):
        kernel_descent(kernel, start, targets, SQUARED, Schedule(50.0, 900, (900,)))
