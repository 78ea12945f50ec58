"""Messages for arguments that mean something else in other libraries."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any

from ..checks import shown
from ..errors import NetworkError

CLOSED_FORMS = {
    "relu": "ReLU()",
    "leaky_relu": "LeakyReLU(0.01)",
    "leakyrelu": "LeakyReLU(0.01)",
    "abs": "Abs()",
    "erf": "Erf()",
    "gelu": "GELU()",
    "sin": "Sine()",
    "cos": "Cosine()",
}
"""Functions that have a layer of their own, by the names that other libraries give them."""


def closed_form(function: str) -> str:
    """The layer to use for a function that needs no quadrature, as the end of a message.

    >>> closed_form("relu")
    '; use ReLU(), which is exact'
    """
    layer = CLOSED_FORMS.get(function.lower())
    return f"; use {layer}, which is exact" if layer else ""


def check_call(cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuses arguments that a layer does not take, and says how the call is written.

    Python's own TypeError counts arguments; it cannot say that a width, which comes first in every
    other library, has no place where widths are infinite.

    Raises:
        NetworkError: with the arguments that came, those that there are, and the class's `hint`.
    """
    signature = _signature(cls)
    try:
        signature.bind(None, *args, **kwargs)
    except TypeError:
        raise NetworkError(_message(cls, signature, args, kwargs)) from None


@lru_cache(maxsize=256)
def _signature(cls: type) -> inspect.Signature:
    return inspect.signature(cls.__init__)


def _message(
    cls: type, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str:
    name = cls.__name__
    parameters = list(signature.parameters.values())[1:]
    places = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
    came = ", ".join([*map(shown, args), *(f"{k}={shown(v)}" for k, v in kwargs.items())])
    unknown = [k for k in kwargs if k not in signature.parameters]
    if unknown:
        what = f"has no argument {unknown[0]!r}"
    elif len(args) > len(places):
        count = ("no argument", "one argument")[len(places)] if len(places) < 2 else None
        what = f"takes {count or f'{len(places)} arguments'} without a name"
    else:
        given = {p.name for p in places[: len(args)]} | set(kwargs)
        missing = [p.name for p in parameters if p.default is p.empty and p.name not in given]
        what = f"needs {missing[0]}" if missing else "cannot take these arguments"
    known = ", ".join(
        p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters
    )
    hint = getattr(cls, "hint", "")
    call = f"{name}({known})"
    return f"{name}({came}): {name} {what}; it is {call}" + (f". {hint}" if hint else "")
