"""docs/networks.md: its code runs, and what it says of it is so."""

import doctest
import re
from pathlib import Path

import numpy as np
import pytest

import tangency as tg
from tangency.bias import spectrum
from tangency.nets import parentheses, text, values
from tangency.nets.identity import described, from_description

PAGE = Path(__file__).parents[2] / "docs" / "networks.md"
FOUND = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
BLOCKS = [block for block in FOUND if ">>>" not in block]


GUIDE = PAGE.parents[1] / "CONTRIBUTING.md"
ADDED = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def test_an_activation_that_is_added():
    names = {"__name__": "mine"}
    exec(ADDED[0], names)
    cube = names["Cube"]()
    x = np.random.default_rng(0).normal(size=(5, 3))
    net = tg.Sequential(tg.Dense(), cube, tg.Dense())
    by_rule = tg.Sequential(tg.Dense(), tg.Activation(lambda u: u**3, normalized=False), tg.Dense())
    for kernel in (tg.NTK, tg.NNGP):
        np.testing.assert_allclose(kernel(net)(x), kernel(by_rule)(x), rtol=1e-9)
    found = spectrum(tg.NNGP(net), dim=3, degree=6)
    assert found.law == "finite"
    assert np.flatnonzero(found.eigenvalues).tolist() == [1, 3]
    features = tg.RandomFeatures(tg.NTK(net), 4000, random_state=0).fit(x)
    approximate = features.transform(x) @ features.transform(x).T
    assert np.linalg.norm(approximate - tg.NTK(net)(x)) < 0.3 * np.linalg.norm(approximate)


def test_a_layer_that_is_added():
    names = {"__name__": "mine"}
    exec(ADDED[1], names)
    x = np.random.default_rng(0).normal(size=(4, 5, 2))
    net = tg.Sequential(names["Finer"](3), tg.parse("relu conv3 relu flatten dense"))
    assert net[:1].output_shape((5, 2)) == (10,)
    # A convolution of the finer grid with zeros between its places.
    finer = np.zeros((4, 10, 2))
    finer[:, ::2] = x
    built = tg.Sequential(tg.Conv([(0,), (-1,), (-2,)]), tg.parse("relu conv3 relu flatten dense"))
    for kernel in (tg.NTK, tg.NNGP):
        for engine in ("fused", "reference"):
            found = kernel(net, engine=engine)(x)
            np.testing.assert_allclose(found, kernel(built)(finer), rtol=1e-12)


def test_examples_with_results():
    names, runner = {"tg": tg, "np": np}, doctest.DocTestRunner()
    for block in (block for block in FOUND if ">>>" in block):
        runner.run(doctest.DocTestParser().get_doctest(block, names, "networks.md", None, 0))
    assert runner.summarize() == (0, 16)


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
    assert parentheses.NESTING == 50
    for bad in (10_001, 10**6):
        with pytest.raises(tg.NetworkError, match="at most 10000"):
            tg.AvgPool(bad)
    assert tg.Sine(frequency=1e9).frequency == 1e9
    assert tg.parse("dense tanh dense avgpool2 globalavgpool").layers[1] == tg.Activation("tanh")
