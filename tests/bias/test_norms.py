"""RKHS norms: kernel sections, finite ranks, Monte Carlo, null spaces, divergence."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tangency as tg
from tangency.bias import targets
from tangency.bias.norms import rkhs_norm
from tangency.bias.spectrum import spectrum
from tangency.bias.zonal import sphere_kernel
from tangency.errors import InputError

NTK, LAST = tg.NTK("dense relu dense"), tg.NNGP("dense relu dense")
BIASED = tg.NTK("dense:b=0.5 relu dense:b=0.5")


@pytest.mark.parametrize("kernel", [NTK, LAST], ids=["NTK", "last-layer"])
@pytest.mark.parametrize("dim", [2, 3, 6])
def test_a_kernel_section_has_the_norm_of_its_value_at_the_point(kernel, dim):
    """f = K(·, x₀) has ‖f‖² = K(x₀, x₀)."""
    h = sphere_kernel(kernel)
    found = rkhs_norm(targets.zonal(h, "section"), kernel, dim, 400)
    # Its odd degrees beyond 1 are noise of quadrature, and not taken for missing components.
    assert found.missing == ()
    assert found.series.partial == pytest.approx(float(h(1.0)), rel=3e-3)
    assert found.series.partial < float(h(1.0))
    if found.status == "converged":
        assert found.value**2 == pytest.approx(float(h(1.0)), rel=1e-4)


def test_combinations_of_sections_have_the_norm_of_their_gram_matrix():
    """f = Σ c_i K(·, x_i) on the circle, f(x) = Σ c_i h(cos(θ - θ_i)), ‖f‖² = cᵀKc."""
    angles, c = np.array([0.0, 0.4, 2.1]), np.array([1.0, -2.0, 0.5])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    h = sphere_kernel(NTK)
    t = np.linspace(0, 2 * np.pi, 4096, endpoint=False)
    values = sum(ci * h(np.cos(t - a)) for ci, a in zip(c, angles, strict=True))
    waves = np.abs(np.fft.rfft(values)) / len(t)
    norms = np.concatenate([waves[:1], math.sqrt(2) * waves[1:400]])
    norms[norms < 1e-8 * norms.max()] = 0.0
    norms[3::2] = 0.0
    found = rkhs_norm(norms, NTK, 2)
    assert found.status == "finite"
    assert found.value**2 == pytest.approx(float(c @ NTK(points) @ c), rel=0.01)


@pytest.mark.parametrize("dim", [2, 3, 7])
def test_a_polynomial_kernel_against_its_feature_map(dim):
    """K = ⟨x, y⟩²: the norm of ⟨x, e⟩² is that of the matrix eeᵀ, 1."""
    square = tg.bias.ZonalKernel("square", lambda u: u**2)
    found = rkhs_norm(lambda u: u**2, square, dim, 40)
    assert found.value == pytest.approx(1.0, rel=1e-12)
    assert found.status == "finite"


def test_a_finite_sum_is_the_formula_for_any_kernel():
    rng = np.random.default_rng(1)
    for kernel in (BIASED, tg.NNGP("dense erf dense:b=0.1")):
        norms = rng.random(6)
        mu = spectrum(kernel, 4, 5).eigenvalues
        norms[mu == 0] = 0.0
        expected = math.sqrt(np.sum(norms[mu > 0] ** 2 / mu[mu > 0]))
        found = rkhs_norm(norms, kernel, 4)
        assert (found.status, float(found)) == ("finite", pytest.approx(expected, rel=1e-12))


def test_components_in_the_null_space_are_named():
    found = rkhs_norm("relu", NTK, 2)
    assert found.status == "converged"
    found = rkhs_norm(targets.ramp(2.0), NTK, 2, 100)
    assert (found.status, found.value, found.missing[:3]) == ("null space", math.inf, (3, 5, 7))
    assert "components of degree 3, 5, 7, … have eigenvalue zero" in found.summary
    assert rkhs_norm([0, 0, 0, 1e-3], NTK, 5).value == math.inf
    assert rkhs_norm([0, 0, 0, 1e-3], BIASED, 5).value < math.inf
    assert rkhs_norm(targets.cone(), LAST, 3, 200).status == "null space"
    assert rkhs_norm(targets.cone().even(), LAST, 3, 200).status == "diverged"


@pytest.mark.parametrize("dim", [2, 3, 4, 7, 20])
@pytest.mark.parametrize(("kernel", "decay"), [(NTK, 0), (LAST, 2)], ids=["NTK", "last-layer"])
def test_powers_are_in_the_space_beyond_the_threshold(kernel, decay, dim):
    """|u|^a has a finite norm for a > (β - 1)/2, β = p for the NTK and p + 2 for the last layer."""
    border = (dim + decay - 1) / 2
    for a, status in (
        (border - 0.11, "diverged"),
        (border, "diverged"),
        (border + 0.11, "converged"),
    ):
        if a % 2 == 0:
            continue
        found = rkhs_norm(targets.power(a), kernel, dim, 3000)
        assert found.status == status, (a, found)
        assert found.series.exponent == pytest.approx(found.series.theory, abs=0.03)


def test_even_powers_are_polynomials_in_every_space():
    found = rkhs_norm(targets.power(2.0), LAST, 30, 100)
    mu = spectrum(LAST, 30, 2).eigenvalues
    norms = targets.power(2.0).norms(30, 2).values
    assert found.status == "finite"
    assert found.value == pytest.approx(math.sqrt(np.sum(norms[::2] ** 2 / mu[::2])))


def test_extrapolated_norms_hold_at_higher_degrees():
    """The value with its tail hardly moves from 500 to 20,000 degrees, the partial sum does."""
    low, high = (rkhs_norm(targets.power(1.2), NTK, 3, d) for d in (500, 20_000))
    assert low.value == pytest.approx(high.value, rel=1e-6)
    assert high.partial_norms[-1] > 1.03 * low.partial_norms[-1]
    assert low.partial_norms[-1] == pytest.approx(high.partial_norms[500], rel=1e-9)


def test_without_theory_the_fit_decides_or_says_it_cannot():
    def anonymous(a):
        return targets.zonal(targets.power(a), "f")

    assert rkhs_norm(anonymous(2.0), NTK, 5, 300).status == "finite"
    assert rkhs_norm(anonymous(1.3), NTK, 5, 300).status == "diverged"
    assert rkhs_norm(anonymous(2.7), NTK, 5, 300).status == "converged"
    border = rkhs_norm(anonymous(1.0), NTK, 3, 300)
    assert border.status == "unknown"
    assert math.isnan(border.value)
    assert "not decided by 300 degrees" in border.summary


def test_eigenvalues_that_are_rounding_are_not_used():
    """For e^u as a function of u, μ_k is under rounding from about k = 14 on."""
    found = rkhs_norm("|u|", np.exp, 3, 100)
    assert found.status == "unknown"
    assert len(found.log_terms) < 25
    smooth = rkhs_norm(lambda u: np.exp(u / 2), np.exp, 3, 100)
    assert smooth.status == "finite"
    # For a function as rough as the kernel allows, what is lost in rounding would matter.
    assert rkhs_norm(np.exp, lambda u: np.exp(u / 2), 3, 100).status == "unknown"


@given(st.floats(0.1, 10), st.floats(0.1, 10))
def test_the_norm_scales_with_f_and_against_the_kernel(c, s):
    base = np.array([0.3, 0.2, 0.1])
    h = sphere_kernel(LAST)
    norm = float(rkhs_norm(base, h, 3))
    assert float(rkhs_norm(c * base, h, 3)) == pytest.approx(c * norm, rel=1e-12)
    assert float(rkhs_norm(base, s * LAST, 3)) == pytest.approx(norm / math.sqrt(s), rel=1e-12)


def test_deep_relu_networks_have_the_same_thresholds():
    deep = {
        "NTK": tg.NTK("dense relu dense relu dense"),
        "last": tg.NNGP("dense relu dense relu dense"),
    }
    for (name, kernel), border in zip(deep.items(), (1.0, 2.0), strict=True):
        statuses = [
            rkhs_norm(targets.power(border + step), kernel, 3, 200).status for step in (-0.2, 0.2)
        ]
        assert statuses == ["diverged", "converged"], name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rkhs_norm([], NTK, 3), r"must have shape \(degree \+ 1,\), got \(0,\)"),
        (lambda: rkhs_norm([[1.0]], NTK, 3), r"must have shape \(degree \+ 1,\), got \(1, 1\)"),
        (lambda: rkhs_norm([1.0, -1.0], NTK, 3), "must be finite and not negative"),
        (lambda: rkhs_norm([math.nan], NTK, 3), "must be finite and not negative"),
        (lambda: rkhs_norm(["a"], NTK, 3), "norms of degrees must be numbers"),
        (lambda: rkhs_norm("|u|", NTK, 1), "dim must be a whole number of at least 2"),
        (lambda: rkhs_norm("|u|", spectrum(NTK, 4, 9), 3, 9), "the spectrum given is for dim=4"),
        (lambda: rkhs_norm("|u|", spectrum(NTK, 3, 9), 3, 10), "degrees up to 9"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_a_spectrum_serves_as_kernel_and_results_show_themselves():
    found = rkhs_norm("|u|", spectrum(NTK, 3, 60), 3, 50)
    assert found.kernel == "NTK"
    assert len(found.log_terms) == 51
    assert "diverges" in found.summary
    rows = found.table().rows
    assert rows[0][0] == 0
    assert [row[3] for row in rows] == sorted(row[3] for row in rows)
    assert all(row[0] % 2 == 0 for row in rows)
    axes = found.plot().axes[0]
    assert axes.get_xscale() == "log"
    figure = tg.bias.rkhs_norm("bump", BIASED, 3, 60).plot(axes)
    assert figure is axes.figure


@pytest.mark.slow
def test_a_growing_series_that_is_lost_in_noise_is_not_taken_for_a_sum():
    """1/(1.9 - u) decays as 3.5^-k, its terms as (13/3.5²)^k for eigenvalues as 13^-k."""
    kernel = tg.bias.spectrum(tg.NNGP("dense:w=0.3,b=0.5 erf dense"), 3, 216)
    rough = rkhs_norm(lambda u: 1 / (1.9 - u), kernel, 3, 216)
    assert rough.norms.last < 30
    assert rough.status in ("unknown", "diverged")
    assert rkhs_norm(lambda u: 1 / (4 - u), kernel, 3, 216).status == "finite"


@pytest.mark.parametrize(
    ("target", "dim", "degree"),
    [
        (targets.bump(0.1).even(), 10, 1000),  # fell short by a quarter
        (targets.bump(0.1).even(), 3, 20),
        (targets.cone(0.02).even(), 2, 40),
        (targets.cone(0.02).even(), 2, 8),
    ],
)
def test_terms_that_still_grow_have_no_sum_though_theory_knows_that_it_is_finite(
    target, dim, degree
):
    found = rkhs_norm(target, tg.NTK("dense relu dense"), dim, degree)
    assert (found.status, math.isnan(found.value)) == ("unknown", True)
    assert "not decided by" in found.summary


def test_terms_that_fall_have_their_sum():
    assert float(rkhs_norm(targets.bump(0.1).even(), "dense relu dense", 3, 1000)) == pytest.approx(
        float(rkhs_norm(targets.bump(0.1).even(), "dense relu dense", 3, 4000)), rel=1e-4
    )


def test_one_kernel_not_several():
    with pytest.raises(InputError, match=r"expected one kernel.*not several by name; got"):
        rkhs_norm("|u|", {"NTK": NTK}, 4, 50)
