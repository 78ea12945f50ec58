"""The page: complete in itself, accessible, and what a user passes in stays text."""

import re

import numpy as np
import pytest

from pages import cells, check, tree
from tangency.report.matrices import KernelMatrices
from tangency.report.page import Fact, Page, Picture, Section, exhibit, numeric_columns
from tangency.results import Table

HOSTILE = '<script>alert("1")</script>\' --> </style> $\\frac{{ 1 }}'


def result(names=("a", "b")):
    features = np.random.default_rng(0).normal(size=(8, 5)) + 1
    K = features @ features.T
    return KernelMatrices({"NTK": K, "last-layer": K**2}, np.arange(8) % 2, names)


def page(word="plain", names=("a", "b")):
    shown = exhibit(result(names), "figure")
    picture = Picture("data:image/png;base64,iVBORw0KGgo=", 10, 10, word)
    table = Table((word, "number"), [(word, 1), ("b", 2.5)])
    return Page(
        title=word,
        subject=word,
        kicker=word,
        lead=word,
        layers=[word, word],
        facts=[Fact(word, word, word, "ntk")],
        sections=[
            Section("one", word, [word], picture, [(word, table)], [shown], [word]),
            Section("two", "Two", missing=["Nothing."]),
        ],
        method=[word],
        command=word,
    )


def test_a_page_is_complete_and_accessible():
    root = check(page().html())
    assert [h.text for h in root.all("h2")] == [
        *("What was found", "plain", "Two", "How this page was made")
    ]


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("dog\x0b", r"dog\x0b"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("end\uffff\0", r"end\uffff\x00"),
        ("lone\udc80", r"lone\udc80"),
    ],
)
def test_characters_that_are_not_to_be_seen_are_shown_by_their_codes(word, shown):
    html = page(word, (word, "b")).html()
    html.encode("utf-8")
    root = check(html)  # which reads the pictures as XML
    assert root.all("h1")[0].text == shown
    assert word not in html


@pytest.mark.parametrize("word", [HOSTILE, "a & b", "{{ 7 * 7 }}", "{% raw %}", 'x" onload="y'])
def test_what_is_passed_in_stays_text(word):
    html = page(word, (word, "b")).html()
    root = check(html)
    assert root.all("h1")[0].text == word.strip()
    assert [e.text for e in root.all("code")][:2] == [word, word]
    assert root.all("img")[0]["alt"] == word
    assert cells(root.all("table")[0])[0][0] == word
    assert cells(root.all("table")[1])[1][0][0] == word  # a class name in a table of a figure
    assert root.all("style")[0].text == tree(page().html()).all("style")[0].text


def test_no_script_would_run_even_if_there_were_one():
    root = check(page().html())
    policy = next(m for m in root.all("meta") if m["http-equiv"] == "Content-Security-Policy")
    assert policy["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_tables_are_the_numbers_of_the_figure():
    root = check(page().html())
    head, rows = cells(root.all("table")[1])
    expected = result().table()
    assert head == list(expected.columns)
    assert rows == expected.cells()


def test_a_figure_has_how_to_read_it_and_what_it_shows():
    html = page().html()
    for words in (result().reading, result().summary):
        assert words in html
    assert html.count('<svg viewBox="') == 2  # one form for wide screens, one for narrow ones


def test_words_of_a_figure_can_be_replaced():
    shown = exhibit(result(), "figure", title="Another", note="but")
    assert (shown.title, shown.note) == ("Another", "but")


def test_a_figure_that_cannot_be_narrow_has_a_box_to_scroll_in():
    class Wide(KernelMatrices):
        plot_narrow = property()

    class Fixed:
        title, reading, summary = "Fixed", "Read it.", "It is fixed."
        plot, table = result().plot, result().table

    shown = exhibit(Fixed(), "fixed")
    assert shown.narrow == ""
    section = Section("one", "One", exhibits=[shown])
    html = Page("t", "s", "k", "l", [], [], [section], [], "c").html()
    root = check(html)
    box = next(e for e in root.all("div") if e["class"] == "picture only")
    assert (box["tabindex"], box["role"]) == ("0", "region")


def test_numbers_are_flush_right():
    table = Table(("a", "b", "c"), [("x", 1, "1e-9"), ("y", "-", "z")])
    assert numeric_columns(table) == [False, True, False]
    assert numeric_columns(Table(("a",), [])) == [False]


def test_the_same_page_twice():
    assert page().html() == page().html()


COLOURS = re.compile(r"--([a-z]+): (#[0-9a-f]{6});")


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme):
    """WCAG 2.2: 4.5 for text, 3 for what is drawn."""
    style = tree(page().html()).all("style")[0].text
    light, dark = style.split("prefers-color-scheme: dark", 1)
    colours = dict(COLOURS.findall(light))
    if scheme == "dark":
        colours |= dict(COLOURS.findall(dark))
    for back in ("paper", "card"):
        for front, least in [
            *[(name, 4.5) for name in ("ink", "soft", "grey", "link")],
            *[(name, 3) for name in ("blue", "vermilion")],
        ]:
            a, b = luminance(colours[front]), luminance(colours[back])
            ratio = (max(a, b) + 0.05) / (min(a, b) + 0.05)
            assert ratio >= least, f"{front} on {back}: {ratio:.2f}"


def test_a_template_that_lacks_a_value_is_an_error():
    from jinja2 import UndefinedError

    broken = page()
    object.__delattr__(broken, "kicker")
    with pytest.raises(UndefinedError):
        broken.html()
