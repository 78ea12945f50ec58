"""Parameters of a kernel as parameters of the estimator that holds it: `kernel__normalize`.

A kernel, and the network in it, are frozen: setting one of their parameters makes new ones. Names
are those of the fields, and places of layers: `kernel__net__0__weight_std`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from ..checks import flag, shown
from ..errors import InputError
from ..kernels import Kernel
from ..nets import Layer, Sequential
from ..nets.structure import Branches

_PREFIX = "kernel__"


class KernelParameters:
    """`get_params` and `set_params` that reach into the `kernel`, for estimators.

    >>> from sklearn.model_selection import GridSearchCV
    >>> from tangency import NTK, KernelRegressor
    >>> model = KernelRegressor(NTK("dense relu dense"))
    >>> model.set_params(kernel__net__0__bias_std=0.1).kernel
    NTK(Sequential(Dense(bias_std=0.1), ReLU(), Dense()))
    >>> search = GridSearchCV(model, {"kernel__normalize": [False, True]})
    """

    kernel: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, with `deep` those of the kernel and its network too."""
        deep = flag(deep, "deep")
        found = super().get_params(deep)  # pyright: ignore[reportAttributeAccessIssue]
        if deep and isinstance(found["kernel"], Kernel | Layer):
            found |= {_PREFIX + name: value for name, value in parameters(found["kernel"])}
        return found

    def set_params(self, **params: Any) -> Any:
        """Set parameters by name, those of the kernel as `kernel__…`; return the estimator."""
        inner = {n.removeprefix(_PREFIX): v for n, v in params.items() if n.startswith(_PREFIX)}
        outer = {n: v for n, v in params.items() if not n.startswith(_PREFIX)}
        super().set_params(**outer)  # pyright: ignore[reportAttributeAccessIssue]
        if inner:
            self.kernel = changed(self.kernel, inner)
        return self


def parameters(value: Any) -> Iterator[tuple[str, Any]]:
    """All parameters of a kernel, network or layer, those inside them included, by name."""
    for name, inner in _items(value).items():
        yield name, inner
        for rest, found in parameters(inner):
            yield f"{name}__{rest}", found


def changed(value: Any, changes: Mapping[str, Any]) -> Any:
    """The same kernel, network or layer with some parameters changed.

    Raises:
        InputError: a name that it has no parameter of.
    """
    items = _items(value)
    inside: dict[str, dict[str, Any]] = {}
    for name, new in changes.items():
        first, _, rest = name.partition("__")
        if first not in items:
            raise InputError(
                f"{shown(value)} has no parameter {shown(first)}; it has "
                f"{', '.join(items) or 'none'}"
            )
        if rest:
            inside.setdefault(first, {})[rest] = new
        else:
            items[first] = new
    # What is inside a part that is exchanged belongs to the new one.
    items |= {first: changed(items[first], some) for first, some in inside.items()}
    if isinstance(value, Sequential):
        return Sequential(*items.values())
    if isinstance(value, tuple):
        return tuple(items.values())
    if isinstance(value, Branches) and "branches" in items:
        return type(value)(*items.pop("branches"), **items)  # one by one
    return dataclasses.replace(value, **items)


def _items(value: Any) -> dict[str, Any]:
    if isinstance(value, Sequential):
        value = value.layers
    if isinstance(value, tuple) and any(isinstance(part, Kernel | Layer) for part in value):
        return {str(i): part for i, part in enumerate(value)}
    if isinstance(value, Kernel | Layer):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
    return {}
