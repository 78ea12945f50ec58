"""The page in a real browser: pictures, controls, messages, the clipboard, no other machine."""

import json
import time

import numpy as np
import pytest

import browsing
from tangency.data import Dataset

PATIENCE = 60
ALL = """const all = (node, css, found = []) => {
  for (const e of node.querySelectorAll('*')) {
    if (e.matches(css)) found.push(e);
    if (e.shadowRoot) all(e.shadowRoot, css, found);
  }
  return found;
};
const found = all(document.querySelector(arguments[0]), arguments[1]);
return arguments[2] ? found.map((e) => e.innerText) : found;"""
SET = """for (const m of Bokeh.documents[0].all_models)
  if (m.tags.includes(arguments[0])) m.value = arguments[1];"""


@pytest.fixture(autouse=True, scope="module")
def panel():
    """Imported when it is needed: every process collects this file, and it takes a second."""
    pytest.importorskip("panel", reason="Panel is not installed")


def show(browser, address, width=1440, scheme="light", figures=5):
    browsing.show(browser, address, width, scheme)
    wait(lambda: len(found(browser, "main", "svg.plot")) == figures)


def found(browser, root, css):
    """Elements below a root, also in shadow roots."""
    return browser.execute_script(ALL, root, css, False)


def words(browser, root, css):
    """What they say, at one moment."""
    return browser.execute_script(ALL, root, css, True)


def press(browser, root, css, position):
    """Press one of the buttons there as soon as it can be seen."""
    wait(lambda: len(found(browser, root, css)) > position)
    wait(lambda: found(browser, root, css)[position].is_displayed())
    browser.execute_script("arguments[0].click()", found(browser, root, css)[position])


def wait(ready):
    end = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < end, "the page does not change"
        time.sleep(0.02)


def change(browser, tag, value, card="#profile"):
    """Set a control, and wait for what a card says to change."""
    before = words(browser, card, ".summary")
    browser.execute_script(SET, tag, value)
    wait(lambda: words(browser, card, ".summary") not in ([], before))


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (400, "dark")])
def test_the_page_is_shown_whole_and_from_here(browser, served, width, scheme):
    show(browser, served[1], width, scheme)
    assert [e for e in browser.get_log("browser") if e["level"] == "SEVERE"] == []
    sent = [json.loads(e["message"])["message"] for e in browser.get_log("performance")]
    sent = [m["params"] for m in sent if m["method"] == "Network.requestWillBeSent"]
    # The browser's own first page asks for things, too.
    asked = [m["request"]["url"] for m in sent if m["documentURL"].startswith(served[1])]
    assert len(asked) > 5
    assert [url for url in asked if not url.startswith((served[1], "data:", "blob:"))] == []
    scroll, client = browsing.overflow(browser)
    assert scroll <= client == width
    for picture in found(browser, "main", "svg.plot"):
        assert picture.rect["width"] > 200
    ink = browser.execute_script("return getComputedStyle(document.body).color")
    assert ink == ("rgb(34, 34, 34)" if scheme == "light" else "rgb(232, 230, 225)")


@pytest.mark.slow
def test_controls_text_and_messages(browser, served):
    show(browser, served[1])
    change(browser, "depth", 2)
    (field,) = found(browser, ".net", "input")
    wait(lambda: field.get_attribute("value") == "conv3 relu conv3 relu gap dense")
    browser.execute_script(SET, "net", "conv3 rely gap dense")
    wait(lambda: words(browser, ".net", ".error"))
    assert "did you mean relu or abrelu?" in words(browser, ".net", ".error")[0]
    change(browser, "net", "flatten dense relu dense")
    assert words(browser, ".net", ".error") == []


def test_an_image_is_chosen_and_dragged(browser, served):
    from selenium.webdriver.common.action_chains import ActionChains

    show(browser, served[1])
    before = words(browser, "#moved .body", ".summary")
    press(browser, "#nearest", ".choices button", 1)
    wait(lambda: words(browser, "#moved .body", ".summary") not in ([], before))
    wait(lambda: len(found(browser, "#nearest", ".choices .chosen")) == 1)
    before = words(browser, "#moved .body", ".summary")
    (pad,) = found(browser, "#moved", "img.pad")
    wait(pad.is_displayed)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", pad)
    ActionChains(browser).click_and_hold(pad).move_by_offset(16, 0).release().perform()
    # 6 pixels are shown 96 wide.
    wait(lambda: "Right (pixels): 1" in " ".join(words(browser, "#moved .own", ".bk-slider-title")))
    wait(lambda: words(browser, "#moved .body", ".summary") not in ([], before))


def test_code_is_copied(browser, served):
    show(browser, served[1])
    origin = "/".join(served[1].split("/")[:3])
    allowed = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    browser.execute_cdp_cmd("Browser.grantPermissions", {"origin": origin, "permissions": allowed})
    press(browser, "#spectrum .foot", "button.bk-btn", 1)
    wait(lambda: found(browser, "#spectrum .foot", "button.copy")[0].is_displayed())
    press(browser, "#spectrum .foot", "button.copy", 0)
    wait(lambda: words(browser, "#spectrum .foot", "button.copy") == ["Copied"])
    copied = browser.execute_async_script(
        "navigator.clipboard.readText().then(arguments[0], e => arguments[0](String(e)))"
    )
    assert copied.startswith("import tangency as tg\n")
    assert "tg.bias.spectrum(kernels, dim=10, degree=30)" in copied


def test_vectors_with_hostile_names(browser, serving):
    """A page without images; names do nothing but are shown."""
    from tangency.explore.explorer import Explorer, first_state
    from tangency.explore.subject import Subject

    word = "<img src=x onerror=\"document.title='owned'\">"
    X = np.random.default_rng(0).normal(size=(40, 3))
    data = Dataset(X, (X[:, 0] > 0).astype(int), name=word, class_names=(word, "b"))
    explorer = Explorer(Subject(data, "load('x')"))
    with serving(explorer, first_state(explorer)) as (_, address):
        show(browser, address, figures=4)
        assert word in browser.find_element("css selector", ".about").text
        assert word in " ".join(words(browser, "#nearest", "button.choice"))
        assert "only images can be deformed" in words(browser, "#moved", ".missing")[0]
        assert browser.title == "tangency explore"
