"""The controls of the page: widgets that set a network's text, and those of the rest of a state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import panel as pn

from .looks import WIDGET
from .networks import (
    ACTIVATIONS,
    CONVOLUTIONS,
    DENSE,
    DEPTHS,
    FACTORS,
    POOLS,
    READOUTS,
    Controls,
    controls_of,
    presets,
)
from .state import Motion
from .subject import Subject

_CHOOSE = "choose …"
_BLOCK: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": 0}
_LOOK: dict[str, Any] = {
    "sizing_mode": "stretch_width",
    "stylesheets": [WIDGET],
    "margin": (0, 0, 12, 0),
}


class NetworkControls:
    """A text field, and controls that write it; they follow what is typed as far as they can.

    changed: called with the text whenever it is another one.
    """

    def __init__(self, subject: Subject, text: str, changed: Callable[[str], None]) -> None:
        self._space, self._changed = subject.space, changed
        self._following = False
        self.text = pn.widgets.TextInput(label="Network", value=text, tags=["net"], **_LOOK)
        self.preset = pn.widgets.Select(
            label="Ready networks", options={_CHOOSE: "", **presets(subject.shape)}, **_LOOK
        )
        self.depth = pn.widgets.IntSlider(
            label="Depth (activations)", start=DEPTHS[0], end=DEPTHS[1], tags=["depth"], **_LOOK
        )
        self.factor = pn.widgets.IntSlider(
            label="Pooling factor (1: none)", start=FACTORS[0], end=FACTORS[1], **_LOOK
        )
        self.activation = _switch("Activation", ACTIVATIONS)
        self.kind = _switch("Layers", (CONVOLUTIONS, DENSE))
        self.pool = _switch("Pooling", POOLS)
        self.readout = _switch("Readout", READOUTS)
        self._of_grid = [self.kind, self.factor, self.pool, self.readout]
        self._follow(text)
        self.text.param.watch(lambda event: self._typed(event.new), "value")
        self.preset.param.watch(lambda event: self._chosen(event.new), "value")
        for name in Controls.__dataclass_fields__:
            getattr(self, name).param.watch(self._moved, "value")

    def layout(self) -> Any:
        """All but the text field, one below the other."""
        first, last = [self.preset], [self.depth, _labelled(self.activation)]
        if self._space:
            first.append(_labelled(self.kind))
            last += [self.factor, _labelled(self.pool), _labelled(self.readout)]
        return pn.Column(*first, *last, **_BLOCK)

    def _typed(self, text: str) -> None:
        self._follow(text)
        self._changed(text)

    def _chosen(self, text: str) -> None:
        if text and not self._following:
            self.text.value = text

    def _moved(self, event: Any) -> None:
        if not self._following:
            parts = {name: getattr(self, name).value for name in Controls.__dataclass_fields__}
            self.text.value = Controls(**parts).text(self._space)

    def _follow(self, text: str) -> None:
        """Set the controls to what the text says, without writing it again."""
        found = controls_of(text, self._space)
        with self._silently():
            if found is not None:
                for name in Controls.__dataclass_fields__:
                    getattr(self, name).value = getattr(found, name)
            known = self.preset.options.values()
            self.preset.value = text if text in known else ""
            dense = self.kind.value == DENSE
            for widget in (self.factor, self.pool, self.readout):
                widget.disabled = dense
            self.pool.disabled = dense or self.factor.value == 1

    @contextmanager
    def _silently(self) -> Iterator[None]:
        self._following = True
        try:
            yield
        finally:
            self._following = False


class MotionControls:
    """Sliders for a deformation. changed: called with it whenever it is another one."""

    def __init__(self, subject: Subject, motion: Motion, changed: Callable[[Motion], None]) -> None:
        self._changed = changed
        reach = max(1.0, round(max(subject.space, default=1) / 3))
        limits = {
            "angle": ("Rotation (degrees)", -60, 60, 1),
            "size": ("Size", 0.6, 1.6, 0.02),
            "slant": ("Slant", -0.8, 0.8, 0.02),
            "right": ("Right (pixels)", -reach, reach, 0.05),
            "down": ("Down (pixels)", -reach, reach, 0.05),
            "wave": ("Waves, ‖∇τ‖", 0, 0.9, 0.02),
        }
        self.sliders = {
            name: pn.widgets.FloatSlider(
                label=label,
                start=start,
                end=end,
                step=step,
                **{
                    "value": getattr(motion, name),
                    "tags": [name],
                    "styles": {"flex": "1 1 8rem"},
                    **_LOOK,
                },
            )
            for name, (label, start, end, step) in limits.items()
        }
        self.reset = pn.widgets.Button(label="As it was", stylesheets=[WIDGET], margin=0)
        self._resetting = False
        self.reset.on_click(self._put_back)
        for slider in self.sliders.values():
            slider.param.watch(self._moved, "value")

    @property
    def motion(self) -> Motion:
        """What the sliders say."""
        return Motion(**{name: slider.value for name, slider in self.sliders.items()})

    def layout(self) -> Any:
        """The sliders, in as many columns as fit."""
        return pn.Column(pn.FlexBox(*self.sliders.values(), gap="0 1.2rem"), self.reset, **_BLOCK)

    def _put_back(self, event: Any) -> None:
        self._resetting = True
        for name, slider in self.sliders.items():
            slider.value = getattr(Motion(), name)
        self._resetting = False
        self._moved(event)

    def _moved(self, event: Any) -> None:
        if not self._resetting:
            self._changed(self.motion)


def number_slider(name: str, start: int, end: int, value: int, step: int = 1) -> Any:
    """A slider of whole numbers that reports where it is let go."""
    return pn.widgets.IntSlider(label=name, start=start, end=end, step=step, value=value, **_LOOK)


def _switch(name: str, options: tuple[str, ...]) -> Any:
    return pn.widgets.RadioButtonGroup(label=name, options=list(options), **_LOOK)


def _labelled(switch: Any) -> Any:
    """A switch under its name, which it does not show by itself."""
    name = pn.pane.HTML(
        f"<span class='label'>{switch.label}</span>", stylesheets=[WIDGET], margin=0
    )
    return pn.Column(name, switch, **_BLOCK)
