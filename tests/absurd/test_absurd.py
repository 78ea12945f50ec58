"""No public function answers an absurd argument with an error that nobody worded.

Here is a sample with fixed dice, of what needs no PyTorch. The long run, of some minutes:

    python tests/absurd/attack.py --calls 5000 --seed 1
    TANGENCY_ABSURD_CALLS=5000 python -m pytest tests/absurd
"""

import ast
import inspect
import os
from collections import defaultdict
from importlib import import_module

import pytest

from absurd import attack
from absurd.calls import GROUPS, calls

MODULES = (
    *("", ".nets", ".kernels", ".learn", ".data", ".gram", ".report", ".finite", ".learn.solvers"),
    *(".bias", ".bias.deformations"),
)
LIGHT = [group for group in GROUPS if group != "finite"]

# What persons are given, and do not make: arguments of these come from the package.
GIVEN = {
    *("Choice", "EmpiricalSpectrum", "Estimate", "FiniteNetwork", "KernelPredictions"),
    *("LayerKernels", "ClassCalibration", "ClassScores", "IntervalScores", "Intervals"),
    *("Likelihood", "RegressionCalibration"),
    *("LazyTraining", "LowRank", "MercerSpectrum", "NTKOperator", "Profile", "Status"),
    *("Searched", "StoredGram", "Training", "Trial", "Tuned", "Verification"),
    *("ApproximationCurve", "Cluster", "DecayFit", "EmpiricalComparison", "Geometries"),
    *("Geometry", "InterpolationNorms", "MethodChoice", "Modulus", "PatchCondition", "RkhsNorm"),
    *("SmoothnessCondition", "SpectrumComparison", "StabilityConstants", "StabilityCurve"),
    "StabilityTrends",
    # It starts processes; tests/matrix/test_local_cluster.py has its bad arguments.
    "local_cluster",
    # Bases of users' own classes, without arguments.
    *("ActivationLayer", "Deformation", "Kernel", "Layer", "Prior"),
}
# What engines call with their own numbers.
INNER = {
    *("check", "coefficients", "derivative", "derivative_moments", "derive", "dual", "gain"),
    *(
        "geometry",
        "infer",
        "log_density",
        "lower",
        "on",
        "rebuilt",
        "second_moment_at",
        "slope",
        "strides",
        "tiles",
        "train",
        "values",
    ),
}


@pytest.mark.slow
def test_a_sample_of_absurd_calls_is_answered_in_words():
    number = int(os.environ.get("TANGENCY_ABSURD_CALLS", "300"))
    whole = number > 300
    if whole:
        pytest.importorskip("torch")
    groups = list(GROUPS) if whole else LIGHT
    unharmed = [line for group in groups for line in calls(group)]
    found = attack.attack(unharmed + attack.draw(number, 0, groups, torch=whole))
    assert not any(o.fault for o in found), attack.report(found)
    assert len(found) == len(unharmed) + number


@pytest.mark.slow
def test_the_net_has_no_holes():
    """What a call may do is told from what it may not."""
    bad = [
        "np.zeros(3).reshape(2)",
        "tg.kernels.kernel_from_dict(1 / 0)",
        "tg.NTK.__repr__(3)",
    ]
    good = ["tg.NTK(None)", "tg.NTK()", "tg.NTK(NET)(X, Z)", "tg.nets.parse('f', {'f': len})"]
    found = attack.attack(bad + good)
    assert [o.fault for o in found[:3]] == [
        *("ValueError", "cannot be set up, ZeroDivisionError", "TypeError")
    ]
    assert [o.fault for o in found[3:]] == [None] * 4


@pytest.mark.parametrize("module", MODULES)
def test_every_public_argument_is_attacked(module):
    if module == ".finite":
        pytest.importorskip("torch")
    known = attacked()
    missing = [
        f"{name}({parameter})"
        for name, parameters in public(import_module(f"tangency{module}"))
        for parameter in parameters
        if parameter not in known[name]
    ]
    assert missing == []


def attacked():
    """The names of functions, classes and methods, each with the arguments that calls give it."""
    found = defaultdict(set)
    for line in (line for group in GROUPS for line in calls(group)):
        call = ast.parse(line, mode="eval").body
        name = call.func
        if isinstance(name, ast.Name):  # fitted(learn.KernelRegressor, ...)
            name = call.args[0]
        keywords = {keyword.arg for keyword in call.keywords}
        found[name.attr if isinstance(name, ast.Attribute) else ""] |= keywords
    return found


def public(module):
    """(name, arguments) of what a module exports, and of the methods of its classes."""
    for name in module.__all__:
        thing = getattr(module, name)
        if name.startswith("_") or not callable(thing) or _is_error(thing):
            continue
        if inspect.isclass(thing):
            yield from methods(thing)
        if name not in GIVEN:
            yield name, arguments(thing)


def methods(cls):
    for name in dir(cls):
        method = inspect.unwrap(getattr(cls, name))
        ours = inspect.isfunction(method) and method.__module__.startswith("tangency")
        if ours and not name.startswith("_") and name not in INNER:
            yield name, arguments(method)[1:]


def arguments(thing):
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    given = inspect.signature(thing).parameters.values()
    return [p.name for p in given if p.kind not in kinds]


def _is_error(thing):
    return inspect.isclass(thing) and issubclass(thing, Exception)
