from __future__ import annotations

import math

import numpy as np
import pytest

from tangency.learn.regularization import make_noise_regularization, make_regularization


@pytest.mark.parametrize(
    ("alpha", "time", "alphas", "until"),
    [
        (None, None, None, math.inf),
        ("loo", None, None, math.inf),
        ("loo", math.inf, None, math.inf),
        (None, 3.0, (0.0,), 3.0),
        (None, math.inf, (0.0,), math.inf),
        (0, None, (0.0,), math.inf),
        (0.5, 3, (0.5,), 3.0),
        ([0.5], 3, (0.5,), 3.0),
        ([1.0, 0.1, 1], None, (0.1, 1.0), math.inf),
        (np.array([2.0, 1.0]), None, (1.0, 2.0), math.inf),
        (np.float32(0.5), np.int64(2), (0.5,), 2.0),
    ],
)
def test_parameters_and_what_they_ask_for(alpha, time, alphas, until):
    regularization = make_regularization(alpha, time)
    assert regularization.alphas == alphas
    assert regularization.time == until
    assert regularization.chooses == (alphas is None or len(alphas) > 1)


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, True, 1j, [1.0, -2.0], [0.1, "a"]])
def test_a_bad_alpha_is_named(bad):
    with pytest.raises(ValueError, match=r"alpha=.*finite number ≥ 0"):
        make_regularization(bad, None)


@pytest.mark.parametrize("bad", [[], [[1.0]], np.ones((2, 2)), object()])
def test_lists_of_alphas_are_flat_and_not_empty(bad):
    with pytest.raises(ValueError, match="non-empty flat list"):
        make_regularization(bad, None)


def test_an_unknown_word_is_named():
    with pytest.raises(ValueError, match=r"alpha='cv' is not known.*loo"):
        make_regularization("cv", None)
    with pytest.raises(ValueError, match=r"noise='loo' is not known.*ml"):
        make_noise_regularization("loo", None, "posterior")


@pytest.mark.parametrize("bad", [-1.0, math.nan, "long", [1.0], True])
def test_a_bad_time_is_named(bad):
    with pytest.raises(ValueError, match=r"training_time=.*number ≥ 0"):
        make_regularization(0.0, bad)
    with pytest.raises(ValueError, match=r"training_time=.*number ≥ 0"):
        make_noise_regularization(0.0, bad, "ensemble")


@pytest.mark.parametrize("alpha", ["loo", [0.1, 1.0]])
def test_choosing_alpha_conflicts_with_early_stopping(alpha):
    with pytest.raises(ValueError, match=r"no closed form.*training_time=5.*one number as alpha"):
        make_regularization(alpha, 5)


@pytest.mark.parametrize(
    ("noise", "time", "inference", "alphas"),
    [
        (None, None, "posterior", None),
        ("ml", None, "posterior", None),
        (0.1, None, "posterior", (0.1,)),
        ([0.2, 0.1], None, "posterior", (0.1, 0.2)),
        (None, None, "ensemble", (0.0,)),
        (0.1, 2.0, "ensemble", (0.1,)),
    ],
)
def test_noise_and_what_it_asks_for(noise, time, inference, alphas):
    regularization = make_noise_regularization(noise, time, inference)
    assert regularization.alphas == alphas
    assert regularization.time == (math.inf if time is None else time)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.1, None, "map"), r"inference='map'; expected \"posterior\" or \"ensemble\""),
        ((0.1, 2.0, "posterior"), r"training_time=2\.0 has no meaning.*inference=\"ensemble\""),
        (("ml", None, "ensemble"), r"an ensemble of trained networks does not have; give one"),
        (([0.1, 1], None, "ensemble"), r"an ensemble of trained networks does not have; give one"),
        ((-0.1, None, "posterior"), r"noise=-0\.1; expected a finite number ≥ 0"),
    ],
)
def test_conflicts_of_the_gaussian_process_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_noise_regularization(*arguments)
