"""The text form of networks: one token a layer, options after a colon.

    conv3 relu gauss2 conv3:stride=2,w=1.5 relu gap dense
    conv[[0,0],[0,1]] relu res(relu conv3 | conv1) flatten dense:frozen

    conv3 sum(conv1 | conv3 relu conv3 | ) cat( | relu conv3):widths=2x1 gap dense

A token is a name, directly followed by the layer's main value if it has one, or by its branches in
parentheses (an empty one is the identity), then a colon and options separated by commas. Values are
numbers, sizes per axis (3x5), words, or JSON lists.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from .. import checks
from ..checks import cut
from ..errors import NetworkError
from ..numerals import decimal
from . import (
    activations,
    attention,
    cropping,
    dropout,
    filters,
    graphs,
    linear,
    pooling,
    quadrature,
    resampling,
    structure,
    transposed,
)
from . import branches as branching
from .base import Layer, options, plain, shown
from .parentheses import BRANCHING, OPENING, branches, branches_text
from .structure import Branches, Residual, Sequential
from .teach import elsewhere
from .values import OPEN

LAYERS: dict[str, type[Layer]] = {
    cls.token: cls
    for module in (
        linear,
        transposed,
        activations,
        quadrature,
        pooling,
        resampling,
        cropping,
        filters,
        structure,
        branching,
        dropout,
        attention,
        graphs,
    )
    for cls in vars(module).values()
    if isinstance(cls, type) and issubclass(cls, Layer) and cls.token
}
"""Every layer by its name in the text form; `identity.register` adds to it."""

OWN = frozenset(LAYERS.values())
"""The layers of this library."""

# Names of more letters are no slips of the pen.
_LONG = 40

SYNONYMS: dict[str, str] = {
    **{
        name: f"activation:function={name}"
        for name in sorted(quadrature.FUNCTIONS)
        if name not in LAYERS
    },
    **{
        cls.__name__.lower(): token
        for token, cls in LAYERS.items()
        if cls.__name__.lower() not in (*LAYERS, *quadrature.FUNCTIONS)
        and not issubclass(cls, Branches)
    },
    "swish": "activation:function=silu",
}
"""Names that are read as others: functions that `Activation` knows, and names of classes."""


def layer_text(layer: Layer) -> str:
    """The text form of a layer or network."""
    if isinstance(layer, Sequential):
        return " ".join(map(layer_text, layer.layers))
    if LAYERS.get(layer.token) is not type(layer):
        # A class without a name in files: something to show, which no text can be read as.
        return f"<{type(layer).__module__}.{type(layer).__qualname__}>"
    words, lead, held = [], "", ()
    if isinstance(layer, Branches):
        lead, held = f"({branches_text(layer, layer_text)})", layer.held
    for field, value in options(layer):
        if field.name in held:
            continue
        if field.name == layer.lead:
            lead = _value_text(value)
        elif (word := _flag(layer, field.name, value)) is not None:
            words.append(word)
        else:
            words.append(f"{layer.short.get(field.name, field.name)}={_value_text(value)}")
    return layer.token + lead + (":" + ",".join(words) if words else "")


def _flag(layer: Layer, name: str, value: Any) -> str | None:
    """The word that stands for a value of a field, if one does."""
    found = (word for word, flag in layer.flags.items() if flag[0] == name and flag[1] == value)
    return next(found, None)


def _value_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is OPEN:
        return _OPEN
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        sizes = len(value) > 1 and all(isinstance(v, int) and v >= 0 for v in value)
        dumped = partial(json.dumps, separators=(",", ":"), default=str)
        return "x".join(map(str, value)) if sizes else dumped(value)
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    try:
        number = plain(value)
    except (TypeError, ValueError):
        raise NetworkError(f"{shown(value)} has no text form; use numbers and tuples") from None
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def parse(text: str, functions: Mapping[str, Callable[[Any], Any]] | None = None) -> Sequential:
    """The network that a text describes; `parse(str(net)) == net`.

    Args:
        text: for example "conv3 relu gauss2 conv3:stride=2,w=1.5 relu gap dense"; see
            `tangency.nets.text` for the grammar.
        functions: callables for `activation:function=NAME`, by name; the functions that
            `Activation` knows by name need none.

    Raises:
        NetworkError: an unknown layer or option (the message has the nearest names), a bad value.

    >>> from tangency import parse
    >>> parse("conv5:pad=valid relu flatten dense:frozen")
    Sequential(Conv(5, padding='valid'), ReLU(), Flatten(), Dense(trainable=False))
    """
    if not isinstance(text, str):
        raise NetworkError(f"parse reads a text such as 'conv3 relu gap dense', got {shown(text)}")
    known = {} if functions is None else checks.mapping(functions, "functions", error=NetworkError)
    net, rest = _sequence(text, 0, known, 0)
    if rest < len(text):
        raise NetworkError(f"unexpected {text[rest]!r} at position {rest + 1} of {shown(text)}")
    if not net.layers:
        raise NetworkError("the text describes no layer; try 'conv3 relu gap dense'")
    return net


def parse_open(text: str) -> Sequential:
    """The network of a text in which `?` may stand for numbers that are yet to be chosen.

    >>> print(parse_open("dense:w=?,b=? relu dense"))
    dense:w=?,b=? relu dense
    """
    return parse(text, {_OPEN: OPEN})  # pyright: ignore[reportArgumentType]


_OPEN = "?"  # no name of a function
_Functions = Mapping[str, Callable[[Any], Any]]
_NAME = re.compile(r"[A-Za-z_]+")


def _sequence(text: str, at: int, functions: _Functions, depth: int) -> tuple[Sequential, int]:
    """Layers from position `at` to the end, or to a `|` or `)` that belongs to a branch."""
    layers: list[Layer] = []
    while at < len(text):
        if text[at].isspace():
            at += 1
        elif text[at] in "|)":
            break
        elif opening := OPENING.match(text, at):
            layer, at = _branching(text, at, opening, functions, depth + 1)
            layers.append(layer)
        else:
            end = _token_end(text, at)
            if end == at:
                raise NetworkError(
                    f"unexpected {text[at]!r} at position {at + 1} of {shown(text)}; only "
                    "res(...), sum(...), prod(...) and cat(...) have parentheses"
                )
            layers.append(_layer(text[at:end], functions, text))
            at = end
    return Sequential(*layers), at


def _branching(
    text: str, start: int, opening: re.Match[str], functions: _Functions, depth: int
) -> tuple[Layer, int]:
    """The layer whose branches follow an opening parenthesis, and the options behind them."""
    cls = LAYERS[BRANCHING[opening.group(1).lower()]]
    inner = partial(_sequence, functions=functions, depth=depth)
    chains, at = branches(text, opening.end(), cls.token, depth, inner)
    end = _token_end(text, at) if text[at : at + 1] == ":" and cls is not Residual else at
    token = text[start:end]
    values = _options(cls, text[at + 1 : end], token, functions) if end > at else {}
    try:
        return cls(*chains, **values), end
    except NetworkError as error:
        raise NetworkError(f"{shown(token)}: {cut(str(error), 400)}") from None


def _token_end(text: str, at: int) -> int:
    """Where the token that starts at `at` ends; blanks and bars inside brackets belong to it."""
    depth = 0
    for end in range(at, len(text)):
        char = text[end]
        depth += (char == "[") - (char == "]")
        if depth <= 0 and (char.isspace() or char in "|)("):
            return end
    return len(text)


def _split(words: str) -> list[str]:
    """Splits at commas outside brackets."""
    parts, depth, start = [], 0, 0
    for i, char in enumerate(words):
        depth += (char == "[") - (char == "]")
        if char == "," and depth == 0:
            parts.append(words[start:i])
            start = i + 1
    return [*parts, words[start:]]


def _layer(token: str, functions: _Functions, whole: str) -> Layer:
    head, colon, tail = token.partition(":")
    match = _NAME.match(head)
    name = match.group().lower() if match else head
    lead = head[len(name) :]
    if name in SYNONYMS:
        name, _, function = SYNONYMS[name].partition(":")
        tail = ",".join(filter(None, (function, tail)))
        colon = ":" if tail else ""
    if name not in LAYERS or issubclass(LAYERS[name], Branches):
        raise NetworkError(_unknown(name, token, whole))
    cls = LAYERS[name]
    values: dict[str, Any] = {}
    brief = shown(token)
    if lead:
        if cls.lead is None:
            hint = _of(name) if lead[0].isdigit() else "; layers are separated by spaces"
            raise NetworkError(f"{shown(head[: -len(lead)])} takes no value, got {brief}{hint}")
        values[cls.lead] = _value(lead, token, functions)
    if colon:
        values = _options(cls, tail, token, functions, values)
    missing = [
        f.name
        for f in dataclasses.fields(cls)
        if f.default is dataclasses.MISSING and f.name not in values
    ]
    if missing:
        example = f"{name}3" if cls.lead == missing[0] else f"{name}:{missing[0]}=…"
        raise NetworkError(f"{brief} needs {missing[0]}, as in {example!r}")
    try:
        return cls(**values)
    except NetworkError as error:
        raise NetworkError(f"{brief}: {cut(str(error), 400)}") from None


def _unknown(name: str, token: str, whole: str) -> str:
    """What to say of a name that no layer has."""
    # Once where it is both, and not at all where it is long and stands there already.
    texts = [text for text in (token, whole) if len(name) < _LONG or text != name]
    within = " of ".join(dict.fromkeys(map(shown, texts)))
    what = f"no layer is called {shown(name)}" + (f" (in {within})" if within else "")
    if found := elsewhere(name, ()):
        return what + found
    known = [*LAYERS, *SYNONYMS]
    near = difflib.get_close_matches(name, known, n=2) if len(name) < _LONG else []
    hint = (
        f"; did you mean {' or '.join(near)}?"
        if near
        else f"; known: {cut(', '.join(LAYERS), 300)}"
    )
    return what + hint


def _of(name: str) -> str:
    """A word on widths, where a number was given that can only be one."""
    return "; widths are infinite here and have no place in a text" if name == "dense" else ""


def _options(
    cls: type[Layer],
    tail: str,
    token: str,
    functions: _Functions,
    values: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The fields that the words behind a colon give, beside those that are known."""
    found = dict(values or {})
    for word in _split(tail):
        field, value = _option(cls, word, token, functions)
        if field in found:
            raise NetworkError(f"{field} is given twice in {shown(token)}")
        found[field] = value
    return found


def _option(cls: type[Layer], word: str, token: str, functions: _Functions) -> tuple[str, Any]:
    brief = shown(token)
    name, equals, value = word.partition("=")
    if not equals:
        if name in cls.flags:
            return cls.flags[name]
    else:
        names = {short: field for field, short in cls.short.items()}
        field = names.get(name, name)
        if field in {f.name for f in dataclasses.fields(cls)}:
            if field == "function":
                return field, functions.get(value, value)
            return field, _value(value, token, functions)
    known = [*cls.flags, *(f"{cls.short.get(f.name, f.name)}=" for f in dataclasses.fields(cls))]
    raise NetworkError(
        f"unknown option {shown(word)} in {brief}; known: {', '.join(known) or 'none'}"
    )


def _value(text: str, token: str, functions: _Functions) -> Any:
    """A number, sizes per axis (3x5), a JSON list, true/false, a word, or `?` where it may be."""
    brief = shown(token)
    if text == _OPEN:
        if text in functions:
            return functions[text]
        raise NetworkError(
            f"? in {brief} is not a number; tangency.tune(net, X, y) chooses one, and so does an "
            "estimator with optimize=True"
        )
    if re.fullmatch(r"[+-]?[0-9]{1,300}", text):
        return int(text)
    if re.fullmatch(r"[0-9]{1,300}(x[0-9]{1,300})+", text):
        return tuple(map(int, text.split("x")))
    if text.startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise NetworkError(f"{shown(text)} in {brief} is not a list of numbers") from None
    if text in ("true", "false"):
        return text == "true"
    try:
        return decimal(text)
    except ValueError:
        if re.fullmatch(r"[A-Za-z_<>][\w<>]*", text):
            return text
        hint = "; layers are separated by spaces" if "," in text else ""
        if re.fullmatch(r"[+-]?\d[\d_.eE+-]*", text):
            hint = "; write numbers in plain digits, without separators"
        raise NetworkError(
            f"{shown(text)} in {brief} is not a number, list or word{hint}"
        ) from None
