from __future__ import annotations

import pickle
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tangency as tg
from strategies import dense, duals
from tangency.bias.zonal import ZonalKernel, as_zonal, sphere_kernel
from tangency.errors import InputError

RADII = st.sampled_from([0.5, 1.0, 3.0])


def pairs(cosines, radius):
    """Rows of norm `radius`, the first at the given cosines to the others."""
    angles = np.arccos(cosines)
    x = np.array([[radius, 0.0, 0.0]])
    y = radius * np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    return x, y


def networks():
    block = st.builds(lambda d, a: tg.Sequential(d, a), dense(), duals())
    body = st.lists(st.one_of(dense(), block), max_size=3)
    return st.builds(
        lambda layers, inner, last: tg.Sequential(
            *layers, tg.Dense(), tg.Residual(tg.Sequential(inner, tg.Dense())), tg.LayerNorm(), last
        ),
        body,
        duals(),
        dense(),
    )


@given(networks(), st.booleans(), RADII)
def test_h_is_the_kernel_at_rows_of_that_norm(net, tangent, radius):
    kernel = (tg.NTK if tangent else tg.NNGP)(net, engine="reference")
    u = np.linspace(-0.999, 0.999, 9)
    x, y = pairs(u, radius)
    h = sphere_kernel(kernel, radius=radius)(u)
    scale = max(float(kernel.diag(x)[0]), 1e-300)
    np.testing.assert_allclose(h / scale, kernel(x, y)[0] / scale, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("normalize", [False, True])
def test_sums_products_multiples_and_normalised_kernels(normalize):
    a = tg.NTK("dense:b=0.5 relu dense", normalize=normalize)
    b = tg.NNGP("dense erf dense", normalize=normalize)
    kernel = 2.0 * (a + b) * a
    u = np.linspace(-0.9, 0.9, 7)
    x, y = pairs(u, 1.0)
    np.testing.assert_allclose(sphere_kernel(kernel)(u), kernel(x, y)[0], rtol=1e-12)
    assert sphere_kernel(a).at_one == pytest.approx(1.0 if normalize else float(a.diag(x)[0]))


def test_the_two_layer_ntk_is_u_kappa_0_plus_kappa_1():
    u = np.linspace(-1, 1, 33)
    kappa_0 = 1 - np.arccos(u) / np.pi
    kappa_1 = (np.sqrt(1 - u**2) + u * (np.pi - np.arccos(u))) / np.pi
    np.testing.assert_allclose(
        sphere_kernel("dense relu dense")(u), u * kappa_0 + kappa_1, atol=1e-14
    )
    np.testing.assert_allclose(sphere_kernel("dense relu dense", "nngp")(u), kappa_1, atol=1e-14)


def test_names_shapes_and_plain_functions():
    assert sphere_kernel("dense").name == "NTK"
    assert sphere_kernel("dense", "nngp").name == "last-layer"
    assert sphere_kernel("dense")(np.zeros((2, 3))).shape == (2, 3)
    assert sphere_kernel("dense")(0.5).shape == ()
    assert as_zonal(np.cosh).name == "cosh"
    h = ZonalKernel("x", np.cosh)
    assert as_zonal(h) is h


def test_parameters_that_are_tensors_count_with_their_value():
    torch = pytest.importorskip("torch")
    net = tg.Sequential(tg.Dense(weight_std=torch.tensor(2.0)), tg.ReLU(), tg.Dense())
    u = np.linspace(-1, 1, 5)
    np.testing.assert_array_equal(sphere_kernel(net)(u), sphere_kernel("dense:w=2 relu dense")(u))


@pytest.mark.parametrize("spec", ["dense:b=0.2 gelu dense", "dense activation-tanh dense"])
def test_extended_values_are_the_float64_values(spec):
    from tangency.bias.multiprecision import Multiprecision

    net = tg.parse(spec) if "tanh" not in spec else tg.Sequential(tg.Dense(), tg.Activation("tanh"))
    h, u, context = sphere_kernel(net, radius=1.5), np.linspace(-0.9, 1, 8), Multiprecision(150)
    many = h.values(np.array([context.number(x) for x in u], dtype=object), context)
    np.testing.assert_allclose(many.astype(float), h(u), rtol=1e-13, atol=1e-14)


def test_quadratures_have_a_finer_twin_and_others_do_not():
    inner = tg.Sequential(tg.Activation("elu"), tg.Dense())
    net = tg.Sequential(tg.Dense(), tg.Residual(inner))
    finer = sphere_kernel(2.0 * (tg.NTK(net) + tg.NNGP(net))).finer()
    assert finer is not None
    assert "512" in repr(finer.kernel)
    assert "HermiteSeries" in repr(finer.kernel)
    assert sphere_kernel("dense relu dense").finer() is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sphere_kernel("conv3 relu gap dense"), "is not dense.*no function of the cosine"),
        (lambda: sphere_kernel("dense", "x"), "kind must be"),
        (lambda: sphere_kernel("dense", radius=0), "radius must be .* got 0"),
        (lambda: sphere_kernel("dense", radius=np.inf), "radius must be .* got inf"),
        (lambda: sphere_kernel(abs), "a function h.u. of the cosine is passed to spectrum"),
        (lambda: as_zonal(3), "expected a kernel such as .*a function h.u. of the cosine; got 3"),
        (lambda: sphere_kernel("dense")([2.0]), "cosines must lie in .* got 2"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_a_grid_is_refused_also_where_only_the_input_shape_tells():
    kernel = tg.NTK("flatten dense", input_shape=(4, 4, 1))
    with pytest.raises(InputError, match=r"input_shape=\(4, 4, 1\) makes signals on a grid"):
        sphere_kernel(kernel)


@pytest.mark.parametrize("radius", [1e300, 0, [[1]], None])
def test_a_radius_is_a_number_whose_square_is_one(radius):
    for make in (sphere_kernel, partial(ZonalKernel, function=np.exp)):
        with pytest.raises(InputError, match="radius must be a finite number greater than 0 and"):
            make("dense relu dense", radius=radius)


def test_a_kernel_of_ones_own_is_checked():
    with pytest.raises(InputError, match=r"h\(u\) of 'h' must be a function, got 3"):
        ZonalKernel("h", 3)
    with pytest.raises(InputError, match=r"kernel must be a kernel, as NTK\(net\), or None; got 3"):
        ZonalKernel("h", np.exp, 3)


def test_h_of_a_network_travels_between_processes():
    h = sphere_kernel(tg.NTK("dense erf dense") + 2.0 * tg.NNGP("dense relu dense"), radius=2.0)
    u = np.linspace(-1, 1, 9)
    assert np.array_equal(pickle.loads(pickle.dumps(h))(u), h(u))
