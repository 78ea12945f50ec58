"""What every layer shares: a printable, checkable, hashable description that knows no engine."""

# Types are checked when called, too.
# pyright: reportUnnecessaryIsInstance=false

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from ..checks import shown
from ..errors import NetworkError
from .operators import Operator
from .signal import Signal
from .teach import check_call
from .values import choice, fixed, number, per_axis, plain, truth, whole, whole_or_axes

__all__ = [
    "Layer",
    "arguments",
    "check_identity",
    "choice",
    "fixed",
    "lowered",
    "number",
    "options",
    "per_axis",
    "plain",
    "shown",
    "truth",
    "whole",
    "whole_or_axes",
]


@dataclass(frozen=True, repr=False)
class Layer:
    """One layer of a network, as data.

    Subclasses are frozen dataclasses. `token` is the layer's name in the text form, `lead` the
    field that follows it directly (`conv3`), `short` the short names of options, `flags` the words
    that stand for one value of a field, `hint` what a call that cannot be is told. Two layers are
    the same if their classes are and all fields are equal; a class of the user's own has a name in
    files once it is registered (`tangency.nets.register`).
    """

    token: ClassVar[str] = ""
    lead: ClassVar[str | None] = None
    short: ClassVar[dict[str, str]] = {}
    flags: ClassVar[dict[str, tuple[str, Any]]] = {}
    hint: ClassVar[str] = ""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        # `copy` and `pickle` pass no arguments, and call no __init__ either.
        if args or kwargs:
            check_call(cls, args, kwargs)
        return super().__new__(cls)

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        """The operators that the layer is made of, on a grid of shape `space` (() for vectors).

        Raises:
            NetworkError: a grid that the layer cannot act on, or a class that does not say.
        """
        raise NetworkError(
            f"{type(self).__name__} does not say what it is made of; define lower(self, space)"
        )

    def check(self, signal: Signal) -> None:
        """Refuses, with a remedy, signals that the layer cannot take (`NetworkError`)."""

    def infer(self, signal: Signal) -> Signal:
        """What leaves the layer when `signal` enters; raises `NetworkError` if it cannot."""
        self.check(signal)
        for operator in lowered(self, signal.space):
            signal = operator.after(signal)
        return signal

    def on_vectors(self) -> Layer | None:
        """What stands for the layer in a dense network of the same depth; None for nothing."""
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(arguments(self))})"

    def __str__(self) -> str:
        from .text import layer_text

        return layer_text(self)


def lowered(layer: Layer, space: tuple[int, ...]) -> tuple[Operator, ...]:
    """What `layer.lower(space)` gives, checked: a layer may be of the user's own.

    Raises:
        NetworkError: no sequence of operators.
    """
    found = layer.lower(space)
    if not isinstance(found, tuple | list) or not all(isinstance(o, Operator) for o in found):
        raise NetworkError(
            f"{type(layer).__name__}.lower must return a tuple of operators, as in (Weights(),); "
            f"got {shown(found)}"
        )
    return tuple(found)


def options(layer: Any) -> list[tuple[dataclasses.Field[Any], Any]]:
    """The fields of a layer whose value is not the default, in order."""
    chosen: list[tuple[dataclasses.Field[Any], Any]] = []
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        if field.default is dataclasses.MISSING or value is not field.default:
            if field.default is not dataclasses.MISSING and _same(value, field.default):
                continue
            chosen.append((field, value))
    return chosen


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def arguments(layer: Any) -> list[str]:
    """The constructor's arguments as source text: required fields bare, others by name."""
    bare: list[str] = []
    named: list[str] = []
    for field, value in options(layer):
        if field.default is dataclasses.MISSING:
            bare.append(repr(value))
        else:
            named.append(f"{field.name}={value!r}")
    return bare + named


def check_identity(layer: Layer) -> None:
    """Refuses a layer of the user's own that could be taken for another one.

    Layers are known by their class and their fields, in every cache too: what `__init__` keeps in
    other attributes would go unseen.

    Raises:
        NetworkError: attributes that are no fields, or fields that have no hash.
    """
    cls = type(layer)
    known = {field.name for field in dataclasses.fields(layer)}
    for name in vars(layer):
        if name not in known and not isinstance(getattr(cls, name, None), cached_property):
            raise NetworkError(
                f"{cls.__name__} keeps {name!r} in an attribute that is no field, so that two "
                "layers with different ones could not be told apart; make the class a frozen "
                f"dataclass with the field {name} (@dataclass(frozen=True, repr=False))"
            )
    try:
        hash(layer)
    except TypeError as error:
        raise NetworkError(
            f"{cls.__name__} has a field that cannot be hashed ({error}), by which layers are "
            "told apart; use numbers, texts and tuples"
        ) from None
