"""`optimize=` of estimators: the numbers in their network are chosen before they are fitted."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..checks import flag, items, shown
from ..errors import InputError
from ..kernels import NNGP, NTK
from ..kernels.network import NetworkKernel
from ..nets.values import OPEN
from .grams import resolve_kernel
from .parameters import changed, parameters
from .regularization import Regularization
from .solvers.options import Cholesky, Eigh, as_solver, name_of

Kind = type[NTK] | type[NNGP]
Optimize = bool | Sequence[str] | Mapping[str, Any] | None

_OPTIONS = ("free", "objective", "restarts", "bounds", "priors", "progress", "checkpoint")
"""Those of `tune` that an estimator has no parameter of its own for."""
_REMEDY = "or tune beforehand: kernel=tangency.tune(net, X, y).kernel, with optimize=None"


def as_options(optimize: Any) -> dict[str, Any] | None:
    """Options of `tune`, for what an estimator was given; None for none.

    Raises:
        InputError: neither True, nor names of what is free, nor options by name.

    >>> as_options(None), as_options(True), as_options(["0__bias_std"])
    (None, {}, {'free': ['0__bias_std']})
    """
    if optimize is None:
        return None
    if isinstance(optimize, bool | np.bool_):
        return {} if optimize else None
    if isinstance(optimize, Mapping):
        return read_options(optimize, "optimize", _OPTIONS)
    try:
        return {"free": items(optimize, "optimize")}
    except InputError:
        raise InputError(
            "optimize must be True, names of parameters that are free, or options of tune by name; "
            f"got {shown(optimize)}"
        ) from None


def read_options(given: Mapping[Any, Any], what: str, known: tuple[str, ...]) -> dict[str, Any]:
    """Options of `tune` by name. Raises `InputError` for others than are known."""
    if unknown := [name for name in given if name not in known]:
        raise InputError(
            f"{what} has {shown(unknown[0])}; options of tune that it takes are {', '.join(known)}"
        )
    return dict(given)


def kernel_to_fit(model: Any, of_network: Kind = NTK) -> Any:
    """The kernel of an estimator; with `optimize`, that with which the choice begins.

    Raises:
        InputError: what is no kernel; with `optimize`, any but that of one network.
    """
    if as_options(model.optimize) is None:
        return resolve_kernel(model.kernel, of_network)
    given = model.kernel
    if _is_open(given):
        return of_network(_tuning().free_parameters.read(given, None)[0])
    kernel = resolve_kernel(given, of_network)
    if not isinstance(kernel, NetworkKernel) or kernel.normalize:
        raise InputError(
            f"optimize chooses numbers in a network, and kernel={shown(given)} is not the NTK or "
            "NNGP of one, without normalize; pass a network or its text form, or optimize=None"
        )
    return kernel


def refuse(model: Any, regularization: Regularization) -> None:
    """Refuse parameters of a ridge estimator that have no place beside `optimize`."""
    name, solver = _shown(model), as_solver(model.solver)
    if solver is not None and not isinstance(solver, Cholesky | Eigh):
        raise InputError(
            f'{name} needs the whole kernel matrix in memory, which solver="{name_of(solver)}" is '
            f'there to avoid; take solver="auto", {_REMEDY}, for some of the samples'
        )
    if model.store is not None:
        raise InputError(
            f"{name} has another kernel for other samples, and store={str(model.store)!r} holds "
            f"the matrix of one; leave store=None, {_REMEDY}"
        )
    if model.training_time is not None:
        raise InputError(
            f"{name} chooses by leave-one-out, which has no closed form for "
            f"training_time={shown(model.training_time)}; leave it None, {_REMEDY}"
        )
    if regularization.alphas is not None and regularization.chooses:
        raise InputError(
            f"{name} chooses alpha together with the kernel, among all numbers; give None, or one "
            f"number that it is to be; got {shown(model.alpha)}"
        )
    _refuse_uncentred(model)


def refuse_process(model: Any) -> None:
    """Refuse parameters of a `GaussianProcess` that have no place beside `optimize`."""
    name = _shown(model)
    if model.inference == "ensemble":
        raise InputError(
            f'{name} chooses by the marginal likelihood, which inference="ensemble" does not have; '
            f'set inference="posterior", {_REMEDY}'
        )
    if not (model.noise is None or isinstance(model.noise, str)):
        raise InputError(
            f"{name} chooses the noise together with the kernel, in units of the amplitude that it "
            f'finds; leave noise="ml", {_REMEDY}; got noise={shown(model.noise)}'
        )
    _refuse_uncentred(model)


def _refuse_uncentred(model: Any) -> None:
    if not flag(model.center, "center"):
        raise InputError(
            f"{_shown(model)} chooses for centred targets; leave center=True, and let a bias of "
            "the network stand for what is not zero"
        )


def chosen(
    model: Any, X: Any, targets: Any, objective: str, noise: float | None, *, alike: bool = False
) -> Any:
    """What `tune` finds for an estimator with `optimize`; sets `tuned_` and `kernel_`.

    targets: (n,) or (n, k). alike: all have the same unit.
    """
    options = as_options(model.optimize)
    assert options is not None
    start = model.kernel_
    net = model.kernel if _is_open(model.kernel) else start.net
    samples = X if start.input_shape is None else X.reshape(len(X), *start.input_shape)
    wanted = {"objective": objective, "noise": noise, "random_state": model.random_state}
    found = _tuning().tuned(
        net, samples, targets, kind=start.kind, alike=alike, **{**wanted, **options}
    )
    model.tuned_ = found
    model.kernel_ = dataclasses.replace(start, net=found.net)
    return found


def is_chosen_from(kernel: Any, start: Any) -> bool:
    """Whether a kernel is another one in its numbers only."""
    return type(kernel) is type(start) and _structure(kernel) == _structure(start)


def _structure(kernel: NetworkKernel) -> Any:
    numbers = [name for name, value in parameters(kernel.net) if isinstance(value, float)]
    return changed(kernel.net, dict.fromkeys(numbers, OPEN)), kernel.input_shape


def _is_open(kernel: Any) -> bool:
    return isinstance(kernel, str) and "?" in kernel


def _tuning() -> Any:
    """Imported when it is called for, as it gives estimators itself."""
    from .tuning import choice

    return choice


def _shown(model: Any) -> str:
    return f"optimize={shown(model.optimize)}"
