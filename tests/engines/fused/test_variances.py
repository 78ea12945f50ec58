"""The compiled variances of inputs alone, beside those of the reference."""

import numpy as np
import pytest

import tangency as tg
from cases import networks
from tangency.engines import reference
from tangency.engines.fused.variances import uncovered, variances
from tangency.errors import InputError
from tangency.nets.plan import plan

COVERED = [
    (shape, text)
    for shape, text in networks("fused")
    if len(shape) > 1 and uncovered(plan(tg.parse(text), shape)) is None
]


@pytest.mark.parametrize(("shape", "text"), COVERED)
def test_variances_are_those_of_the_reference(shape, text):
    steps = plan(tg.parse(text), shape)
    x = np.random.default_rng(0).standard_normal((5, *shape))
    found, expected = variances(steps, x), reference.marginals(steps, x)
    assert [q is None for q in found] == [q.ndim == 1 for q in expected]
    for q, known in zip(found, expected, strict=True):
        if q is not None:
            assert q.shape == known.shape
            np.testing.assert_allclose(q, known, rtol=1e-12, atol=1e-14 * known.max())


def test_variances_beyond_the_range_are_refused():
    steps = plan(tg.parse("conv3 relu avg2 conv3 relu gap dense"), (4, 4, 1))
    with pytest.raises(InputError, match="range"):
        variances(steps, np.full((2, 4, 4, 1), 1e200))
