"""Figures inside a page: nothing leaves them, and their colours are those of the page."""

import base64
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from tangency.figures.style import BLUE, new_figure, plain_axes, put_title, save_figure
from tangency.report.matrices import KernelMatrices
from tangency.report.svg import inline_svg, small_print


def figure(label="time"):
    drawn = new_figure(4, 3)
    axes = drawn.subplots()
    axes.plot([1, 2, 3], [1, 4, 9], color=BLUE)
    plain_axes(axes, label)
    put_title(drawn, "A title that the page shows as text", "small print")
    return drawn


def matrices(n=12, names=("a", "b", "c")):
    features = np.random.default_rng(0).normal(size=(n, 5)) + 1
    K = features @ features.T
    return KernelMatrices({"NTK": K, "last-layer": K}, np.arange(n) % len(names), names)


def test_control_characters_in_names_leave_a_picture_that_can_be_read(tmp_path):
    hostile = KernelMatrices({"e\x1b[1m": np.eye(4)}, np.array([0, 0, 1, 1]), ("a\x0b", "b\uffff"))
    ET.fromstring(inline_svg(hostile.plot(), "k", "alt\x0b"))
    path = save_figure(hostile.plot(), tmp_path / "a.svg")
    assert r"a\x0b" in path.read_text(encoding="utf-8")
    ET.fromstring(path.read_bytes())


def test_colours_are_those_of_the_page():
    text = inline_svg(figure(), "k", "a curve")
    assert "stroke:var(--blue)" in text
    assert "var(--ink)" in text
    assert BLUE.lower() not in text.lower()
    assert "#ffffff" not in text.lower()


def test_title_and_small_print_are_left_to_the_page():
    drawn = figure()
    assert small_print(drawn) == "small print"
    alone = new_figure(4, 3)
    axes = alone.subplots()
    axes.plot([1, 2, 3], [1, 4, 9], color=BLUE)
    plain_axes(axes, "time")
    alone.get_layout_engine().set(h_pad=0.12)
    assert inline_svg(drawn, "k", "a curve") == inline_svg(alone, "k", "a curve")


def test_ids_are_of_this_picture_alone_and_all_of_them_are_used():
    root = ET.fromstring(inline_svg(figure(), "first", "a curve"))
    ids = {element.get("id") for element in root.iter()} - {None}
    assert ids
    assert all(name.startswith("first-") for name in ids)
    text = inline_svg(figure(), "first", "a curve")
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    assert used == ids


def test_the_same_figure_gives_the_same_text():
    assert inline_svg(figure(), "k", "a") == inline_svg(figure(), "k", "a")


@pytest.mark.parametrize("words", ['<script>alert("1")</script>', "a --> b ]]> $x", "\"' onload=x"])
def test_words_stay_words(words):
    axes_label = inline_svg(figure(words.replace("$", "")), "k", words)
    root = ET.fromstring(axes_label)
    assert root.get("aria-label") == words
    assert "<script" not in axes_label
    assert "<!--" not in axes_label
    assert {e.tag for e in root.iter()} <= {"svg", "g", "defs", "path", "use", "clipPath", "rect"}


def test_a_kernel_matrix_keeps_its_pixels():
    result = matrices()
    root = ET.fromstring(inline_svg(result.plot(), "k", "matrices"))
    images = [element for element in root.iter() if element.tag == "image"]
    shown = result.plot().axes[0].images[0]
    expected = np.asarray(shown.to_rgba(shown.get_array(), bytes=True))[..., :3]
    data = base64.b64decode(images[0].get("href").partition(",")[2])
    found = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert found.shape == (12, 12, 3)
    assert np.array_equal(found, expected) or np.array_equal(found, expected[::-1])


def test_letters_have_one_size_on_the_page():
    wide, narrow = (inline_svg(f, "k", "m") for f in (matrices().plot(), matrices().plot_narrow()))
    for text in (wide, narrow):
        width = float(re.search(r'viewBox="0 0 ([\d.]+)', text)[1])
        assert float(re.search(r"max-width:(\d+)px", text)[1]) == pytest.approx(1.35 * width, abs=1)


@pytest.mark.parametrize("draw", [figure, lambda: matrices().plot()])
def test_parts_are_where_matplotlib_puts_them(draw, monkeypatch):
    """Laid out without being drawn for that; `savefig` lays out what is not yet."""
    found = inline_svg(draw(), "k", "alt")
    plain = draw()
    monkeypatch.setattr(plain, "get_layout_engine", lambda: None)
    saved = plain.savefig

    def laid_out(*rest, **more):
        monkeypatch.undo()
        saved(*rest, **more)

    monkeypatch.setattr(plain, "savefig", laid_out)
    assert inline_svg(plain, "k", "alt") == found
