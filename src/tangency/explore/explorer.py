"""What is shown for a state, computed once and kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from typing import Any, Generic, TypeVar

from ..errors import InputError, NetworkError
from ..kernels.work import vector_plan
from .cards import Card, card, without
from .measure import Tick, matrices, network
from .networks import start
from .state import Motion, State
from .subject import Subject
from .views import VIEWS, View, matrices_key

FOUND_OUT = (InputError, NetworkError, MemoryError)
"""What a person may bring about with the controls."""

_KEPT = 200
_T = TypeVar("_T")


class Stopped(Exception):
    """The work was given up, because someone stopped it or asked for something else."""


@dataclass(frozen=True)
class Step:
    """Work that begins, or has come so far (0 to 1), or (with a card) is done."""

    view: View
    share: float = 0.0
    card: Card | None = None


class Explorer:
    """The cards of a state; each is computed when its part of the state is new."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._cards = _Kept[Card](_KEPT)
        self._matrices = _Kept[dict[str, Any]](20)

    def check(self, state: State) -> None:
        """Raise `NetworkError` for a text that is no network, or one that the data do not fit."""
        vector_plan(network(state.net), self.subject.shape)

    def cards(
        self, state: State, shown: dict[str, Hashable], tick: Callable[[Step], None]
    ) -> Iterator[Card]:
        """The cards that differ from those `shown` (name -> key), each as soon as it is ready.

        tick: told of what begins and how far it is, in whatever thread; it may raise `Stopped`.
        """
        wanted = [view for view in VIEWS if shown.get(view.name) != view.key(state)]
        first = next((view for view in wanted if view.matrices), None)
        with ThreadPoolExecutor(1) as beside:
            # Matrices come from compiled code, and so beside the rest, which is Python.
            ahead = (
                []
                if first is None
                else [beside.submit(self.matrices, state, _telling(tick, first))]
            )
            for view in wanted:
                tick(Step(view))
                if view.matrices:
                    wait(ahead)  # what it raises is raised again below
                yield self.card(view, state, _telling(tick, view))

    def card(self, view: View, state: State, tick: Tick = lambda share: None) -> Card:
        """One card; a measurement that cannot be made gives one that says why."""

        def make() -> Card:
            try:
                more = (self.matrices(state, tick),) if view.matrices else ()
                result = view.measure(self.subject, state, *more)
                text = view.code(self.subject, state, result).lstrip("\n")
                return card(view, state, result, text, self.subject)
            except FOUND_OUT as error:
                return without(view, state, str(error))

        return self._cards.get((view.name, view.key(state)), make)

    def kept(self, view: View, state: State) -> Card | None:
        """The card, where it has been computed before."""
        return self._cards.kept((view.name, view.key(state)))

    def matrices(self, state: State, tick: Tick = lambda share: None) -> dict[str, Any]:
        """Both kernel matrices of the examples."""
        make = partial(matrices, self.subject, state, tick)
        return self._matrices.get(matrices_key(state), make)


def first_state(explorer: Explorer, net: str | None = None) -> State:
    """What a page begins with."""
    subject = explorer.subject
    text = net or start(subject.shape)
    state = State(text, dim=min(10, max(2, subject.X[0].size)), motion=Motion(angle=15))
    explorer.check(state)
    count = subject.quick(network(text))
    return replace(state, examples=count, image=int(subject.rows(count)[0]))


def _telling(tick: Callable[[Step], None], view: View) -> Tick:
    return lambda share: tick(Step(view, share))


class _Kept(Generic[_T]):
    """The last `most` values by their keys; several threads may ask."""

    def __init__(self, most: int) -> None:
        self._values: OrderedDict[Hashable, _T] = OrderedDict()
        self._most, self._lock = most, Lock()

    def kept(self, key: Hashable) -> _T | None:
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def get(self, key: Hashable, make: Callable[[], _T]) -> _T:
        if (found := self.kept(key)) is not None:
            return found
        value = make()
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return value
