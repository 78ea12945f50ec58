"""Finite networks of inputs with masks and edges: their limit, and what they refuse."""

import numpy as np
import pytest
import torch

import tangency as tg
from tangency.finite import build

GRAPHS = "dense:b=0.2 relu aggregate dense:b=0.1 relu aggregate dense relu gsp dense"
MASKED = [
    "conv3:b=0.3 relu conv2:pad=valid,b=0.2 relu gap dense:b=0.1",
    "conv3:b=0.2 layernorm:space relu avg2 conv1 gsp dense",
    "conv3 relu res(conv3:b=0.2 relu conv3 | conv1) relu sub2 flatten dense",
]


def words():
    return [np.random.default_rng(k).normal(size=(n, 3)) for k, n in enumerate((5, 2, 4))]


def graphs():
    found = []
    for k, n in enumerate((4, 3, 6)):
        rng = np.random.default_rng(k)
        found.append((rng.normal(size=(n, 2)), rng.normal(size=(n, n)) / 2))
    return tg.Graphs(*map(list, zip(*found, strict=True)))


@pytest.mark.parametrize("text", [GRAPHS, *MASKED])
def test_covariances_and_tangents_of_random_networks_are_the_kernels(text):
    x, kind, shape = tg.Masked(words()), "masked", (6, 3)
    if text == GRAPHS:
        x, kind, shape = graphs(), "graphs", (6, 2)
    exact = tg.gram(text, x)
    nngp, ntk = [], []
    for seed in range(8):
        options = {"seed": seed, "dtype": torch.float64, "inputs": kind}
        with torch.no_grad():
            f = build(text, 192, shape, outputs=300, **options)(x).numpy()
        nngp.append(f @ f.T / 300)
        one = build(text, 192, shape, **options)
        parameters = list(one.parameters())
        outputs = one(x)[:, 0]
        rows = [torch.autograd.grad(y, parameters, retain_graph=True) for y in outputs]
        flat = torch.stack([torch.cat([g.flatten() for g in row]) for row in rows])
        ntk.append((flat @ flat.T).numpy())
    # Eight draws of width 192: the spread of their mean is about 4 % here.
    for found, expected in ((nngp, exact.nngp), (ntk, exact.ntk)):
        assert np.abs(np.mean(found, 0) - expected).max() < 0.15 * expected.max()


@pytest.mark.parametrize("text", MASKED)
def test_a_sequence_has_the_outputs_that_it_has_alone(text):
    masked = build(text, 8, (6, 3), dtype=torch.float64, inputs="masked")
    found = masked(tg.Masked(words()))
    for place, word in enumerate(words()):
        alone = build(text, 8, word.shape, dtype=torch.float64)
        for mine, its in zip(alone.parameters(), masked.parameters(), strict=True):
            mine.data = its.data
        if "flatten" not in text:
            assert torch.allclose(alone(word[None])[0], found[place])


def test_the_order_of_nodes_makes_no_difference():
    x = graphs()[2]
    order = np.random.default_rng(0).permutation(6)
    edges = np.asarray(x.adjacency)[:, order][:, :, order]
    same = tg.Graphs(x.X[:, order], edges)
    module = build(GRAPHS, 8, (6, 2), dtype=torch.float64, inputs="graphs", centred=False)
    assert torch.allclose(module(x), module(same))
    centred = build(GRAPHS, 8, (7, 2), dtype=torch.float64, inputs="graphs", centred=True)
    assert torch.equal(centred(x), torch.zeros(1, 1, dtype=torch.float64))


def test_other_inputs_are_refused():
    module = build(MASKED[0], 4, (6, 3), inputs="masked")
    with pytest.raises(tg.InputError, match="was built for inputs that are Masked; got"):
        module(np.ones((2, 6, 3)))
    with pytest.raises(tg.InputError, match="was built for inputs that are Masked; got Graphs"):
        module(graphs())
    with pytest.raises(tg.InputError, match="give one that holds them"):
        module(tg.Masked(np.ones((2, 7, 3)), np.zeros((2, 7), dtype=bool)))
    with pytest.raises(tg.InputError, match="X is Masked, whose masks"):
        build(MASKED[0], 4, (6, 3))(tg.Masked(words()))
    with pytest.raises(tg.InputError, match=r"Aggregate\(\) has no counterpart"):
        build(GRAPHS, 4, (6, 2))
    with pytest.raises(tg.InputError, match="inputs must be"):
        build(GRAPHS, 4, (6, 2), inputs="trees")
