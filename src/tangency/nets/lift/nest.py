"""From a graph of calls to a network whose branches part and meet.

A call that takes several results is where branches meet. They part at the last call through which
all of them come (their nearest common dominator); what lies before stands once, in front. Branches
whose ways cross elsewhere would share random weights, and so are no independent branches.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from ...errors import NetworkError
from ...nets import Concatenate, Layer, Product, Sequential, Sum
from .known import PRODUCTS, SUMS
from .states import CHANNELS, State
from .trace import Call
from .translate import Translator
from .vectors import drawn
from .weights import weighted

_CONCATENATIONS = (torch.cat, torch.concat, torch.concatenate)


class Nest:
    """The network that leads to the last of some calls."""

    def __init__(self, translate: Translator, start: Call, state: State) -> None:
        self.translate, self.start = translate, start
        self.states: dict[Call, State] = {start: state}
        self.layers: dict[Call, list[Layer]] = {start: []}
        self.ways: dict[Call, list[Call]] = {start: [start]}  # the calls through which all come
        self.used: set[Call] = set()
        self.owners: dict[int, tuple[str, Call]] = {}
        self.weights: dict[Any, list[tuple[str, torch.Tensor]]] = {}  # by their first numbers

    def of(self, last: Call) -> Sequential:
        """The network up to this call. Raises `NetworkError` for what is none of layers here."""
        self._learn(last)
        if self.states[last].batch != 0:
            raise NetworkError(
                "the axis of the batch is not the first of the result; move it back at the end"
            )
        return Sequential(*self._chain(last, self.start))

    def _learn(self, last: Call) -> None:
        """States, layers and common ways of all calls up to one, in order."""
        pending = [last]
        while pending:
            call = pending[-1]
            missing = [each for each in call.inputs if each not in self.states]
            if call in self.states or missing:
                pending += missing
                if call in self.states:
                    pending.pop()
                continue
            pending.pop()
            self._know(call)

    def _know(self, call: Call) -> None:
        inputs = call.inputs
        if call.kind == "output" and len(inputs) != 1:
            raise NetworkError(
                f"the module returns {len(inputs)} tensors; a network here has one: wrap it so "
                "that it returns the one whose kernel is wanted"
            )
        self._check_alone(call)
        _check_meeting(call)
        common = [
            each for each in self.ways[inputs[0]] if all(each in self.ways[i] for i in inputs)
        ]
        self.ways[call] = [*common, call]
        state = self.states[inputs[0]]
        if call.kind == "output":
            self.layers[call], self.states[call] = [], state
        elif len(inputs) == 1 and not _concatenates(call):
            self.layers[call], self.states[call] = self.translate(call, state)
            if call.target in SUMS or call.target in _CONCATENATIONS:
                for parameter in drawn(call):
                    self._own(parameter, call)
        else:
            self.layers[call], self.states[call] = [], self._met(call)

    def _check_alone(self, call: Call) -> None:
        """Weights stand at one place: used twice, they are not independent of each other."""
        for module in weighted(call.target):
            self._own(module.weight, call)
            self._check_no_copy(call.name, module.weight)

    def _own(self, weight: torch.Tensor, call: Call) -> None:
        other, owner = self.owners.setdefault(weight.data_ptr(), (call.name, call))
        if owner is not call:
            raise NetworkError(
                f"{call.name} and {other} share their weights, so that what they do is not "
                "independent; the limit is known for weights that are used once"
            )

    def _check_no_copy(self, name: str, weight: torch.Tensor) -> None:
        """`nn.TransformerEncoder` makes layers that begin as copies of one."""
        key = (tuple(weight.shape), *weight.detach().flatten()[:4].tolist())
        for other, seen in self.weights.setdefault(key, []):
            if bool(weight.any()) and torch.equal(seen, weight):
                raise NetworkError(
                    f"{name} and {other} begin with equal weights (nn.TransformerEncoder copies "
                    "one layer), so that what they do is not independent; draw them anew: for p in "
                    "module.parameters(): if p.dim() > 1: nn.init.xavier_uniform_(p)"
                )
        self.weights[key].append((name, weight))

    def _met(self, call: Call) -> State:
        """What leaves a meeting of branches."""
        states = [self.states[each] for each in call.inputs]
        first = states[0]
        for state in states[1:]:
            if (state.axes, state.batch) != (first.axes, first.batch):
                raise NetworkError(f"{call.name}: the axes of its branches differ in their order")
        hidden = all(state.hidden for state in states)
        channels, positions = first.channels, first.positions
        side_by_side = _concatenates(call) and first.axes[_dim(call, first)] == CHANNELS
        if side_by_side:
            channels, positions = sum(state.channels * state.positions for state in states), 1
        if not hidden and (side_by_side or any(state.hidden for state in states)):
            raise NetworkError(
                f"{call.name}: the inputs have few channels, and hidden layers infinitely many in "
                "the limit, so the two cannot be combined; pass the inputs through a layer with "
                "weights first"
            )
        apart = any(state.apart for state in states)
        if apart and call.target in PRODUCTS:
            raise NetworkError(
                f"{call.name}: a product with what a depthwise convolution gives, whose channels "
                "are not independent of those that went into it; mix the channels by a pointwise "
                "convolution before the product"
            )
        return replace(first, channels=channels, hidden=hidden, apart=apart, positions=positions)

    def _chain(self, call: Call, stop: Call) -> list[Layer]:
        """The layers behind `stop`, up to a call."""
        found: list[list[Layer]] = []
        while call is not stop:
            if call in self.used:
                raise NetworkError(
                    f"{call.name}: what it gives reaches the output on ways that cross, and not as "
                    "branches that part and meet; its weights would stand in two branches, which "
                    "then are not independent"
                )
            self.used.add(call)
            inputs = call.inputs
            if len(inputs) == 1 and not _concatenates(call):
                found.append(self.layers[call])
                call = inputs[0]
                continue
            inputs = self._unfolded(call)
            ways = [self.ways[each] for each in inputs]
            parting = [each for each in ways[0] if all(each in way for way in ways)][-1]
            if len(inputs) > 1:
                found.append([self._meeting(call, inputs, parting)])
            call = parting if len(inputs) > 1 else inputs[0]
        return [layer for layers in reversed(found) for layer in layers]

    def _unfolded(self, call: Call) -> list[Call]:
        """The inputs of a meeting; channels that were side by side before are so again.

        Where x and f(x) are concatenated for f₂, and then x, f(x) and f₂ for f₃, the first two are
        one signal.
        """
        inputs = call.inputs
        if not _concatenates(call):
            return inputs
        best = inputs
        for other in self.layers:
            taken = other.inputs if _concatenates(other) and other is not call else []
            first = 1 < len(taken) < len(inputs) and inputs[: len(taken)] == taken
            if first and 1 + len(inputs) - len(taken) < len(best):
                best = [other, *inputs[len(taken) :]]
        return best

    def _meeting(self, call: Call, inputs: list[Call], parting: Call) -> Layer:
        branches = [Sequential(*self._chain(each, parting)) for each in inputs]
        chains = [branch if branch.layers else None for branch in branches]
        state = self.states[inputs[0]]
        if _concatenates(call):
            axis = state.axes[_dim(call, state)]
            if axis == CHANNELS:
                found = [self.states[each] for each in inputs]
                widths = [each.channels * each.positions for each in found]
                return Concatenate(*chains, widths=tuple(widths))
            if not isinstance(axis, tuple) or len(axis) != 1:
                raise NetworkError(f"{call.name}: it joins along an axis that was merged before")
            return Concatenate(*chains, axis=axis[0])
        if call.target in PRODUCTS:
            return Product(*chains)
        return Sum(*chains)


def _check_meeting(call: Call) -> None:
    """Refuse settings and constants that no meeting of branches has here."""
    if _concatenates(call):
        parts: Any = call.args[0] if call.args else call.options["tensors"]
        if len(call.inputs) != len(parts):
            raise NetworkError(
                f"{call.name}: it puts constants beside several signals, which no layer here does; "
                "put them beside one (a class token in front of all positions)"
            )
    if len(call.inputs) > 1 and not _concatenates(call):
        if call.kind != "output" and call.target not in (*PRODUCTS, *SUMS):
            raise NetworkError(
                f"{call.name}: branches meet here by sums, products and concatenations only"
            )
        if len(set(call.inputs)) == 1 and call.kind != "output":
            raise NetworkError(
                f"{call.name}: it takes the same signal twice; write a multiple as x * 2, and of a "
                "square the description of the network yourself, with tangency.Monomial(2)"
            )
    if call.target in SUMS and call.options.get("alpha", 1) != 1:
        raise NetworkError(f"{call.name}: a sum with alpha; multiply the branch by it before")


def _concatenates(call: Call) -> bool:
    """Whether it puts signals side by side; constants beside one signal are another thing."""
    if call.kind != "function" or call.target not in _CONCATENATIONS:
        return False
    parts: Any = call.args[0] if call.args else call.options["tensors"]
    return len(call.inputs) > 1 or len(parts) == 1


def _dim(call: Call, state: State) -> int:
    given: Any = call.options.get("dim", call.options.get("axis"))
    if given is None:
        given = call.args[1] if len(call.args) > 1 else 0
    return state.place(given)
