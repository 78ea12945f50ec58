"""Text that others wrote, made safe to show: on terminals, on pages, in figures and messages.

Names of files, classes and columns may hold control characters: they colour a terminal, turn the
direction of a line, end a document early or make it unreadable. Shown are their codes, as in repr.
"""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any

import numpy as np

#: Control, format, surrogate and separator characters; and those that Unicode keeps out of texts.
_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
#: Joiners, without which some scripts and emoji are written wrongly.
_KEPT = "\u200c\u200d"
_PLAIN = re.compile(r"[ -~]*")

# Of what a message repeats: characters in all, numbers of an array, bits of an integer.
_SHOWN = 80
_FEW = 8
_MANY_BITS = 200


def printable(text: str, keep: str = "") -> str:
    r"""The text with a code, such as \x1b or \u202e, for every character that is not to be seen.

    keep: characters that are left alone, "\n" where lines are meant.

    >>> print(printable("dog\x0b\x1b[31m"))
    dog\x0b\x1b[31m
    """
    if _PLAIN.fullmatch(text):
        return text
    return text.translate({ord(c): _code(c) for c in set(text) if c not in keep and _hidden(c)})


def _hidden(character: str) -> bool:
    code = ord(character)
    outside = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return outside or (unicodedata.category(character) in _HIDDEN and character not in _KEPT)


def _code(character: str) -> str:
    shown = repr(character)[1:-1]
    # What this Python's repr would show is written out all the same.
    return shown if shown != character else f"\\u{ord(character):04x}"


def shown(value: Any) -> str:
    """`repr`, cut to a length that a message can hold, on one line; never an error of its own."""
    if isinstance(value, str | bytes | list | tuple) and len(value) > 2 * _SHOWN:
        value = value[: 2 * _SHOWN]  # more would be cut again
    if isinstance(value, np.ndarray) and value.size > _FEW:
        return f"an array of shape {value.shape} and dtype {cut(str(value.dtype))}"
    if isinstance(value, int) and value.bit_length() > _MANY_BITS:
        # Python itself refuses to print the longest.
        return f"a whole number of {int(value.bit_length() * math.log10(2)) + 1} digits"
    return cut(printable(" ".join(_text(value).split())))


def fields(self: Any) -> str:
    """The `repr` of a named tuple, whatever it holds.

    >>> from collections import namedtuple
    >>> fields(namedtuple("Pair", "a, b")(1, "x"))
    "Pair(a=1, b='x')"
    """
    parts = zip(self._fields, self, strict=True)
    return f"{type(self).__name__}({', '.join(f'{name}={_text(v)}' for name, v in parts)})"


def _text(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # a foreign object's own affair, or lists in lists without end
        return f"<{type(value).__name__}>"


def cut(text: str, most: int = _SHOWN) -> str:
    """A text, or its two ends if it is long."""
    if len(text) <= most:
        return text
    return f"{text[: most - 20]}…{text[-15:]}"
