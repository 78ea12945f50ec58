"""Families: seeds give deformations."""

import pickle

import numpy as np
import pytest

from tangency.bias.deformations import RandomField, Rotation
from tangency.bias.families import drawn, elastic, increasing
from tangency.errors import InputError


def test_elastic_fields_follow_the_image() -> None:
    assert elastic((28, 20))(3) == RandomField(7.0, seed=3)
    assert elastic((8,))(3) == RandomField(2.0, seed=3, axes=1)
    assert elastic((4, 4))(0) == RandomField(2.0)


def test_draws_follow_the_seed() -> None:
    one, two = (drawn(elastic((8, 8)), 3, np.random.default_rng(s)) for s in (0, 1))
    assert len({*one, *two}) == 6
    assert one == drawn(elastic((8, 8)), 3, np.random.default_rng(0))


def test_errors() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="a function from a seed to one; got 3"):
        drawn(3, 2, rng)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="must give a deformation for each seed, got 'x'"):
        drawn(lambda seed: "x", 2, rng)  # type: ignore[arg-type,return-value]
    with pytest.raises(InputError, match="draws must be a whole number of at least 1, got 0"):
        drawn(lambda seed: Rotation(0.1), 0, rng)
    for bad in ([], [0.0, 1.0], [2.0, 1.0], [1.0, 1.0]):
        with pytest.raises(InputError, match="sizes must increase and be greater than 0"):
            increasing(bad, "sizes")
    with pytest.raises(InputError, match="each of sizes must be a finite number, got nan"):
        increasing([np.nan], "sizes")


def test_families_travel_between_processes() -> None:
    assert pickle.loads(pickle.dumps(elastic((28, 20))))(3) == RandomField(7.0, seed=3)
