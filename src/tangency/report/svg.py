"""A figure as a picture inside a page: SVG text that takes its colours from the page.

The colours of `style` become CSS variables, so that one picture serves a light and a dark page.
Letters are drawn as outlines: what was laid out is what is seen, whatever fonts a reader has.
"""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from ..figures import style
from ..printable import printable

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

#: CSS variable of the page -> the colour that it stands for in a figure.
COLOURS = {
    "ink": style.INK,
    "grey": style.GREY,
    "pale": style.PALE,
    "card": "#ffffff",
    "blue": style.BLUE,
    "vermilion": style.VERMILION,
    "green": style.GREEN,
    "orange": style.ORANGE,
    "purple": style.PURPLE,
}
_VARIABLES = {colour.lower(): f"var(--{name})" for name, colour in COLOURS.items()}
_VARIABLES["#000000"] = "var(--ink)"
_HREF = "{http://www.w3.org/1999/xlink}href"
_PNG = "data:image/png;base64,"
_DROPPED = ("metadata", "style")
# Of the page for each point of a figure at most, so that letters of all figures have one size.
_PIXELS = 1.35


def inline_svg(figure: Figure, key: str, alt: str) -> Markup:
    """The figure as an `<svg>` element for an HTML page, without its title and small print.

    key: a name that no other picture of the page has; it goes before every id inside. alt: what
    the picture shows, for those who do not see it.
    """
    from markupsafe import Markup

    # matplotlib repeats every text in a comment, where control characters are no XML.
    root = ET.fromstring(printable(_saved(figure), keep="\n\t"))
    _tidy(root)
    _rename_ids(root, key)
    box = root.attrib["viewBox"]
    root.attrib = {
        "viewBox": box,
        "class": "plot",
        "role": "img",
        "aria-label": printable(alt),
        # matplotlib says this in a <style> element, which would reach the whole page.
        "style": "stroke-linejoin:round;stroke-linecap:butt;fill:var(--ink);"
        f"max-width:{_PIXELS * float(box.split()[2]):.0f}px",
    }
    return Markup(ET.tostring(root, encoding="unicode"))


def small_print(figure: Figure) -> str:
    """The line below all panels, which a page shows as text; "" if there is none."""
    return figure.get_supxlabel()


def _saved(figure: Figure) -> str:
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    beside = {figure.get_suptitle(), figure.get_supxlabel()} - {""}
    for text in figure.texts:
        if text.get_text() in beside:
            text.set_visible(False)
            text.set_in_layout(False)
    figure.patch.set_visible(False)
    for axes in figure.axes:
        axes.patch.set_alpha(0)
        for image in axes.images:
            image.set_interpolation("none")  # its own pixels, not those of a screen
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "tangency", "svg.fonttype": "path"}):
        if (layout := figure.get_layout_engine()) is not None:
            # `savefig` would draw the whole figure, in dots of 1/72 inch, to lay it out alone.
            FigureCanvasSVG(figure)
            figure.dpi = 72
            layout.execute(figure)
            figure.set_layout_engine("none")
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _tidy(root: ET.Element) -> None:
    """Plain tag names, colours as variables, no more digits than a screen can show."""
    for parent in list(root.iter()):
        for child in list(parent):
            if _plain(child.tag) in _DROPPED:
                parent.remove(child)
    for element in root.iter():
        element.tag = _plain(element.tag)
        element.text = element.tail = None
        if _HREF in element.attrib:
            element.set("href", element.attrib.pop(_HREF))
        if "d" in element.attrib:
            element.set("d", _short(" ".join(element.attrib["d"].split())))
        if "style" in element.attrib:
            element.set("style", _with_variables(element.attrib["style"]))
        if element.tag == "image":
            element.set("href", _smaller_png(element.attrib["href"]))
        if element.tag == "use":
            for name in {"x", "y"} & set(element.attrib):
                element.set(name, _short(element.attrib[name]))


def _plain(tag: str) -> str:
    return tag.rpartition("}")[2]


def _short(text: str) -> str:
    return re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]):.2f}", text)


def _with_variables(text: str) -> str:
    text = re.sub(r"#[0-9a-fA-F]{6}\b", lambda c: _VARIABLES.get(c[0].lower(), c[0]), text)
    return re.sub(r"([:;]) ", r"\1", text)


def _smaller_png(address: str) -> str:
    """The same pixels with a palette where 256 colours suffice, as they do for a colour map."""
    from PIL import Image

    data = base64.b64decode(address.removeprefix(_PNG))
    image = Image.open(io.BytesIO(data)).convert("RGBA")
    if image.getchannel("A").getextrema() != (255, 255) or image.getcolors(256) is None:
        return _PNG + base64.b64encode(data).decode()
    out = io.BytesIO()
    exact = image.convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE, colors=256)
    exact.save(out, format="PNG", optimize=True)
    return _PNG + base64.b64encode(min(data, out.getvalue(), key=len)).decode()


def _rename_ids(root: ET.Element, key: str) -> None:
    """Keep the ids that are used, with `key` before them."""
    used = set()
    for element in root.iter():
        for name, value in element.attrib.items():
            if name == "href" and value.startswith("#"):
                used.add(value[1:])
                element.set(name, f"#{key}-{value[1:]}")
            elif "url(#" in value:
                used.update(re.findall(r"url\(#([^)]*)\)", value))
                element.set(name, value.replace("url(#", f"url(#{key}-"))
    for element in root.iter():
        name = element.attrib.pop("id", None)
        if name in used:
            element.set("id", f"{key}-{name}")
