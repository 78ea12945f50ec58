"""Branches in the text form: `res(a | b)`, `sum(a | b | …)`, `prod(…)`, `cat(…)`."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..checks import shown
from ..errors import NetworkError
from .base import Layer
from .structure import Branches, Residual, Sequential

BRANCHING = {
    "res": "res",
    "residual": "res",
    "sum": "sum",
    "prod": "prod",
    "product": "prod",
    "cat": "cat",
    "concat": "cat",
    "concatenate": "cat",
}
"""Names before a parenthesis, and the token that they stand for."""

OPENING = re.compile(rf"({'|'.join(BRANCHING)})\(", re.IGNORECASE)

NESTING = 50
"""How deep branches may be nested."""


def branches_text(layer: Branches, text: Callable[[Layer], str]) -> str:
    """What stands between the parentheses."""
    chains = list(layer.chains())
    if isinstance(layer, Residual) and layer.shortcut is None:
        chains.pop()
    return " | ".join(map(text, chains))


def branches(
    text: str,
    at: int,
    token: str,
    depth: int,
    sequence: Callable[[str, int], tuple[Sequential, int]],
) -> tuple[list[Sequential], int]:
    """The branches that begin at `at`, behind a parenthesis, and where it is closed.

    Args:
        sequence: reads layers from a position to a bar or a parenthesis.
    """
    if depth > NESTING:
        raise NetworkError(f"{token}(...) is nested more than {NESTING} deep in {shown(text)}")
    found: list[Sequential] = []
    while True:
        chain, at = sequence(text, at)
        found.append(chain)
        if at >= len(text):
            raise NetworkError(f"a parenthesis is not closed in {shown(text)}")
        at += 1
        if text[at - 1] == ")":
            break
    if token == "res" and (len(found) > 2 or not found[0].layers):
        raise NetworkError(
            "res(...) holds a body and at most one shortcut, res(body | shortcut), in "
            f"{shown(text)}"
        )
    return found, at
