"""Many networks in one text: alternatives and repetitions in braces."""

from __future__ import annotations

import re

from ...checks import cut, shown, text
from ...errors import InputError
from ...nets.text import parse_open

MOST = 10_000
_COUNTS = re.compile(r"\*(\d+(?:\.\.\d+)?(?:,\d+(?:\.\.\d+)?)*)")
_LONGEST = 1000  # repetition


def variants(spec: str) -> tuple[str, ...]:
    """List the networks, in their text form, that a text with braces stands for.

    `{relu | erf}` is one or the other, an empty alternative is nothing, `dense:b={0 | 0.1}` is one
    of two values, and `{conv3 relu}*1..3` repeats its content once, twice or three times; `*2` and
    `*1,2,4` also work. All repetitions are the same, while alternatives in different places are
    chosen independently. `?` may stand for numbers, as in `tune`.

    Raises:
        InputError: braces that do not match, or more than 10,000 networks.
        NetworkError: one of them is not a network; the message names it.

    >>> variants("{dense {relu | erf}}*1..2 dense")
    ('dense relu dense', 'dense relu dense relu dense',
     'dense erf dense', 'dense erf dense erf dense')
    >>> variants("conv{3 | 5} relu {gauss2 | } gap dense")
    ('conv3 relu gauss2 gap dense', 'conv3 relu gap dense',
     'conv5 relu gauss2 gap dense', 'conv5 relu gap dense')
    """
    spec = text(spec, "spec")
    found, at = _sequence(spec, 0, nested=False)
    if at < len(spec):
        raise InputError(f"unexpected {spec[at]!r} at position {at + 1} of {shown(spec)}")
    return tuple(dict.fromkeys(str(parse_open(each)) for each in found))


def _sequence(spec: str, at: int, *, nested: bool) -> tuple[list[str], int]:
    """All texts from position `at` to the end, or to a `|` or `}` of the braces around."""
    found, depth = [""], 0  # of parentheses, whose | are branches
    while at < len(spec):
        sign = spec[at]
        if sign == "{":
            options, at = _braces(spec, at + 1)
            _require_few(len(found) * len(options), spec)
            found = [before + option for before in found for option in options]
            continue
        if sign == "}" or (sign == "|" and nested and depth == 0):
            break
        depth += (sign in "([") - (sign in ")]")
        found = [before + sign for before in found]
        at += 1
    return [" ".join(each.split()) if nested else each for each in found], at


def _braces(spec: str, at: int) -> tuple[list[str], int]:
    """The alternatives between braces, from behind the opening one, repeated as asked for."""
    start, options = at, list[str]()
    while True:
        more, at = _sequence(spec, at, nested=True)
        options += more
        if at == len(spec):
            raise InputError(
                f"the brace at position {start} of {shown(spec)} is not closed; write {{relu | "
                "erf}"
            )
        at += 1
        if spec[at - 1] == "}":
            break
    if (counts := _COUNTS.match(spec, at)) is None:
        return options, at
    numbers = [n for part in counts[1].split(",") for n in _range(part, spec)]
    _require_few(len(options) * len(numbers), spec)
    return [" ".join([option] * n) for option in options for n in numbers], counts.end()


def _range(part: str, spec: str) -> range:
    first, _, last = part.partition("..")
    low, high = int(first), int(last or first)
    if not low <= high <= _LONGEST:
        raise InputError(
            f"*{cut(part)} in {shown(spec)} must rise, to at most {_LONGEST}, as in *1..3"
        )
    return range(low, high + 1)


def _require_few(count: int, spec: str) -> None:
    if count > MOST:
        raise InputError(
            f"{shown(spec)} stands for more than {MOST:,} networks; leave some alternatives out"
        )
