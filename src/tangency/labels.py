"""What a list of labels holds, before NumPy makes one type of it."""

from __future__ import annotations

from typing import Any

from .checks import Refusal, is_number, shown
from .errors import InputError


def one_kind(values: Any, name: str, *, error: Refusal = InputError) -> None:
    """Refuse a list of texts and numbers, of which NumPy makes texts: 1 and "1" would be one."""
    found: dict[bool, Any] = {}
    for each in values if isinstance(values, list | tuple) else ():
        if each is not None and not (is_number(each) and each != each):  # told of elsewhere
            found.setdefault(isinstance(each, str), each)
    if len(found) == 2:
        raise error(
            f"{name} holds texts and other values, such as {shown(found[True])} and "
            f"{shown(found[False])}; make all of them numbers, or texts with str(value), which are "
            "names of classes"
        )
