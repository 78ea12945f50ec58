"""What the fused engine does not compute, and how it says so."""

import re

import numpy as np
import pytest

import tangency as tg

BLUR = np.outer([1, 2], [1, 1]) + np.eye(2)

NOT_COVERED = [
    (
        tg.Sequential(tg.Dense(), tg.Activation("elu"), tg.Dense()),
        (3,),
        "function=elu is computed by quadrature, as its series converges too slowly",
    ),
    (
        tg.Sequential(tg.Conv(2), tg.ReLU(), tg.Pool(BLUR), tg.GlobalAvgPool(), tg.Dense()),
        (4, 4, 1),
        "Pool has a filter that is not separable",
    ),
    (
        tg.parse("conv2 relu gap dense"),
        (2, 2, 2, 1),
        "it works on grids of 1 or 2 dimensions, not 3",
    ),
    (
        tg.parse("conv3 relu avg2:stride=1 conv3 relu gap dense"),
        (64, 64, 1),
        r"pooling stores covariances of \d+ MiB for each pair",
    ),
    (
        tg.parse("conv3 relu local3 relu gap dense"),
        (4, 1),
        "ConvLocal has other weights at each position, and later layers mix positions",
    ),
    (
        tg.parse("conv2:stride=2,pad=1 relu gap dense"),
        (6, 1),
        "Conv has windows that begin farther apart than any positions are",
    ),
]
each = pytest.mark.parametrize(
    ("net", "shape", "reason"),
    NOT_COVERED,
    ids=["quadrature", "filter", "3-d", "size", "local", "far"],
)


@each
def test_explain_says_why(net, shape, reason):
    first = tg.explain(net, shape).splitlines()[0]
    assert re.match(r"engine: (blocked|reference) \(the fused engine cannot: ", first)
    assert re.search(reason, first)


@each
def test_asking_for_it_is_an_error_with_the_reason(net, shape, reason):
    x = np.ones((1, *shape))
    with pytest.raises(
        tg.InputError, match=f"cannot compute this kernel: .*{reason}.*engine='auto'"
    ):
        tg.NTK(net, engine="fused")(x)
    with pytest.raises(tg.InputError, match=reason):
        tg.NNGP(net, engine="fused").diag(x)


def test_a_quadrature_inside_a_residual_and_behind_the_readout():
    inside = tg.Residual(tg.Sequential(tg.Activation("elu"), tg.Conv(3)))
    for net in (
        tg.Sequential(tg.Conv(3), inside, tg.ReLU(), tg.GlobalAvgPool(), tg.Dense()),
        tg.Sequential(tg.Conv(3), tg.GlobalAvgPool(), tg.Activation("elu"), tg.Dense()),
    ):
        assert "by quadrature" in tg.explain(net, (6, 1))


def test_other_activations_have_no_compiled_dual():
    class Strange(tg.ReLU):
        pass

    class Other(type(tg.ReLU()).__mro__[2]):
        token = "other"

    net = tg.Sequential(tg.Dense(), Other(), tg.Dense())
    assert "has no compiled dual" in tg.explain(net, (3,))
    net = tg.Sequential(tg.Dense(), Strange(), tg.Dense())
    assert tg.explain(net, (3,)).startswith("engine: fused")


@pytest.mark.parametrize("dtype", ["float16", "int64"])
def test_other_dtypes(dtype):
    x = np.ones((2, 3), dtype=dtype)
    found = tg.NTK("dense relu dense")(x)
    assert np.allclose(found, 2 * 3)
