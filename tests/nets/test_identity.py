"""Layers are told apart by class and fields, everywhere; names in files are stated and checked."""

import dataclasses
import pickle
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

import tangency as tg
from tangency.kernels import kernel_from_dict
from tangency.learn import KernelRegressor, load
from tangency.learn.persist import ModelFileError
from tangency.nets import identity, register, text
from tangency.nets.activations import ActivationLayer
from tangency.nets.geometry import AxisMatrices
from tangency.nets.identity import UnknownLayerError, described, from_description
from tangency.nets.meeting import Sum
from tangency.nets.operators import Pointwise, Scale, Stack
from tangency.nets.plan import plan
from tangency.nets.pooling import LinearGridLayer

X = np.random.default_rng(0).normal(size=(5, 4))
Y = np.arange(5.0)


def linear(slope, name="Act", **facts):
    """A class of a user's own, always of the same name: σ(u) = slope·u."""

    def dual(self, s, q1, q2):
        return slope * slope * s, slope * slope * (1 + 0 * s)

    cls = type(name, (ActivationLayer,), {"dual": dual, "__module__": "mine", **facts})
    return dataclass(frozen=True, repr=False)(cls)


def sandwich(layer):
    return tg.Sequential(tg.Dense(), layer, tg.Dense())


@pytest.fixture
def registry(monkeypatch):
    """The registered names, which are forgotten afterwards."""
    monkeypatch.setattr(text, "LAYERS", dict(text.LAYERS))
    return text.LAYERS


def test_two_classes_of_one_name_are_two():
    one, two = sandwich(linear(1)()), sandwich(linear(3)())
    assert one != two
    assert len({one, two}) == 2
    assert plan(one, (4,)) is not plan(two, (4,))
    product = X @ X.T
    assert np.allclose(tg.NNGP(one)(X), product, rtol=1e-13)
    assert np.allclose(tg.NNGP(two)(X), 9 * product, rtol=1e-13)
    prepared = tg.kernels.Prepared(X)
    for net, factor in ((one, 1), (two, 9), (one, 1)):
        assert np.allclose(tg.NNGP(net).diag(prepared), factor * np.diag(product), rtol=1e-13)


def functions():
    def act(u):
        return 2 * u

    first = act

    def act(u):
        return 3 * u

    class Times:
        def __init__(self, factor):
            self.factor = factor

        def __call__(self, u):
            return self.factor * u

    def times(factor, u):
        return factor * u

    def closure(factor):
        return lambda u: factor * u

    return {
        "functions": (first, act),
        "lambdas": (lambda u: 2 * u, lambda u: 3 * u),
        "closures": (closure(2), closure(3)),
        "partials": (partial(times, 2), partial(times, 3)),
        "objects": (Times(2), Times(3)),
    }


@pytest.mark.parametrize("kind", functions())
def test_two_functions_of_one_name_are_two(kind):
    nets = [sandwich(tg.Activation(f, normalized=False)) for f in functions()[kind]]
    assert nets[0] != nets[1]
    for net, factor in zip(nets, (2, 3), strict=True):
        assert np.allclose(tg.NNGP(net).diag(X), factor**2 * np.sum(X * X, axis=1), rtol=1e-9)
        with pytest.raises(tg.InputError, match="holds a custom function cannot be saved"):
            tg.NNGP(net).to_dict()


def test_attributes_that_are_no_fields_are_refused():
    class Kept(ActivationLayer):
        def __init__(self, slope):
            object.__setattr__(self, "slope", slope)

    # by fields alone, Kept(1) == Kept(2)
    with pytest.raises(tg.NetworkError, match="Kept keeps 'slope' in an attribute that is no"):
        sandwich(Kept(1))
    with pytest.raises(tg.NetworkError, match="make the class a frozen dataclass with the field"):
        tg.Residual(tg.Sequential(Kept(1), tg.Dense()))

    @dataclass(frozen=True, repr=False)
    class Table(ActivationLayer):
        values: np.ndarray

    with pytest.raises(tg.NetworkError, match=r"Table has a field that cannot be hashed.*tuples"):
        sandwich(Table(np.ones(2)))


def test_a_class_without_a_name_has_no_form_in_files(tmp_path):
    Act = linear(1)
    net = sandwich(Act())
    assert str(net) == "dense <mine.Act> dense"
    with pytest.raises(tg.NetworkError, match=r"no layer is called '<mine\.Act>'"):
        tg.parse(str(net))
    for save in (tg.NTK(net).to_dict, lambda: tg.gram.compute(tg.NTK(net), X, store=tmp_path)):
        with pytest.raises(tg.InputError, match=r"mine\.Act is a class of your own that has no na"):
            save()
    model = KernelRegressor(tg.NTK(net), alpha=0.1).fit(X, Y)
    with pytest.raises(ModelFileError, match=r"cannot be saved.*decorate it with tangency\.nets"):
        model.save(tmp_path / "model.npz")
    assert not (tmp_path / "model.npz").exists()


def test_a_token_alone_is_no_name(tmp_path):
    # Its text reads like that of a layer, but nothing could read it back.
    net = sandwich(linear(1, token="mine")())
    with pytest.raises(tg.InputError, match="cannot be saved"):
        tg.NTK(net).to_dict()
    model = KernelRegressor(tg.NTK(net), alpha=0.1).fit(X, Y)
    with pytest.raises(ModelFileError, match="cannot be saved"):
        model.save(tmp_path / "model.npz")


def test_a_subclass_is_not_its_base():
    class Double(tg.ReLU):
        def dual(self, s, q1, q2):
            k, k_dot = super().dual(s, q1, q2)
            return 4 * k, 4 * k_dot

    net = sandwich(Double())
    assert "relu" not in str(net)
    # no engine takes it for the ReLU that it is not
    assert np.allclose(tg.NNGP(net)(X), 4 * tg.NNGP("dense relu dense")(X), rtol=1e-13)
    with pytest.raises(tg.InputError, match=r"Double.* is a class of your own"):
        tg.NTK(net).to_dict()
    for name in ("NTK", "Tweaked"):
        kernel = type(name, (tg.NTK,), {})("dense relu dense")
        with pytest.raises(tg.InputError, match=f"{name} is a class of your own.*to_dict"):
            kernel.to_dict()
        with pytest.raises(tg.InputError, match=f"{name} is a class of your own"):
            (kernel + kernel).to_dict()
    for base in (tg.kernels.Sum, tg.kernels.Product):
        with pytest.raises(tg.InputError, match="Mine is a class of your own"):
            type("Mine", (base,), {})((tg.NTK("dense"),)).to_dict()
    scaled = type("Mine", (tg.kernels.Scaled,), {})(tg.NTK("dense"), 2.0)
    with pytest.raises(tg.InputError, match="Mine is a class of your own"):
        scaled.to_dict()


def test_a_registered_class_goes_through_texts_models_and_stores(registry, tmp_path):
    Act = register(linear(2, token="mine"))
    net = sandwich(Act())
    assert tg.parse("dense mine dense") == net
    assert str(net) == "dense mine dense"
    assert from_description(described(net)) == net
    kernel = tg.NTK(net)
    assert kernel_from_dict(kernel.to_dict()) == kernel
    model = KernelRegressor(kernel, alpha=0.1).fit(X, Y)
    again = load(model.save(tmp_path / "model.npz"))
    assert np.array_equal(again.predict(X), model.predict(X))
    plain = KernelRegressor(net, alpha=0.1).get_params()["kernel"]
    assert plain == net


def test_another_class_under_the_name_is_noticed(registry, tmp_path):
    net = sandwich(register(linear(2, token="mine"))())
    path = KernelRegressor(tg.NTK(net), alpha=0.1).fit(X, Y).save(tmp_path / "model.npz")
    store = tmp_path / "store"
    first = tg.gram.compute(tg.NTK(net), X, store=store)
    assert np.allclose(first[:], 2 * 4 * X @ X.T, rtol=1e-12)

    changed = sandwich(register(linear(3, token="mine"))())
    with pytest.raises(ModelFileError, match=r"mine\.Act has another dual here than when 'mine'"):
        load(path)
    with pytest.raises(tg.StoreError, match="another"):
        tg.gram.compute(tg.NTK(changed), X, store=store)

    del registry["mine"]
    with pytest.raises(
        ModelFileError, match=r"no layer class is called 'mine' here.*mine\.Act; im"
    ):
        load(path)
    register(linear(2, "Other", token="mine"))
    with pytest.raises(ModelFileError, match=r"written with mine\.Act, but here it is mine\.Other"):
        load(path)
    register_again = linear(2, token="mine")
    del registry["mine"]
    register(register_again)  # the formula and the name are what counts
    assert load(path).predict(X).shape == (5,)


def test_fields_of_registered_classes(registry):
    @register
    @dataclass(frozen=True, repr=False)
    class Slope(ActivationLayer):
        slope: float

        token = "mineslope"
        lead = "slope"

        def dual(self, s, q1, q2):
            return self.slope**2 * s, self.slope**2 * (1 + 0 * s)

    net = sandwich(Slope(0.5))
    assert str(net) == "dense mineslope0.5 dense"
    assert from_description(described(net)) == net
    assert pickle.loads(pickle.dumps(tg.ReLU())) == tg.ReLU()
    assert dataclasses.replace(Slope(1), slope=2) == Slope(2)
    with pytest.raises(tg.NetworkError, match=r"Slope\(1, 2\): Slope takes one argument without"):
        Slope(1, 2)


def test_a_linear_map_of_ones_own(registry):
    def reverse(token, power):
        def geometry(self, space):
            flips = tuple(np.eye(n)[::-1] * 2**power for n in space)
            return tg.nets.geometry.AxisMatrices(flips)

        cls = type("Flip", (LinearGridLayer,), {"geometry": geometry, "token": token})
        return dataclass(frozen=True, repr=False)(cls)

    Flip = register(reverse("flip", 0))
    data = described(tg.Sequential(tg.Conv(1), Flip(), tg.GlobalAvgPool()))
    assert from_description(data).layers[1] == Flip()
    register(reverse("flip", 1))
    with pytest.raises(UnknownLayerError, match="has another formula"):
        from_description(data)


def test_what_cannot_be_registered(registry):
    for thing in (3, int, tg.ReLU()):
        with pytest.raises(tg.NetworkError, match="register takes a class of layers"):
            register(thing)
    for facts in ({}, {"token": "Mine3"}, {"token": 3}):
        with pytest.raises(tg.NetworkError, match="Act needs a token of its own"):
            register(linear(1, **facts))
    for token in ("relu", "tanh", "avgpool"):
        with pytest.raises(tg.NetworkError, match=f"the token '{token}' is taken by"):
            register(linear(1, token=token))
    register(linear(1, token="mine"))
    with pytest.raises(tg.NetworkError, match=r"the token 'mine' is taken by mine\.Act; choose"):
        register(linear(1, "Other", token="mine"))


def test_a_layer_that_no_engine_knows(registry):
    @dataclass(frozen=True, repr=False)
    class Strange(tg.Layer):
        pass

    for engine in ("auto", "reference"):
        with pytest.raises(tg.NetworkError, match="Strange does not say what it is made of"):
            tg.NTK(tg.Sequential(tg.Dense(), Strange(), tg.Dense()), engine=engine)(X)


def test_stores_know_the_users_own_kernels_by_class(tmp_path):
    def kernel(name, factor):
        def call(self, X, Y=None):
            return factor * X @ (X if Y is None else Y).T

        cls = type(name, (tg.kernels.Kernel,), {
            "__call__": call, "to_dict": lambda self: {"type": "Mine"},
            "diag": lambda self, X: factor * np.sum(X * X, axis=1),
        })  # fmt: skip
        return cls()

    tg.gram.compute(kernel("One", 1), X, store=tmp_path / "store")
    with pytest.raises(tg.StoreError, match="another"):
        tg.gram.compute(kernel("Two", 2), X, store=tmp_path / "store")


def test_descriptions_of_the_librarys_own_layers_are_their_text():
    net = tg.parse("conv3 relu res(erf conv3) gap dense")
    assert described(net) == {"net": str(net)}
    assert [type(p).__name__ for p in identity.parts(net)][:3] == ["Sequential", "Conv", "ReLU"]


def made_of(*operators, name="Act"):
    """A layer class of a user's own that is made of some operators."""
    facts = {"lower": lambda self, space: operators, "token": "mine", "__module__": "mine"}
    return dataclass(frozen=True, repr=False)(type(name, (tg.Layer,), facts))


def test_a_layer_with_other_operators_under_its_name_is_refused(registry):
    first = (Scale(2.0), Stack((AxisMatrices((np.eye(7)[::-1],)),)))
    written = described(sandwich(register(made_of(*first))()))
    assert from_description(written) == sandwich(registry["mine"]())
    for other in (
        (Scale(3.0), first[1]),
        (Scale(2.0), Stack((AxisMatrices((np.eye(7),)),))),
        (Scale(2.0), Pointwise(tg.Erf()), first[1]),
        (Sum((tg.Sequential(tg.Dense()), tg.Sequential())), first[1]),
    ):
        register(made_of(*other))
        with pytest.raises(UnknownLayerError, match="has another formula"):
            from_description(written)


def test_layers_in_the_fields_of_another_are_not_written(registry):
    many = register(
        dataclass(frozen=True, repr=False)(
            type("Many", (tg.Layer,), {"__annotations__": {"inner": object}, "token": "many"})
        )
    )
    for inner in (tg.Erf(), (tg.Dense(), tg.Erf())):
        assert str(many(inner)).startswith("many:inner=")
        with pytest.raises(tg.NetworkError, match="its text does not give it back"):
            described(sandwich(many(inner)))
