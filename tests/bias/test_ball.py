"""Distances to balls of an RKHS, against numerical constrained minimisation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from tangency.bias import targets
from tangency.bias.ball import Ball, tail_energy
from tangency.bias.degrees import DegreeNorms

NORMS = np.array([0.7, 0.5, 0.4, 0.3, 0.05])
EIGENVALUES = np.array([1.0, 0.3, 0.1, 0.02, 0.001])


def ball(norms=NORMS, eigenvalues=EIGENVALUES, tail=0.0) -> Ball:
    with np.errstate(divide="ignore"):
        return Ball(np.log(norms), np.log(eigenvalues), tail)


@pytest.mark.parametrize("radius", [0.05, 0.4, 1.0, 2.0, 2.9])
def test_the_error_is_that_of_constrained_minimisation(radius):
    def missed(g):
        return float(np.sum((NORMS - g) ** 2))

    budget = {"type": "ineq", "fun": lambda g: radius**2 - float(np.sum(g**2 / EIGENVALUES))}
    found = minimize(missed, np.zeros(5), constraints=[budget], method="SLSQP", tol=1e-13)
    assert ball().error(radius)[0] == pytest.approx(math.sqrt(found.fun), rel=1e-5)


def test_no_function_of_the_ball_is_nearer():
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((20_000, 5)) * np.sqrt(EIGENVALUES)
    sizes = np.sqrt(np.sum(directions**2 / EIGENVALUES, axis=1))
    inside = directions / sizes[:, None] * 1.2 * rng.random((20_000, 1))
    nearest = np.sqrt(np.min(np.sum((NORMS - inside) ** 2, axis=1)))
    best = ball().error(1.2)[0]
    assert best <= nearest < 1.3 * best


def test_the_multiplier_gives_the_radius():
    for radius in (1e-8, 0.3, 2.0, ball().norm * (1 - 1e-9)):
        assert ball().at(ball().multiplier(radius))[0] == pytest.approx(radius, rel=1e-9)


def test_from_the_norm_on_nothing_is_missed_but_the_null_space():
    norm = math.sqrt(np.sum(NORMS**2 / EIGENVALUES))
    assert ball().norm == pytest.approx(norm)
    assert ball().error(norm * 1.0001) == (0.0, 0.0)
    eigenvalues = np.where(np.arange(5) == 3, 0.0, EIGENVALUES)
    part = ball(eigenvalues=eigenvalues)
    assert part.floor == pytest.approx(0.3)
    assert part.error(100.0)[0] == pytest.approx(0.3)
    assert part.error(0.0)[0] == pytest.approx(math.sqrt(np.sum(NORMS**2)))


def test_the_truth_lies_between_the_two_errors():
    """Degrees that are left out change the error to between the two that are given."""
    whole = ball()
    cut = ball(NORMS[:3], EIGENVALUES[:3], float(np.sum(NORMS[3:] ** 2)))
    for radius in (0.1, 0.5, 1.0, 2.0, 5.0):
        low, high = cut.error(radius)
        assert low <= whole.error(radius)[0] <= high


positive = st.floats(1e-3, 1.0)


@given(
    st.lists(positive, min_size=4, max_size=4),
    st.lists(positive, min_size=4, max_size=4),
    st.lists(st.floats(1e-3, 20.0), min_size=3, max_size=3, unique=True),
)
def test_the_error_falls_and_is_convex_in_the_radius(norms, eigenvalues, radii):
    one = ball(np.array(norms), np.array(eigenvalues))
    a, b, c = sorted(radii)
    low, middle, high = (one.error(r)[0] for r in (a, b, c))
    assert low >= middle >= high
    share = (b - a) / (c - a)
    assert middle <= (1 - share) * low + share * high + 1e-9


@given(st.lists(positive, min_size=4, max_size=4), positive, st.floats(0.01, 10))
def test_a_larger_kernel_reaches_at_least_as_far(eigenvalues, more, radius):
    small = ball(NORMS[:4], np.array(eigenvalues))
    large = ball(NORMS[:4], np.array(eigenvalues) + more)
    assert large.error(radius)[0] <= small.error(radius)[0] + 1e-9


def test_the_path_runs_through_the_exact_errors():
    radii, errors = ball().path(50)
    assert (np.diff(radii) > 0).all()
    assert (np.diff(errors) < 0).all()
    for i in (5, 20, 40):
        assert ball().error(float(radii[i]))[0] == pytest.approx(errors[i], rel=1e-7)


def test_huge_ranges_do_not_underflow():
    logs = -50.0 * np.log(np.arange(1, 3000.0))
    one = Ball(-1.0 * np.log(np.arange(1, 3000.0)), logs)
    radii, errors = one.path(60)
    assert np.isfinite(radii).all()
    assert (np.diff(errors) < 0).all()
    assert one.error(1e20)[0] > 0


@pytest.mark.parametrize("target", [targets.power(), targets.cone().even(), targets.rough(1.0)])
def test_the_tail_is_the_energy_beyond(target):
    few, many = target.norms(4, 300), target.norms(4, 3000)
    beyond = float(np.sum(np.exp(2 * many.logs[301:])))
    beyond += tail_energy(many, target.smoothness, 4)
    assert tail_energy(few, target.smoothness, 4) == pytest.approx(beyond, rel=0.02)
    # Without the known order, from the decay of the blocks.
    assert tail_energy(few, None, 4) == pytest.approx(beyond, rel=0.15)


def test_polynomials_and_smooth_functions_have_no_tail():
    assert tail_energy(targets.power(2.0).norms(3, 50), math.inf, 3) == 0.0
    assert tail_energy(targets.bump().norms(3, 900), math.inf, 3) < 1e-25
    assert tail_energy(DegreeNorms(np.full(50, -np.inf)), None, 3) == 0.0


@pytest.mark.parametrize("dim", [2, 3, 10])
@pytest.mark.parametrize("target", [targets.cone(0.05), targets.bump(0.1)], ids=["cone", "bump"])
def test_the_tail_of_a_narrow_peak_is_what_its_norm_leaves(target, dim):
    all_of_it = target.norms(dim, 2000).energy
    for degree in (8, 20, 60):
        few = target.norms(dim, degree)
        tail = tail_energy(few, target.smoothness, dim)
        assert few.energy + tail == pytest.approx(all_of_it, rel=1e-4)
