"""A layer of one's own is known to whoever knows the operators that it is made of."""

import ast
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import tangency as tg
from tangency.nets import operators
from tangency.nets.geometry import AxisMatrices, Box, windows
from tangency.nets.operators import Need, Scale, Shifts, Stack, Weights
from tangency.nets.plan import joined, plan, walk

X = np.random.default_rng(0).normal(size=(4, 6, 2))
IMAGES = np.random.default_rng(1).normal(size=(3, 5, 5, 2))


@dataclass(frozen=True, repr=False)
class Reverse(tg.Layer):
    """The grid read backwards."""

    def lower(self, space):
        return (Stack((AxisMatrices(tuple(np.eye(n)[::-1] for n in space)),)),)


@dataclass(frozen=True, repr=False)
class Shifted(tg.Layer):
    """A convolution of three positions, by matrices."""

    def lower(self, space):
        maps = tuple(AxisMatrices((np.eye(space[0], k=k),)) for k in (-1, 0, 1))
        return Stack(maps), Weights(weight_std=1.5, bias_std=0.2, fan=3)


@dataclass(frozen=True, repr=False)
class Halved(tg.Layer):
    """Weights of variance 1/2 on each position, and then twice as much."""

    def lower(self, space):
        return Weights(fan=2), Scale(2.0)


@dataclass(frozen=True, repr=False)
class Patches(tg.Layer):
    """A patch that nothing follows."""

    def lower(self, space):
        return (Shifts(Box(tuple(windows(n, 3, 1, 1, "same") for n in space))),)


def test_a_map_of_ones_own_in_every_engine():
    net = tg.Sequential(tg.Conv(3), tg.ReLU(), Reverse(), tg.Conv(2), tg.ReLU(), tg.Flatten())
    # Reversing twice around an odd layer: a patch to the right becomes one to the left.
    other = tg.Sequential(tg.Conv(3), tg.ReLU(), tg.Conv([(-1,), (0,)]), tg.ReLU(), tg.Flatten())
    for engine in ("fused", "reference"):
        found = tg.NTK(tg.Sequential(net, tg.Dense()), engine=engine)(X)
        expected = tg.NTK(tg.Sequential(other, tg.Dense()), engine=engine)(X)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("kernel", [tg.NTK, tg.NNGP])
@pytest.mark.parametrize("end", ["flatten dense", "gap dense"])
def test_a_stack_of_shifts_is_a_convolution(kernel, end):
    rest = tg.parse(f"relu conv3 relu {end}")
    conv = tg.Sequential(tg.Conv(3, weight_std=1.5, bias_std=0.2), rest)
    for engine in ("fused", "reference"):
        found = kernel(tg.Sequential(Shifted(), rest), engine=engine)(X)
        np.testing.assert_allclose(found, kernel(conv)(X), rtol=1e-12)


def test_weights_of_ones_own_on_vectors_and_grids():
    for x, (before, after) in ((X[:, 0], ("dense", "")), (IMAGES, ("conv3", "flatten"))):
        half = {"weight_std": 2**-0.5}
        layer = tg.Dense(**half) if x.ndim == 2 else tg.Conv(1, **half)
        ends = (tg.parse(f"{before} relu"), tg.parse(f"relu {after} dense".replace("  ", " ")))
        own = tg.Sequential(ends[0], Halved(), ends[1])
        built = tg.Sequential(ends[0], layer, tg.Rescale(2), ends[1])
        for engine in ("fused", "reference"):
            for kernel in (tg.NTK, tg.NNGP):
                found, expected = (kernel(net, engine=engine)(x) for net in (own, built))
                np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_patches_without_weights_are_computed_or_refused_by_name():
    net = tg.Sequential(tg.Conv(1), Patches(), tg.GlobalAvgPool(), tg.Dense())
    found = tg.NNGP(net)(X)
    box = np.pad(X, [(0, 0), (1, 1), (0, 0)])
    sums = np.stack([box[:, k : k + 6].mean(axis=1) for k in range(3)], axis=1)
    np.testing.assert_allclose(found, np.einsum("nkc,mkc->nm", sums, sums), rtol=1e-12)
    assert "Patches makes patches that no weights follow" in tg.explain(net, X)
    with pytest.raises(tg.NetworkError, match="no weights follow"):
        list(joined(plan(net, (6, 2)).steps))


def test_what_an_activation_needs_is_asked_of_operators_too():
    @dataclass(frozen=True, repr=False)
    class Bare(tg.Layer):
        def lower(self, space):
            return (operators.Pointwise(tg.ReLU()),)

    with pytest.raises(tg.NetworkError, match="an activation needs Gaussian values"):
        tg.NTK(tg.Sequential(Bare(), tg.Dense()))(X[:, 0])
    found = tg.NTK(tg.Sequential(tg.Dense(), Bare(), tg.Dense()))(X[:, 0])
    assert np.array_equal(found, tg.NTK("dense relu dense")(X[:, 0]))


@pytest.mark.parametrize("found", [3, None, (tg.ReLU(),), Scale(2.0)], ids=str)
def test_what_is_no_operator_is_refused(found):
    @dataclass(frozen=True, repr=False)
    class Odd(tg.Layer):
        def lower(self, space):
            return found

    with pytest.raises(tg.NetworkError, match=r"Odd\.lower must return a tuple of operators"):
        tg.NTK(tg.Sequential(tg.Dense(), Odd(), tg.Dense()))(X[:, 0])


def test_a_map_that_mixes_needs_all_of_the_covariance_and_one_that_picks_does_not():
    for layer, need in ((Reverse(), Need.DIAGONAL), (tg.AvgPool(2), Need.FULL)):
        steps = plan(tg.Sequential(layer, tg.Flatten()), (6, 2)).steps
        assert steps[0].need_in is need


def test_steps_name_the_layer_they_come_from():
    net = tg.parse("conv3 res(relu conv3) gap dense")
    steps = list(walk(plan(net, (6, 2)).steps))
    assert [type(step.operator).__name__ for step in steps] == [
        "Shifts", "Weights", "Pointwise", "Shifts", "Weights", "Sum", "Average", "Weights",
    ]  # fmt: skip
    assert [step.part for step in steps] == [0, 1, 0, 0, 1, 0, 0, 0]
    assert steps[0].layer is steps[1].layer is net[0]


LAYERS = {
    cls.__name__
    for cls in vars(tg.nets).values()
    if isinstance(cls, type) and issubclass(cls, tg.Layer)
} | {"LinearGridLayer", "PiecewiseLinear", "SphereKernel", "Normalizable", "HermiteSeries"}
# Of any kind: what is passed as a network, and what a function is made to.
GENERAL = {"Layer", "Sequential", "ActivationLayer"}


def test_no_room_but_nets_asks_for_the_class_of_a_layer():
    root = Path(tg.__file__).parent
    found = []
    for path in root.rglob("*.py"):
        if path.is_relative_to(root / "nets"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            asked = set()
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance":
                asked = {n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name)}
            if isinstance(node, ast.MatchClass):
                asked = {n.id for n in ast.walk(node.cls) if isinstance(n, ast.Name)}
            # Operators of three names are what the layers of these names are made of.
            names = LAYERS - GENERAL - {"Sum", "Product", "Concatenate", "Aggregate"}
            found += [f"{path.name}:{node.lineno} {name}" for name in asked & names]
    assert found == []
