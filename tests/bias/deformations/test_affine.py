"""Closed forms of affine deformations."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangency.bias.deformations import Rotation, Scaling, Shear, Translation


@given(st.floats(-3, 3))
def test_rotation_norms(angle: float) -> None:
    tau = Rotation(angle)
    chord = 2 * abs(math.sin(angle / 2))
    assert tau.gradient_norm((5, 9)) == pytest.approx(chord, abs=1e-14)
    assert tau.sup_norm((5, 9)) == pytest.approx(chord * math.hypot(2, 4), abs=1e-13)


def test_rotations_of_tiny_angles_lose_no_digits() -> None:
    assert Rotation(1e-12).gradient_norm((8, 8)) == pytest.approx(1e-12, rel=1e-12)


def test_other_closed_forms() -> None:
    assert Scaling(4.0).gradient_norm((8, 8)) == 0.75
    assert Scaling(0.5).sup_norm((3, 5)) == pytest.approx(math.hypot(1, 2))
    assert Shear(-0.3).gradient_norm((8, 8)) == pytest.approx(0.3)
    assert Shear(-0.3, axis=0).sup_norm((8, 11)) == pytest.approx(1.5)
    assert Translation((-3, 4)).gradient_norm((8, 8)) == 0
    assert Translation((-2,)).sup_norm(7) == 2


def test_affine_maps_are_closed_under_sum_and_composition() -> None:
    both = Rotation(0.3) @ Rotation(0.4)
    assert both.exact
    np.testing.assert_allclose(
        both.displacement(np.eye(2)), Rotation(0.7).displacement(np.eye(2)), atol=1e-15
    )
    undone = Scaling(2.0) @ Scaling(0.5)
    assert undone.sup_norm((8, 8)) == 0
    assert (Translation((1, 0)) + Translation((0, 1))).sup_norm((8, 8)) == pytest.approx(2**0.5)
