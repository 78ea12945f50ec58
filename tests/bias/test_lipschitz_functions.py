"""The bound for all Lipschitz functions: attained in its class, and never crossed."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tangency as tg
from tangency.bias import targets
from tangency.bias.ball import Ball
from tangency.bias.lipschitz_functions import lipschitz_bound
from tangency.bias.spectrum import spectrum

DIM, DEGREE = 5, 400
MERCER = spectrum(tg.NTK("dense relu dense"), DIM, DEGREE)
LOGS = MERCER.log_eigenvalues
K = np.arange(DEGREE + 1)
WIDTHS = 1.0 / np.maximum(K * (K + DIM - 2), 1)


def error(norms: np.ndarray, radius: float) -> float:
    with np.errstate(divide="ignore"):
        return Ball(np.log(norms), LOGS).error(radius)[0]


@pytest.mark.parametrize("radius", [4.0, 8.0, 20.0])
def test_one_harmonic_nearly_attains_it(radius):
    """f of one degree with ∫|∇f|² = 1 is missed by w_k - δ√μ_k; the worst is near the bound."""
    bound = lipschitz_bound(LOGS, DIM, np.array([radius]))[0]
    even = K[2::2]
    single = np.sqrt(WIDTHS[even]) - radius * np.sqrt(np.exp(LOGS[even]))
    assert 0.75 * bound < single.max() <= bound


@given(
    st.lists(st.floats(0, 1), min_size=6, max_size=6),
    st.lists(st.sampled_from(K[2::2].tolist()), min_size=6, max_size=6, unique=True),
    st.floats(0, 1),
    st.floats(3.5, 30),
)
def test_no_function_of_the_class_is_missed_by_more(weights, degrees, mean, radius):
    """Any even f with |∫f| ≤ 1 and ∫|∇f|² ≤ 1, which takes in |f|, |∇f| ≤ 1."""
    norms = np.zeros(DEGREE + 1)
    norms[degrees] = np.array(weights) * np.sqrt(WIDTHS[degrees])
    gradient = math.sqrt(float(np.sum(norms**2 / WIDTHS)))
    norms /= max(gradient, 1.0)
    norms[0] = mean
    bound = lipschitz_bound(LOGS, DIM, np.array([radius]))[0]
    assert error(norms, radius) <= bound * (1 + 1e-9)


def test_it_scales_with_the_lipschitz_constant():
    radii = np.array([5.0, 10.0])
    np.testing.assert_allclose(
        lipschitz_bound(LOGS, DIM, 3 * radii, 3.0), 3 * lipschitz_bound(LOGS, DIM, radii), rtol=1e-9
    )


@pytest.mark.parametrize("dim", [3, 5, 8])
@pytest.mark.parametrize(("kernel", "more"), [(tg.NTK, 0), (tg.NNGP, 2)])
def test_it_falls_at_the_rate_of_the_paper(kernel, more, dim):
    """δ^(-1/(p/2 - 1)) for the NTK and δ^(-1/(p/2)) for the last layer."""
    logs = spectrum(kernel("dense relu dense"), dim, 10_000).log_eigenvalues
    radii = np.geomspace(1.0, 1e14, 600)
    bound = lipschitz_bound(logs, dim, radii)
    known = np.nonzero(np.isfinite(bound))[0][-8:]
    slope = np.polyfit(np.log(radii[known]), np.log(bound[known]), 1)[0]
    assert slope == pytest.approx(-1 / ((dim + more) / 2 - 1), rel=0.06 if dim == 3 else 0.01)


def test_it_is_not_given_where_it_is_not_known():
    bound = lipschitz_bound(LOGS, DIM, np.array([1e-3, 5.0, 1e12]))
    assert np.isnan(bound).tolist() == [True, False, True]
    assert np.isnan(lipschitz_bound(LOGS[:1], DIM, np.array([5.0]))).all()
    assert np.isnan(lipschitz_bound(np.full(9, -np.inf), DIM, np.array([5.0]))).all()


def test_a_cone_stays_under_it():
    cone = targets.cone(1.0).even()
    radii = np.geomspace(8.0, 30.0, 10)
    bound = lipschitz_bound(LOGS, DIM, radii, cone.lipschitz)
    norms = cone.norms(DIM, DEGREE).values
    assert np.isfinite(bound).all()
    assert all(error(norms, r) < b for r, b in zip(radii, bound, strict=True))


@given(
    st.lists(st.floats(1e-6, 1.0), min_size=8, max_size=8),
    st.floats(1.5, 6.0),
    st.integers(3, 9),
)
def test_mixtures_of_two_degrees_are_no_harder_than_one(eigenvalues, radius, dim):
    """The supremum of the dual over all weights, whatever the eigenvalues, is at one degree."""
    values = np.array([1.0, *eigenvalues, *([1e3] * 3)])
    bound = lipschitz_bound(np.log(values), dim, np.array([radius]))[0]
    k = np.arange(1, 9)
    shares = np.linspace(0, 1, 201)[:, None]
    best = 0.0
    for first, second in combinations(np.eye(len(k)), 2):
        w = (1 - shares) * first + shares * second
        heights = np.sqrt(w @ (1 / (k * (k + dim - 2.0))))
        heights -= math.sqrt(radius**2 - 1) * np.sqrt(w @ values[k])
        best = max(best, float(heights.max()))
    if best > 0:
        assert best == pytest.approx(bound, rel=1e-9)
    else:
        assert math.isnan(bound)
