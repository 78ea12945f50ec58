"""Parameters that are added to a signal, or put beside it: learnt positions, class tokens."""

from __future__ import annotations

import math
import operator
from dataclasses import replace
from typing import Any

import torch

from ...errors import NetworkError
from ...nets import (
    ClassToken,
    ConvLocal,
    Dense,
    Layer,
    Pad,
    PositionalEmbedding,
    Rescale,
    Sequential,
    Slice,
    Sum,
)
from .axes import Translated
from .states import CHANNELS, State
from .trace import Call
from .weights import Spreads

_SUBTRACTIONS = (operator.sub, torch.sub, "sub")


def shifted(call: Call, state: State, spreads: Spreads) -> Translated | None:
    """A sum with a constant: zero, or a parameter with random numbers in it."""
    others = [arg for arg in call.args if not isinstance(arg, Call)]
    if len(others) != 1:
        return None
    negative = call.target in _SUBTRACTIONS and isinstance(call.args[1], Call)
    before: list[Layer] = [Rescale(-1.0)] if negative else []
    if id(others[0]) not in call.origins:
        if not bool(torch.as_tensor(others[0]).any()):
            return before, state
        raise NetworkError(
            "it adds a constant that is not zero to the values of a layer and is no parameter (an "
            "offset, or fixed positions such as sines), which no layer here does; leave it out, or "
            "make it an nn.Parameter with random numbers"
        )
    everywhere = _one_per_position(others[0], call, state)
    if everywhere is None:
        return None
    std, trained = _drawn(call, others[0], state, spreads)
    rates = {"weight_rate": 0.0, "bias_rate": 1.0} if spreads.standard and trained else {}
    if std == 0 and not rates:
        return before, state
    options: Any = {"weight_std": 0.0, "bias_std": std, "trainable": trained, **rates}
    if not everywhere:
        return [*before, Sum(None, Dense(**options))], state
    if rates:
        return [*before, Sum(None, ConvLocal(1, **options))], state
    return [*before, PositionalEmbedding(weight_std=std, trainable=trained)], state


def tokens(call: Call, state: State, spreads: Spreads) -> Translated | None:
    """Parameters in front of all positions."""
    parts: Any = call.args[0] if call.args else call.options["tensors"]
    given = call.options.get("dim", call.options.get("axis"))
    dim = given if given is not None else (*call.args, 0)[1]
    if dim % (len(state.axes) + 1) == state.batch:
        raise NetworkError("it puts constants beside the inputs, along the axis of the batch")
    place = state.place(dim)
    state.check_batch()
    if state.axes[place] != tuple(range(len(state.space))):
        raise NetworkError(
            "it puts constants beside a signal, but not in front of all its positions; a class "
            "token stands in front of positions that are one axis"
        )
    if not isinstance(parts[-1], Call):
        raise NetworkError("its constants stand behind a signal; put them in front of it")
    constants = parts[:-1]
    found = [_drawn(call, each, state, spreads) for each in constants]
    count = sum(each.shape[place + 1] for each in constants)
    if len(set(found)) != 1:
        raise NetworkError(
            "its constants were drawn with different spreads, or some are frozen; give all the same"
        )
    std, trained = found[0]
    state = replace(state, merged=())
    after = replace(state, axes=tuple((0,) if a == state.axes[place] else a for a in state.axes))
    if not spreads.standard or not trained:
        return [ClassToken(weight_std=std, count=count, trainable=trained)], after
    positions = call.shape[place] - count if call.shape else 0
    own = ConvLocal(1, weight_std=0.0, bias_std=std, weight_rate=0.0, bias_rate=1.0)
    first = Sequential(own, Slice((0, count)), Pad(((0, positions),)))
    return [ClassToken(weight_std=0.0, count=count, trainable=False), Sum(None, first)], after


def drawn(call: Call) -> list[torch.Tensor]:
    """The parameters among the arguments of a call."""
    parts = [
        each for arg in call.args for each in (arg if isinstance(arg, list | tuple) else [arg])
    ]
    return [call.origins[id(part)][1] for part in parts if id(part) in call.origins]


def _drawn(call: Call, value: Any, state: State, spreads: Spreads) -> tuple[float, bool]:
    """The spread of a parameter, and whether it is trained."""
    name, parameter = call.origins.get(id(value), (None, None))
    if parameter is None:
        raise NetworkError(
            "it puts constants beside a signal that are no parameter; use an nn.Parameter with "
            "random numbers (or zeros)"
        )
    one = value if value.ndim <= len(state.axes) else value[:1]
    rows = one.reshape(-1, value.shape[-1])
    again = bool(rows.any()) and len(rows.unique(dim=0)) < len(rows)
    if again or rows.numel() > parameter.numel():
        raise NetworkError(f"it puts vectors of {name!r} at several positions; take one for each")
    return spreads.of_vectors(parameter, name), parameter.requires_grad


def _one_per_position(values: torch.Tensor, call: Call, state: State) -> bool | None:
    """Whether a constant has a vector for each position, or one for all; None for neither."""
    count = len(state.axes) + 1
    sizes = [1] * (count - values.ndim) + list(values.shape)
    own = [size for dim, size in enumerate(sizes) if dim != state.batch]
    full = list(call.shape_in)
    if state.batch != 0:
        return None
    if sizes[0] != 1 and bool((values != values[:1]).any()):
        raise NetworkError("its constants differ from input to input")
    space = [place for place, axis in enumerate(state.axes) if isinstance(axis, tuple)]
    channels = state.axes.index(CHANNELS)
    if own[channels] != full[channels] or full[channels] == 1:
        return None
    if all(own[place] == 1 for place in space):
        return bool(space) and math.prod(full[place] for place in space) == 1
    return True if all(own[place] == full[place] for place in space) else None
