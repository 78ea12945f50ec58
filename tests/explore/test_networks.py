"""Controls and texts of networks."""

import pytest

import tangency as tg
from tangency.explore.networks import (
    ACTIVATIONS,
    DENSE,
    Controls,
    controls_of,
    presets,
    start,
)
from tangency.kernels.work import vector_plan

EVERY = [
    *(Controls(activation=name) for name in ACTIVATIONS),
    Controls(depth=6, factor=1),
    Controls(depth=1),
    Controls(pool="avg", factor=3, readout="flatten"),
    Controls(kind=DENSE, depth=4),
]


@pytest.mark.parametrize("controls", EVERY, ids=lambda c: c.text((28, 28)).replace(" ", "-"))
def test_every_control_gives_a_network_that_is_found_again(controls):
    text = controls.text((28, 28))
    vector_plan(tg.parse(text), (28, 28, 1))
    found = controls_of(f" {text} ", (28, 28))
    assert found is not None
    assert found.text((28, 28)) == text


def test_controls_for_vectors_have_dense_layers_alone():
    assert Controls(depth=1).text(()) == "dense relu dense"
    assert controls_of("conv3 relu gap dense", ()) is None


def test_networks_of_ones_own_belong_to_no_controls():
    assert controls_of("conv5 relu gap dense", (8, 8)) is None


@pytest.mark.parametrize("shape", [(8, 8, 1), (32, 32, 3), (100, 2), (6, 6, 6, 1), (13,)])
def test_ready_networks_take_the_inputs(shape):
    found = presets(shape)
    assert len(found) >= 3
    for text in [*found.values(), start(shape)]:
        vector_plan(tg.parse(text), shape)


def test_what_a_page_begins_with_fits_small_grids():
    assert start((8, 8, 1)) == "conv3 relu gauss2 conv3 relu gap dense"
    assert start((1, 1, 3)) == "conv3 relu conv3 relu gap dense"
    assert start((4,)) == "dense relu dense relu dense"
