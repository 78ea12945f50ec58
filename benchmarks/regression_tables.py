"""The tables of uci_regression.py."""

from __future__ import annotations
from typing import Any


def markdown(results: dict[str, Any]) -> str:
    return ""
