"""Names of layers in files: a class is written by its name, and only a known name is read.

The library's own layers are known by their token. A class of the user's own is known once it is
registered; nothing is imported because a file says so. A name alone does not make a formula, so a
file also holds values of the layer's dual, to six digits, by which another formula under the same
name is noticed.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np

from ..errors import NetworkError
from . import quadrature, text
from .activations import ActivationLayer
from .base import Layer, check_identity, shown
from .meeting import Branching, Concatenate
from .operators import Average, Operator, Positions
from .pooling import LinearGridLayer
from .structure import Sequential
from .values import own

_Class = TypeVar("_Class", bound=type[Layer])

# Variances and covariances at which a dual is compared.
_COVARIANCES = np.array([0.0, 0.3, -0.6, 0.95, 0.4, -1.1, 2.5])
_FIRST = np.array([1.0, 1.0, 1.0, 1.0, 0.5, 2.0, 3.0])
_SECOND = np.array([1.0, 1.0, 1.0, 1.0, 1.5, 0.8, 4.0])
_AGREE = 1e-5
# Grids on which operators are compared, the empty one for vectors.
_SPACES = ((), (7,), (7, 6), (5, 4, 3))


class UnknownLayerError(NetworkError):
    """A file holds a layer whose class is not known here, or is another one than it was."""


def register(cls: _Class) -> _Class:
    """Gives a layer class of your own its name in texts, stores and saved models; a decorator.

    The name is the class's `token`. Whoever reads a file that holds such a layer must have
    registered the class before: files are read without importing anything.

    Args:
        cls: a subclass of `Layer` with a token (letters and underscores) of its own, all of whose
            fields are numbers, texts, tuples or truth values.

    Raises:
        NetworkError: no layer class, or a token that is missing, badly formed or taken.

    A complete class is in docs/networks.md.

    >>> from tangency.nets import ActivationLayer
    >>> register(ActivationLayer)
    Traceback (most recent call last):
    tangency.errors.NetworkError: ActivationLayer needs a token of its own, ...
    """
    if not isinstance(cls, type) or not issubclass(cls, Layer):
        raise NetworkError(f"register takes a class of layers, got {shown(cls)}")
    token = vars(cls).get("token")
    if not isinstance(token, str) or not re.fullmatch(r"[a-z_]+", token):
        raise NetworkError(
            f"{cls.__name__} needs a token of its own, its name in texts, of small letters and "
            f'underscores, as in token = "mine"; got {shown(token)}'
        )
    holder = text.LAYERS.get(token)
    # A class that is defined again, as notebooks do, takes its own place.
    taken = holder is not None and (holder in text.OWN or _path(holder) != _path(cls))
    if taken or token in text.SYNONYMS:
        other = _path(holder) if holder else repr(text.SYNONYMS[token])
        raise NetworkError(f"the token {shown(token)} is taken by {other}; choose another")
    text.LAYERS[token] = cls
    return cls


def named(layer: Layer) -> bool:
    """Whether the class of a layer has a name in files."""
    return text.LAYERS.get(type(layer).token) is type(layer)


def unsaved(net: Layer) -> tuple[str, str] | None:
    """What in a network cannot be written to a file, and why, with the remedy; None if all can."""
    for layer in parts(net):
        try:
            check_identity(layer)
        except NetworkError as error:
            return type(layer).__name__, str(error)
        if isinstance(layer, quadrature.Activation) and not isinstance(layer.function, str):
            return (
                "a custom function",
                "it has no text form; functions that Activation knows by name can be saved",
            )
        if type(layer) is not Sequential and not named(layer):
            return (
                shown(layer),
                f"{_path(type(layer))} is a class of your own that has no name in files; give it a "
                "token and decorate it with tangency.nets.register",
            )
        if foreign(layer) and not _returns(layer):
            return (
                shown(layer),
                "its text does not give it back; a class of your own that is to be written keeps "
                "numbers, texts, truth values, and tuples of these",
            )
    return None


def _returns(layer: Layer) -> bool:
    """Whether a layer's text gives it back."""
    try:
        return text.parse(str(layer)) == Sequential(layer)
    except Exception:
        return False


def described(net: Layer) -> dict[str, Any]:
    """A network as JSON-able data: its text, and what tells apart layers of the user's own.

    Raises:
        NetworkError: a network that cannot be written; see `unsaved`.
    """
    if problem := unsaved(net):
        raise NetworkError(f"a network with {problem[0]} cannot be written: {problem[1]}")
    own = [layer for layer in parts(net) if foreign(layer)]
    if not own:
        return {"net": str(net)}
    return {
        "net": str(net),
        "layers": [
            {"token": layer.token, "class": _path(type(layer)), "values": _values(layer)}
            for layer in own
        ],
    }


def from_description(data: dict[str, Any]) -> Sequential:
    """The network that `described` wrote.

    Raises:
        UnknownLayerError: a class that is not registered here, or has another formula than it had.
        NetworkError: a text that describes no network.
    """
    entries = data.get("layers", [])
    for entry in entries:
        token, path = entry["token"], entry["class"]
        cls = text.LAYERS.get(token)
        if cls is None:
            raise UnknownLayerError(
                f"no layer class is called {token!r} here: it was written with {path}; import the "
                "module that defines it and registers it (tangency.nets.register) first"
            )
        if _path(cls) != path:
            raise UnknownLayerError(
                f"the layer {token!r} was written with {path}, but here it is {_path(cls)}; "
                "register the class that it was written with"
            )
    net = text.parse(data["net"])
    own = [layer for layer in parts(net) if foreign(layer)]
    for layer, entry in zip(own, entries, strict=True):
        then, now = np.array(entry["values"], float), np.array(_values(layer), float)
        if then.shape != now.shape or not np.allclose(
            then, now, rtol=_AGREE, atol=_AGREE, equal_nan=True
        ):
            formula = "dual" if isinstance(layer, ActivationLayer) else "formula"
            raise UnknownLayerError(
                f"{entry['class']} has another {formula} here than when "
                f"{layer.token!r} was written; register the class as it was then"
            )
    return net


def parts(net: Layer) -> Iterator[Layer]:
    """A network and all the layers inside it."""
    yield net
    if isinstance(net, Sequential):
        inner: list[Any] = list(net.layers)
    else:
        inner = [getattr(net, f.name) for f in dataclasses.fields(net)]
    for layer in inner:
        yield from _within(layer)


def _within(value: Any) -> Iterator[Layer]:
    """The layers that a field holds, in tuples too."""
    if isinstance(value, Layer):
        yield from parts(value)
    elif isinstance(value, tuple):
        for inner in value:
            yield from _within(inner)


def foreign(layer: Layer) -> bool:
    """Whether a layer's class is not one of this library."""
    return type(layer) is not Sequential and type(layer) not in text.OWN


def _values(layer: Layer) -> list[float]:
    """Values by which one formula is told from another."""
    if isinstance(layer, ActivationLayer):
        values = _dual_values(layer)
    elif isinstance(layer, LinearGridLayer):
        values = _matrix_values(layer)
    else:
        values = [v for space in _SPACES for v in _lowered((layer,), space)[0]]
    return [float(f"{v:.6g}") for v in np.asarray(values, dtype=float)]


def _dual_values(layer: ActivationLayer) -> list[float]:
    found = layer.dual(*map(own, (_COVARIANCES, _FIRST, _SECOND)))
    return [float(v) for part in found for v in np.broadcast_to(part, _FIRST.shape)]


def _lowered(
    layers: tuple[Layer, ...], space: tuple[int, ...]
) -> tuple[list[float], tuple[int, ...]]:
    """Numbers that tell operators apart, of layers one after the other, and the grid after them."""
    values: list[float] = []
    for layer in layers:
        try:
            operators = layer.lower(space)
        except Exception:
            # It is not for grids of this shape.
            return [*values, -1.0], space
        for operator in operators:
            values += [float(np.sum(np.frombuffer(type(operator).__name__.encode(), np.uint8)))]
            if isinstance(operator, Branching):
                ends = [_lowered(branch.layers, space) for branch in operator.branches]
                values += [v for end in ends for v in end[0]]
                if isinstance(operator, Concatenate):
                    values += [*_flat(operator.parts), float(operator.axis)]
                space = operator.space([end[1] for end in ends])
                continue
            for field in dataclasses.fields(operator):
                value = getattr(operator, field.name)
                if "unsaid" in field.metadata:
                    continue
                if value != field.default or "added" not in field.metadata:
                    values += _flat(value)
            space = _after(operator, space)
    return values, space


def _after(operator: Operator, space: tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(operator, Average | Positions):
        return ()
    return getattr(getattr(operator, "geometry", operator), "space_out", space)


def _flat(value: Any) -> list[float]:
    """What an operator holds, as numbers."""
    if isinstance(value, ActivationLayer):
        return _dual_values(value)
    if isinstance(value, np.ndarray):
        return [
            *value.shape,
            float(np.sum(value * np.cos(np.arange(value.size)).reshape(value.shape))),
        ]
    if isinstance(value, tuple):
        return [len(value), *(v for inner in value for v in _flat(inner))]
    if dataclasses.is_dataclass(value):
        return [v for f in dataclasses.fields(value) for v in _flat(getattr(value, f.name))]
    return [-1.0 if value is None else float(value)]


def _matrix_values(layer: LinearGridLayer) -> np.ndarray:
    found = []
    for space in _SPACES[1:]:
        try:
            geometry = layer.geometry(space)
        except NetworkError:
            continue
        for a in getattr(geometry, "matrices", None) or (geometry.matrix,):  # type: ignore[union-attr]
            found += _flat(a)
    return np.array(found)


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
