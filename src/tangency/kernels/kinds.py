"""The two kernels of a network: what they are called in code, and in figures and tables."""

from __future__ import annotations

from typing import Any

from ..engines.engine import KernelPair
from ..errors import InputError
from ..printable import shown

LABELS = {"ntk": "NTK", "nngp": "last-layer"}
"""kind -> how figures and tables call the kernel, the NTK first."""


def kinds_of(kind: Any) -> tuple[str, ...]:
    """The kernels that `kind` names, in its order.

    Raises:
        InputError: other words than both, ntk and nngp, or one of them twice.
    """
    names: Any = (kind,) if isinstance(kind, str) else kind
    good = isinstance(names, tuple | list) and all(isinstance(name, str) for name in names)
    if good and tuple(names) == ("both",):
        names = KernelPair._fields
    if not good or not names or len(set(names)) < len(names) or not set(names) <= set(LABELS):
        raise InputError(
            f"kind must be both, ntk or nngp; got {shown(kind)} (a tuple of the latter two, each "
            "once, is taken too)"
        )
    return tuple(names)


def labelled(pair: KernelPair) -> dict[str, Any]:
    """name -> what the pair holds of each kernel, under the names of figures and tables."""
    return {label: getattr(pair, kind) for kind, label in LABELS.items()}
