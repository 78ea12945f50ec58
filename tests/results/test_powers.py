"""Power laws are found, and only where there is one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangency.results.powers import fit_power

SIZES = np.geomspace(1e-4, 1, 13)


@given(st.floats(0.2, 3), st.floats(0.01, 10))
def test_a_power_law_is_found(exponent: float, constant: float) -> None:
    law = constant * SIZES**exponent
    law[SIZES > 0.011] = 7.0  # what is larger does not count
    fit = fit_power(SIZES, np.stack([law, law], axis=1), 0.01)
    assert fit is not None
    assert fit.exponent == pytest.approx(exponent, abs=1e-9)
    assert fit.constant == pytest.approx(constant, rel=1e-8)
    assert fit.error == pytest.approx(0, abs=1e-9)
    assert (fit.low, fit.high, fit.points) == (SIZES[0], pytest.approx(0.01), 7)
    np.testing.assert_allclose(fit(SIZES[:7]), law[:7], rtol=1e-8)


def test_the_error_is_that_of_the_mean_over_draws() -> None:
    laws = np.stack([SIZES**a for a in (0.4, 0.5, 0.6)], axis=1)
    fit = fit_power(SIZES, laws, 1.0)
    assert fit is not None
    assert fit.error == pytest.approx(0.1 / 3**0.5)
    bent = fit_power(SIZES, (SIZES**0.5 + SIZES)[:, None], 1.0)
    assert bent is not None
    assert 0.001 < bent.error < 0.1


def test_no_fit_without_three_positive_distances() -> None:
    assert fit_power(SIZES, SIZES[:, None], 3e-4) is None
    assert fit_power(SIZES, np.zeros((13, 2)), 1.0) is None
