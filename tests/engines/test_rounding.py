"""Where float64 is given up: it must be good enough beyond, on every kind of network."""

import numpy as np
import pytest

import tangency as tg
from cases import each
from tangency.engines import pairs
from tangency.engines.engine import Computing
from tangency.engines.extended import differences
from tangency.engines.rounding import near
from tangency.nets.plan import plan

KINDS = ("nngp", "ntk")


@pytest.mark.parametrize("rtol", [1e-3, 1e-6])
@pytest.mark.parametrize("tangent", [False, True])
@each("rounding")
def test_float64_holds_what_is_left_to_it(text, shape, tangent, rtol):
    steps = plan(tg.parse(text), shape)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, *shape))
    move = rng.normal(size=x.shape)
    # Most positions move much less than others: patches that almost coincide lose most digits.
    move *= 10.0 ** rng.uniform(-8, 0, x.shape)
    y = x + 10.0 ** np.linspace(-9, 2, 60).reshape(-1, *[1] * len(shape)) * move
    true = differences(steps, x, y, kind=KINDS[tangent])
    for engine in ("auto", "reference"):
        values = pairs.pairs(steps, x, y, kind=KINDS[tangent], computing=Computing(engine))
        found = pairs.differences(values)
        kept = found.squared > near(steps, KINDS[tangent], rtol) * found.total
        assert np.sum(kept) > 3
        assert np.allclose(
            np.sqrt(found.squared[kept]), np.sqrt(true.squared[kept]), rtol=rtol, atol=0
        )


def test_the_worst_case_on_grids():
    steps = plan(tg.parse("conv3 relu conv3 relu flatten dense"), (8, 8, 1))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 8, 8, 1))
    y = x * (1 + 1e-8 * rng.normal(size=x.shape))
    # One corner moves by much, all the rest by its last eight digits.
    y[:, 0, 0] += np.linspace(0.01, 1, 60)[:, None]
    true = differences(steps, x, y, kind="ntk")
    found = pairs.differences(pairs.pairs(steps, x, y, kind="ntk"))
    kept = found.squared > near(steps, "ntk", 1e-6) * found.total
    error = np.sqrt(found.squared[kept] / true.squared[kept]) - 1
    assert 1e-8 < np.max(np.abs(error)) < 5e-5


def test_the_rule():
    def limit(text, shape, tangent, rtol=1e-6):
        return near(plan(tg.parse(text), shape), KINDS[tangent], rtol)

    vector, grid = "dense relu dense", "conv3 relu gap dense"
    assert limit(vector, (3,), False) < limit(vector, (3,), True) < limit(grid, (4, 1), True)
    assert limit(grid, (4, 1), True) == pytest.approx(2.2e-4, rel=0.02)
    assert limit(grid, (4, 1), True, 1e-2) == pytest.approx(1e-6)
    assert limit("dense erf dense", (3,), False) > limit("dense gelu dense", (3,), False)
    assert limit("dense exp0.1 dense", (3,), False) > limit("dense exp1 dense", (3,), False)
