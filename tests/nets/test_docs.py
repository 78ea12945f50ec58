"""docs/networks.md: its code runs, and what it says of it is so."""

import re
from pathlib import Path

import numpy as np
import pytest

import tangency as tg
from tangency.bias import spectrum
from tangency.nets import text, values
from tangency.nets.identity import described, from_description

PAGE = Path(__file__).parents[2] / "docs" / "networks.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_first_network(capsys):
    names = {}
    exec(BLOCKS[0], names)
    assert names["net"] == tg.parse(str(names["net"]))
    assert names["net"].output_shape((28, 28, 1)) == ()
    assert "gauss2" in capsys.readouterr().out


def test_a_layer_of_ones_own(monkeypatch):
    monkeypatch.setattr(text, "LAYERS", dict(text.LAYERS))
    names = {"__name__": "mine"}
    exec(BLOCKS[1], names)
    square = names["Square"]
    net = tg.Sequential(tg.Dense(), square(0.5), tg.Dense())
    assert from_description(described(net)) == net == tg.parse(str(net))
    # u² = √2·h₂(u) + 1, without the normalisation of Hermite(2)
    x = np.random.default_rng(0).normal(size=(4, 3))
    one, s = np.ones(3), np.array([-0.7, 0.2, 0.9])
    k, k_dot = square().dual(s, one, one)
    h, h_dot = tg.Hermite(2, normalized=False).dual(s, one, one)
    assert np.allclose(k, h + 1, rtol=1e-13)
    assert np.allclose(k_dot, h_dot, rtol=1e-13)
    assert tg.NTK(net)(x).shape == (4, 4)
    # a polynomial, of which nobody said so: no law, rather than a wrong one
    assert spectrum(tg.NTK(net), dim=4, degree=4).law is None


def test_the_limits_that_it_states():
    assert values.LARGEST_COUNT == 10_000
    assert values.LARGEST_NUMBER == 1e50
    assert text.NESTING == 50
    for bad in (10_001, 10**6):
        with pytest.raises(tg.NetworkError, match="at most 10000"):
            tg.AvgPool(bad)
    assert tg.Sine(frequency=1e9).frequency == 1e9
    assert tg.parse("dense tanh dense avgpool2 globalavgpool").layers[1] == tg.Activation("tanh")
