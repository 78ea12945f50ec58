from __future__ import annotations

import math

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy.special import gammaln

import mercer
import tangency as tg
from tangency.bias.harmonics import multiplicity
from tangency.bias.mercer import chosen_degrees
from tangency.bias.quadrature import multiprecision_coefficients
from tangency.bias.spectrum import spectrum
from tangency.bias.zonal import ZonalKernel, sphere_kernel
from tangency.errors import InputError, MemoryLimitError


def both(net):
    return {"NTK": tg.NTK(net), "last-layer": tg.NNGP(net)}


def relative_error(found, true):
    """The largest over all degrees, through logarithms, so that nothing underflows."""
    errors = [
        abs(mp.expm1(mpf(float(log)) - mp.log(value)))
        for log, value, zero in zip(found.log_eigenvalues, true, found.zeros, strict=True)
        if not zero
    ]
    return float(max(errors))


@pytest.mark.parametrize(
    ("net", "dim", "degree", "digits"),
    [
        ("dense relu dense relu dense", 2, 40, 60),
        ("dense relu dense relu dense relu dense", 3, 100, 60),
        ("dense relu dense relu dense", 50, 100, 120),
        ("dense:b=0.5 relu dense", 10, 60, 70),
        ("dense:b=0.3 erf dense:w=1.5 erf dense", 5, 40, 70),
        ("dense sin:raw dense res(relu dense) rescale0.5 dense", 7, 30, 60),
        ("dense leaky0.25 layernorm dense exp0.6 dense:frozen", 4, 40, 60),
    ],
)
def test_networks_agree_with_other_quadrature_in_many_digits(net, dim, degree, digits):
    net = tg.parse(net.replace("layernorm dense", "dense layernorm"))
    with mp.workdps(digits):
        nngp, ntk = mercer.of_network(net, dim, degree)
        for kernel, true in ((tg.NNGP(net), nngp), (tg.NTK(net), ntk)):
            found = spectrum(kernel, dim, degree)
            assert relative_error(found, true) < 1e-12
            for value, zero in zip(true, found.zeros, strict=True):
                assert abs(value) < mpf(10) ** (-digits // 2) * true[0] or not zero


@pytest.mark.parametrize(("dim", "sigma"), [(3, 0.6), (10, 1.0), (50, 0.3)])
def test_the_gaussian_kernel_has_bessel_functions_as_eigenvalues(dim, sigma):
    found = spectrum(tg.NNGP(tg.Sequential(tg.Dense(), tg.Exponential(sigma))), dim, 60)
    with mp.workdps(60):
        z, nu = 1 / mpf(sigma) ** 2, mpf(dim) / 2 - 1
        true = [
            mp.exp(-z) * mp.gamma(nu + 1) * (2 / z) ** nu * mp.besseli(k + nu, z) for k in range(61)
        ]
        assert relative_error(found, true) < 1e-12


@pytest.mark.parametrize("net", ["dense:w=2 relu dense:b=0.5", "dense leaky0.1 layernorm dense"])
@pytest.mark.parametrize("kind", [tg.NTK, tg.NNGP])
def test_closed_forms_are_what_quadrature_finds(net, kind):
    net = net.replace("leaky0.1 layernorm dense", "layernorm leaky0.1 dense")
    kernel = 0.5 * kind(net, normalize=True) + kind(net)
    found = spectrum(kernel, 6, 50, radius=3.0)
    assert found.method == "closed form"
    other = multiprecision_coefficients(sphere_kernel(kernel, radius=3.0), 6, 50, 200)
    np.testing.assert_allclose(
        found.eigenvalues, np.where(found.zeros, 0, other.values), rtol=1e-13
    )
    np.testing.assert_array_equal(found.zeros, found.eigenvalues == 0)


@pytest.mark.parametrize("dim", [2, 3, 10])
def test_two_layers_vanish_at_odd_degrees_and_fall_with_p_and_p_plus_two(dim):
    pair = spectrum(both("dense relu dense"), dim, 1000)
    for name, slope in (("NTK", -dim), ("last-layer", -dim - 2)):
        s = pair[name]
        np.testing.assert_array_equal(np.flatnonzero(s.zeros), np.arange(3, 1001, 2))
        assert np.all(s.eigenvalues[3::2] == 0)
        assert np.all(s.eigenvalues[2::2] > 0)
        assert s.law == slope
        fit = s.fit()
        assert fit.even == pytest.approx(slope, abs=0.001)
        assert fit.odd is None


@pytest.mark.parametrize(
    "net", ["dense relu dense relu dense relu dense", "dense:b=0.5 relu dense"]
)
def test_depth_keeps_the_slopes_and_depth_or_bias_fill_all_degrees(net):
    pair = spectrum(both(net), 3, 200)
    for name, slope in (("NTK", -3), ("last-layer", -5)):
        s = pair[name]
        assert not s.zeros.any()
        assert np.all(s.eigenvalues > 0)
        assert s.law == slope
        assert s.fit().even == pytest.approx(slope, abs=0.01)
        assert s.fit().odd == pytest.approx(slope, abs=0.01)


@pytest.mark.parametrize("net", ["dense erf dense erf dense", "dense exp0.6 dense"])
def test_smooth_activations_decay_exponentially(net):
    s = spectrum(tg.NTK(net), 4, 60)
    assert s.law == "exponential"
    logs = s.log_eigenvalues[s.positive]
    degrees = np.flatnonzero(s.positive)
    rate = np.diff(logs) / np.diff(degrees)
    # For a power law the rate tends to 0 as 1/k, a factor of 3 from k = 20 to 60.
    assert rate[-1] < 0.85 * rate[len(rate) // 3] < -0.5
    assert s.fit(20, 40).steepest > s.fit(40, 60).steepest - 1


@pytest.mark.parametrize("net", ["dense relu dense", "dense:b=0.5 relu dense gelu dense"])
@pytest.mark.parametrize("dim", [2, 3, 12])
def test_the_shares_of_variance_fill_one(net, dim):
    s = spectrum(tg.NNGP(net), dim, 60)
    assert np.all(s.explained >= 0)
    np.testing.assert_allclose(s.cumulative, np.cumsum(s.explained))
    assert 0.97 < s.cumulative[-1] < 1 + 1e-12
    assert s.multiplicities[-1] == multiplicity(dim, 60)


def test_far_degrees_neither_overflow_nor_underflow():
    s = spectrum(tg.NTK("dense relu dense"), 1000, 10_000)
    assert np.all(np.isfinite(s.log_eigenvalues[2::2]))
    assert s.eigenvalues[10_000] == 0.0
    assert s.log_eigenvalues[10_000] < -3000
    assert s.multiplicities[10_000] > 10**1400
    assert 0 < s.explained[10_000] < s.explained[2] < 1
    assert not np.isnan(s.explained).any()
    assert "e-1" in s.table().cells()[-1][2]


def test_a_function_carries_its_noise():
    found = spectrum(np.exp, 3, 30)
    with mp.workdps(60):
        true = [mp.sqrt(mp.pi / 2) * mp.besseli(k + mpf(1) / 2, 1) for k in range(31)]
        pairs = zip(found.eigenvalues, true, strict=True)
        error = [float(abs(mpf(float(a)) / b - 1)) for a, b in pairs]
    good = found.resolved
    assert np.all(np.array(error)[good] <= found.errors[good])
    assert good[:10].all()
    assert not good[-5:].any()
    assert np.isfinite(found.eigenvalues).all()
    assert np.all(found.eigenvalues >= 0)


@pytest.mark.parametrize(
    ("function", "dim", "terms"), [("tanh", 3, 120), ("softplus", 5, 120), ("elu", 4, 240)]
)
def test_truncated_series_carry_their_error(function, dim, terms):
    def net(degree):
        return tg.Sequential(tg.Dense(), tg.Activation(function).series(degree), tg.Dense())

    rough, fine = spectrum(tg.NTK(net(60)), dim, 40), spectrum(tg.NTK(net(terms)), dim, 40)
    # Both have errors: they differ by no more than the sum.
    seen = rough.resolved & ~rough.zeros
    assert np.count_nonzero(seen) > 8
    apart = np.abs(rough.eigenvalues[seen] / fine.eigenvalues[seen] - 1)
    assert np.all(apart <= (rough.errors + fine.errors)[seen])
    assert rough.errors[1] < 1e-3


def of_monomial(j, k, dim):
    """μ_k of t^j for arrays j ≥ k of its parity, by Rodrigues' formula."""
    logs = gammaln(j + 1) - gammaln(j - k + 1) + gammaln((j - k + 1) / 2)
    logs = logs - gammaln((j + k + dim) / 2) + gammaln(dim / 2)
    return np.exp(logs - k * math.log(2) - math.log(math.pi) / 2)


def hermite_squares(function, kinks, count):
    """a_j² of σ/√E[σ²] for j < count; Gauss–Legendre panels with the kinks at their edges."""
    x, w = np.polynomial.legendre.leggauss(16)
    edges = np.unique(np.concatenate([np.linspace(-14, 14, 281), kinks]))
    half = np.diff(edges)[:, None] / 2
    z = (half * x + (edges[1:] + edges[:-1])[:, None] / 2).ravel()
    density = (half * w).ravel() * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    weighted = density * function(z)
    before, now, found = np.zeros_like(z), np.ones_like(z), np.empty(count)
    for j in range(count):
        found[j] = weighted @ now
        before, now = now, (z * now - math.sqrt(j) * before) / math.sqrt(j + 1)
    return found**2 / (density @ function(z) ** 2)


@pytest.mark.parametrize(
    ("function", "kinks"),
    [
        ("elu", [0.0]),
        ("tanh", [0.0]),
        (lambda u: np.maximum(u - 0.3, 0) + 0.2 * np.maximum(-u - 1.1, 0), [0.3, -1.1]),
    ],
    ids=["elu", "tanh", "kinks elsewhere"],
)
@pytest.mark.parametrize(("terms", "dim"), [(30, 3), (52, 20), (80, 9)])
def test_what_a_truncated_series_leaves_out_is_in_its_error(function, kinks, terms, dim):
    layer = tg.Activation(function)
    squares = hermite_squares(layer, kinks, 2000)
    net = tg.Sequential(tg.Dense(), layer.series(terms), tg.Dense())
    for kernel, factor in ((tg.NTK(net), 1 + np.arange(2000)), (tg.NNGP(net), 1)):
        found = spectrum(kernel, dim, 16)
        true = np.zeros(17)
        for k in range(17):
            j = np.arange(k, 2000, 2)
            true[k] = np.sum((squares * factor)[j] * of_monomial(j, k, dim))
        seen = found.resolved & ~found.zeros & (true > 1e-22)
        assert np.count_nonzero(seen) >= (1 if terms == 30 else 4)
        error = np.abs(found.eigenvalues[seen] / true[seen] - 1)
        assert np.all(error <= found.errors[seen])


def test_high_dimensions_take_no_more_time_than_low_ones():
    # As p grows, p^k·μ_k tends to k! times the coefficient of t^k.
    found = spectrum(tg.NTK("dense relu dense relu dense"), 10**9, 3)
    near = spectrum(tg.NTK("dense relu dense relu dense"), 10**6, 3)
    k = np.arange(4)
    np.testing.assert_allclose(
        found.log_eigenvalues + k * math.log(1e9),
        near.log_eigenvalues + k * math.log(1e6),
        atol=2e-4,
    )
    assert found.resolved.all()


def test_zero_kernels_and_degree_zero():
    s = spectrum(tg.NTK("dense:frozen relu dense:frozen"), 3, 5)
    assert s.zeros.all()
    assert s.law == "finite"
    np.testing.assert_array_equal(s.explained, np.zeros(6))
    assert spectrum(tg.NTK("dense relu dense relu dense"), 3, 0).eigenvalues.shape == (1,)
    assert spectrum(tg.NTK("dense:w=0 relu dense erf dense"), 3, 4).zeros.all()


def test_results_are_not_to_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        spectrum(tg.NTK("dense relu dense"), 3, 5).eigenvalues[0] = 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spectrum("conv3 relu gap dense", 3, 4), "is not dense"),
        (lambda: spectrum(tg.NTK("dense"), 1, 4), "dimension p must be .* at least 2, got 1"),
        (lambda: spectrum(tg.NTK("dense"), 3, -1), "degree must be .* at least 0, got -1"),
        (lambda: spectrum(tg.NTK("dense", input_shape=(7,)), 3, 4), "but dim=3"),
        (lambda: spectrum({}, 3, 4), "no kernel was given; pass a kernel"),
        (lambda: spectrum(5, 3, 4), "got 5"),
        (
            lambda: spectrum(ZonalKernel("minus", lambda u: -u), 3, 4),
            "'minus' is not a positive.*μ_1",
        ),
        (lambda: spectrum(tg.NTK("dense"), 3, 9).fit(5, 20), "low < high <= 9, got 5 and 20"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_chosen_degrees_show_both_parities():
    assert chosen_degrees(4) == [0, 1, 2, 3, 4]
    many = chosen_degrees(1000)
    assert many[-1] == 1000
    assert 25 < len(many) < 36
    assert {k % 2 for k in many[-4:]} == {0, 1}


def test_words_and_table_of_one_spectrum():
    s = spectrum(tg.NTK("dense relu dense"), 3, 40)
    assert s.title == "Eigenvalues of the NTK on the sphere in 3 dimensions"
    assert s.summary == (
        "NTK, dimension 3: degrees 0 to 2 hold 94.5 % of the variance; the fitted slope is −3.02 "
        "over degrees 20 to 40 (−3 in theory); exactly zero are odd degrees from 3 on."
    )
    rows = s.table().rows
    assert rows[3][:3] == (3, 7, 0.0)
    assert rows[2][2] == s.eigenvalues[2]
    assert len(s.table(whole=True).rows) == 41
    assert s.zeros_in_words == "odd degrees from 3 on"
    assert spectrum("dense erf dense", 3, 9).zeros_in_words == "even degrees"
    assert spectrum("dense:b=1 poly3 dense", 3, 9).zeros_in_words == "all degrees from 4 on"
    assert spectrum("dense poly4 dense", 3, 9).zeros_in_words == "all degrees from 5 on"
    assert "the decay is exponential" in spectrum("dense exp1.0 dense", 3, 9).summary
    assert "the rank is finite" in spectrum("dense poly4 dense", 3, 9).summary


def test_comparisons_stand_side_by_side():
    pair = spectrum(both("dense relu dense"), 5, 30)
    assert [s.name for s in pair.spectra.values()] == ["NTK", "last-layer"]
    assert pair.dim == 5
    assert pair.table().columns[2:] == [
        "NTK: eigenvalue",
        "NTK: share of variance",
        "last-layer: eigenvalue",
        "last-layer: share of variance",
    ]
    row = pair.table().rows[2]
    assert row[2] == pair["NTK"].eigenvalues[2]
    assert row[4] == pair["last-layer"].eigenvalues[2]
    assert pair.summary.count("dimension 5") == 2


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_the_figure_shows_eigenvalues_slopes_and_shares():
    pair = spectrum(both("dense relu dense"), 5, 30)
    left, right = pair.plot().axes
    named = lines(left)
    for name, called, slope in (
        ("NTK", "NTK (all layers trained)", 5),
        ("last-layer", "last-layer kernel (NNGP)", 7),
    ):
        assert f"{called}: slope −{-pair[name].fit().even:.2f} (theory −{slope})" in named
    assert left.get_xscale() == "log"
    curves = [line for line in left.get_lines() if len(line.get_xdata()) == 15]
    expected = pair["NTK"].log_eigenvalues[2::2] / math.log(10)
    np.testing.assert_allclose(curves[0].get_ydata(), expected)
    dotted = [line for line in left.get_lines() if line.get_linestyle() == ":"]
    guides = [line for line in dotted if len(line.get_xdata())]
    assert len(guides) == 2
    (x, y) = guides[0].get_data()
    assert (y[1] - y[0]) / np.log10((x[1] + 1.5) / (x[0] + 1.5)) == pytest.approx(-5)
    shares = lines(right)["NTK (all layers trained)"].get_ydata()
    np.testing.assert_allclose(shares, 100 * pair["NTK"].cumulative[:13])
    assert "odd degrees from 3 on" in left.get_figure().get_supxlabel()


def test_the_figure_of_a_smooth_kernel_has_a_straight_axis_and_of_given_axes_one_panel():
    from tangency.figures.style import new_figure

    s = spectrum(tg.NTK("dense exp0.6 dense"), 4, 30)
    figure = new_figure(4, 3)
    axes = figure.subplots()
    assert s.plot(axes) is figure
    assert len(figure.axes) == 1
    assert axes.get_xscale() == "linear"
    assert "NTK (all layers trained): exponential decay" in lines(axes)


def test_the_figure_says_what_rounding_took():
    s = spectrum(np.exp, 3, 30)
    figure = s.plot()
    assert "some degrees from 1" in figure.get_supxlabel()
    assert len(spectrum(tg.NTK("dense:w=0 relu dense"), 3, 6).plot().axes) == 2


def test_eigenvalues_beyond_float64_are_called_unresolved_not_wrong():
    s = spectrum(tg.NNGP("dense exp1.0 dense"), 3, 180)
    with mp.workdps(400):
        nu = mpf(1) / 2
        true = [
            mp.exp(-1) * mp.gamma(nu + 1) * mpf(2) ** nu * mp.besseli(k + nu, 1) for k in range(181)
        ]
        seen = s.resolved
        for k in np.flatnonzero(seen):
            assert abs(mp.expm1(mpf(float(s.log_eigenvalues[k])) - mp.log(true[k]))) < s.errors[k]
    assert s.eigenvalues[seen].min() < 1e-300
    assert not seen[-1]
    assert np.all(np.diff(seen.astype(int)) <= 0)
    assert not np.isnan(s.errors).any()


def test_degrees_without_end_are_refused_before_they_are_computed():
    with pytest.raises(MemoryLimitError, match=r"a spectrum of .* degrees needs"):
        spectrum("dense relu dense", 3, 10**13)


def test_hours_of_quadrature_are_refused():
    with pytest.raises(InputError, match=r"about 5\.6 hours or more.*at most 20,000"):
        spectrum(tg.NTK("dense relu dense relu dense"), 10, 100_000)
    with pytest.raises(InputError, match="at most 60,000"):
        spectrum(np.exp, 10, 10**6)
    assert spectrum(tg.NTK("dense relu dense"), 10, 100_000).method == "closed form"
