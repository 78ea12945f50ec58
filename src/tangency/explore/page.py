"""The page: controls, cards, and what happens when a control is moved."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import panel as pn
from markupsafe import escape

from .cards import Card, choices, templates
from .explorer import FOUND_OUT, Explorer, Step, Stopped
from .looks import CARD, PAGE, SCRIPT, WIDGET
from .state import State
from .views import VIEWS, View
from .widgets import MotionControls, NetworkControls, number_slider
from .worker import Worker

#: Seconds after which the page says that it is at work.
_SOON = 0.4
_BETWEEN = 0.1
_CHOICES = 2
_COLUMNS = (("profile", "spectrum"), ("nearest", "matrices"), ("moved", "learning"))
_WIDE: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": 0}


class Shelf:
    """One card on the page: what is shown, and its numbers and code, which fold."""

    def __init__(self, view: View) -> None:
        sheets = {"stylesheets": [CARD], **_WIDE}
        self.body = pn.pane.HTML("", **sheets)
        self._numbers = pn.pane.HTML("", visible=False, **sheets)
        self._code = pn.pane.HTML("", visible=False, **sheets)
        toggle = partial(pn.widgets.Toggle, stylesheets=[WIDGET], margin=(0, 8, 0, 0))
        self.toggles = [toggle(label="Numbers"), toggle(label="Code", tags=[f"code-{view.name}"])]
        for button, pane in zip(self.toggles, (self._numbers, self._code), strict=True):
            button.param.watch(partial(self._fold, pane), "value")
        self.foot = pn.Column(pn.Row(*self.toggles, margin=0), self._numbers, self._code, **_WIDE)

    def _fold(self, pane: Any, event: Any) -> None:
        pane.visible = event.new

    def show(self, card: Card) -> None:
        """Put a card here."""
        self.body.param.update(object=card.body, css_classes=[])
        self._numbers.object = card.numbers
        self._code.object = _code(card.code)
        self.foot.visible = bool(card.code)

    def fade(self) -> None:
        """Show that what is here belongs to another state."""
        self.body.css_classes = ["stale"]


def _columns() -> list[list[View]]:
    """The cards of each column of a wide page."""
    return [[view for name in names for view in VIEWS if view.name == name] for names in _COLUMNS]


def _code(text: str) -> str:
    button = '<button type="button" class="copy">Copy</button>'
    return f'<div class="code">{button}<pre tabindex="0">{escape(text)}</pre></div>'


@dataclass(frozen=True)
class _Job:
    """A state, and the cards that are on the page already."""

    state: State
    shown: dict[str, Hashable]


class Page:
    """One browser window: its state, its cards, and the thread that computes them.

    later: runs a function in the window's own thread; Panel's, if none is given.
    """

    def __init__(
        self,
        explorer: Explorer,
        state: State,
        later: Callable[[Callable[[], None]], Any] | None = None,
    ) -> None:
        self.explorer, self.state = explorer, state
        self._document = pn.state.curdoc
        self._later = later or self._next_tick
        self.shelves = {view.name: Shelf(view) for view in VIEWS}
        self._shown: dict[str, Hashable] = {}
        self.worker = Worker[_Job](self._work)
        subject = explorer.subject
        self.net = NetworkControls(subject, state.net, self.change_net)
        self.motion = MotionControls(subject, state.motion, lambda m: self.change(motion=m))
        self.image = pn.widgets.IntInput(
            label=f"{subject.noun.capitalize()}, by row",
            value=state.image,
            start=0,
            end=len(subject.X) - 1,
            tags=["image"],
            stylesheets=[WIDGET],
            margin=0,
            width=120,
        )
        self.image.param.watch(lambda event: self.change(image=event.new or 0), "value")
        self.dim = self._slider("dim", "Dimensions of the sphere", 2, 50)
        least = min(20, subject.most)
        self.examples = self._slider("examples", "Examples compared", least, subject.most)
        self.message = pn.pane.HTML("", stylesheets=[CARD], **_WIDE)
        self.status = pn.pane.HTML("", stylesheets=[CARD], **_WIDE)
        self.choices = pn.pane.HTML("", stylesheets=[CARD], **_WIDE)
        self.stop = pn.widgets.Button(
            label="Stop", visible=False, stylesheets=[WIDGET], margin=0, tags=["stop"]
        )
        self.stop.on_click(lambda event: self._stop_or_go())

    def open(self) -> Any:
        """What Panel serves; the rest is computed as soon as the window is there to receive it."""
        self._show_choices()
        for view in VIEWS:
            kept = self.explorer.kept(view, self.state)
            if kept is not None:
                self._put(kept)
        if self._document is None:
            self.change()
        else:
            pn.state.onload(self.change)
        return self._template()

    def change_net(self, text: str) -> None:
        """Another network, or the library's own message about a text that is none."""
        before = self.state.net
        try:
            self.explorer.check(replace(self.state, net=text))
        except FOUND_OUT as error:
            note = f"<br>Shown is still <code>{escape(before)}</code>."
            self.message.object = f'<p class="error" role="alert">{escape(error)}{note}</p>'
            return
        self.message.object = ""
        self.change(net=text)

    def change(self, **parts: Any) -> None:
        """Another state: fade what does not belong to it, and have it computed."""
        self.state = replace(self.state, **parts)
        if "image" in parts:
            self._show_choices()
        stale = [v for v in VIEWS if self._shown.get(v.name) != v.key(self.state)]
        if not stale:
            self.worker.stop()
            self._idle()
        else:
            self.worker.ask(_Job(self.state, dict(self._shown)))

    def close(self) -> None:
        """The window is closed."""
        self.worker.close()

    def _slider(self, field: str, name: str, start: int, end: int) -> Any:
        slider = number_slider(name, start, max(end, start + 1), getattr(self.state, field))
        slider.param.watch(lambda event: self.change(**{field: event.new}), "value_throttled")
        return slider

    def _next_tick(self, act: Callable[[], None]) -> None:
        if self._document is None:
            act()
        else:
            self._document.add_next_tick_callback(act)

    # In the worker's thread.

    def _work(self, job: _Job, given_up: Callable[[], bool]) -> None:
        begun = said = time.monotonic()

        def tell(act: Callable[[], None]) -> None:
            if given_up():  # perhaps because the window is closed
                raise Stopped
            self._later(act)

        def tick(step: Step) -> None:
            nonlocal said
            if given_up():
                raise Stopped
            now = time.monotonic()
            if now - begun > _SOON and now - said > _BETWEEN:
                said = now
                tell(partial(self._busy, step, given_up))

        with suppress(Stopped):
            try:
                for card in self.explorer.cards(job.state, job.shown, tick):
                    tell(partial(self._put_if, card))
            except Stopped:
                raise
            except Exception as error:  # the page must go on, whatever it was
                tell(partial(self._failed, f"{type(error).__name__}: {error}"))
            tell(partial(self._done, given_up))

    # In the window's thread.

    def _put_if(self, card: Card) -> None:
        """A card that is still asked for."""
        view = next(view for view in VIEWS if view.name == card.name)
        if view.key(self.state) == card.key:
            self._put(card)

    def _put(self, card: Card) -> None:
        self._shown[card.name] = card.key
        self.shelves[card.name].show(card)

    def _busy(self, step: Step, given_up: Callable[[], bool]) -> None:
        if given_up():
            return
        for view in VIEWS:
            if self._shown.get(view.name) != view.key(self.state):
                self.shelves[view.name].fade()
        share = f' value="{step.share:.2f}"' if step.share else ""
        self.status.object = (
            f'<p class="busy" role="status">{escape(step.view.title)} …'
            f' <progress max="1"{share}></progress></p>'
        )
        self.stop.param.update(label="Stop", visible=True)

    def _done(self, given_up: Callable[[], bool]) -> None:
        if not given_up():
            self._idle()

    def _idle(self) -> None:
        self.status.object = ""
        self.stop.visible = False

    def _failed(self, words: str) -> None:
        self.message.object = f'<p class="error" role="alert">{escape(words)}</p>'

    def _stop_or_go(self) -> None:
        if self.stop.label == "Stop":
            self.worker.stop()
            self.status.object = '<p class="busy" role="status">Stopped; faded cards are old.</p>'
            self.stop.label = "Compute"
        else:
            self.change()

    def _show_choices(self) -> None:
        self.choices.object = choices(
            self.explorer.subject, self.explorer.subject.some(_CHOICES), self.state.image
        )

    def _template(self) -> Any:
        subject = self.explorer.subject
        source = templates().loader.get_source(templates(), "explore.html")[0]
        page = pn.Template(source)
        said = {
            "sheet": PAGE,
            "script": SCRIPT,
            "columns": _columns(),
            "images": len(subject.space) == 2,
        }
        for name, value in {**said, "about": subject.data.summary()}.items():
            page.add_variable(name, value)
        page.add_panel("net", pn.Column(self.net.text, self.message, **_WIDE))
        page.add_panel("controls", pn.Column(self.net.layout(), self.examples, self.dim, **_WIDE))
        page.add_panel("status", pn.Row(self.status, self.stop, **_WIDE))
        page.add_panel("image", pn.Column(self.choices, self.image, **_WIDE))
        if len(subject.space) == 2:  # what is added must have a place on the page
            page.add_panel("motion", self.motion.layout())
        for name, shelf in self.shelves.items():
            page.add_panel(f"{name}_body", shelf.body)
            page.add_panel(f"{name}_foot", shelf.foot)
        return page
