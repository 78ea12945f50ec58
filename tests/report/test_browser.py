"""The page in a real browser: no error, every picture shown, no sideways scroll."""

import base64
import io

import pytest
from PIL import Image

from browsing import overflow, show

SIZES = """return Array.from(document.querySelectorAll('main svg, main img')).map(e => {
  const box = e.getBoundingClientRect();
  return [e.tagName, box.width, box.height, e.naturalWidth ?? null,
          getComputedStyle(e.parentElement).display];
})"""
SPILT = """const edge = document.documentElement.clientWidth + 1;
return Array.from(document.querySelectorAll('body *'))
  .filter(e => !e.closest('svg, .scroll, .picture.only, .skip'))
  .filter(e => e.getBoundingClientRect().right > edge)
  .map(e => e.tagName)"""
BOX = """const b = document.querySelectorAll('.picture.wide .plot')[arguments[0]]
  .getBoundingClientRect();
return {x: b.x + scrollX, y: b.y + scrollY, width: b.width, height: b.height, scale: 1}"""


@pytest.fixture(scope="module")
def address(report, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(report[0].html(), encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 760, 400, 320])
def test_the_page_is_shown_whole(browser, address, report, width, scheme):
    show(browser, address, width, scheme)
    assert [e for e in browser.get_log("browser") if e["level"] != "INFO"] == []
    fetched = [e["message"] for e in browser.get_log("performance")]
    sent = [m for m in fetched if '"Network.requestWillBeSent"' in m]
    assert not any('"url":"http' in message for message in sent)
    scroll, client = overflow(browser)
    assert scroll <= client == width
    assert browser.execute_script(SPILT) == []
    pictures = browser.execute_script(SIZES)
    shown = [p for p in pictures if p[4] != "none"]
    assert len(shown) == len(report[0].findings) + 1  # and the examples
    for tag, wide, high, natural, _ in shown:
        assert wide > (200 if tag == "svg" else 50), tag
        assert high > 30, tag
        assert natural is None or natural > 0


@pytest.mark.parametrize("width", [1200, 400])
def test_figures_take_the_colours_of_the_scheme(browser, address, width):
    found = []
    for scheme in ("light", "dark"):
        show(browser, address, width, scheme)
        found.append(
            browser.execute_script(
                "const s = getComputedStyle(document.querySelector('.plot'));"
                "return [getComputedStyle(document.body).backgroundColor, s.fill]"
            )
        )
    (paper, ink), (dark_paper, dark_ink) = found
    assert paper == "rgb(252, 251, 249)"
    assert ink == "rgb(34, 34, 34)"
    assert dark_paper == "rgb(20, 23, 27)"
    assert dark_ink == "rgb(232, 230, 225)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_are_drawn(browser, address, scheme):
    """Not a box of one colour: a picture of each figure has many."""
    show(browser, address, 1200, scheme)
    for number in range(len(browser.find_elements("css selector", ".picture.wide .plot"))):
        box = browser.execute_script(BOX, number)
        shot = browser.execute_cdp_cmd(
            "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": box}
        )
        image = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
        assert len(image.getcolors(10**7)) > 50


def test_numbers_open_in_a_box_that_scrolls(browser, address):
    show(browser, address, 400, "light")
    browser.execute_script("document.querySelectorAll('details').forEach(e => e.open = true)")
    scroll, client = overflow(browser)
    assert scroll <= client
    widths = browser.execute_script(
        "return Array.from(document.querySelectorAll('details .scroll'))"
        ".map(e => [e.clientWidth, e.querySelector('table').getBoundingClientRect().height])"
    )
    assert widths
    assert all(0 < width <= 400 and height > 30 for width, height in widths)


def test_the_skip_link_is_seen_when_it_is_reached(browser, address):
    from selenium.webdriver.common.keys import Keys

    show(browser, address, 1200, "light")
    browser.find_element("tag name", "body").send_keys(Keys.TAB)
    link = browser.switch_to.active_element
    assert link.text == "Skip to the results"
    assert link.rect["x"] >= 0


def test_hostile_names_do_nothing(browser, report, tmp_path):
    from dataclasses import replace

    word = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    page = replace(report[0], title=word, kicker=word, lead=word, layers=[word], command=word)
    path = tmp_path / "hostile.html"
    path.write_text(page.html(), encoding="utf-8")
    show(browser, path.as_uri(), 400, "light")
    assert browser.title != "owned"
    assert browser.find_element("tag name", "h1").text == word
    assert browser.get_log("browser") == []
    scroll, client = overflow(browser)
    assert scroll <= client


def test_the_browser_does_run_scripts(browser, tmp_path):
    """Else the test above could not fail."""
    path = tmp_path / "plain.html"
    path.write_text("<title>a</title><script>document.title='ran'</script>", encoding="utf-8")
    browser.get(path.as_uri())
    assert browser.title == "ran"
