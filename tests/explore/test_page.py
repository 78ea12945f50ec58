"""What happens on the page when a control is moved, without a browser."""

import time
from threading import Event

import pytest

pytest.importorskip("panel", reason="Panel is not installed")

from tangency.explore.page import Page

PATIENCE = 60


class Opened(Page):
    """A page whose cards arrive at once, in the worker's thread."""

    def __init__(self, explorer, state):
        self.idle = Event()
        super().__init__(explorer, state, later=lambda act: act())

    def _idle(self):
        super()._idle()
        self.idle.set()

    def after(self, act):
        """Do something, and wait until everything is shown."""
        self.idle.clear()
        act()
        assert self.idle.wait(PATIENCE)


@pytest.fixture
def page(explorer, state):
    page = Opened(explorer, state)
    page.after(page.open)
    yield page
    page.close()


def bodies(page):
    return {name: shelf.body.object for name, shelf in page.shelves.items()}


def test_everything_is_there_at_first(page):
    for name, body in bodies(page).items():
        assert "summary" in body, name
    assert page.net.text.value == "conv3 relu gap dense"
    assert page.net.depth.value == 1
    assert not page.stop.visible


def test_a_slider_writes_the_text_and_changes_the_cards(page):
    before = bodies(page)
    page.after(lambda: setattr(page.net.depth, "value", 2))
    assert page.state.net == page.net.text.value == "conv3 relu conv3 relu gap dense"
    now = bodies(page)
    # Both networks learn these images without a mistake.
    assert {name for name in now if now[name] == before[name]} <= {"learning"}
    page.after(lambda: setattr(page.net.factor, "value", 2))
    assert page.state.net == "conv3 relu gauss2 conv3 relu gap dense"
    page.after(lambda: setattr(page.net.activation, "value", "erf"))
    assert page.state.net == "conv3 erf gauss2 conv3 erf gap dense"


def test_text_moves_the_sliders(page):
    page.after(lambda: setattr(page.net.text, "value", "flatten dense abs dense"))
    net = page.net
    assert (net.kind.value, net.activation.value, net.depth.value) == ("dense", "abs", 1)
    assert net.readout.disabled
    page.after(lambda: setattr(net.preset, "value", "conv3 relu conv3 relu flatten dense"))
    assert net.text.value == "conv3 relu conv3 relu flatten dense"
    assert (net.kind.value, net.readout.value) == ("convolutions", "flatten")
    # A text that no sliders give leaves them where they are.
    page.after(lambda: setattr(net.text, "value", "conv3 relu gap dense:b=0.5"))
    assert net.readout.value == "flatten"
    assert net.preset.value == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conv3 rely gap dense", "did you mean relu or abrelu?"),
        ("conv3 relu", "a kernel needs a vector at the end"),
        ("", "the text describes no layer"),
        ("<b>", "no layer is called &#39;&lt;b&gt;&#39;"),
    ],
)
def test_a_bad_text_gives_the_librarys_message_and_nothing_else(page, text, message):
    before = bodies(page)
    page.net.text.value = text
    assert message in page.message.object
    assert "<code>conv3 relu gap dense</code>" in page.message.object
    assert bodies(page) == before
    assert page.state.net == "conv3 relu gap dense"
    page.after(lambda: setattr(page.net.text, "value", "conv3 abs gap dense"))
    assert page.message.object == ""


def test_an_image_and_its_deformation(page):
    before = bodies(page)
    page.after(lambda: setattr(page.image, "value", 5))
    now = bodies(page)
    assert {name for name in now if now[name] != before[name]} == {"nearest", "moved"}
    assert 'class="choice chosen" data-row' in page.choices.object or page.state.image == 5
    page.after(lambda: setattr(page.motion.sliders["right"], "value", 1.0))
    assert page.state.motion.right == 1
    page.after(lambda: page.motion.reset.param.trigger("clicks"))
    assert "‖∇τ‖ = 0.00" in page.shelves["moved"].body.object


def test_numbers_and_code_fold(page):
    shelf = page.shelves["spectrum"]
    numbers, code = shelf.foot[1], shelf.foot[2]
    assert not numbers.visible
    shelf.toggles[0].value = shelf.toggles[1].value = True
    assert numbers.visible
    assert code.visible
    assert "<table" in numbers.object
    assert "tg.bias.spectrum(kernels, dim=10" in code.object


def test_stop_and_compute(page, monkeypatch):
    """What takes long says so, can be stopped, and can be taken up again."""
    monkeypatch.setattr("tangency.explore.page._SOON", 0.0)
    monkeypatch.setattr("tangency.explore.page._BETWEEN", 0.0)
    stopped = Event()
    original = page.explorer.matrices

    def slowly(state, tick):
        while not stopped.wait(0.01):
            tick(0.25)
        return original(state, tick)

    monkeypatch.setattr(page.explorer, "matrices", slowly)
    page.net.text.value = "conv3 sin gap dense"
    end = time.monotonic() + PATIENCE
    while page.shelves["moved"].body.css_classes or 'value="0.25"' not in page.status.object:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert "Kernel matrices by class …" in page.status.object
    assert page.stop.visible
    assert page.shelves["learning"].body.css_classes == ["stale"]
    assert page.shelves["profile"].body.css_classes == []
    page.stop.param.trigger("clicks")
    stopped.set()
    assert "Stopped" in page.status.object
    assert page.stop.label == "Compute"
    monkeypatch.setattr(page.explorer, "matrices", original)
    page.after(lambda: page.stop.param.trigger("clicks"))
    assert page.status.object == ""
    assert page.shelves["learning"].body.css_classes == []


def test_a_fault_is_shown_and_the_page_goes_on(page, monkeypatch):
    def fail(*_):
        raise RuntimeError("<it> broke")

    monkeypatch.setattr(page.explorer, "card", fail)
    page.after(lambda: setattr(page.net.text, "value", "conv3 gelu gap dense"))
    assert "RuntimeError: &lt;it&gt; broke" in page.message.object
    monkeypatch.undo()
    page.after(lambda: setattr(page.net.text, "value", "conv3 relu gap dense"))
    assert page.message.object == ""
