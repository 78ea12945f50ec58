"""Laws of every deformation: gradients, norms, scaling; each against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangency.bias.deformations import (
    Affine,
    Deformation,
    RandomField,
    Rotation,
    Scaling,
    Shear,
    Sinusoidal,
    Translation,
    pixel_grid,
)
from tangency.errors import InputError

small = st.floats(-2, 2).map(lambda x: round(x, 4))
planar = st.one_of(
    st.builds(Translation, st.tuples(small, small)),
    st.builds(Rotation, small),
    st.builds(Scaling, st.floats(0.5, 2.0)),
    st.builds(Shear, small, st.sampled_from([0, 1])),
    st.builds(
        Affine, st.tuples(st.tuples(small, small), st.tuples(small, small)), st.tuples(small, small)
    ),
    st.builds(
        Sinusoidal,
        st.tuples(small, small),
        st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)),
        small,
    ),
    st.builds(RandomField, st.floats(1.0, 6.0), small, st.integers(0, 50)),
)
linear = st.one_of(
    st.builds(Translation, st.tuples(small)),
    st.builds(Scaling, st.floats(0.5, 2.0), st.just(1)),
    st.builds(Sinusoidal, st.tuples(small), st.tuples(st.floats(-0.3, 0.3)), small),
    st.builds(RandomField, st.floats(1.0, 6.0), small, st.integers(0, 50), st.just(1)),
)


def mixtures(simple: st.SearchStrategy[Deformation]) -> st.SearchStrategy[Deformation]:
    """Simple deformations, and what the operators make of them."""
    return st.one_of(
        simple,
        st.builds(lambda t, a: t * a, small, simple),
        st.builds(lambda a, b: a + b, simple, simple),
        st.builds(lambda a, b: a @ b, simple, simple),
        st.builds(lambda t, a, b: t * (a @ b), small, simple, simple),
    )


any_tau = st.one_of(mixtures(planar), mixtures(linear))
shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))


def points(tau: Deformation, count: int = 40) -> np.ndarray:
    return np.random.default_rng(0).uniform(-4, 4, (count, tau.dims))


@given(any_tau)
def test_the_jacobian_is_the_derivative_of_the_displacement(tau: Deformation) -> None:
    u, step = points(tau), 1e-5
    for axis, unit in enumerate(np.eye(tau.dims)):
        slope = (tau.displacement(u + step * unit) - tau.displacement(u - step * unit)) / (2 * step)
        np.testing.assert_allclose(tau.jacobian(u)[:, :, axis], slope, atol=2e-7)


@given(any_tau, shapes)
def test_norms_against_the_maximum_over_a_fine_grid(tau: Deformation, shape: tuple) -> None:
    shape = shape[: tau.dims]
    fine = pixel_grid(shape, 24)
    lengths = np.sqrt(np.sum(tau.displacement(fine) ** 2, axis=1))
    # The largest stretch of a unit vector, over many directions.
    turn = np.linspace(0, np.pi, 721)
    units = np.array([np.cos(turn), np.sin(turn)])[: tau.dims] if tau.dims == 2 else np.ones((1, 1))
    stretches = np.sqrt(np.sum((tau.jacobian(fine) @ units) ** 2, axis=1))
    for norm, brute in (
        (tau.sup_norm, lengths.max()),
        (tau.gradient_norm, stretches.max()),
    ):
        if tau.exact:
            assert brute <= norm(shape) * (1 + 1e-12) + 1e-12
            assert brute >= norm(shape) * 0.99 - 1e-12
        else:
            assert brute == pytest.approx(norm(shape, refine=24), rel=1e-4, abs=1e-12)
            assert norm(shape) <= norm(shape, refine=4) * (1 + 1e-12)


@given(mixtures(planar), st.floats(0.01, 1.0))
def test_scaling_to_a_norm(tau: Deformation, wanted: float) -> None:
    shape = (7, 5)
    for name, norm in (("gradient", tau.gradient_norm), ("displacement", tau.sup_norm)):
        if norm(shape) < 1e-9:
            continue
        scaled = tau.scale_to(shape, **{name: wanted})
        measured = scaled.gradient_norm if name == "gradient" else scaled.sup_norm
        assert measured(shape) == pytest.approx(wanted, rel=1e-9)
        ratio = wanted / norm(shape)
        u = points(tau)
        np.testing.assert_allclose(
            scaled.displacement(u), ratio * tau.displacement(u), rtol=1e-9, atol=1e-12
        )


@given(mixtures(planar), mixtures(planar), small)
def test_the_algebra_is_that_of_displacements(a: Deformation, b: Deformation, t: float) -> None:
    u = points(a)
    np.testing.assert_allclose((t * a).displacement(u), t * a.displacement(u), atol=1e-9)
    np.testing.assert_allclose((-a).displacement(u), -a.displacement(u), atol=1e-9)
    np.testing.assert_allclose(
        (a + b).displacement(u), a.displacement(u) + b.displacement(u), atol=1e-9
    )
    # L_a L_b x(u) = (L_b x)(u − a(u)) = x(u − a(u) − b(u − a(u)))
    there = u - a.displacement(u)
    there = there - b.displacement(there)
    np.testing.assert_allclose(u - (a @ b).displacement(u), there, atol=1e-9)


def test_deformations_are_data() -> None:
    assert Translation([1, 2]) == Translation((1.0, 2.0))  # type: ignore[arg-type]
    assert hash(0.5 * RandomField(3.0, seed=2)) == hash(RandomField(3.0, 0.5, seed=2))
    assert repr(Rotation(1)) == "Rotation(angle=1.0)"
    assert 2 * Shear(0.1) == Shear(0.2)
    assert len((Rotation(0.1) + RandomField(2.0) + RandomField(3.0)).parts) == 3  # type: ignore


def test_pixel_grid_is_centred() -> None:
    np.testing.assert_array_equal(pixel_grid((3, 2))[:3], [[-1, -0.5], [-1, 0.5], [0, -0.5]])
    assert pixel_grid((3, 1), refine=2)[:, 0].tolist() == [-1, -0.5, 0, 0.5, 1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Translation((np.nan, 0)), "shift must be a finite number, got nan"),
        (lambda: Translation(()), "1 \\(signals\\) or 2 \\(images\\); got 0"),
        (lambda: Translation("ab"), "one number per axis, got 'ab'"),
        (lambda: Scaling(0.0), "factor must be a finite number greater than 0, got 0.0"),
        (lambda: Scaling(2.0, 3), "1 \\(signals\\) or 2 \\(images\\), got 3"),
        (lambda: Rotation(True), "angle must be a finite number, got True"),
        (lambda: Shear(0.1, axis=2), "axis must be 0 or 1, got 2"),
        (lambda: Affine(((1.0, 0.0),), (0.0, 0.0)), "matrix must be 2 rows of 2 finite numbers"),
        (lambda: Sinusoidal((1.0,), (1.0, 2.0)), "amplitude has 1 numbers and frequency 2"),
        (lambda: RandomField(-1.0), "correlation must be a finite number greater than 0, got -1.0"),
        (lambda: RandomField(1.0, seed=0.5), "seed must be a whole number of at least 0, got 0.5"),
        (lambda: RandomField(1.0, axes=4), "1 \\(signals\\) or 2 \\(images\\), got 4"),
        (lambda: Rotation(1.0) + Scaling(2.0, 1), "cannot be combined"),
        (lambda: RandomField(1.0) @ Scaling(2.0, 1), "cannot be combined"),
        (lambda: Rotation(1.0).sup_norm((8,)), "acts on 2 spatial axes, but shape is \\(8,\\)"),
        (
            lambda: Rotation(1.0).gradient_norm((8, 0)),
            "a size in shape must be a whole number of at least 1",
        ),
        (
            lambda: RandomField(1.0).sup_norm((8, 8), refine=0),
            "refine must be a whole number of at least 1",
        ),
        (lambda: Rotation(1.0).displacement([[1.0]]), "finite numbers of shape \\(m, 2\\)"),
        (lambda: Rotation(1.0).displacement("x"), "points must be numbers"),
        (lambda: Translation((1, 0)).scale_to((8, 8), gradient=0.1), "scale its other norm"),
        (lambda: Rotation(1.0).scale_to((8, 8)), "give one of gradient= and displacement="),
        (lambda: np.inf * Rotation(1.0), "factor of a deformation must be a finite number"),
    ],
)
def test_errors_say_what_came(make, message) -> None:
    with pytest.raises(InputError, match=message):
        make()
