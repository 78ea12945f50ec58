"""What a module is besides a function: its modes, counters and gradients, and PyTorch's chance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

# Registries in a module's __dict__: their entries are put back, not the dictionaries.
_REGISTRIES = ("_parameters", "_buffers", "_modules")


@contextmanager
def untouched(module: Any) -> Iterator[None]:
    """Puts back whatever passes through the module change, also when they fail.

    Training flags, attributes, parameters and buffers that were replaced, `requires_grad`, `.grad`
    and the state of PyTorch's random numbers. The numbers in parameters and buffers need no
    putting back: `Subject` evaluates the module at copies of them.
    """
    if not isinstance(module, nn.Module):
        yield
        return
    attributes = [(part, _attributes(part)) for part in module.modules()]
    gradients = [(p, p.requires_grad, p.grad) for p in module.parameters()]
    chance = _random_state()
    try:
        yield
    finally:
        _set_random_state(chance)
        for part, before in attributes:
            _restore(part, before)
        for p, required, gradient in gradients:
            if p.requires_grad != required:
                p.requires_grad_(required)
            if p.grad is not gradient:
                p.grad = gradient


def _attributes(part: nn.Module) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    kept = dict(part.__dict__)
    # Those of compiled modules (TorchScript) are no dictionaries, and cannot change.
    found = {name: kept[name] for name in _REGISTRIES if isinstance(kept.get(name), dict)}
    return kept, {name: dict(entries) for name, entries in found.items()}


def _restore(part: nn.Module, before: tuple[dict[str, Any], dict[str, dict[str, Any]]]) -> None:
    attributes, registries = before
    now = part.__dict__
    if now.keys() != attributes.keys() or any(now[k] is not v for k, v in attributes.items()):
        now.clear()
        now.update(attributes)
    for name, entries in registries.items():
        place = now[name]
        if place.keys() != entries.keys() or any(place[k] is not v for k, v in entries.items()):
            place.clear()
            place.update(entries)


def _random_state() -> tuple[Tensor, list[Tensor]]:
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return torch.get_rng_state(), devices


def _set_random_state(state: tuple[Tensor, list[Tensor]]) -> None:
    torch.set_rng_state(state[0])
    if state[1]:
        torch.cuda.set_rng_state_all(state[1])
