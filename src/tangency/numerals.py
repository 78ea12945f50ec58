"""Numbers in texts that people write."""

from __future__ import annotations


def decimal(text: str) -> float:
    """The number that a text spells in plain digits.

    `float` alone also reads `1_0` as 10 and digits of other scripts, which are slips of the pen.

    Raises:
        ValueError: anything else.

    >>> decimal("1.5e-3")
    0.0015
    """
    if "_" in text or not text.isascii():
        raise ValueError(f"{text!r} is not written in plain digits")
    return float(text)
