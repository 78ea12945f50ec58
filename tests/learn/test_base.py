from __future__ import annotations

import numpy as np
import pytest

from tangency.errors import InputError
from tangency.learn.base import centred


def test_centring_takes_the_mean_of_every_output():
    targets = np.array([[1.0, 10.0], [3.0, 10.0]])
    residual, mean = centred(targets, True)
    np.testing.assert_array_equal(mean, [2.0, 10.0])
    np.testing.assert_array_equal(residual, [[-1.0, 0.0], [1.0, 0.0]])
    residual, mean = centred(targets, False)
    np.testing.assert_array_equal(residual, targets)
    np.testing.assert_array_equal(mean, 0.0)


def test_targets_too_large_to_centre_are_refused():
    with pytest.raises(InputError, match=r"targets overflow when centred.*scale y down"):
        centred(np.full((3, 1), 1e308), True)
