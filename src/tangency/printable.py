"""Text that others wrote, made safe to show: on terminals, on pages, in figures and messages.

Names of files, classes and columns may hold control characters: they colour a terminal, turn the
direction of a line, end a document early or make it unreadable. Shown are their codes, as in repr.
"""

from __future__ import annotations

import re
import unicodedata

#: Control, format, surrogate and separator characters; and those that Unicode keeps out of texts.
_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
#: Joiners, without which some scripts and emoji are written wrongly.
_KEPT = "\u200c\u200d"
_PLAIN = re.compile(r"[ -~]*")


def printable(text: str, keep: str = "") -> str:
    r"""The text with a code, such as \x1b or \u202e, for every character that is not to be seen.

    keep: characters that are left alone, "\n" where lines are meant.

    >>> print(printable("dog\x0b\x1b[31m"))
    dog\x0b\x1b[31m
    """
    if _PLAIN.fullmatch(text):
        return text
    return "".join(c if c in keep or not _hidden(c) else _code(c) for c in text)


def _hidden(character: str) -> bool:
    code = ord(character)
    outside = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return outside or (unicodedata.category(character) in _HIDDEN and character not in _KEPT)


def _code(character: str) -> str:
    shown = repr(character)[1:-1]
    # What this Python's repr would show is written out all the same.
    return shown if shown != character else f"\\u{ord(character):04x}"
