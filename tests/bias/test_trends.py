"""Constants move as the bounds say they should."""

import pytest
from sklearn.datasets import load_digits

from tangency.bias.trends import (
    DEPTHS,
    PATCH_SIZES,
    POOLING_SCALES,
    StabilityTrends,
    stability_trends,
)
from tangency.errors import InputError
from tangency.nets import parse

DIGITS = load_digits().images / 16


@pytest.fixture(scope="module")
def pooling() -> StabilityTrends:
    return stability_trends(POOLING_SCALES, DIGITS, "pooling scale", count=5)


def test_pooling_makes_both_kernels_stabler(pooling) -> None:
    found = [result.constants for result in pooling.results.values()]
    roots = [c["NTK"].root for c in found]
    assert roots == sorted(roots, reverse=True)
    for name in ("NTK", "last-layer"):
        per_pixel = [c[name].shift / c[name].scale for c in found]
        assert per_pixel == sorted(per_pixel, reverse=True)
        assert per_pixel[0] > 1.5 * per_pixel[-1]


def test_depth_makes_the_ntk_less_stable_and_leaves_the_last_layer() -> None:
    found = stability_trends(DEPTHS, DIGITS, "depth", count=5).results.values()
    roots = [result.constants["NTK"].root for result in found]
    assert roots == sorted(roots)
    assert roots[-1] > 2 * roots[0]
    for result in found:
        assert result.constants["last-layer"].root < 0.01


def test_all_networks_fit_the_digits() -> None:
    for networks in (POOLING_SCALES, PATCH_SIZES, DEPTHS):
        assert len(networks) == 4
        for net in networks.values():
            assert parse(net).output_shape((8, 8, 1)) == ()


def test_table_words_and_figure(pooling) -> None:
    rows = pooling.table().rows
    assert [row[:2] for row in rows[:3]] == [
        ("σ = 1", "NTK"),
        ("σ = 1", "last-layer"),
        ("σ = 2", "NTK"),
    ]
    assert "From σ = 1 to σ = 4: NTK: C₁" in pooling.summary
    axes = pooling.plot().axes
    assert len(axes) == 3
    assert len(axes[0].patches) == 8
    assert axes[0].patches[0].get_height() == pytest.approx(rows[0][2])
    assert "pooling scale" in pooling.title
    one = StabilityTrends({"a": pooling.results["σ = 1"]}, "nothing")
    assert "From a to a" in one.summary


def test_networks_need_names() -> None:
    with pytest.raises(InputError, match="networks must be given by name"):
        stability_trends(["conv3 relu gap dense"], DIGITS)  # type: ignore[arg-type]
