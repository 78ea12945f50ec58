"""From what is given as candidates to kernels by name, and the samples that they are judged on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...checks import shown
from ...errors import InputError, NetworkError
from ...kernels import Kernel
from ...kernels.coerce import as_kernel, is_network
from ...kernels.kinds import LABELS, kinds_of
from ...kernels.network import NetworkKernel
from ..tuning import free
from ..tuning.problem import KINDS
from .variants import MOST, variants


@dataclass(frozen=True, eq=False)
class Candidate:
    """A kernel by its name, with the parameters of its network that are to be chosen."""

    name: str
    kernel: Kernel
    free: tuple[str, ...] = ()


def pool(candidates: Any, kind: Any, tuned: bool | None) -> tuple[Candidate, ...]:
    """The candidates, each once.

    tuned: None for what is marked by `?`; True for hidden layers of the others too; False for none.

    Raises:
        InputError: no candidates, or what is none. NetworkError: what is no network.
    """
    found: dict[Any, Candidate] = {}
    kinds = kinds_of(kind)
    for name, given in _named(candidates):
        for each in _kinds(name, given, kinds, tuned):
            same = isinstance(each.kernel, NetworkKernel)
            found.setdefault((repr(each.kernel) if same else id(each.kernel), each.free), each)
        if len(found) > MOST:
            raise InputError(f"there are more than {MOST:,} candidates; give fewer")
    if not found:
        raise InputError(
            'there are no candidates; give networks, such as "{dense relu}*1..3 dense"'
        )
    names = [each.name for each in found.values()]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"two candidates are called {shown(twice[0])}; give a mapping of names")
    return tuple(found.values())


def _named(candidates: Any) -> Iterable[tuple[str | None, Any]]:
    if isinstance(candidates, Mapping):
        for name, given in candidates.items():
            if not isinstance(name, str):
                raise InputError(f"candidates are named by texts, got {shown(name)}")
            yield name, given
        return
    if is_network(candidates) or isinstance(candidates, Kernel):
        candidates = [candidates]
    if not isinstance(candidates, Iterable):
        raise InputError(
            "candidates must be networks, in a sequence, a mapping or a text with {alternatives}; "
            f"got {shown(candidates)}"
        )
    for given in candidates:
        texts = variants(given) if isinstance(given, str) else (given,)
        yield from ((None, each) for each in texts)


def _kinds(
    name: str | None, given: Any, kinds: tuple[str, ...], tuned: bool | None
) -> Iterable[Candidate]:
    """One candidate for each kernel of a network that is asked for."""
    if not is_network(given):
        kernel = as_kernel(given)
        names = _free(kernel.net, tuned) if isinstance(kernel, NetworkKernel) else ()
        if names and kernel.normalize:
            names = ()
        yield Candidate(name or _short(repr(kernel)), kernel, names)
        return
    marked = isinstance(given, str) and "?" in given
    if marked and tuned is False:
        raise InputError(f"{shown(given)} has numbers to be chosen, but tune=False; leave it None")
    net, names = free.read(given, None)
    if not marked:
        names = _free(net, tuned)
    label = name or (given if isinstance(given, str) else str(net))
    for kind in kinds:
        beside = f" ({LABELS[kind]})" if len(kinds) > 1 else ""
        yield Candidate(f"{label}{beside}", KINDS[kind](net), names)


def _free(net: Any, tuned: bool | None) -> tuple[str, ...]:
    return free.read(net, None)[1] if tuned else ()


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


def require_fit(candidates: Iterable[Candidate], X: Any) -> None:
    """Refuse networks that do not fit the samples, before anything is computed.

    Raises:
        NetworkError: with the name of the candidate.
    """
    for each in candidates:
        try:
            np.asarray(each.kernel.diag(X[:1]))
        except NetworkError as error:
            raise NetworkError(f"candidate {shown(each.name)}: {error}") from None
        except InputError:  # it will fail by itself, alone
            pass
