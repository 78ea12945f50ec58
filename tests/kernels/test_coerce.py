"""Whatever takes a kernel takes a kernel, a network or its text; measurements take both kernels."""

import importlib
import inspect

import numpy as np
import pytest
from sklearn.datasets import load_digits

import tangency as tg
from tangency.kernels.coerce import as_kernel, both_kernels, kernel_name, named_kernels
from tangency.kernels.kinds import LABELS, kinds_of

TEXT = "dense relu dense"
GRID = "conv3 relu gauss2 flatten dense"
X = np.random.default_rng(0).normal(size=(12, 3))
X /= np.linalg.norm(X, axis=1, keepdims=True)
Y = np.sign(X[:, 0])
DIGITS = load_digits()
IMAGES, CLASSES = DIGITS.images[:12] / 16, DIGITS.target[:12] % 2


def _fitted(estimator, kernel, **options):
    return estimator(kernel, **options).fit(X, Y).predict(X)


def _features(kind, kernel):
    return kind(kernel, n_components=6, random_state=0).fit(X).transform(X)


def _stored(kernel, folder):
    found = tg.gram.compute(kernel, X, store=folder / "K.zarr")
    return np.asarray(getattr(found, "ntk", found)[:])


#: One kernel, or a network for its NTK, to an array.
ONE = {
    "GaussianProcess": lambda k, _: _fitted(tg.GaussianProcess, k, inference="ensemble"),
    "KernelClassifier": lambda k, _: _fitted(tg.KernelClassifier, k),
    "KernelRegressor": lambda k, _: _fitted(tg.KernelRegressor, k),
    "LayerwiseFeatures": lambda k, _: _features(tg.LayerwiseFeatures, k),
    "NystromFeatures": lambda k, _: _features(tg.NystromFeatures, k),
    "RandomFeatures": lambda k, _: _features(tg.RandomFeatures, k),
    "Scaled": lambda k, _: tg.kernels.Scaled(k, 2.0)(X),
    "kernel_predictions": lambda k, _: tg.learn.kernel_predictions(k, X, Y, times=[1.0]).mean,
    "compute": _stored,
    "empirical_spectrum": lambda k, _: tg.bias.empirical_spectrum(k, X).eigenvalues,
    "rkhs_norm": lambda k, _: np.asarray(tg.bias.rkhs_norm("|u|", k, 2, 50).series.exponent),
    "spectrum": lambda k, _: tg.bias.spectrum(k, 3, 6).eigenvalues,
    "sphere_kernel": lambda k, _: tg.bias.sphere_kernel(k)([0.0, 0.5]),
}

#: Several kernels by name, or a network for both its kernels, to arrays by name.
SEVERAL = {
    "approximation_curve": (
        TEXT,
        lambda k: {n: c.errors for n, c in _curves(tg.bias.approximation_curve("|u|", k, 3))},
    ),
    "geometry": (
        GRID,
        lambda k: {n: np.asarray(v.deformed) for n, v in _geometry(k).neighbours.items()},
    ),
    "interpolation_norms": (
        TEXT,
        lambda k: {
            n: v.norms for n, v in tg.bias.interpolation_norms(k, X, Y, [4]).kernels.items()
        },
    ),
    "modulus": (TEXT, lambda k: tg.bias.modulus(k, X, [1e-4, 1e-3], count=2).distances),
    "smoothness_condition": (
        TEXT,
        lambda k: {
            n: v.fitted for n, v in tg.bias.smoothness_condition(k, 3, degree=50).kernels.items()
        },
    ),
    "stability_constants": (
        GRID,
        lambda k: tg.bias.stability_constants(k, IMAGES, count=1).distances,
    ),
    "stability_curve": (
        GRID,
        lambda k: tg.bias.stability_curve(k, IMAGES, sizes=(0.1,), draws=1, count=1).distances,
    ),
}

#: Results, and functions of matrices.
OTHERS = {
    *("Accuracy", "KernelMatrices", "Repeated", "Trial", "Tuned", "ZonalKernel"),
    *("InterpolationNorms", "RkhsNorm", "SmoothnessCondition"),
    *("kernel_matrices", "marginal_likelihood"),
}


def _geometry(kernels):
    return tg.bias.geometry(kernels, IMAGES, CLASSES, strengths=(0.5,), draws=1, count=1, others=4)


def _curves(found):
    return found.curves.items()


def test_nothing_public_that_takes_a_kernel_is_left_out():
    found = set()
    for name in ("", ".kernels", ".learn", ".bias", ".gram", ".finite", ".report"):
        package = importlib.import_module(f"tangency{name}")
        for public in package.__all__:
            thing = getattr(package, public)
            if callable(thing) and {"kernel", "kernels"} & set(_parameters(thing)):
                found.add(public)
    assert found == {*ONE, *SEVERAL} | (OTHERS & found)


def _parameters(thing):
    try:
        return inspect.signature(thing).parameters
    except ValueError:  # of a builtin
        return ()


@pytest.mark.parametrize("form", [TEXT, tg.parse(TEXT)], ids=["text", "network"])
@pytest.mark.parametrize("name", ONE)
def test_a_network_is_its_tangent_kernel(name, form, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    wanted = ONE[name](tg.NTK(TEXT), tmp_path / "a")
    np.testing.assert_array_equal(ONE[name](form, tmp_path / "b"), wanted)


@pytest.mark.parametrize("name", SEVERAL)
def test_a_network_is_both_its_kernels(name):
    text, measure = SEVERAL[name]
    wanted = measure({"NTK": tg.NTK(text), "last-layer": tg.NNGP(text)})
    for form in (text, tg.parse(text), both_kernels(text)):
        found = measure(form)
        assert list(found) == ["NTK", "last-layer"]
        for kernel in found:
            np.testing.assert_array_equal(found[kernel], wanted[kernel])
    (alone,) = measure(tg.NNGP(text)).items()
    assert alone[0] == "last-layer"
    np.testing.assert_array_equal(alone[1], wanted["last-layer"])
    (named,) = measure({"mine": text}).items()
    assert named[0] == "mine"
    np.testing.assert_array_equal(named[1], wanted["NTK"])


@pytest.mark.parametrize("bad", [3, None, tg.NTK, [tg.NTK(TEXT)], {}])
@pytest.mark.parametrize("name", [*ONE, *SEVERAL])
def test_what_is_no_kernel_is_refused(name, bad, tmp_path):
    learning = {"GaussianProcess", "KernelClassifier", "KernelRegressor"}
    if bad is None and name in learning | {
        "LayerwiseFeatures",
        "NystromFeatures",
        "RandomFeatures",
    }:
        return  # the default network
    if isinstance(bad, dict) and name in {"spectrum", "empirical_spectrum", *SEVERAL}:
        message = "no kernel was given; pass a kernel, or several by name"
    else:
        message = r"(expected|needs).* NTK\(|needs the network itself"
    with pytest.raises(tg.InputError, match=message):
        ONE[name](bad, tmp_path) if name in ONE else SEVERAL[name][1](bad)


def test_names():
    assert list(LABELS) == ["ntk", "nngp"]
    assert both_kernels(TEXT, n_jobs=1)["last-layer"].n_jobs == 1
    assert kernel_name(tg.NTK(TEXT)) == "NTK"
    assert kernel_name(tg.NTK(TEXT) + tg.NNGP(TEXT)) == "Sum"
    assert kernel_name(np.sin) == "sin"
    assert kinds_of("both") == ("nngp", "ntk")


def test_a_class_of_ones_own_is_named_by_itself():
    class Mine(tg.NTK):
        pass

    assert kernel_name(Mine(TEXT)) == "Mine"


def test_messages():
    with pytest.raises(tg.InputError, match=r"got 3; several are passed by name, as in \{'NTK'"):
        named_kernels(3)
    with pytest.raises(tg.InputError, match=r"'a': expected a kernel such as NTK.*got 3"):
        named_kernels({"a": 3})
    with pytest.raises(tg.InputError, match=r"or a callable kernel\(X, Y\); got 3"):
        as_kernel(3, functions="a callable kernel(X, Y)")
    with pytest.raises(tg.NetworkError, match="did you mean relu"):
        as_kernel("dense rleu")
    with pytest.raises(tg.NetworkError, match="Dense is a class; write"):
        as_kernel(tg.Dense)
