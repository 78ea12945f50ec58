from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tangency as tg
from strategies import dense, duals
from tangency.bias.multiprecision import Multiprecision
from tangency.bias.walk import Arithmetic, State, fold, walk
from tangency.bias.zonal import sphere_kernel
from tangency.errors import InputError, NetworkError


def networks():
    block = st.builds(lambda d, a: tg.Sequential(d, a), dense(), duals())
    shortcut = st.none() | st.builds(tg.Dense)
    return st.builds(
        lambda layers, inner, way, factor, last: tg.Sequential(
            *layers,
            tg.Dense(weight_std=1.5, bias_std=0.2),
            tg.LayerNorm(),
            tg.Residual(tg.Sequential(inner, tg.Dense(bias_std=0.1)), way),
            tg.Rescale(factor),
            tg.Flatten(),
            last,
        ),
        st.lists(block, max_size=2),
        duals(),
        shortcut,
        st.sampled_from([0.5, 2.0]),
        dense(),
    )


@given(networks(), st.sampled_from(["ntk", "nngp"]), st.sampled_from([0.5, 1.0, 2.0]))
def test_walking_in_many_digits_gives_what_the_engine_gives(net, kind, radius):
    h, u, context = (
        sphere_kernel(net, kind, radius=radius),
        np.linspace(-0.9, 0.9, 5),
        Multiprecision(150),
    )
    many = h.values(np.array([context.number(x) for x in u], dtype=object), context)
    scale = max(h.at_one, 1e-300)
    np.testing.assert_allclose(many.astype(float) / scale, h(u) / scale, rtol=1e-11, atol=1e-12)


def test_layers_and_kernels_that_are_unknown_are_named():
    arithmetic = Arithmetic(lambda layer, s, q: (s, s), lambda layer, q: q)
    with pytest.raises(NetworkError, match=r"Conv\(3\), cannot take a vector"):
        walk(tg.Sequential(tg.Conv(3)), State(1.0, None, 1.0), arithmetic)
    with pytest.raises(InputError, match="pass a function h"):
        fold(object(), lambda leaf: leaf)
