from __future__ import annotations

import itertools

import numpy as np
import pytest

import tangency as tg
from tangency.bias.empirical import empirical_spectrum
from tangency.bias.spectrum import spectrum
from tangency.bias.zonal import sphere_kernel


def uniform(n, p, seed=0):
    x = np.random.default_rng(seed).standard_normal((n, p))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def both(net):
    return {"NTK": tg.NTK(net), "last-layer": tg.NNGP(net)}


@pytest.mark.parametrize(("dim", "n", "count"), [(3, 900, 5), (5, 900, 4)])
def test_uniform_points_give_clusters_of_the_sizes_of_theory(dim, n, count):
    pair = empirical_spectrum(both("dense relu dense"), uniform(n, dim))
    for name, tolerance in (("NTK", 0.1), ("last-layer", 0.04)):
        found = pair[name]
        clusters = found.clusters()
        assert [c.degree for c in clusters[:count]] == [0, 1, 2, 4, 6][:count]
        theory = spectrum(both("dense relu dense")[name], dim, 6)
        for cluster in clusters[:count]:
            assert cluster.count == theory.multiplicities[cluster.degree]
            assert cluster.theory == theory.eigenvalues[cluster.degree]
            assert cluster.mean == pytest.approx(cluster.theory, rel=tolerance)
        # the clusters of the first degrees do not touch
        for one, below in itertools.pairwise(clusters[:4]):
            assert one.low > 1.2 * below.high


def test_more_points_come_closer():
    def worst(n):
        found = [
            empirical_spectrum(tg.NNGP("dense relu dense"), uniform(n, 3, seed)).clusters()[2]
            for seed in range(4)
        ]
        return max(cluster.high / cluster.low for cluster in found)

    assert worst(800) - 1 < 0.5 * (worst(80) - 1)


def test_the_trace_is_kept_and_the_norm_of_the_points_counts():
    x = 2.0 * uniform(60, 4)
    kernel = tg.NTK("dense:b=0.5 relu dense")
    found = empirical_spectrum(kernel, x)
    assert found.eigenvalues.sum() == pytest.approx(float(kernel.diag(x).mean()))
    assert np.all(np.diff(found.eigenvalues) <= 0)
    np.testing.assert_allclose(
        found.theory[0], np.max(spectrum(kernel, 4, 3, radius=2.0).eigenvalues)
    )
    assert len(found.theory) == len(found.degrees) == 60


def test_a_function_of_the_cosine_gives_the_same_as_the_kernel():
    x, kernel = uniform(50, 3), tg.NTK("dense relu dense")
    h = sphere_kernel(kernel)
    a = empirical_spectrum(kernel, x)
    b = empirical_spectrum(h, x)
    c = empirical_spectrum(lambda u: h(u), x)
    np.testing.assert_allclose(a.eigenvalues, b.eigenvalues, rtol=1e-9, atol=1e-13)
    np.testing.assert_array_equal(b.eigenvalues, c.eigenvalues)
    np.testing.assert_array_equal(a.theory, b.theory)


@pytest.mark.parametrize(
    ("kernel", "x"),
    [
        (tg.NTK("dense relu dense"), np.random.default_rng(0).standard_normal((30, 4))),
        (tg.NTK("conv3 relu gap dense"), np.random.default_rng(0).standard_normal((12, 5, 5, 1))),
        (tg.NTK("conv3 relu gap dense", input_shape=(3, 3, 1)), uniform(12, 9)),
    ],
)
def test_data_off_the_sphere_and_grids_have_no_theory(kernel, x):
    found = empirical_spectrum(kernel, x)
    assert found.theory is None
    assert found.clusters() == []
    assert "the ten largest of" in found.summary
    assert len(found.table().rows) == min(30, len(x))
    assert len(found.plot().axes) == 1


def test_words_table_and_figure():
    pair = empirical_spectrum(both("dense relu dense"), uniform(200, 3))
    assert pair.title == "Eigenvalues of the kernel matrix on 200 points"
    assert "come in clusters" in pair.reading
    assert pair.summary.count("clusters is within") == 2
    assert pair.table().columns[:3] == ("kernel", "degree", "multiplicity")
    assert {row[0] for row in pair.table().rows} == {"NTK", "last-layer"}
    (axes,) = pair.plot().axes
    points = [line for line in axes.get_lines() if line.get_linestyle() == "None"]
    np.testing.assert_array_equal(points[0].get_ydata(), pair["NTK"].eigenvalues)
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: empirical_spectrum({}, uniform(5, 3)), "no kernel was given; pass a kernel"),
        (lambda: empirical_spectrum(np.exp, 2 * uniform(5, 3)), "rows of norm 1.*from 2 to 2"),
        (lambda: empirical_spectrum(tg.NTK("dense"), np.full((3, 3), np.nan)), "NaN"),
        (lambda: empirical_spectrum("word", uniform(5, 3)), "word"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_points_normalised_in_float32_lie_on_the_sphere():
    x = uniform(60, 4).astype(np.float32)
    exact = empirical_spectrum(np.exp, uniform(60, 4)).eigenvalues
    for given in (x, x.astype(np.float64) * (1 + 1e-6)):
        np.testing.assert_allclose(
            empirical_spectrum(np.exp, given).eigenvalues, exact, rtol=1e-5, atol=1e-7
        )
    assert empirical_spectrum(tg.NTK("dense relu dense"), x).theory is not None
