"""The table of `net.summary` and the plan behind it."""

from dataclasses import dataclass

import pytest

import tangency as tg
from tangency.nets.meeting import Sum
from tangency.nets.operators import Average, Scale, Weights
from tangency.nets.plan import Need, plan, walk


def test_table():
    text = tg.parse("conv3 relu gauss2 conv3 relu gap dense").summary((28, 28, 1))
    rows = [line.split("  ") for line in text.splitlines()]
    assert rows[0][0].startswith("layer")
    words = [row[0].strip() for row in rows[1:]]
    assert words == ["input", "conv3", "relu", "gauss2", "conv3", "relu", "gap", "dense", "total"]
    assert "(28×28)² full" in text
    assert "(14×14)² full" in text
    costs = [int(line.split()[-1].replace(",", "")) for line in text.splitlines()[1:]]
    assert costs[-1] == sum(costs[:-1])


def test_without_pooling_only_the_diagonal_is_listed():
    text = tg.parse("conv3 relu conv3 relu flatten dense").summary((28, 28, 1))
    assert "full" not in text
    assert "28×28 diagonal" in text


def test_branches_are_indented():
    lines = tg.parse("conv3 res(relu conv3 | conv1) gap dense").summary((4, 4, 1)).splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")] == [
        "relu", "conv3", "conv1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("conv3 relu conv3 relu flatten dense", "DDDDDD"),
        ("conv3 relu conv3 relu gap dense", "FFFFFD"),
        ("conv3 relu avg2 conv3 relu flatten dense", "FFFDDDD"),
        ("conv3 relu sub2 conv3 relu flatten dense", "DDDDDDD"),
        ("avg2 conv3 relu flatten dense", "FDDDD"),
    ],
)
def test_how_much_of_the_covariance_each_layer_needs(text, needs):
    steps = plan(tg.parse(text), (8, 8, 1)).steps
    assert "".join(step.need_in.name[0] for step in steps if step.part == 0) == needs


def test_a_residual_needs_what_its_branches_need():
    net = tg.parse("conv3 res(relu avg2 conv3 | conv2:stride=2) flatten dense")
    (residual,) = (s for s in plan(net, (4, 4, 1)).steps if isinstance(s.operator, Sum))
    assert residual.need_in is Need.FULL
    assert residual.need_out is Need.DIAGONAL
    assert len(list(walk((residual,)))) == 7


def test_plans_are_cached():
    net = tg.cntk(3)
    assert plan(net, (8, 8, 1)) is plan(tg.cntk(3), (8, 8, 1))


@dataclass(frozen=True, repr=False)
class Inside(tg.Layer):
    """A layer of one's own in which a sum is neither the first nor the last operator."""

    def lower(self, space):
        branches = tg.parse("conv3 relu conv3"), tg.Sequential()
        return Weights(), Sum(branches), Scale(0.7), Average()


def test_a_sum_amid_a_layer_is_counted_once():
    rows = tg.Sequential(tg.Conv(3), Inside(), tg.Dense()).summary((6, 6, 2)).splitlines()
    same = tg.parse("conv3 conv1 res(conv3 relu conv3) rescale0.7 gap dense").summary((6, 6, 2))
    # Patches of one position take a step there.
    most, less = (int(r[-1].split()[-1].replace(",", "")) for r in (same.splitlines(), rows))
    assert most - less == 4 * 36**2
    assert [row.split()[:2] for row in rows[3:7]] == [
        [str(Inside()), "vector"],
        ["conv3", "6×6"],
        ["relu", "6×6"],
        ["conv3", "6×6"],
    ]
